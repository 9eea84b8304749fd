/* The reactor: one curl_multi, one poller for libcurl's sockets and the clients', one heap of timers, one queue of
 * tasks.
 *
 * It has no thread and never waits unless told how long: whoever drives it calls streamer_reactor_turn. There are two
 * drivers: a native thread (relay/thread.c) and the leader among the fibers of a scheduler (binding/scheduler.c). At
 * any time at most one turn of a reactor may run; everything marked "in a turn" may be called by the code that a turn
 * runs, and by nobody else. Everything else may be called from any thread.
 *
 * libcurl is entered from the top of a turn only, never from its own callbacks, and calls back nothing but
 * upstream/callbacks.c and the two callbacks in reactor.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "poller.h"
#include "timers.h"

/* Connections that are kept for the next request, of all origins together. Without it libcurl keeps four times as many
 * as there ever were transfers at once. */
#define STREAMER_IDLE_CONNECTIONS 128

struct streamer_reactor;
struct streamer_transfer;

/* Work for the next turn, embedded in what it is about. */
struct streamer_task {
    struct streamer_task *next;
    bool queued;
    void (*run)(struct streamer_task *task); /* in a turn; may post again */
};

/* A descriptor of one's own in the poller, embedded in what it is about. */
struct streamer_watch {
    void (*ready)(struct streamer_watch *watch, int events); /* in a turn */
};

/* Counters since the start; read without a lock, each true by itself. */
struct streamer_reactor_stats {
    uint64_t turns;
    uint64_t transfers;
    uint64_t reused;
    uint64_t bytes;
    uint64_t pauses;
    uint64_t open;
    uint64_t queued; /* of those that are open, who wait for a slot */
};

/* NULL when out of descriptors or memory; errno says which. The caller owns one reference. */
struct streamer_reactor *streamer_reactor_new(void);

/* References: the driver's, and one for each transfer. The last one frees it. */
void streamer_reactor_retain(struct streamer_reactor *reactor);
void streamer_reactor_release(struct streamer_reactor *reactor);

/* Ends every open transfer as cancelled and refuses tasks from now on. By the driver, outside a turn, once. */
void streamer_reactor_close(struct streamer_reactor *reactor);

/* Queues a task and wakes whoever waits for the poller. True when this call queued it; false when it was queued
 * already, or when the reactor is closed and the task will not run. */
bool streamer_reactor_post(struct streamer_reactor *reactor, struct streamer_task *task);

/* Makes streamer_reactor_fd readable, so that whoever waits for it takes a turn. From any thread. */
void streamer_reactor_wake(struct streamer_reactor *reactor);

/* Runs what is due: tasks, ready sockets, timers. Waits at most `timeout` ms for something to be ready (0: never;
 * negative: until the next timer), and never beyond the next timer. */
void streamer_reactor_turn(struct streamer_reactor *reactor, int timeout);

/* Readable while there is something for a turn to do; for timers, once streamer_reactor_arm was called. */
int streamer_reactor_fd(const struct streamer_reactor *reactor);

/* Makes the descriptor readable when the next timer is due, so that whoever waits for it needs no timeout. By the
 * driver, between turns. */
void streamer_reactor_arm(struct streamer_reactor *reactor);

/* A transfer that has news since the last time it was returned here, with a reference for the caller; NULL when there
 * are no more. For a driver that wakes fibers, between turns. */
struct streamer_transfer *streamer_reactor_next_changed(struct streamer_reactor *reactor);

/* A driver that wants streamer_reactor_next_changed says so once, before the first turn. */
void streamer_reactor_track_changes(struct streamer_reactor *reactor);

/* In a turn. */
bool streamer_reactor_watch(struct streamer_reactor *reactor, int fd, int events, struct streamer_watch *watch);
void streamer_reactor_unwatch(struct streamer_reactor *reactor, int fd, struct streamer_watch *watch);
struct streamer_timers *streamer_reactor_timers(struct streamer_reactor *reactor);

struct streamer_reactor_stats streamer_reactor_stats(const struct streamer_reactor *reactor);
