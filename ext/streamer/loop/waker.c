#include "waker.h"

#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "fork.h"

#ifdef HAVE_SYS_EVENTFD_H
#include <sys/eventfd.h>
#endif

bool streamer_waker_open(struct streamer_waker *waker) {
    waker->read_fd = waker->write_fd = -1;
#ifdef HAVE_SYS_EVENTFD_H
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) return false;
    waker->read_fd = waker->write_fd = fd;
    streamer_fork_track(fd);
#else
    int fds[2];
    if (pipe(fds) != 0) return false;
    for (int i = 0; i < 2; i++) {
        fcntl(fds[i], F_SETFD, FD_CLOEXEC);
        fcntl(fds[i], F_SETFL, O_NONBLOCK);
        streamer_fork_track(fds[i]);
    }
    waker->read_fd = fds[0];
    waker->write_fd = fds[1];
#endif
    return true;
}

void streamer_waker_close(struct streamer_waker *waker) {
    if (waker->read_fd < 0) return;
    streamer_fork_close(waker->read_fd);
    if (waker->write_fd != waker->read_fd) streamer_fork_close(waker->write_fd);
    waker->read_fd = waker->write_fd = -1;
}

void streamer_waker_wake(const struct streamer_waker *waker) {
    uint64_t one = 1;
    /* A full counter or pipe means that it is readable already. */
    ssize_t written = write(waker->write_fd, &one, sizeof one);
    (void)written;
}

void streamer_waker_clear(const struct streamer_waker *waker) {
    char sink[256];
    while (read(waker->read_fd, sink, sizeof sink) == (ssize_t)sizeof sink) {
    }
}
