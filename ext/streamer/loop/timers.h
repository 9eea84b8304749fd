/* A pairing heap of deadlines. One timer per transfer, connection or browser, moved lazily: traffic only notes the
 * time, and a timer that fires too early is set again. So a token costs no heap operation. The heap's links are in the
 * timers: setting one cannot fail. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct streamer_timer {
    int64_t due;                                             /* streamer_now's clock */
    void (*fire)(struct streamer_timer *timer, int64_t now); /* called unset; may set it again */
    bool set;
    struct streamer_timer *child, *next;
    struct streamer_timer *previous; /* the sibling before it, or the parent of the first child */
};

/* All zero: empty. */
struct streamer_timers {
    struct streamer_timer *first; /* the earliest */
    size_t count;
};

/* Sets or moves a timer. */
void streamer_timers_set(struct streamer_timers *timers, struct streamer_timer *timer, int64_t due);

/* Unsets it; fine when it is not set. */
void streamer_timers_cancel(struct streamer_timers *timers, struct streamer_timer *timer);

/* Fires those that are due, earliest first, each at most once. */
void streamer_timers_fire(struct streamer_timers *timers, int64_t now);

/* When the earliest is due; -1 for none. */
int64_t streamer_timers_next(const struct streamer_timers *timers);
