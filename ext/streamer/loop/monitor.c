#include "monitor.h"

#include <errno.h>
#include <time.h>

#include "clock.h"

void streamer_monitor_init(struct streamer_monitor *monitor) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
#ifndef __APPLE__ /* no pthread_condattr_setclock there; a set wall clock then moves a deadline */
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
#endif
    pthread_mutex_init(&monitor->lock, NULL);
    pthread_cond_init(&monitor->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    monitor->waker = (struct streamer_waker){-1, -1};
    monitor->observers = NULL;
}

void streamer_monitor_destroy(struct streamer_monitor *monitor) {
    streamer_waker_close(&monitor->waker);
    pthread_cond_destroy(&monitor->changed);
    pthread_mutex_destroy(&monitor->lock);
}

void streamer_monitor_notify(struct streamer_monitor *monitor) {
    pthread_cond_broadcast(&monitor->changed);
    if (monitor->waker.write_fd >= 0) streamer_waker_wake(&monitor->waker);
    for (struct streamer_observer *observer = monitor->observers; observer != NULL; observer = observer->next)
        observer->notify(observer);
}

void streamer_monitor_observe(struct streamer_monitor *monitor, struct streamer_observer *observer) {
    observer->next = monitor->observers;
    monitor->observers = observer;
}

void streamer_monitor_unobserve(struct streamer_monitor *monitor, struct streamer_observer *observer) {
    struct streamer_observer **link = &monitor->observers;
    while (*link != observer) link = &(*link)->next;
    *link = observer->next;
}

bool streamer_monitor_wait(struct streamer_monitor *monitor, int64_t deadline) {
    if (deadline < 0) {
        pthread_cond_wait(&monitor->changed, &monitor->lock);
        return true;
    }
#ifdef __APPLE__
    int64_t left = deadline - streamer_now();
    if (left < 0) left = 0;
    struct timespec relative = {(time_t)(left / 1000), (long)(left % 1000) * 1000000};
    return pthread_cond_timedwait_relative_np(&monitor->changed, &monitor->lock, &relative) != ETIMEDOUT;
#else
    struct timespec until = {(time_t)(deadline / 1000), (long)(deadline % 1000) * 1000000};
    return pthread_cond_timedwait(&monitor->changed, &monitor->lock, &until) != ETIMEDOUT;
#endif
}
