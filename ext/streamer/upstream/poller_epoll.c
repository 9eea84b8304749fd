#ifdef HAVE_SYS_EPOLL_H

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "fork.h"
#include "poller.h"

struct streamer_poller {
    int fd;
};

enum { BATCH = 256 };

struct streamer_poller *streamer_poller_new(void) {
    struct streamer_poller *poller = malloc(sizeof *poller);
    if (poller == NULL) return NULL;
    poller->fd = epoll_create1(EPOLL_CLOEXEC);
    if (poller->fd < 0) {
        free(poller);
        return NULL;
    }
    streamer_fork_track(poller->fd);
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

bool streamer_poller_set(struct streamer_poller *poller, int fd, int events, void *tag) {
    struct epoll_event event = {.events = 0, .data.ptr = tag};
    if (events & STREAMER_READABLE) event.events |= EPOLLIN;
    if (events & STREAMER_WRITABLE) event.events |= EPOLLOUT;
    if (events & STREAMER_HANGUP) event.events |= EPOLLRDHUP;

    /* libcurl may close a number and open it again without a word: epoll is asked, not a table of ours. */
    if (epoll_ctl(poller->fd, EPOLL_CTL_MOD, fd, &event) == 0) return true;
    return errno == ENOENT && epoll_ctl(poller->fd, EPOLL_CTL_ADD, fd, &event) == 0;
}

void streamer_poller_remove(struct streamer_poller *poller, int fd) {
    struct epoll_event unused = {.events = 0};
    epoll_ctl(poller->fd, EPOLL_CTL_DEL, fd, &unused);
}

int streamer_poller_wait(struct streamer_poller *poller, struct streamer_ready *ready, int most, int timeout) {
    struct epoll_event events[BATCH];
    int count = epoll_wait(poller->fd, events, most < BATCH ? most : BATCH, timeout);
    for (int i = 0; i < count; i++) {
        ready[i].tag = events[i].data.ptr;
        ready[i].events = (events[i].events & EPOLLIN ? STREAMER_READABLE : 0) |
                          (events[i].events & EPOLLOUT ? STREAMER_WRITABLE : 0) |
                          (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) ? STREAMER_HANGUP : 0);
    }
    return count < 0 ? 0 : count;
}

#endif
