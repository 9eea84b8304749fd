/* loop: an event loop that knows no HTTP: one poller, one heap of timers, one queue of tasks.
 *
 * It has no thread and never waits unless told how long: a driver calls streamer_loop_iterate. There are two drivers:
 * the native thread (relay/thread.c) and the leader among the fibers of a scheduler (binding/scheduler.c). At any time
 * at most one iteration of a loop may run; everything marked "in an iteration" may be called by the code that an
 * iteration runs, by the driver between two of them, and by nobody else. Everything else may be called from any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "poller.h"
#include "timers.h"

/* From a member back to the struct that embeds it. */
#define STREAMER_OWNER(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

struct streamer_loop;

/* Work for the next iteration; embed it in its owner. */
struct streamer_task {
    struct streamer_task *next;
    bool queued;
    void (*run)(struct streamer_task *task); /* in an iteration; may post again */
};

/* A descriptor in the poller; embed it in its owner. All descriptors are watched this way. */
struct streamer_watch {
    void (*ready)(struct streamer_watch *watch, int events); /* in an iteration */
    bool background; /* expensive (a TLS handshake): runs after all others, within STREAMER_BACKGROUND_BUDGET an
                        iteration */
};

/* Runs at the end of every iteration; embed it in its owner. */
struct streamer_hook {
    struct streamer_hook *next;
    void (*run)(struct streamer_hook *hook);
};

/* Microseconds that an iteration spends on background work before those who stream have the loop again. At least one
 * piece of it is done. */
#define STREAMER_BACKGROUND_BUDGET 1000

/* NULL when out of descriptors or memory; errno says which. The caller owns one reference. */
struct streamer_loop *streamer_loop_new(void);
void streamer_loop_retain(struct streamer_loop *loop);
void streamer_loop_release(struct streamer_loop *loop);

/* Refuses tasks from now on, and runs those that were queued before. By the driver, outside an iteration, once. */
void streamer_loop_close(struct streamer_loop *loop);

/* Queues a task and wakes whoever waits for the poller. True when this call queued it; false when it was queued
 * already, or when the loop is closed and the task will not run. */
bool streamer_loop_post(struct streamer_loop *loop, struct streamer_task *task);

/* Makes streamer_loop_fd readable, so that whoever waits for it runs an iteration. From any thread. */
void streamer_loop_wake(struct streamer_loop *loop);

/* Runs what is due: tasks, ready descriptors, timers, hooks. Waits at most `timeout` ms for something to be ready (0:
 * never; negative: until the next timer), and never beyond the next timer. */
void streamer_loop_iterate(struct streamer_loop *loop, int timeout);

/* How many iterations there were. From any thread. */
uint64_t streamer_loop_iterations(const struct streamer_loop *loop);

/* Readable while there is something for an iteration to do; for timers, once streamer_loop_arm was called. */
int streamer_loop_fd(const struct streamer_loop *loop);

/* Makes the descriptor readable when the next timer is due, so that whoever waits for it needs no timeout. By the
 * driver, between iterations. */
void streamer_loop_arm(struct streamer_loop *loop);

/* Whether this thread is in an iteration of this loop. */
bool streamer_loop_is_running_here(const struct streamer_loop *loop);

/* ---- in an iteration ---- */

/* Sets the events that are waited for on `fd` (see poller.h); the watch replaces another one's. False when the system
 * refuses the descriptor. */
bool streamer_loop_watch(struct streamer_loop *loop, int fd, int events, struct streamer_watch *watch);

/* Takes `fd` out; what the iteration under way has already heard of it is void. The descriptor may be closed. */
void streamer_loop_unwatch(struct streamer_loop *loop, int fd, struct streamer_watch *watch);

/* Sets or moves a timer to `due` (streamer_now's clock). */
void streamer_loop_set_timer(struct streamer_loop *loop, struct streamer_timer *timer, int64_t due);
void streamer_loop_cancel_timer(struct streamer_loop *loop, struct streamer_timer *timer);

/* Hooks run in the order in which they were added. */
void streamer_loop_add_hook(struct streamer_loop *loop, struct streamer_hook *hook);

/* The next iteration does not wait: there is more to do for a hook. Holds until the hooks run. */
void streamer_loop_hurry(struct streamer_loop *loop);
