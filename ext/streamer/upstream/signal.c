#include "signal.h"

#include <errno.h>
#include <time.h>

void streamer_signal_init(struct streamer_signal *signal) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
#ifndef __APPLE__ /* no pthread_condattr_setclock there; a set wall clock then moves a deadline */
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    pthread_mutex_init(&signal->lock, NULL);
    pthread_cond_init(&signal->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    signal->wake = (struct streamer_wake){-1, -1};
}

void streamer_signal_destroy(struct streamer_signal *signal) {
    streamer_wake_close(&signal->wake);
    pthread_cond_destroy(&signal->changed);
    pthread_mutex_destroy(&signal->lock);
}

void streamer_signal_raise(struct streamer_signal *signal) {
    pthread_cond_broadcast(&signal->changed);
    if (signal->wake.write_fd >= 0) streamer_wake_raise(&signal->wake);
}

bool streamer_signal_wait(struct streamer_signal *signal, int64_t deadline) {
    if (deadline < 0) {
        pthread_cond_wait(&signal->changed, &signal->lock);
        return true;
    }
#ifdef __APPLE__
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t left = deadline - ((int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    if (left < 0) left = 0;
    struct timespec relative = {(time_t)(left / 1000), (long)(left % 1000) * 1000000};
    return pthread_cond_timedwait_relative_np(&signal->changed, &signal->lock, &relative) != ETIMEDOUT;
#else
    struct timespec until = {(time_t)(deadline / 1000), (long)(deadline % 1000) * 1000000};
    return pthread_cond_timedwait(&signal->changed, &signal->lock, &until) != ETIMEDOUT;
#endif
}
