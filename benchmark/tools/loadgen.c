/* Opens many streams at once against a relay on loopback and follows each to its end.
 *
 *   loadgen PORT PATH STREAMS TOKENS LIMIT [PID [NEWCOMERS]]
 *
 * PATH leads to upstream.c's tokens, "@SEQUENCE:TIME ", however they are framed. Each must be the next of its stream,
 * and a stream is complete when all TOKENS came and HTTP said that it ended (last chunk, or close where no chunks were
 * announced). After LIMIT seconds the rest counts as incomplete. Prints one line of JSON:
 *
 *   streams, expected, tokens, incomplete, out_of_order, seconds
 *   delay_us        {p50, p90, p99, max}   from the token's TIME to its receipt here
 *   first_token_ms  {p50, p99}             from connect to a stream's first token
 *   cpu_s           CPU time of PID and its descendants meanwhile (null without PID)
 *   running         {tokens, cpu_s}   the part between every stream's first token and the first stream's end
 *   kb_per_stream   growth in memory (PSS) when half of the tokens were here, by stream
 *   beside          {streams, seconds, tokens, p50, p99, max (us), first_token_ms, incomplete}
 *
 * NEWCOMERS is a number of streams more, opened when half of the tokens were here. They count in `beside` alone: how
 * long it took until each had its first token, and the delays of the other streams' tokens meanwhile.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "delays.h"
#include "response.h"
#include "tokens.h"
#include "tool.h"
#include "usage.h"

enum { OPENED_AT_ONCE = 50 };

struct stream {
    int fd;
    bool sent, closed;
    struct response response;
    struct token token;
    long next; /* the sequence number that must come */
    uint64_t opened, first;
    bool newcomer;
};

static struct {
    struct stream *streams; /* the newcomers last */
    int count, newcomers, opened, live;
    int begun, ended; /* of count: have a first token, have ended */
    long tokens;
    uint32_t *delays; /* us */
    long received;
    long out_of_order;
} load;

/* What happens while newcomers wait for their first tokens. */
static struct {
    int begun;
    uint64_t from, to;
    uint32_t *delays;
    long received;
} beside;

struct mark {
    long tokens;
    double cpu;
    bool set;
};

static void note_first_token(struct stream *stream, uint64_t received_at) {
    stream->first = received_at;
    if (!stream->newcomer)
        load.begun++;
    else if (++beside.begun == load.newcomers)
        beside.to = received_at;
}

static void note_token(struct stream *stream, uint64_t received_at) {
    if (stream->first == 0) note_first_token(stream, received_at);
    if ((long)stream->token.sequence != stream->next) load.out_of_order++;
    stream->next = (long)stream->token.sequence + 1;
    if (stream->newcomer || load.received == load.count * load.tokens) return; /* more: out of order already */
    uint32_t delay = delay_between(stream->token.time, received_at);
    load.delays[load.received++] = delay;
    if (beside.from > 0 && beside.to == 0) beside.delays[beside.received++] = delay;
}

/* Takes the next bytes of the connection; returns how many. */
static size_t take(struct stream *stream, const char *bytes, size_t length, uint64_t received_at) {
    size_t payload, taken = response_take(&stream->response, bytes, length, &payload);
    for (const char *end = bytes + payload; bytes < end; bytes++)
        if (token_take(&stream->token, *bytes)) note_token(stream, received_at);
    return taken;
}

static void close_stream(struct stream *stream) {
    close(stream->fd);
    stream->closed = true;
    load.live--;
    if (!stream->newcomer) load.ended++;
}

static void receive(struct stream *stream) {
    static char bytes[65536];
    ssize_t count = recv(stream->fd, bytes, sizeof bytes, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
        if (count == 0 && stream->response.framing == UNTIL_CLOSE) stream->response.framing = ENDED;
        close_stream(stream);
        return;
    }
    uint64_t received_at = now_ns();
    for (size_t at = 0; at < (size_t)count;) at += take(stream, bytes + at, (size_t)count - at, received_at);
    if (stream->response.framing == ENDED) close_stream(stream);
}

/* How many streams may be open by now. */
static int wanted(void) {
    bool halfway = load.received > load.count * load.tokens / 2;
    return load.count + (halfway || beside.from > 0 ? load.newcomers : 0);
}

static void open_some(int poll_set, int port) {
    struct sockaddr_in address = loopback(port);
    int yes = 1;
    for (int i = 0; i < OPENED_AT_ONCE && load.opened < wanted(); i++) {
        struct stream *stream = &load.streams[load.opened++];
        stream->newcomer = load.opened > load.count;
        stream->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        need(stream->fd >= 0, "socket");
        setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        need(connect(stream->fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS, "connect");
        stream->opened = now_ns();
        if (stream->newcomer && beside.from == 0) beside.from = stream->opened;
        load.live++;
        struct epoll_event event = {.events = EPOLLOUT, .data.ptr = stream};
        epoll_ctl(poll_set, EPOLL_CTL_ADD, stream->fd, &event);
    }
}

static void send_request(int poll_set, struct stream *stream, const char *request, size_t length) {
    if (send(stream->fd, request, length, MSG_NOSIGNAL) != (ssize_t)length) {
        close_stream(stream);
        return;
    }
    stream->sent = true;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = stream};
    epoll_ctl(poll_set, EPOLL_CTL_MOD, stream->fd, &event);
}

/* Prints the times to the first tokens of streams, and how many streams were not whole. */
static void print_streams(const struct stream *streams, int count) {
    uint32_t *first = calloc((size_t)count + 1, sizeof *first);
    int incomplete = 0;
    long firsts = 0;
    need(first != NULL, "memory");
    for (const struct stream *stream = streams; stream < streams + count; stream++) {
        if (stream->response.framing != ENDED || stream->next != load.tokens) incomplete++;
        if (stream->first > 0) first[firsts++] = (uint32_t)((stream->first - stream->opened) / 1000);
    }
    printf("\"incomplete\":%d,", incomplete);
    print_percentiles("first_token_ms", first, firsts, 1e3);
    free(first);
}

static void print_beside(uint64_t end) {
    uint64_t to = beside.to > 0 ? beside.to : end;
    printf(",\"beside\":{\"streams\":%d,\"seconds\":%.3f,\"tokens\":%ld,", load.newcomers,
           beside.from > 0 ? (double)(to - beside.from) / 1e9 : 0, beside.received);
    print_streams(load.streams + load.count, load.newcomers);
    printf(",");
    print_percentiles("delay_us", beside.delays, beside.received, 1);
    printf("}");
}

static void report(uint64_t start, int pid, struct usage before, struct usage half, struct mark from, struct mark to) {
    uint64_t end = now_ns();
    struct usage after = usage_of(pid);
    printf("{\"streams\":%d,\"expected\":%ld,\"tokens\":%ld,\"out_of_order\":%ld,\"seconds\":%.3f,", load.count,
           load.count * load.tokens, load.received, load.out_of_order, (double)(end - start) / 1e9);
    print_streams(load.streams, load.count);
    printf(",");
    print_percentiles("delay_us", load.delays, load.received, 1);
    if (pid > 0)
        printf(",\"cpu_s\":%.4f,\"kb_per_stream\":%.1f", after.cpu - before.cpu,
               half.memory > 0 ? (double)(half.memory - before.memory) / load.count : 0);
    else
        printf(",\"cpu_s\":null,\"kb_per_stream\":null");
    if (pid > 0 && to.set)
        printf(",\"running\":{\"tokens\":%ld,\"cpu_s\":%.4f}", to.tokens - from.tokens, to.cpu - from.cpu);
    if (load.newcomers > 0) print_beside(end);
    printf("}\n");
}

static struct mark mark_of(int pid) {
    return (struct mark){.tokens = load.received, .cpu = cpu_of(pid), .set = true};
}

int main(int argc, char **argv) {
    if (argc < 6) {
        fprintf(stderr, "usage: loadgen PORT PATH STREAMS TOKENS LIMIT [PID [NEWCOMERS]]\n");
        return 64;
    }
    int port = atoi(argv[1]), pid = argc > 6 ? atoi(argv[6]) : 0;
    load.count = atoi(argv[3]);
    load.newcomers = argc > 7 ? atoi(argv[7]) : 0;
    load.tokens = atol(argv[4]);
    double limit = atof(argv[5]);
    char request[2048];
    size_t request_length = (size_t)snprintf(
        request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n", argv[2],
        port);
    load.streams = calloc((size_t)(load.count + load.newcomers), sizeof *load.streams);
    load.delays = calloc((size_t)(load.count * load.tokens), sizeof *load.delays);
    beside.delays = calloc((size_t)(load.count * load.tokens), sizeof *beside.delays);
    need(load.streams != NULL && load.delays != NULL && beside.delays != NULL && request_length < sizeof request,
         "memory");
    raise_open_files();

    int poll_set = epoll_create1(0);
    struct usage before = usage_of(pid), half = {0};
    struct mark from = {0}, to = {0};
    uint64_t start = now_ns(), deadline = start + (uint64_t)(limit * 1e9);
    static struct epoll_event events[1024];
    while ((load.live > 0 || load.opened < wanted()) && now_ns() < deadline) {
        open_some(poll_set, port);
        int count = epoll_wait(poll_set, events, 1024, load.opened < wanted() ? 1 : 100);
        for (int i = 0; i < count; i++) {
            struct stream *stream = events[i].data.ptr;
            if (stream->closed) continue;
            if (stream->sent)
                receive(stream);
            else
                send_request(poll_set, stream, request, request_length);
        }
        if (!from.set && load.begun == load.count) from = mark_of(pid);
        if (from.set && !to.set && load.ended > 0) to = mark_of(pid);
        if (pid > 0 && half.memory == 0 && load.received > load.count * load.tokens / 2) half = usage_of(pid);
    }
    report(start, pid, before, half, from, to);
    return 0;
}
