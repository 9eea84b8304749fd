#include "timers.h"

#include <stdlib.h>

void streamer_timers_init(struct streamer_timers *timers) {
    *timers = (struct streamer_timers){NULL, 0, 0};
}

void streamer_timers_release(struct streamer_timers *timers) {
    free(timers->heap);
    streamer_timers_init(timers);
}

static void place(struct streamer_timers *timers, struct streamer_timer *timer, size_t position) {
    timers->heap[position - 1] = timer;
    timer->position = position;
}

/* Moves the timer at its position up or down until the heap is in order again. */
static void settle(struct streamer_timers *timers, struct streamer_timer *timer) {
    size_t position = timer->position;
    while (position > 1 && timers->heap[position / 2 - 1]->due > timer->due) {
        place(timers, timers->heap[position / 2 - 1], position);
        position /= 2;
    }
    for (;;) {
        size_t child = position * 2;
        if (child > timers->count) break;
        if (child < timers->count && timers->heap[child]->due < timers->heap[child - 1]->due) child++;
        if (timers->heap[child - 1]->due >= timer->due) break;
        place(timers, timers->heap[child - 1], position);
        position = child;
    }
    place(timers, timer, position);
}

bool streamer_timers_set(struct streamer_timers *timers, struct streamer_timer *timer, int64_t due) {
    timer->due = due;
    if (timer->position == 0) {
        if (timers->count == timers->capacity) {
            size_t capacity = timers->capacity ? timers->capacity * 2 : 16;
            struct streamer_timer **heap = realloc(timers->heap, capacity * sizeof *heap);
            if (heap == NULL) return false;
            timers->heap = heap;
            timers->capacity = capacity;
        }
        place(timers, timer, ++timers->count);
    }
    settle(timers, timer);
    return true;
}

void streamer_timers_cancel(struct streamer_timers *timers, struct streamer_timer *timer) {
    if (timer->position == 0) return;
    struct streamer_timer *last = timers->heap[--timers->count];
    if (last != timer) {
        place(timers, last, timer->position);
        settle(timers, last);
    }
    timer->position = 0;
}

void streamer_timers_fire(struct streamer_timers *timers, int64_t now) {
    /* A bound, because libcurl may set its timer to "now" each time it fires: the sockets must have their turn. */
    for (size_t most = timers->count; most > 0 && timers->count > 0 && timers->heap[0]->due <= now; most--) {
        struct streamer_timer *timer = timers->heap[0];
        streamer_timers_cancel(timers, timer);
        timer->fire(timer, now);
    }
}

int64_t streamer_timers_next(const struct streamer_timers *timers) {
    return timers->count > 0 ? timers->heap[0]->due : -1;
}
