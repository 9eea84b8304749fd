/* group: transfers that one consumer reads together. It waits once for all of them and is told which has news.
 *
 * A transfer is in one group at most. It stands in the queue of those with news at most once, whatever it has to tell,
 * and in the order in which the news came, so nobody is passed over. A wake costs the same whatever the number of
 * transfers.
 *
 * The consumer is a thread, which waits for the group's signal, or a fiber of a scheduler, whose driver takes the turns
 * of `reactor` and asks streamer_group_next_called after each of them. Transfers of another reactor may be in the group
 * too: their news come as a task of that reactor.
 *
 * Lock order: a transfer's, the group's, a reactor's.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "reactor.h"
#include "signal.h"

struct streamer_transfer;

struct streamer_group {
    struct streamer_signal signal;

    /* Guarded by signal.lock. */
    struct streamer_transfer *first, *last; /* with news */
    bool interrupted;
    bool closed;
    struct streamer_reactor *reactor; /* of the driver whose fiber waits; NULL: a thread waits for the signal */

    /* From any thread. */
    atomic_int references;
    unsigned generation;

    /* In a turn of `reactor`, or between two. */
    struct streamer_task task;
    struct streamer_timer timer;
    struct streamer_group *called_next;
    bool called;
    void *waiter; /* the driver's (binding/scheduler.c) */
};

/* What a transfer knows of its group. `group` is guarded by the transfer's lock, the rest by the group's. */
struct streamer_membership {
    struct streamer_group *group; /* with a reference; NULL: in none */
    long key;
    struct streamer_transfer *previous, *next; /* in the queue */
    bool queued;                               /* with a reference to the transfer */
};

/* The caller owns the one reference; NULL when out of memory. */
struct streamer_group *streamer_group_new(void);
void streamer_group_retain(struct streamer_group *group);
void streamer_group_release(struct streamer_group *group);

/* From now on nothing is queued any more. By its consumer, once, before the consumer's reference is released. */
void streamer_group_close(struct streamer_group *group);

/* From now on news wake the driver of `reactor`; a reference to it is kept. Once. */
void streamer_group_use_reactor(struct streamer_group *group, struct streamer_reactor *reactor);

/* False when it is in a group already. What happened before is no news. `key` is what streamer_group_take says. */
bool streamer_group_join(struct streamer_group *group, struct streamer_transfer *transfer, long key);

/* Nothing when it is in no group. */
void streamer_group_leave(struct streamer_transfer *transfer);

/* Puts it behind those that have news already. The transfer's lock is held by the caller. */
void streamer_group_post(struct streamer_group *group, struct streamer_transfer *transfer);

/* Takes the key of the transfer whose news came first; false when there are none. */
bool streamer_group_take(struct streamer_group *group, long *key);

/* Makes whoever waits look up once. From any thread. */
void streamer_group_interrupt(struct streamer_group *group);

/* Whether there is anything to look up for. signal.lock is held by the caller. */
bool streamer_group_has_news(const struct streamer_group *group);

/* Makes it look up at `due` (streamer_now's clock) or when this is called again; negative: not. Between turns. */
void streamer_group_set_timer(struct streamer_group *group, int64_t due);

/* A group that was told something since the last time it was returned here, with a reference for the caller; NULL when
 * there are no more. By the reactor's driver, between turns. */
struct streamer_group *streamer_group_next_called(struct streamer_reactor *reactor);
