/* A descriptor that becomes readable when another thread says so: an eventfd, or a pipe where there is none. */
#pragma once

#include <stdbool.h>

struct streamer_wake {
    int read_fd;
    int write_fd; /* the same descriptor for an eventfd */
};

/* False when the process is out of descriptors; errno says so, and both fields are -1. */
bool streamer_wake_open(struct streamer_wake *wake);
void streamer_wake_close(struct streamer_wake *wake);

/* Makes it readable. From any thread; any number of calls before a drain count as one. Never blocks. */
void streamer_wake_raise(const struct streamer_wake *wake);

/* Makes it unreadable again. */
void streamer_wake_drain(const struct streamer_wake *wake);
