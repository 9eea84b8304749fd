/* Opens many streams at once against a relay on loopback and follows each to its end.
 *
 *   loadgen PORT PATH STREAMS TOKENS LIMIT [PID]
 *
 * PATH leads to upstream.c's tokens, "@SEQUENCE:TIME ", however they are framed. Each must be the next of its stream,
 * and a stream is complete when all TOKENS came and HTTP said that it ended (last chunk, or close where no chunks were
 * announced). After LIMIT seconds the rest counts as incomplete. Prints one line of JSON:
 *
 *   streams, expected, tokens, incomplete, out_of_order, seconds
 *   delay_us        {p50, p90, p99, max}   from the token's TIME to its receipt here
 *   first_token_ms  {p50, p99}             from connect to a stream's first token
 *   cpu_s           CPU time of PID and its descendants meanwhile (null without PID)
 *   kb_per_stream   their growth in memory (PSS) when half of the tokens were here, by stream
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
};

struct usage {
    double cpu;
    long memory; /* KiB */
};

static struct {
    struct stream *streams;
    int count, opened, live;
    long tokens;
    uint32_t *delays; /* us */
    long received;
    long out_of_order;
} load;

/* Adds what a process and its descendants have used. */
static void add_usage(int pid, struct usage *usage) {
    char path[64], line[256];
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &time) == 0)
        usage->cpu += (double)time.tv_sec + (double)time.tv_nsec / 1e9;

    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        long size;
        if (sscanf(line, "Pss: %ld", &size) == 1) usage->memory += size;
    }
    if (file != NULL) fclose(file);

    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    file = fopen(path, "r");
    int child;
    while (file != NULL && fscanf(file, "%d", &child) == 1) add_usage(child, usage);
    if (file != NULL) fclose(file);
}

static struct usage usage_of(int pid) {
    struct usage usage = {0};
    if (pid > 0) add_usage(pid, &usage);
    return usage;
}

static void note_token(struct stream *stream, uint64_t received_at) {
    if (stream->first == 0) stream->first = received_at;
    if ((long)stream->sequence != stream->next) load.out_of_order++;
    stream->next = (long)stream->sequence + 1;
    if (load.received == load.count * load.tokens) return; /* more than were asked for: out of order already */
    uint64_t delay = (received_at - stream->time) / 1000;
    load.delays[load.received++] = delay < UINT32_MAX ? (uint32_t)delay : UINT32_MAX;
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

static void open_some(int poll_set, int port) {
    struct sockaddr_in address = loopback(port);
    int yes = 1;
    for (int i = 0; i < OPENED_AT_ONCE && load.opened < load.count; i++) {
        struct stream *stream = &load.streams[load.opened++];
        stream->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        need(stream->fd >= 0, "socket");
        setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        need(connect(stream->fd, (struct sockaddr *)&address, sizeof address) == 0 || errno == EINPROGRESS, "connect");
        stream->opened = now_ns();
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

static void report(double seconds, int pid, struct usage before, struct usage half, struct usage after) {
    int incomplete = 0;
    long firsts = 0;
    uint32_t *first_delays = calloc((size_t)load.count, sizeof *first_delays);
    for (int i = 0; i < load.count; i++) {
        struct stream *stream = &load.streams[i];
        if (stream->framing != ENDED || stream->next != load.tokens) incomplete++;
        if (stream->first > 0) first_delays[firsts++] = (uint32_t)((stream->first - stream->opened) / 1000);
    }
    qsort(load.delays, (size_t)load.received, sizeof *load.delays, by_size);
    qsort(first_delays, (size_t)firsts, sizeof *first_delays, by_size);
    printf("{\"streams\":%d,\"expected\":%ld,\"tokens\":%ld,\"incomplete\":%d,\"out_of_order\":%ld,\"seconds\":%.3f,",
           load.count, load.count * load.tokens, load.received, incomplete, load.out_of_order, seconds);
    printf("\"delay_us\":{\"p50\":%u,\"p90\":%u,\"p99\":%u,\"max\":%u},", percentile(load.delays, load.received, 0.5),
           percentile(load.delays, load.received, 0.9), percentile(load.delays, load.received, 0.99),
           percentile(load.delays, load.received, 1));
    printf("\"first_token_ms\":{\"p50\":%.1f,\"p99\":%.1f},", percentile(first_delays, firsts, 0.5) / 1e3,
           percentile(first_delays, firsts, 0.99) / 1e3);
    if (pid > 0)
        printf("\"cpu_s\":%.4f,\"kb_per_stream\":%.1f}\n", after.cpu - before.cpu,
               half.memory > 0 ? (double)(half.memory - before.memory) / load.count : 0);
    else
        printf("\"cpu_s\":null,\"kb_per_stream\":null}\n");
    free(first_delays);
}

int main(int argc, char **argv) {
    if (argc < 6) {
        fprintf(stderr, "usage: loadgen PORT PATH STREAMS TOKENS LIMIT [PID]\n");
        return 64;
    }
    int port = atoi(argv[1]), pid = argc > 6 ? atoi(argv[6]) : 0;
    load.count = atoi(argv[3]);
    load.tokens = atol(argv[4]);
    double limit = atof(argv[5]);
    char request[2048];
    size_t request_length = (size_t)snprintf(
        request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n", argv[2],
        port);
    load.streams = calloc((size_t)load.count, sizeof *load.streams);
    load.delays = calloc((size_t)(load.count * load.tokens), sizeof *load.delays);
    need(load.streams != NULL && load.delays != NULL && request_length < sizeof request, "memory");
    raise_open_files();

    int poll_set = epoll_create1(0);
    struct usage before = usage_of(pid), half = {0};
    uint64_t start = now_ns(), deadline = start + (uint64_t)(limit * 1e9);
    static struct epoll_event events[1024];
    while ((load.live > 0 || load.opened < load.count) && now_ns() < deadline) {
        open_some(poll_set, port);
        int count = epoll_wait(poll_set, events, 1024, load.opened < load.count ? 1 : 100);
        for (int i = 0; i < count; i++) {
            struct stream *stream = events[i].data.ptr;
            if (stream->closed) continue;
            if (stream->sent)
                receive(stream);
            else
                send_request(poll_set, stream, request, request_length);
        }
        if (pid > 0 && half.memory == 0 && load.received > load.count * load.tokens / 2) half = usage_of(pid);
    }
    double seconds = (double)(now_ns() - start) / 1e9;
    report(seconds, pid, before, half, usage_of(pid));
    return 0;
}
