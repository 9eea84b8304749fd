/* A private set of descriptors behind one descriptor that can itself be waited for (epoll, kqueue).
 *
 * That nesting is why a fiber scheduler needs one io_wait for any number of sockets, and never learns of libcurl's
 * descriptors: those may be closed and their numbers used again before anyone is told. Level-triggered, because libcurl
 * does not read to the end.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    STREAMER_READABLE = 1,
    STREAMER_WRITABLE = 2,
    STREAMER_HANGUP = 4 /* the peer closed its side, or the socket failed */
};

/* A descriptor's tag: what the owner gets back when it is ready. Never NULL. */
struct streamer_ready {
    void *tag;
    int events;
};

struct streamer_poller; /* body in poller_epoll.c or poller_kqueue.c */

/* NULL when the process is out of descriptors or memory. */
struct streamer_poller *streamer_poller_new(void);
void streamer_poller_free(struct streamer_poller *poller);

/* The descriptor that is readable while one in the set is ready. It stays the same for the poller's life. */
int streamer_poller_fd(const struct streamer_poller *poller);

/* Sets what is waited for on `fd`, adding it when it is new. STREAMER_HANGUP is reported whenever the system can
 * tell, asked for or not. A descriptor that was closed and opened again counts as new.
 * False when the system refuses the descriptor. */
bool streamer_poller_set(struct streamer_poller *poller, int fd, int events, void *tag);

/* Takes `fd` out. It may already be closed. */
void streamer_poller_remove(struct streamer_poller *poller, int fd);

/* Makes the poller's descriptor readable at `due` (streamer_now's clock) at the latest, or at a moment set before that
 * comes earlier. It rings once, in streamer_poller_wait, which says nothing of it. */
void streamer_poller_alarm(struct streamer_poller *poller, int64_t due);

/* Fills at most `most` elements and returns how many. Waits at most `timeout` milliseconds; 0 never waits, negative for
 * ever. */
int streamer_poller_wait(struct streamer_poller *poller, struct streamer_ready *ready, int most, int timeout);
