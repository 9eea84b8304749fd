/* Something another thread can wait for: a lock, a condition, and a descriptor for waiters that live in a fiber
 * scheduler.
 *
 * The lock also guards the fields of whatever the signal is part of. It is held for a few
 * instructions or a copy of one read, never across a system call that may block.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "wake.h"

struct streamer_signal {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct streamer_wake wake; /* closed until someone waits by descriptor */
};

void streamer_signal_init(struct streamer_signal *signal);
void streamer_signal_destroy(struct streamer_signal *signal);

/* Says that something changed. The lock is held by the caller. */
void streamer_signal_raise(struct streamer_signal *signal);

/* Waits for a change until `deadline` (streamer_now's clock; negative: for ever). The lock is held by the caller, and
 * held again on return. May return for no reason; false when the deadline passed. */
bool streamer_signal_wait(struct streamer_signal *signal, int64_t deadline);
