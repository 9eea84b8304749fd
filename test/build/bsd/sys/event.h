/* kqueue(2) as macOS and FreeBSD declare it, as far as loop/poller_kqueue.c uses it: enough to compile the file where
 * there is no kqueue (test/build/systems_test.rb). */
#pragma once

#include <stdint.h>
#include <time.h>

struct kevent {
    uintptr_t ident;
    int16_t filter;
    uint16_t flags;
    uint32_t fflags;
    intptr_t data;
    void *udata;
};

#define EV_SET(event, id, what, action, detail, value, tag) \
    (*(event) = (struct kevent){(id), (int16_t)(what), (uint16_t)(action), (detail), (value), (tag)})

#define EVFILT_READ (-1)
#define EVFILT_WRITE (-2)
#define EVFILT_TIMER (-7)

#define EV_ADD 0x0001
#define EV_DELETE 0x0002
#define EV_ONESHOT 0x0010
#define EV_CLEAR 0x0020
#define EV_EOF 0x8000

int kqueue(void);
int kevent(int queue, const struct kevent *changes, int count, struct kevent *events, int most,
           const struct timespec *timeout);
