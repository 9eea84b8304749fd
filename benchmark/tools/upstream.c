/* A fake LLM upstream: HTTP/1.1 with keep-alive on loopback, one epoll loop.
 *
 *   upstream [PORT]      prints the port that it listens on; none or 0 for any free one
 *
 * A request for /any/path?n=TOKENS&us=INTERVAL is answered with a chunked event stream of TOKENS OpenAI
 * chat.completion.chunk events, one every INTERVAL microseconds (0: as fast as the socket takes them), then [DONE].
 * The streams start at random points of their first interval, so that they do not beat in step.
 *
 * The content of a token is "@SEQUENCE:TIME ", TIME being CLOCK_MONOTONIC in nanoseconds when it was queued: whoever
 * receives it at the far end of a relay on this machine knows how long it was on its way, and whether one is missing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool.h"

enum {
    MAX_CONNECTIONS = 65536,
    REQUEST_SIZE = 16384,
    OUT_SIZE = 65536,
    CHUNK_SIZE = 512, /* more than any token's */
    NOT_SCHEDULED = -1,
};

struct connection {
    int fd;
    bool streaming, waits_for_room;
    char request[REQUEST_SIZE + 1];
    size_t request_length;
    char out[OUT_SIZE]; /* what is queued lies between the two */
    size_t out_start, out_end;
    long sent, total;
    uint64_t interval, due; /* ns */
    int place;              /* in the schedule */
};

static int poll_set;
static struct connection *schedule[MAX_CONNECTIONS]; /* binary heap, the next due first */
static int scheduled;

static void place_at(int place, struct connection *connection) {
    schedule[place] = connection;
    connection->place = place;
}

/* Moves a connection whose due time has changed to where it belongs. */
static void reschedule(struct connection *connection) {
    int place = connection->place;
    for (; place > 0 && schedule[(place - 1) / 2]->due > connection->due; place = (place - 1) / 2)
        place_at(place, schedule[(place - 1) / 2]);
    for (;;) {
        int child = 2 * place + 1;
        if (child + 1 < scheduled && schedule[child + 1]->due < schedule[child]->due) child++;
        if (child >= scheduled || schedule[child]->due >= connection->due) break;
        place_at(place, schedule[child]);
        place = child;
    }
    place_at(place, connection);
}

static void schedule_in(struct connection *connection, uint64_t due) {
    connection->due = due;
    connection->place = scheduled++;
    reschedule(connection);
}

static void unschedule(struct connection *connection) {
    if (connection->place == NOT_SCHEDULED) return;
    struct connection *last = schedule[--scheduled];
    if (last != connection) {
        last->place = connection->place;
        reschedule(last);
    }
    connection->place = NOT_SCHEDULED;
}

static void drop(struct connection *connection) {
    unschedule(connection);
    close(connection->fd);
    free(connection);
}

static void wait_for(struct connection *connection, bool room) {
    if (connection->waits_for_room == room) return;
    connection->waits_for_room = room;
    struct epoll_event event = {.events = EPOLLIN | (room ? EPOLLOUT : 0u), .data.ptr = connection};
    epoll_ctl(poll_set, EPOLL_CTL_MOD, connection->fd, &event);
}

static size_t room(const struct connection *connection) {
    return OUT_SIZE - connection->out_end;
}

static void put(struct connection *connection, const char *bytes, size_t length) {
    memcpy(connection->out + connection->out_end, bytes, length);
    connection->out_end += length;
}

static void put_chunk(struct connection *connection, const char *bytes, size_t length) {
    char size[16];
    put(connection, size, (size_t)sprintf(size, "%zx\r\n", length));
    put(connection, bytes, length);
    put(connection, "\r\n", 2);
}

static void put_token(struct connection *connection, uint64_t time) {
    char event[CHUNK_SIZE];
    int length = snprintf(
        event, sizeof event,
        "data: {\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\",\"created\":"
        "1741570283,\"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":"
        "\"fp_fc9f1d7035\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"@%ld:%" PRIu64 " \"},\"logprobs\":null,"
        "\"finish_reason\":null}],\"usage\":null}\n\n",
        connection->sent++, time);
    put_chunk(connection, event, (size_t)length);
}

static void put_end(struct connection *connection) {
    static const char done[] = "data: [DONE]\n\n", last_chunk[] = "0\r\n\r\n";
    put_chunk(connection, done, sizeof done - 1);
    put(connection, last_chunk, sizeof last_chunk - 1);
    connection->streaming = false;
}

/* Tokens for as long as there are any and two more chunks fit. */
static void fill(struct connection *connection) {
    uint64_t time = now_ns();
    while (connection->sent < connection->total && room(connection) > 2 * CHUNK_SIZE) put_token(connection, time);
    if (connection->sent == connection->total) put_end(connection);
}

/* Sends what is queued, and in a stream without an interval goes on until the socket is full. False: the peer is gone.
 */
static bool pump(struct connection *connection) {
    for (;;) {
        while (connection->out_start < connection->out_end) {
            ssize_t count = send(connection->fd, connection->out + connection->out_start,
                                 connection->out_end - connection->out_start, MSG_NOSIGNAL);
            if (count < 0) {
                wait_for(connection, true);
                return errno == EAGAIN;
            }
            connection->out_start += (size_t)count;
        }
        connection->out_start = connection->out_end = 0;
        if (!connection->streaming || connection->interval > 0) break;
        fill(connection);
    }
    wait_for(connection, false);
    return true;
}

static long parameter(const char *request, const char *name) {
    const char *found = strstr(request, name);
    return found ? atol(found + strlen(name)) : 0;
}

/* The length of the request that has arrived whole, 0 while it has not. */
static size_t whole_request(const struct connection *connection) {
    const char *end = strstr(connection->request, "\r\n\r\n");
    if (end == NULL) return 0;
    size_t length = (size_t)(end + 4 - connection->request);
    const char *body = strcasestr(connection->request, "\r\ncontent-length:");
    if (body != NULL && body < end) length += strtoul(body + strlen("\r\ncontent-length:"), NULL, 10);
    return connection->request_length >= length ? length : 0;
}

static bool answer(struct connection *connection) {
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
                               "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n";
    connection->request[connection->request_length] = '\0';
    size_t length = whole_request(connection);
    if (length == 0) return connection->request_length < REQUEST_SIZE;

    connection->sent = 0;
    connection->total = parameter(connection->request, "?n=");
    connection->interval = (uint64_t)parameter(connection->request, "&us=") * 1000;
    connection->request_length -= length;
    memmove(connection->request, connection->request + length, connection->request_length);
    connection->streaming = true;
    put(connection, head, sizeof head - 1);
    if (connection->interval > 0)
        schedule_in(connection, now_ns() + connection->interval * (uint64_t)(1 + rand() % 100) / 100);
    return pump(connection);
}

static bool receive(struct connection *connection) {
    ssize_t count = recv(connection->fd, connection->request + connection->request_length,
                         REQUEST_SIZE - connection->request_length, 0);
    if (count < 0) return errno == EAGAIN;
    if (count == 0) return false;
    connection->request_length += (size_t)count;
    return connection->streaming || answer(connection);
}

static bool send_due(struct connection *connection, uint64_t time) {
    if (room(connection) <= 2 * CHUNK_SIZE) { /* the reader is behind: a little later */
        connection->due = time + 1000000;
        reschedule(connection);
        return pump(connection);
    }
    put_token(connection, time);
    if (connection->sent == connection->total) {
        unschedule(connection);
        put_end(connection);
    } else {
        connection->due += connection->interval;
        reschedule(connection);
    }
    return pump(connection);
}

static void accept_all(int listener) {
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        need(connection != NULL && fd < MAX_CONNECTIONS, "accept");
        connection->fd = fd;
        connection->place = NOT_SCHEDULED;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        epoll_ctl(poll_set, EPOLL_CTL_ADD, fd, &event);
    }
}

static int listen_on(int port) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    struct sockaddr_in address = loopback(port);
    need(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    need(listen(listener, SOMAXCONN) == 0, "listen");
    socklen_t length = sizeof address;
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

/* Milliseconds until the next token is due, rounded up; -1 for none. */
static int patience(void) {
    if (scheduled == 0) return -1;
    uint64_t time = now_ns();
    return schedule[0]->due <= time ? 0 : (int)((schedule[0]->due - time + 999999) / 1000000);
}

static void serve(struct connection *connection, uint32_t events) {
    bool alive = !(events & (EPOLLERR | EPOLLHUP));
    if (alive && (events & EPOLLIN)) alive = receive(connection);
    if (alive && (events & EPOLLOUT)) alive = pump(connection);
    if (!alive) drop(connection);
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    raise_open_files();
    int listener = listen_on(argc > 1 ? atoi(argv[1]) : 0);
    poll_set = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poll_set, EPOLL_CTL_ADD, listener, &event);

    static struct epoll_event events[1024];
    for (;;) {
        int count = epoll_wait(poll_set, events, 1024, patience());
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                accept_all(listener);
            else
                serve(events[i].data.ptr, events[i].events);
        }
        for (uint64_t time = now_ns(); scheduled > 0 && schedule[0]->due <= time;) {
            struct connection *connection = schedule[0];
            if (!send_due(connection, time)) drop(connection);
        }
    }
}
