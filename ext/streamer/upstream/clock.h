/* Time, in milliseconds of the monotonic clock. All of the upstream and the relay goes by it. */
#pragma once

#include <stdint.h>
#include <time.h>

static inline int64_t streamer_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}
