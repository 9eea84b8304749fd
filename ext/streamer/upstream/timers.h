/* A heap of deadlines. One timer per transfer or client, moved lazily: traffic only notes the time, and a timer that
 * fires too early is set again. So a token costs no heap operation. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct streamer_timer {
    int64_t due;                                             /* streamer_now's clock */
    size_t position;                                         /* in the heap, from 1; 0 when not set */
    void (*fire)(struct streamer_timer *timer, int64_t now); /* called unset; may set it again */
};

struct streamer_timers {
    struct streamer_timer **heap;
    size_t count;
    size_t capacity;
};

void streamer_timers_init(struct streamer_timers *timers);
void streamer_timers_release(struct streamer_timers *timers);

/* Sets or moves a timer. False when out of memory: it is then not set. */
bool streamer_timers_set(struct streamer_timers *timers, struct streamer_timer *timer, int64_t due);

/* Unsets it; fine when it is not set. */
void streamer_timers_cancel(struct streamer_timers *timers, struct streamer_timer *timer);

/* Fires those that are due, earliest first, each at most once. */
void streamer_timers_fire(struct streamer_timers *timers, int64_t now);

/* When the earliest is due; -1 for none. */
int64_t streamer_timers_next(const struct streamer_timers *timers);
