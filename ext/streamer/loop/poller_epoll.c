#ifdef HAVE_SYS_EPOLL_H

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "fork.h"
#include "poller.h"

struct streamer_poller {
    int fd;
    int alarm_fd;  /* its tag is the poller itself */
    int64_t alarm; /* when it rings; -1: not set */
};

enum { BATCH = 256 };

struct streamer_poller *streamer_poller_new(void) {
    struct streamer_poller *poller = malloc(sizeof *poller);
    if (poller == NULL) return NULL;
    *poller = (struct streamer_poller){epoll_create1(EPOLL_CLOEXEC),
                                       timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), -1};
    if (poller->fd >= 0) streamer_fork_track(poller->fd);
    if (poller->alarm_fd >= 0) streamer_fork_track(poller->alarm_fd);
    if (poller->fd >= 0 && poller->alarm_fd >= 0 &&
        streamer_poller_set(poller, poller->alarm_fd, STREAMER_READABLE, poller))
        return poller;

    int reason = errno;
    streamer_poller_free(poller);
    errno = reason;
    return NULL;
}

void streamer_poller_free(struct streamer_poller *poller) {
    if (poller == NULL) return;
    if (poller->alarm_fd >= 0) streamer_fork_close(poller->alarm_fd);
    if (poller->fd >= 0) streamer_fork_close(poller->fd);
    free(poller);
}

int streamer_poller_fd(const struct streamer_poller *poller) {
    return poller->fd;
}

bool streamer_poller_set(struct streamer_poller *poller, int fd, int events, void *tag) {
    struct epoll_event event = {.events = 0, .data.ptr = tag};
    if (events & STREAMER_READABLE) event.events |= EPOLLIN;
    if (events & STREAMER_WRITABLE) event.events |= EPOLLOUT;
    if (events & STREAMER_HANGUP) event.events |= EPOLLRDHUP;

    /* Whether it is new only epoll knows: what was closed is out of it without a word. */
    if (epoll_ctl(poller->fd, EPOLL_CTL_MOD, fd, &event) == 0) return true;
    return errno == ENOENT && epoll_ctl(poller->fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

void streamer_poller_remove(struct streamer_poller *poller, int fd) {
    struct epoll_event unused = {.events = 0};
    epoll_ctl(poller->fd, EPOLL_CTL_DEL, fd, &unused);
}

void streamer_poller_alarm(struct streamer_poller *poller, int64_t due) {
    if (poller->alarm >= 0 && poller->alarm <= due) return;
    struct itimerspec moment = {.it_value = {(time_t)(due / 1000), (long)(due % 1000) * 1000000}};
    if (timerfd_settime(poller->alarm_fd, TFD_TIMER_ABSTIME, &moment, NULL) == 0) poller->alarm = due;
}

static void silence(struct streamer_poller *poller) {
    uint64_t times;
    poller->alarm = -1;
    if (read(poller->alarm_fd, &times, sizeof times) < 0) return; /* it is silent already */
}

int streamer_poller_wait(struct streamer_poller *poller, struct streamer_ready *ready, int most, int timeout) {
    struct epoll_event events[BATCH];
    int count = epoll_wait(poller->fd, events, most < BATCH ? most : BATCH, timeout), filled = 0;
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == poller) {
            silence(poller);
            continue;
        }
        ready[filled].tag = events[i].data.ptr;
        ready[filled].events = (events[i].events & EPOLLIN ? STREAMER_READABLE : 0) |
                               (events[i].events & EPOLLOUT ? STREAMER_WRITABLE : 0) |
                               (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) ? STREAMER_HANGUP : 0);
        filled++;
    }
    return filled;
}

#endif
