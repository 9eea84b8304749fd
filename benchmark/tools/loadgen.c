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

#include "tool.h"

enum { HEAD_SIZE = 8192, OPENED_AT_ONCE = 50 };

enum framing { HEAD, CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_END, LAST_LINE, UNTIL_CLOSE, ENDED };

struct stream {
    int fd;
    bool sent, closed;
    enum framing framing;
    char head[HEAD_SIZE + 1];
    size_t head_length, chunk_left, line_length;
    enum { OUTSIDE, IN_SEQUENCE, IN_TIME } place; /* in "@SEQUENCE:TIME " */
    uint64_t sequence, time;
    long next; /* the sequence number that must come */
    uint64_t opened, first;
    bool newcomer;
};

struct usage {
    double cpu;
    long memory; /* KiB */
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

/* Adds what a process and its descendants have used. Memory takes the kernel milliseconds to add up. */
static void add_usage(int pid, bool memory, struct usage *usage) {
    char path[64], line[256];
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &time) == 0)
        usage->cpu += (double)time.tv_sec + (double)time.tv_nsec / 1e9;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    FILE *file = memory ? fopen(path, "r") : NULL;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        long size;
        if (sscanf(line, "Pss: %ld", &size) == 1) usage->memory += size;
    }
    if (file != NULL) fclose(file);

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    file = fopen(path, "r");
    int child;
    while (file != NULL && fscanf(file, "%d", &child) == 1) add_usage(child, memory, usage);
    if (file != NULL) fclose(file);
}

static struct usage usage_of(int pid) {
    struct usage usage = {0};
    if (pid > 0) add_usage(pid, true, &usage);
    return usage;
}

static double cpu_of(int pid) {
    struct usage usage = {0};
    if (pid > 0) add_usage(pid, false, &usage);
    return usage.cpu;
}

static void note_first_token(struct stream *stream, uint64_t received_at) {
    stream->first = received_at;
    if (!stream->newcomer)
        load.begun++;
    else if (++beside.begun == load.newcomers)
        beside.to = received_at;
}

static void note_token(struct stream *stream, uint64_t received_at) {
    if (stream->first == 0) note_first_token(stream, received_at);
    if ((long)stream->sequence != stream->next) load.out_of_order++;
    stream->next = (long)stream->sequence + 1;
    if (stream->newcomer || load.received == load.count * load.tokens) return; /* more: out of order already */
    uint64_t delay = (received_at - stream->time) / 1000;
    uint32_t bounded = delay < UINT32_MAX ? (uint32_t)delay : UINT32_MAX;
    load.delays[load.received++] = bounded;
    if (beside.from > 0 && beside.to == 0) beside.delays[beside.received++] = bounded;
}

static void read_payload(struct stream *stream, const char *bytes, size_t length, uint64_t received_at) {
    for (const char *end = bytes + length; bytes < end; bytes++) {
        if (*bytes == '@') {
            stream->place = IN_SEQUENCE;
            stream->sequence = stream->time = 0;
        } else if (stream->place == OUTSIDE) {
            continue;
        } else if (*bytes >= '0' && *bytes <= '9') {
            uint64_t *number = stream->place == IN_TIME ? &stream->time : &stream->sequence;
            *number = *number * 10 + (uint64_t)(*bytes - '0');
        } else if (*bytes == ':' && stream->place == IN_SEQUENCE) {
            stream->place = IN_TIME;
        } else {
            if (stream->place == IN_TIME) note_token(stream, received_at);
            stream->place = OUTSIDE;
        }
    }
}

/* Takes bytes of the head; returns how many. A status other than 200 or a head too large ends the stream at once. */
static size_t read_head(struct stream *stream, const char *bytes, size_t length) {
    size_t before = stream->head_length, room = HEAD_SIZE - before;
    size_t taken = length < room ? length : room;
    memcpy(stream->head + before, bytes, taken);
    stream->head_length += taken;
    stream->head[stream->head_length] = '\0';
    const char *end = strstr(stream->head, "\r\n\r\n");
    if (end == NULL) {
        if (stream->head_length == HEAD_SIZE) stream->framing = ENDED;
        return taken;
    }
    bool good = strncmp(stream->head, "HTTP/1.1 200", 12) == 0;
    bool chunked = strcasestr(stream->head, "\r\ntransfer-encoding: chunked\r\n") != NULL;
    stream->framing = !good ? ENDED : chunked ? CHUNK_SIZE : UNTIL_CLOSE;
    if (!good) fprintf(stderr, "%.*s\n", (int)strcspn(stream->head, "\r"), stream->head);
    return (size_t)(end + 4 - stream->head) - before;
}

static int hex(char character) {
    if (character >= '0' && character <= '9') return character - '0';
    character |= 0x20;
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

/* Takes the next bytes of the connection, at least one; returns how many. */
static size_t read_framing(struct stream *stream, const char *bytes, size_t length, uint64_t received_at) {
    switch (stream->framing) {
        case HEAD: return read_head(stream, bytes, length);
        case CHUNK_SIZE:
            if (hex(*bytes) >= 0) {
                stream->chunk_left = stream->chunk_left * 16 + (size_t)hex(*bytes);
                return 1;
            }
            stream->framing = CHUNK_EXTENSION;
            return 0;
        case CHUNK_EXTENSION:
            if (*bytes == '\n') stream->framing = stream->chunk_left > 0 ? CHUNK_DATA : LAST_LINE;
            return 1;
        case CHUNK_DATA: {
            size_t taken = length < stream->chunk_left ? length : stream->chunk_left;
            read_payload(stream, bytes, taken, received_at);
            stream->chunk_left -= taken;
            if (stream->chunk_left == 0) stream->framing = CHUNK_END;
            return taken;
        }
        case CHUNK_END:
            if (*bytes == '\n') stream->framing = CHUNK_SIZE;
            return 1;
        case LAST_LINE: /* trailers end with an empty line */
            if (*bytes == '\n' && stream->line_length == 0) stream->framing = ENDED;
            stream->line_length = *bytes == '\n' ? 0 : stream->line_length + (*bytes != '\r');
            return 1;
        case UNTIL_CLOSE: read_payload(stream, bytes, length, received_at); return length;
        case ENDED: return length;
    }
    return length;
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
        if (count == 0 && stream->framing == UNTIL_CLOSE) stream->framing = ENDED;
        close_stream(stream);
        return;
    }
    uint64_t received_at = now_ns();
    for (size_t at = 0; at < (size_t)count;) at += read_framing(stream, bytes + at, (size_t)count - at, received_at);
    if (stream->framing == ENDED) close_stream(stream);
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

static int by_size(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static uint32_t percentile(const uint32_t *sorted, long count, double fraction) {
    return count > 0 ? sorted[(long)((double)(count - 1) * fraction)] : 0;
}

static void print_percentiles(const char *name, uint32_t *values, long count, double unit) {
    qsort(values, (size_t)count, sizeof *values, by_size);
    printf("\"%s\":{\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"max\":%.1f}", name, percentile(values, count, 0.5) / unit,
           percentile(values, count, 0.9) / unit, percentile(values, count, 0.99) / unit,
           percentile(values, count, 1) / unit);
}

/* Prints the times to the first tokens of streams, and how many streams were not whole. */
static void print_streams(const struct stream *streams, int count) {
    uint32_t *first = calloc((size_t)count + 1, sizeof *first);
    int incomplete = 0;
    long firsts = 0;
    need(first != NULL, "memory");
    for (const struct stream *stream = streams; stream < streams + count; stream++) {
        if (stream->framing != ENDED || stream->next != load.tokens) incomplete++;
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
