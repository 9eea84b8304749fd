/* A descriptor that becomes readable when another thread says so: an eventfd, or a pipe where there is none. */
#pragma once

#include <stdbool.h>

struct streamer_waker {
    int read_fd;
    int write_fd; /* the same descriptor for an eventfd */
};

/* False when the process is out of descriptors; errno says so, and both fields are -1. */
bool streamer_waker_open(struct streamer_waker *waker);
void streamer_waker_close(struct streamer_waker *waker);

/* Makes it readable. From any thread; any number of calls before a drain count as one. Never blocks. */
void streamer_waker_wake(const struct streamer_waker *waker);

/* Makes it unreadable again. */
void streamer_waker_clear(const struct streamer_waker *waker);
