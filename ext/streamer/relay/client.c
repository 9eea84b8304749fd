#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "../core/ceilings.h"
#include "../upstream/clock.h"
#include "../upstream/fork.h"

/* What may wait: on top of the high-water mark the frames of one event at its ceiling, in pieces with their framing;
 * and as much again that was sent and not yet moved out of the way. */
#define CEILING (2 * (STREAMER_CLIENT_HIGH + 2 * STREAMER_MAX_EVENT))

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* Ruby ignores SIGPIPE, and the native thread blocks it */
#endif

static void lock(struct streamer_client *client) {
    pthread_mutex_lock(&client->signal.lock);
}

/* Of all clients, as far as each has told at its last unlock. */
static atomic_size_t all_waiting;

static void unlock(struct streamer_client *client) {
    size_t waiting = streamer_client_waiting(client);
    if (waiting != client->counted) {
        atomic_fetch_add(&all_waiting, waiting - client->counted); /* unsigned, so it takes away as well */
        client->counted = waiting;
    }
    pthread_mutex_unlock(&client->signal.lock);
}

static void post(struct streamer_client *client) {
    streamer_client_retain(client);
    if (!streamer_reactor_post(client->reactor, &client->task)) streamer_client_release(client);
}

/* The lock is held. ETIMEDOUT: the kernel gave the connection up, because the browser acknowledged nothing for the
 * write timeout (Sinks::Patience sets it). */
static void lose(struct streamer_client *client, int reason) {
    client->gone = true;
    if (reason == ETIMEDOUT) client->slow = true;
    streamer_signal_raise(&client->signal);
}

size_t streamer_client_waiting(const struct streamer_client *client) {
    return client->waiting.length - client->sent;
}

bool streamer_client_full(const struct streamer_client *client) {
    size_t waiting = streamer_client_waiting(client);
    return waiting >= STREAMER_CLIENT_HIGH || (waiting > 0 && atomic_load(&all_waiting) >= STREAMER_CLIENTS_HIGH);
}

/* The lock is held. Moves what waits to the front once that is less than what was sent, so that each byte moves at most
 * once. */
static void drop_sent(struct streamer_client *client) {
    size_t left = streamer_client_waiting(client);
    if (client->sent < left || client->sent == 0) return;
    memmove(client->waiting.bytes, client->waiting.bytes + client->sent, left);
    client->waiting.length = left;
    client->sent = 0;
}

/* The lock is held. Sends the parts, and keeps what the socket does not take. */
static bool send_parts(struct streamer_client *client, struct iovec *parts, int count) {
    if (client->gone || client->fd < 0) return false;
    client->last_write = streamer_now();
    ssize_t taken = 0;
    if (streamer_client_waiting(client) == 0) {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = (size_t)count};
        do {
            taken = sendmsg(client->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        } while (taken < 0 && errno == EINTR);
        if (taken < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            lose(client, errno);
            return false;
        }
        if (taken < 0) taken = 0;
        if (taken > 0) client->last_progress = client->last_write;
        client->bytes += (uint64_t)taken;
        streamer_buffer_clear(&client->waiting);
        client->sent = 0;
    }
    drop_sent(client);
    for (int i = 0; i < count; i++) {
        size_t skip = (size_t)taken < parts[i].iov_len ? (size_t)taken : parts[i].iov_len;
        taken -= (ssize_t)skip;
        if (skip == parts[i].iov_len) continue;
        if (client->waiting.length == 0)
            client->last_progress = client->last_write; /* the write timeout runs from here */
        if (streamer_buffer_append(&client->waiting, (char *)parts[i].iov_base + skip, parts[i].iov_len - skip) !=
            STREAMER_OK) {
            lose(client, ENOMEM);
            return false;
        }
    }
    return true;
}

/* The lock is held. */
static bool send_frames(struct streamer_client *client, const char *bytes, size_t length) {
    char size[20];
    struct iovec parts[3] = {
        {.iov_base = size, .iov_len = (size_t)snprintf(size, sizeof size, "%zx\r\n", length)},
        {.iov_base = (void *)(uintptr_t)bytes, .iov_len = length},
        {.iov_base = (void *)(uintptr_t) "\r\n", .iov_len = 2},
    };
    return client->chunked ? send_parts(client, parts, 3) : send_parts(client, parts + 1, 1);
}

bool streamer_client_write(struct streamer_client *client, const char *bytes, size_t length) {
    if (length == 0) return true; /* an empty chunk would be the last one */
    lock(client);
    bool alive = !client->ending && send_frames(client, bytes, length);
    bool wait = alive && streamer_client_waiting(client) > 0;
    unlock(client);
    if (wait) post(client);
    return alive;
}

void streamer_client_close(struct streamer_client *client, bool complete) {
    lock(client);
    if (!client->ending && complete && client->chunked) {
        struct iovec last = {.iov_base = (void *)(uintptr_t) "0\r\n\r\n", .iov_len = 5};
        send_parts(client, &last, 1);
    }
    client->ending = true;
    unlock(client);
    post(client);
}

void streamer_client_drop(struct streamer_client *client) {
    lock(client);
    client->ending = true;
    lose(client, 0);
    unlock(client);
    post(client);
}

/* ---- in a turn ---- */

/* The lock is held. Sends what waits; true when all of it is gone. */
static bool flush(struct streamer_client *client) {
    while (!client->gone && streamer_client_waiting(client) > 0) {
        ssize_t taken = send(client->fd, client->waiting.bytes + client->sent, streamer_client_waiting(client),
                             MSG_NOSIGNAL | MSG_DONTWAIT);
        if (taken < 0 && errno == EINTR) continue;
        if (taken < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return false;
        if (taken < 0) {
            lose(client, errno);
            return false;
        }
        client->sent += (size_t)taken;
        client->bytes += (uint64_t)taken;
        client->last_progress = streamer_now();
    }
    streamer_buffer_clear(&client->waiting);
    client->sent = 0;
    return true;
}

/* The lock is held. When the timer has something to look at: a silence, or a browser that takes nothing. INT64_MAX for
 * never. */
static int64_t next_due(const struct streamer_client *client) {
    int64_t due = INT64_MAX;
    if (client->heartbeat > 0 && !client->ending) due = client->last_write + client->heartbeat;
    if (streamer_client_waiting(client) > 0 && client->last_progress + client->write_timeout < due) {
        due = client->last_progress + client->write_timeout;
    }
    return due;
}

static void unwatch(struct streamer_client *client) {
    if (client->watched) streamer_reactor_unwatch(client->reactor, client->fd, &client->watch);
    client->watched = false;
    streamer_timers_cancel(streamer_reactor_timers(client->reactor), &client->timer);
}

/* What the browser sent behind its request, a pipelined one say. To close with unread bytes is a reset, which takes
 * what is still on its way to the browser with it (RFC 9112, section 9.6). */
static void discard_input(int fd) {
    char bytes[4096];
    for (int i = 0; i < 64 && recv(fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0; i++) {
    }
}

static void shut(struct streamer_client *client) {
    unwatch(client);
    discard_input(client->fd);
    lock(client);
    streamer_fork_close(client->fd);
    client->fd = -1;
    streamer_buffer_release(&client->waiting);
    client->sent = 0;
    streamer_signal_raise(&client->signal);
    unlock(client);
    streamer_client_release(client); /* the reactor's */
}

static void watch(struct streamer_client *client, bool writable) {
    if (client->watched && client->watches_writable == writable) return;
    client->watched = streamer_reactor_watch(client->reactor, client->fd,
                                             STREAMER_HANGUP | (writable ? STREAMER_WRITABLE : 0), &client->watch);
    client->watches_writable = writable;
}

/* Brings everything in line with the client's state; may end its life. */
static void update(struct streamer_client *client) {
    if (client->fd < 0) return;
    lock(client);
    bool empty = flush(client), gone = client->gone, ending = client->ending;
    bool roomy = streamer_client_waiting(client) <= STREAMER_CLIENT_LOW;
    int64_t due = next_due(client);
    if (roomy) streamer_signal_raise(&client->signal);
    unlock(client);

    if ((gone || roomy) && client->on_change != NULL) client->on_change(client);
    if (ending && (gone || empty)) {
        shut(client);
    } else if (gone) {
        unwatch(client); /* nothing more happens until whoever writes notices and closes */
    } else {
        watch(client, !empty);
        if (due != INT64_MAX) streamer_timers_set(streamer_reactor_timers(client->reactor), &client->timer, due);
    }
}

static int pending_error(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

static void on_ready(struct streamer_watch *watch, int events) {
    struct streamer_client *client =
        (struct streamer_client *)((char *)watch - offsetof(struct streamer_client, watch));
    if (events & STREAMER_HANGUP) {
        lock(client);
        lose(client, pending_error(client->fd));
        unlock(client);
    }
    update(client);
}

static void on_task(struct streamer_task *task) {
    struct streamer_client *client = (struct streamer_client *)((char *)task - offsetof(struct streamer_client, task));
    update(client);
    streamer_client_release(client); /* the queue's */
}

static void on_timer(struct streamer_timer *timer, int64_t now) {
    struct streamer_client *client =
        (struct streamer_client *)((char *)timer - offsetof(struct streamer_client, timer));
    lock(client);
    bool waits = streamer_client_waiting(client) > 0;
    if (waits && now - client->last_progress >= client->write_timeout) {
        lose(client, ETIMEDOUT);
    } else if (!waits && !client->ending && client->heartbeat > 0 && now - client->last_write >= client->heartbeat) {
        send_frames(client, ":\n\n", 3);
    } else if (waits) {
        client->last_write = now; /* bytes on their way are a sign of life too */
    }
    unlock(client);
    update(client);
}

/* ---- life ---- */

struct streamer_client *streamer_client_new(struct streamer_reactor *reactor, int fd, bool chunked, int64_t heartbeat,
                                            int64_t write_timeout) {
    struct streamer_client *client = calloc(1, sizeof *client);
    if (client == NULL) return NULL;
    streamer_signal_init(&client->signal);
    streamer_buffer_init(&client->waiting, CEILING);
    client->fd = fd;
    client->chunked = chunked;
    client->heartbeat = heartbeat;
    client->write_timeout = write_timeout;
    client->last_write = client->last_progress = streamer_now();
    client->generation = streamer_fork_generation();
    client->watch.ready = on_ready;
    client->timer.fire = on_timer;
    client->task.run = on_task;
    client->references = 2; /* the caller's, and the reactor's until the socket is closed */
    streamer_reactor_retain(reactor);
    client->reactor = reactor;
    streamer_fork_track(fd);
    post(client);
    return client;
}

void streamer_client_retain(struct streamer_client *client) {
    atomic_fetch_add(&client->references, 1);
}

void streamer_client_release(struct streamer_client *client) {
    if (atomic_fetch_sub(&client->references, 1) != 1) return;
    if (client->fd >= 0) streamer_fork_close(client->fd);
    atomic_fetch_sub(&all_waiting, client->counted);
    streamer_buffer_release(&client->waiting);
    streamer_signal_destroy(&client->signal);
    streamer_reactor_release(client->reactor);
    free(client);
}

size_t streamer_client_size(struct streamer_client *client) {
    lock(client);
    size_t size = sizeof *client + client->waiting.capacity;
    unlock(client);
    return size;
}
