/* monitor: something another thread can wait for: a lock, a condition, a descriptor for a waiter that has to poll,
 * and observers for waiters that live in a fiber scheduler.
 *
 * The lock also guards the fields of whatever the monitor is part of. It is held for a few instructions or a copy of
 * one read, never across a system call that may block.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "waker.h"

/* Told of every change, with the lock held and on the thread that made it: it notes, and does nothing else. */
struct streamer_observer {
    void (*notify)(struct streamer_observer *observer);
    struct streamer_observer *next;
};

struct streamer_monitor {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct streamer_waker waker;         /* closed until someone waits by descriptor */
    struct streamer_observer *observers; /* guarded by lock */
};

void streamer_monitor_init(struct streamer_monitor *monitor);
void streamer_monitor_destroy(struct streamer_monitor *monitor);

static inline void streamer_monitor_lock(struct streamer_monitor *monitor) {
    pthread_mutex_lock(&monitor->lock);
}

static inline void streamer_monitor_unlock(struct streamer_monitor *monitor) {
    pthread_mutex_unlock(&monitor->lock);
}

/* Adds an observer, and takes out one that was added. The lock is held by the caller. */
void streamer_monitor_observe(struct streamer_monitor *monitor, struct streamer_observer *observer);
void streamer_monitor_unobserve(struct streamer_monitor *monitor, struct streamer_observer *observer);

/* Says that something changed. The lock is held by the caller. */
void streamer_monitor_notify(struct streamer_monitor *monitor);

/* Waits for a change until `deadline` (streamer_now's clock; negative: forever). The lock is held by the caller, and
 * held again on return. May return spuriously; false when the deadline passed. */
bool streamer_monitor_wait(struct streamer_monitor *monitor, int64_t deadline);
