#include "browser.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "../core/ceilings.h"
#include "../loop/clock.h"
#include "../loop/fork.h"

/* What may wait: on top of the high-water mark the frames of one event at its ceiling, in pieces with their framing;
 * and as much again that was sent and not yet moved out of the way. */
#define CEILING (2 * (STREAMER_BROWSER_HIGH + 2 * STREAMER_MAX_EVENT))

/* The heartbeats: what no page hears, and what one that listens for it does. */
static const char COMMENT[] = ":\n\n", HEARTBEAT_EVENT[] = "event: heartbeat\ndata: {}\n\n";

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* Ruby ignores SIGPIPE, and the native thread blocks it */
#endif

static void lock(struct streamer_browser *browser) {
    pthread_mutex_lock(&browser->monitor.lock);
}

/* Of all browsers, as far as each has told at its last unlock. */
static atomic_size_t all_waiting;

static void unlock(struct streamer_browser *browser) {
    size_t waiting = browser->waiting.length - browser->sent; /* a block is counted where it was made */
    if (waiting != browser->counted) {
        atomic_fetch_add(&all_waiting, waiting - browser->counted); /* unsigned, so it takes away as well */
        browser->counted = waiting;
    }
    pthread_mutex_unlock(&browser->monitor.lock);
}

static void post(struct streamer_browser *browser) {
    streamer_browser_retain(browser);
    if (!streamer_loop_post(browser->loop, &browser->task)) streamer_browser_release(browser);
}

/* The lock is held. ETIMEDOUT: the kernel gave the connection up, because the browser acknowledged nothing for the
 * write timeout (Sinks::TcpUserTimeout sets it). */
static void lose(struct streamer_browser *browser, int reason) {
    browser->gone = true;
    if (reason == ETIMEDOUT) browser->slow = true;
    streamer_monitor_notify(&browser->monitor);
}

size_t streamer_browser_waiting(const struct streamer_browser *browser) {
    return browser->block_left + browser->waiting.length - browser->sent;
}

size_t streamer_browsers_waiting(void) {
    return atomic_load(&all_waiting) + streamer_block_stats().own_bytes;
}

bool streamer_browser_full(const struct streamer_browser *browser) {
    size_t waiting = streamer_browser_waiting(browser);
    return waiting >= STREAMER_BROWSER_HIGH ||
           (waiting > 0 && streamer_browsers_waiting() >= STREAMER_ALL_BROWSERS_HIGH);
}

/* The lock is held. Moves what waits to the front once that is less than what was sent, so that each byte moves at most
 * once. */
static void drop_sent(struct streamer_browser *browser) {
    size_t left = browser->waiting.length - browser->sent;
    if (browser->sent < left || browser->sent == 0) return;
    memmove(browser->waiting.bytes, browser->waiting.bytes + browser->sent, left);
    browser->waiting.length = left;
    browser->sent = 0;
}

/* The lock is held. Sends the parts, and keeps what the socket does not take. */
static bool send_parts(struct streamer_browser *browser, struct iovec *parts, int count) {
    if (browser->gone || browser->fd < 0) return false;
    browser->last_write = streamer_now();
    ssize_t taken = 0;
    if (streamer_browser_waiting(browser) == 0) {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
        do {
            taken = sendmsg(browser->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        } while (taken < 0 && errno == EINTR);
        if (taken < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            lose(browser, errno);
            return false;
        }
        if (taken < 0) taken = 0;
        if (taken > 0) browser->last_progress = browser->last_write;
        browser->bytes += (uint64_t)taken;
        streamer_buffer_clear(&browser->waiting);
        browser->sent = 0;
    }
    drop_sent(browser);
    for (int i = 0; i < count; i++) {
        size_t skip = (size_t)taken < parts[i].iov_len ? (size_t)taken : parts[i].iov_len;
        taken -= (ssize_t)skip;
        if (skip == parts[i].iov_len) continue;
        if (streamer_browser_waiting(browser) == 0)
            browser->last_progress = browser->last_write; /* the write timeout runs from here */
        if (streamer_buffer_append(&browser->waiting, (char *)parts[i].iov_base + skip, parts[i].iov_len - skip) !=
            STREAMER_OK) {
            lose(browser, ENOMEM);
            return false;
        }
    }
    return true;
}

/* The lock is held. */
static bool send_frames(struct streamer_browser *browser, const char *bytes, size_t length) {
    char size[20];
    struct iovec parts[3] = {
        {.iov_base = size, .iov_len = (size_t)snprintf(size, sizeof size, "%zx\r\n", length)},
        {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length},
        {.iov_base = (void *)(uintptr_t) "\r\n", .iov_len = 2},
    };
    return browser->options.chunked ? send_parts(browser, parts, 3) : send_parts(browser, parts + 1, 1);
}

bool streamer_browser_write(struct streamer_browser *browser, const char *bytes, size_t length) {
    if (length == 0) return true; /* an empty chunk would be the last one */
    lock(browser);
    bool alive = !browser->ending && send_frames(browser, bytes, length);
    bool wait = alive && streamer_browser_waiting(browser) > 0;
    unlock(browser);
    if (wait) post(browser);
    return alive;
}

void streamer_browser_close(struct streamer_browser *browser, bool complete) {
    lock(browser);
    if (!browser->ending && complete && browser->options.chunked && !browser->options.shared) {
        struct iovec last = {.iov_base = (void *)(uintptr_t) "0\r\n\r\n", .iov_len = 5};
        send_parts(browser, &last, 1);
    }
    browser->ending = true;
    unlock(browser);
    post(browser);
}

void streamer_browser_drop(struct streamer_browser *browser) {
    lock(browser);
    browser->ending = true;
    lose(browser, 0);
    unlock(browser);
    post(browser);
}

/* ---- in an iteration ---- */

/* The lock is held. Of what waits the first bytes that lie together. */
static const char *first_waiting(const struct streamer_browser *browser, size_t *length) {
    if (browser->block_left > 0) {
        size_t whole;
        const char *wire = streamer_block_wire(browser->block, browser->options.chunked, &whole);
        *length = browser->block_left;
        return wire + whole - browser->block_left;
    }
    *length = browser->waiting.length - browser->sent;
    return browser->waiting.bytes + browser->sent;
}

static void let_go_of_block(struct streamer_browser *browser) {
    streamer_block_release(browser->block);
    browser->block = NULL;
    browser->block_left = 0;
}

/* The lock is held. The socket took so many of the first bytes. */
static void note_taken(struct streamer_browser *browser, size_t taken) {
    if (browser->block_left == 0) {
        browser->sent += taken;
    } else if ((browser->block_left -= taken) == 0) {
        let_go_of_block(browser);
    }
    browser->bytes += (uint64_t)taken;
    browser->last_progress = streamer_now();
}

/* The lock is held. Sends what waits; true when all of it is gone. */
static bool flush(struct streamer_browser *browser) {
    while (!browser->gone && streamer_browser_waiting(browser) > 0) {
        size_t length;
        const char *bytes = first_waiting(browser, &length);
        ssize_t taken = send(browser->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (taken < 0 && errno == EINTR) continue;
        if (taken < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
        if (taken < 0) {
            lose(browser, errno);
            return false;
        }
        note_taken(browser, (size_t)taken);
    }
    streamer_buffer_clear(&browser->waiting);
    browser->sent = 0;
    return true;
}

/* The lock is held. When the timer has something to look at: a silence, or a browser that takes nothing. INT64_MAX for
 * never. */
static int64_t next_due(const struct streamer_browser *browser) {
    int64_t due = INT64_MAX;
    if (browser->options.heartbeat > 0 && !browser->ending) due = browser->last_write + browser->options.heartbeat;
    if (streamer_browser_waiting(browser) > 0 && browser->last_progress + browser->options.write_timeout < due) {
        due = browser->last_progress + browser->options.write_timeout;
    }
    return due;
}

static void unwatch(struct streamer_browser *browser) {
    if (browser->watched) streamer_loop_unwatch(browser->loop, browser->fd, &browser->watch);
    browser->watched = false;
    streamer_loop_cancel_timer(browser->loop, &browser->timer);
}

/* What the browser sent behind its request, a pipelined one say. To close with unread bytes is a reset, which takes
 * what is still on its way to the browser with it (RFC 9112, section 9.6). */
static void discard_input(int fd) {
    char bytes[4096];
    for (int i = 0; i < 64 && recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0; i++) {
    }
}

/* A listener may leave when it is told, or put itself last; the others stay. */
static void tell_listeners(struct streamer_browser *browser) {
    for (struct streamer_listener *listener = browser->listeners, *next; listener != NULL; listener = next) {
        next = listener->next;
        listener->on_change(listener);
    }
}

static void shut(struct streamer_browser *browser) {
    unwatch(browser);
    if (!browser->options.shared) discard_input(browser->fd);
    lock(browser);
    if (browser->options.shared && browser->gone) shutdown(browser->fd, SHUT_RDWR);
    streamer_fork_close(browser->fd);
    browser->fd = -1;
    streamer_buffer_release(&browser->waiting);
    browser->sent = 0;
    let_go_of_block(browser);
    streamer_monitor_notify(&browser->monitor);
    unlock(browser);
    tell_listeners(browser);
    streamer_browser_release(browser); /* the loop's */
}

static void watch(struct streamer_browser *browser, bool writable) {
    if (browser->watched && browser->watches_writable == writable) return;
    browser->watched = streamer_loop_watch(browser->loop, browser->fd,
                                           STREAMER_HANGUP | (writable ? STREAMER_WRITABLE : 0), &browser->watch);
    browser->watches_writable = writable;
}

void streamer_browser_listen(struct streamer_browser *browser, struct streamer_listener *listener) {
    listener->next = browser->listeners;
    browser->listeners = listener;
    listener->listens = true;
}

void streamer_browser_unlisten(struct streamer_browser *browser, struct streamer_listener *listener) {
    struct streamer_listener **link = &browser->listeners;
    if (!listener->listens) return;
    while (*link != listener) link = &(*link)->next;
    *link = listener->next;
    listener->listens = false;
}

void streamer_browser_requeue(struct streamer_browser *browser, struct streamer_listener *listener) {
    if (!listener->listens || listener->next == NULL) return;
    streamer_browser_unlisten(browser, listener);
    struct streamer_listener **link = &browser->listeners;
    while (*link != NULL) link = &(*link)->next;
    listener->next = NULL;
    listener->listens = true;
    *link = listener;
}

/* Brings everything in line with the browser's state; may end its lifecycle. */
static void update(struct streamer_browser *browser) {
    if (browser->fd < 0) return;
    lock(browser);
    bool empty = flush(browser), gone = browser->gone, ending = browser->ending;
    bool roomy = streamer_browser_waiting(browser) <= STREAMER_BROWSER_LOW;
    int64_t due = next_due(browser);
    if (roomy) streamer_monitor_notify(&browser->monitor);
    unlock(browser);

    if ((gone || roomy) && browser->listeners != NULL) {
        tell_listeners(browser); /* who may send, lose, or close it */
        lock(browser);
        empty = streamer_browser_waiting(browser) == 0;
        gone = browser->gone;
        ending = browser->ending;
        due = next_due(browser);
        unlock(browser);
    }
    if (ending && (gone || empty)) {
        shut(browser);
    } else if (gone) {
        unwatch(browser); /* nothing more happens until whoever writes notices and closes */
    } else {
        watch(browser, !empty);
        if (due != INT64_MAX) streamer_loop_set_timer(browser->loop, &browser->timer, due);
    }
}

/* The lock is held. As many of the blocks' bytes as the socket takes; negative as sendmsg's. */
static ssize_t send_blocks(struct streamer_browser *browser, struct streamer_block *const *blocks, int count) {
    struct iovec parts[STREAMER_BROWSER_BLOCKS];
    for (int i = 0; i < count; i++) {
        size_t length;
        const char *wire = streamer_block_wire(blocks[i], browser->options.chunked, &length);
        parts[i] = (struct iovec){.iov_base = (void *)(uintptr_t)wire, .iov_len = length};
    }
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
    ssize_t taken;
    do {
        taken = count == 1 ? send(browser->fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT)
                           : sendmsg(browser->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (taken < 0 && errno == EINTR);
    return taken < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : taken;
}

/* The lock is held. The number of blocks that are taken; the last may be under way from here on. */
static int keep_rest(struct streamer_browser *browser, struct streamer_block *const *blocks, int count, size_t taken) {
    for (int i = 0; i < count; i++) {
        size_t length;
        streamer_block_wire(blocks[i], browser->options.chunked, &length);
        if (taken >= length) {
            taken -= length;
            continue;
        }
        if (taken == 0 && i > 0) return i;
        streamer_block_retain(blocks[i]);
        browser->block = blocks[i];
        browser->block_left = length - taken;
        return i + 1;
    }
    return count;
}

int streamer_browser_send(struct streamer_browser *browser, struct streamer_block *const *blocks, int count) {
    lock(browser);
    int result = browser->gone || browser->ending || browser->fd < 0 ? -1 : 0;
    bool waits = false; /* from now on */
    if (result == 0 && streamer_browser_waiting(browser) == 0) {
        browser->last_write = browser->last_progress = streamer_now();
        ssize_t taken = send_blocks(browser, blocks, count);
        if (taken < 0) {
            lose(browser, errno);
            result = -1;
        } else {
            browser->bytes += (uint64_t)taken;
            result = keep_rest(browser, blocks, count, (size_t)taken);
            waits = streamer_browser_waiting(browser) > 0;
        }
    }
    int64_t due = waits ? next_due(browser) : 0;
    unlock(browser);
    if (waits) {
        watch(browser, true);
        streamer_loop_set_timer(browser->loop, &browser->timer, due);
    }
    return result;
}

static int pending_error(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

static void on_ready(struct streamer_watch *watch, int events) {
    struct streamer_browser *browser = STREAMER_OWNER(watch, struct streamer_browser, watch);
    if (events & STREAMER_HANGUP) {
        lock(browser);
        lose(browser, pending_error(browser->fd));
        unlock(browser);
    }
    update(browser);
}

static void on_task(struct streamer_task *task) {
    struct streamer_browser *browser = STREAMER_OWNER(task, struct streamer_browser, task);
    update(browser);
    streamer_browser_release(browser); /* the queue's */
}

static void on_timer(struct streamer_timer *timer, int64_t now) {
    struct streamer_browser *browser = STREAMER_OWNER(timer, struct streamer_browser, timer);
    lock(browser);
    bool waits = streamer_browser_waiting(browser) > 0;
    if (waits && now - browser->last_progress >= browser->options.write_timeout) {
        lose(browser, ETIMEDOUT);
    } else if (!waits && !browser->ending && browser->options.heartbeat > 0 &&
               now - browser->last_write >= browser->options.heartbeat) {
        const char *beat = browser->options.heartbeat_event ? HEARTBEAT_EVENT : COMMENT;
        send_frames(browser, beat, strlen(beat));
    } else if (waits) {
        browser->last_write = now; /* bytes on their way are a sign of life too */
    }
    unlock(browser);
    update(browser);
}

/* ---- lifecycle ---- */

struct streamer_browser *streamer_browser_new(struct streamer_loop *loop, int fd,
                                              const struct streamer_browser_options *options) {
    struct streamer_browser *browser = calloc(1, sizeof *browser);
    if (browser == NULL) return NULL;
    streamer_monitor_init(&browser->monitor);
    streamer_buffer_init(&browser->waiting, CEILING);
    browser->fd = fd;
    browser->options = *options;
    browser->last_write = browser->last_progress = streamer_now();
    browser->generation = streamer_fork_generation();
    browser->watch.ready = on_ready;
    browser->timer.fire = on_timer;
    browser->task.run = on_task;
    browser->references = 2; /* the caller's, and the loop's until the socket is closed */
    streamer_loop_retain(loop);
    browser->loop = loop;
    streamer_fork_track(fd);
    post(browser);
    return browser;
}

void streamer_browser_retain(struct streamer_browser *browser) {
    atomic_fetch_add(&browser->references, 1);
}

void streamer_browser_release(struct streamer_browser *browser) {
    if (atomic_fetch_sub(&browser->references, 1) != 1) return;
    if (browser->fd >= 0) streamer_fork_close(browser->fd);
    atomic_fetch_sub(&all_waiting, browser->counted);
    streamer_buffer_release(&browser->waiting);
    streamer_block_release(browser->block);
    streamer_monitor_destroy(&browser->monitor);
    streamer_loop_release(browser->loop);
    free(browser);
}

size_t streamer_browser_size(struct streamer_browser *browser) {
    lock(browser);
    size_t size = sizeof *browser + browser->waiting.capacity;
    unlock(browser);
    return size;
}
