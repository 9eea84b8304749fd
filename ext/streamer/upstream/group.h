/* group: transfers that one consumer reads together. It waits once for all of them and is told which has changed.
 *
 * A transfer is in one group at most. It stands in the queue at most once, whatever happened to it, and in the order of
 * the changes, so none is passed over. A wake costs the same whatever the number of transfers.
 *
 * Lock order: a transfer's, the group's, a loop's.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "../loop/monitor.h"

struct streamer_transfer;

struct streamer_group {
    struct streamer_monitor monitor;

    /* Guarded by monitor.lock. */
    struct streamer_transfer *first, *last; /* changed since they were taken */
    bool interrupted;
    bool closed;

    atomic_int references;
    unsigned generation;
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

/* False when it is in a group already. Changes before do not count. `key` is what streamer_group_take says. */
bool streamer_group_join(struct streamer_group *group, struct streamer_transfer *transfer, long key);

/* Nothing when it is in no group. */
void streamer_group_leave(struct streamer_transfer *transfer);

/* Puts it behind those that have changed before. The transfer's lock is held by the caller. */
void streamer_group_post(struct streamer_group *group, struct streamer_transfer *transfer);

/* Takes the key of the transfer that changed first; false when there is none. */
bool streamer_group_take(struct streamer_group *group, long *key);

/* Makes whoever waits look up once. From any thread. */
void streamer_group_interrupt(struct streamer_group *group);

/* Whether there is anything to look up for. monitor.lock is held by the caller. */
bool streamer_group_has_changes(const struct streamer_group *group);
