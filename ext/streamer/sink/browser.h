/* browser: the browser's socket, written to without the GVL.
 *
 * Frames are sent at once from whatever thread has them; what the socket does not take waits here, bounded, and the
 * loop sends it on when it can. The loop also sends a comment after a time of silence, notices a browser that
 * left (FIN, RST, or nothing taken within the write timeout), and holds up the upstream of a slow one.
 *
 * Blocks (block.h), which many browsers share, are sent without a copy: the rest of one that the socket did not take is
 * held as the block and the place in it. It goes before the bytes that wait, and no other is taken meanwhile, so
 * the order is that of the writes whoever writes.
 *
 * With `chunked` each write is one chunk of HTTP/1.1's transfer coding, so that a proxy and a browser can tell the
 * stream's end from a cut.
 *
 * With `shared` the descriptor is a duplicate of one with which a server goes on when the stream is over: the server
 * writes the last chunk and reads what the browser sends next. A stream that is cut takes the connection with it.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/buffer.h"
#include "../loop/loop.h"
#include "../loop/monitor.h"
#include "block.h"

/* Waiting bytes at which a writer waits and a relay pauses its upstream, and at which both go on. */
#define STREAMER_BROWSER_HIGH ((size_t)256 << 10)
#define STREAMER_BROWSER_LOW ((size_t)64 << 10)

/* The same for all browsers of the process together, blocks of one browser alone included. */
#define STREAMER_ALL_BROWSERS_HIGH ((size_t)256 << 20)

/* Blocks that are sent at once. */
#define STREAMER_BROWSER_BLOCKS 16

/* Who is told when the browser has room again, is gone, or was closed: embed it in its owner. */
struct streamer_listener {
    void (*on_change)(struct streamer_listener *listener); /* in an iteration; may unlisten */
    struct streamer_listener *next;
    bool listens;
};

/* Milliseconds. heartbeat: 0 for never; heartbeat_event: an event that a page's code sees, in place of a comment. */
struct streamer_browser_options {
    bool chunked, shared;
    int64_t heartbeat, write_timeout;
    bool heartbeat_event;
};

struct streamer_browser {
    struct streamer_monitor monitor;

    /* Guarded by monitor.lock. */
    int fd; /* ours; -1 once closed */
    bool gone;
    bool slow;                    /* gone because it took or acknowledged nothing for the write timeout */
    bool ending;                  /* no more frames: close when all is sent */
    bool handed_over;             /* to readers of a fanout: a handle that is let go of closes nothing */
    struct streamer_block *block; /* under way; its last bytes wait before all others */
    size_t block_left;
    struct streamer_buffer waiting;
    size_t sent;    /* of waiting */
    size_t counted; /* in the sum over all browsers */
    int64_t last_write, last_progress;
    uint64_t bytes;

    /* Constant. */
    struct streamer_browser_options options;
    struct streamer_loop *loop;
    unsigned generation;

    /* In an iteration only. */
    struct streamer_watch watch;
    struct streamer_timer timer;
    struct streamer_task task;
    bool watched, watches_writable;
    struct streamer_listener *listeners;

    atomic_int references;
};

/* Takes ownership of the non-blocking fd, or leaves it alone when it returns NULL (out of memory). The caller owns one
 * reference. */
struct streamer_browser *streamer_browser_new(struct streamer_loop *loop, int fd,
                                              const struct streamer_browser_options *options);
void streamer_browser_retain(struct streamer_browser *browser);
void streamer_browser_release(struct streamer_browser *browser);

/* Sends or queues whole frames, never between the bytes of others. From any thread; never blocks. False when the
 * browser has left. The caller sees to it that the browser is not full, and that no write is larger than two events at
 * their ceiling. */
bool streamer_browser_write(struct streamer_browser *browser, const char *bytes, size_t length);

/* Bytes not yet taken by the socket. The lock is held by the caller. */
size_t streamer_browser_waiting(const struct streamer_browser *browser);

/* Bytes that wait for all browsers of the process: what no other browser shares. */
size_t streamer_browsers_waiting(void);

/* Whether a writer has to wait: this browser is at its high-water mark, or all browsers together are at
 * STREAMER_ALL_BROWSERS_HIGH and something waits here. The lock is held by the caller. */
bool streamer_browser_full(const struct streamer_browser *browser);

/* No more frames: what waits is sent, with `complete` the last chunk too, so that the browser can tell an end from a
 * cut (unless the socket is shared); then the socket is closed. From any thread, any number of times; the monitor is
 * notified when fd is -1. */
void streamer_browser_close(struct streamer_browser *browser, bool complete);

/* Closes the socket at once, whatever waits. From any thread, any number of times. */
void streamer_browser_drop(struct streamer_browser *browser);

size_t streamer_browser_size(struct streamer_browser *browser);

/* ---- in an iteration ---- */

/* Sends blocks with one system call, and returns how many of them it took: all but perhaps the last are with the socket
 * entirely. 0 while bytes wait; -1 when the browser has left or is being closed. At most STREAMER_BROWSER_BLOCKS. */
int streamer_browser_send(struct streamer_browser *browser, struct streamer_block *const *blocks, int count);

void streamer_browser_listen(struct streamer_browser *browser, struct streamer_listener *listener);
void streamer_browser_unlisten(struct streamer_browser *browser, struct streamer_listener *listener);

/* The listener is told last from now on: whoever had its turn lets the others have theirs. */
void streamer_browser_requeue(struct streamer_browser *browser, struct streamer_listener *listener);
