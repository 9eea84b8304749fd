/* Time by the monotonic clock: in milliseconds, which all of the upstream and the relay goes by, and in microseconds,
 * for what is measured; and what this thread has had of a processor. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline int64_t streamer_now_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static inline int64_t streamer_now(void) {
    return streamer_now_us() / 1000;
}

static inline int64_t streamer_thread_time_us(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}
