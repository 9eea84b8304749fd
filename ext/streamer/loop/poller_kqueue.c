#if defined(HAVE_SYS_EVENT_H) && !defined(HAVE_SYS_EPOLL_H)

#include <sys/types.h>

#include <sys/event.h>

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "fork.h"
#include "poller.h"

struct streamer_poller {
    int fd;
    int64_t alarm; /* when it rings; -1: not set */
};

enum { BATCH = 256 };

struct streamer_poller *streamer_poller_new(void) {
    struct streamer_poller *poller = malloc(sizeof *poller);
    if (poller == NULL) return NULL;
    *poller = (struct streamer_poller){kqueue(), -1};
    if (poller->fd < 0) {
        free(poller);
        return NULL;
    }
    fcntl(poller->fd, F_SETFD, FD_CLOEXEC);
    /* Not tracked for forks: a child does not inherit a kqueue, and its number may be another's there. */
    return poller;
}

void streamer_poller_free(struct streamer_poller *poller) {
    if (poller == NULL) return;
    streamer_fork_close(poller->fd);
    free(poller);
}

int streamer_poller_fd(const struct streamer_poller *poller) {
    return poller->fd;
}

/* False when the system refuses; to delete what is not there is fine. */
static bool change(struct streamer_poller *poller, int fd, int filter, int flags, void *tag) {
    struct kevent event;
    EV_SET(&event, (uintptr_t)fd, filter, flags, 0, 0, tag);
    return kevent(poller->fd, &event, 1, NULL, 0, NULL) == 0 || flags == EV_DELETE;
}

bool streamer_poller_set(struct streamer_poller *poller, int fd, int events, void *tag) {
    /* Who asks for the hang-up alone never reads, so data must be reported once and not at every wait: EV_CLEAR. */
    int read = events & STREAMER_READABLE ? EV_ADD : events & STREAMER_HANGUP ? EV_ADD | EV_CLEAR : EV_DELETE;
    int write = events & STREAMER_WRITABLE ? EV_ADD : EV_DELETE;
    return change(poller, fd, EVFILT_READ, read, tag) && change(poller, fd, EVFILT_WRITE, write, tag);
}

void streamer_poller_remove(struct streamer_poller *poller, int fd) {
    change(poller, fd, EVFILT_READ, EV_DELETE, NULL);
    change(poller, fd, EVFILT_WRITE, EV_DELETE, NULL);
}

void streamer_poller_alarm(struct streamer_poller *poller, int64_t due) {
    if (poller->alarm >= 0 && poller->alarm <= due) return;
    int64_t left = due - streamer_now();
    struct kevent event;
    EV_SET(&event, 0, EVFILT_TIMER, EV_ADD | EV_ONESHOT, 0, left > 0 ? left : 0, NULL); /* in milliseconds */
    if (kevent(poller->fd, &event, 1, NULL, 0, NULL) == 0) poller->alarm = due;
}

int streamer_poller_wait(struct streamer_poller *poller, struct streamer_ready *ready, int most, int timeout) {
    struct kevent events[BATCH];
    struct timespec limit = {timeout / 1000, (long)(timeout % 1000) * 1000000};
    int count = kevent(poller->fd, NULL, 0, events, most < BATCH ? most : BATCH, timeout < 0 ? NULL : &limit);
    int filled = 0;
    for (int i = 0; i < count; i++) {
        if (events[i].filter == EVFILT_TIMER) {
            poller->alarm = -1;
            continue;
        }
        ready[filled].tag = events[i].udata;
        ready[filled].events = (events[i].filter == EVFILT_READ ? STREAMER_READABLE : STREAMER_WRITABLE) |
                               (events[i].flags & EV_EOF ? STREAMER_HANGUP : 0);
        filled++;
    }
    return filled;
}

#endif
