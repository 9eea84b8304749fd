/* Browsers that read messages which another process hands over: opens many connections at once to a web server on
 * loopback, says when all are open, and takes the time of each message.
 *
 *   readers PORT PATH READERS MESSAGES [pid=PID] [channel=NAME] [silent=NUMBER] [idle=SECONDS] [limit=SECONDS]
 *
 * PATH leads to an event stream; its %d is the reader's number. With channel=NAME it leads to Action Cable: each
 * reader subscribes to {"channel":NAME,"id":"..."}, where %d in NAME:ID is its number again, as in
 * channel=Answers:a-%d. Each gets MESSAGES messages "@SEQUENCE:TIME ", however they are framed, numbered from 0.
 * silent: so many readers more, that read nothing once the response has begun, through as small a window as there is.
 *
 * Prints a line of JSON when all are open:
 *
 *   open_ms        from the first connect
 *   kb_per_reader  growth in memory (PSS) of PID and its descendants, by reader
 *
 * and another when all messages are here, or as many as a number on standard input says, or when none came for 3 s
 * after that number, or after LIMIT:
 *
 *   readers, received, doubled, out_of_order, closed (connections that ended before)
 *   delay_us       {p50, p90, p95, p99, max}   from the message's TIME to its receipt here
 *   cpu_s          CPU time of PID and its descendants since the first line
 *   running        {messages, cpu_s}   the part between every reader's first message and the first reader's last
 *
 * With idle=SECONDS it waits so long instead, and cpu_s is of that time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
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
#include "websocket.h"

enum { OPENED_AT_ONCE = 50, MOST_OPENING = 200, TEXT_SIZE = 2048, SMALLEST_WINDOW = 1 };

#define SECOND 1000000000u
#define SILENCE (3ull * SECOND)

struct reader {
    int fd, number;
    bool sent, ready, silent, closed;
    struct response response;
    struct websocket *websocket;
    struct token token;
    uint8_t *seen; /* a bit for each message */
    long next, count;
};

static struct {
    const char *path, *channel, *id; /* channel: NULL for event streams */
    int port, pid, count, silent;
    long messages;
    double idle, limit;
} wanted = {.limit = 60};

static struct {
    struct reader *readers; /* the silent ones last */
    int opened, ready, closed, begun, done;
    uint32_t *delays;
    long received, doubled, out_of_order;
    uint64_t last; /* when a message came */
} load;

struct mark {
    long messages;
    double cpu;
    bool set;
};

static void note_ready(struct reader *reader) {
    if (reader->ready) return;
    reader->ready = true;
    load.ready++;
}

static void note_message(struct reader *reader, uint64_t received_at) {
    long sequence = (long)reader->token.sequence;
    uint8_t bit = (uint8_t)(1 << (sequence & 7));
    load.last = received_at;
    if (sequence >= wanted.messages || reader->seen[sequence >> 3] & bit) {
        load.doubled++;
        return;
    }
    reader->seen[sequence >> 3] |= bit;
    if (sequence < reader->next) load.out_of_order++;
    if (sequence >= reader->next) reader->next = sequence + 1;
    load.delays[load.received++] = delay_between(reader->token.time, received_at);
    if (++reader->count == 1) load.begun++;
    if (reader->count == wanted.messages) load.done++;
}

static void scan(struct reader *reader, const char *bytes, size_t length, uint64_t received_at) {
    for (const char *end = bytes + length; bytes < end; bytes++)
        if (token_take(&reader->token, *bytes)) note_message(reader, received_at);
}

static void close_reader(struct reader *reader) {
    close(reader->fd);
    reader->closed = true;
    load.closed++;
}

static void send_all(struct reader *reader, const char *bytes, size_t length) {
    if (send(reader->fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length) close_reader(reader);
}

static void subscribe(struct reader *reader) {
    char id[TEXT_SIZE / 4], command[TEXT_SIZE], frame[TEXT_SIZE + WEBSOCKET_OVERHEAD];
    snprintf(id, sizeof id, wanted.id, reader->number);
    int length =
        snprintf(command, sizeof command,
                 "{\"command\":\"subscribe\",\"identifier\":\"{\\\"channel\\\":\\\"%s\\\",\\\"id\\\":\\\"%s\\\"}\"}",
                 wanted.channel, id);
    send_all(reader, frame, websocket_frame(WEBSOCKET_TEXT, command, (size_t)length, frame));
}

/* A whole frame is there. Of Action Cable's own messages only the first two tell something. */
static void read_frame(struct reader *reader, uint64_t received_at) {
    struct websocket *socket = reader->websocket;
    if (socket->opcode == WEBSOCKET_PING) {
        char frame[WEBSOCKET_MESSAGE + WEBSOCKET_OVERHEAD];
        send_all(reader, frame, websocket_frame(WEBSOCKET_PONG, socket->message, socket->message_length, frame));
    } else if (socket->opcode == WEBSOCKET_CLOSE) {
        close_reader(reader);
    } else if (strstr(socket->message, "\"type\":\"welcome\"")) {
        subscribe(reader);
    } else if (strstr(socket->message, "\"type\":\"confirm_subscription\"")) {
        note_ready(reader);
    } else if (strstr(socket->message, "\"type\":\"reject_subscription\"") ||
               strstr(socket->message, "\"type\":\"disconnect\"")) {
        fprintf(stderr, "%s\n", socket->message);
        close_reader(reader);
    } else {
        scan(reader, socket->message, socket->message_length, received_at);
    }
}

/* Takes the next bytes of the connection; returns how many. */
static size_t take(struct reader *reader, const char *bytes, size_t length, uint64_t received_at) {
    if (reader->response.framing != HEAD && wanted.channel != NULL) {
        bool whole;
        size_t taken = websocket_take(reader->websocket, bytes, length, &whole);
        if (whole) read_frame(reader, received_at);
        return taken;
    }
    size_t payload, taken = response_take(&reader->response, bytes, length, &payload);
    if (payload > 0) note_ready(reader);
    scan(reader, bytes, payload, received_at);
    return taken;
}

static void receive(int poll_set, struct reader *reader) {
    static char bytes[65536];
    ssize_t count = recv(reader->fd, bytes, reader->silent ? 1 : sizeof bytes, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) {
        close_reader(reader);
        return;
    }
    if (reader->silent) {
        epoll_ctl(poll_set, EPOLL_CTL_DEL, reader->fd, NULL);
        note_ready(reader);
        return;
    }
    uint64_t received_at = now_ns();
    for (size_t at = 0; at < (size_t)count && !reader->closed;)
        at += take(reader, bytes + at, (size_t)count - at, received_at);
    if (reader->response.framing == ENDED && !reader->closed) close_reader(reader);
}

static void open_some(int poll_set) {
    struct sockaddr_in address = loopback(wanted.port);
    int yes = 1, window = SMALLEST_WINDOW, total = wanted.count + wanted.silent;
    for (int i = 0; i < OPENED_AT_ONCE && load.opened < total; i++) {
        if (load.opened - load.ready - load.closed >= MOST_OPENING) return;
        struct reader *reader = &load.readers[load.opened];
        reader->number = load.opened++;
        reader->silent = reader->number >= wanted.count;
        reader->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        need(reader->fd >= 0, "socket");
        setsockopt(reader->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        if (reader->silent) setsockopt(reader->fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
        int connected = connect(reader->fd, (struct sockaddr *)&address, sizeof address);
        need(connected == 0 || errno == EINPROGRESS, "connect");
        struct epoll_event event = {.events = EPOLLOUT, .data.ptr = reader};
        epoll_ctl(poll_set, EPOLL_CTL_ADD, reader->fd, &event);
    }
}

static void send_request(int poll_set, struct reader *reader) {
    static const char stream[] = "Accept: text/event-stream\r\n";
    static const char upgrade[] =
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: actioncable-v1-json\r\n";
    char path[TEXT_SIZE / 2], request[TEXT_SIZE];
    snprintf(path, sizeof path, wanted.path, reader->number);
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nOrigin: http://127.0.0.1:%d\r\n%s\r\n", path,
                          wanted.port, wanted.port, wanted.channel ? upgrade : stream);
    send_all(reader, request, (size_t)length);
    reader->sent = true;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = reader};
    epoll_ctl(poll_set, EPOLL_CTL_MOD, reader->fd, &event);
}

static void turn(int poll_set, int patience) {
    static struct epoll_event events[1024];
    int count = epoll_wait(poll_set, events, 1024, patience);
    for (int i = 0; i < count; i++) {
        struct reader *reader = events[i].data.ptr;
        if (reader->closed) continue;
        if (reader->sent)
            receive(poll_set, reader);
        else
            send_request(poll_set, reader);
    }
}

static void open_all(int poll_set) {
    struct usage before = usage_of(wanted.pid);
    uint64_t start = now_ns(), deadline = start + (uint64_t)(wanted.limit * SECOND);
    int total = wanted.count + wanted.silent;
    while (load.ready < total && load.closed == 0 && now_ns() < deadline) {
        open_some(poll_set);
        turn(poll_set, load.opened < total ? 1 : 100);
    }
    if (load.ready < total) {
        fprintf(stderr, "readers: %d of %d are open, %d were closed\n", load.ready, total, load.closed);
        exit(1);
    }
    long memory = usage_of(wanted.pid).memory - before.memory;
    printf("{\"open_ms\":%.1f,\"kb_per_reader\":%.2f}\n", (double)(now_ns() - start) / 1e6, (double)memory / total);
    fflush(stdout);
}

/* Of messages that were handed over, once somebody says it; 0 before. */
static long expected(void) {
    static char text[32];
    static size_t length;
    ssize_t count = read(STDIN_FILENO, text + length, sizeof text - 1 - length);
    if (count > 0) length += (size_t)count;
    return strchr(text, '\n') ? atol(text) : 0;
}

static struct mark mark_now(void) {
    return (struct mark){.messages = load.received, .cpu = cpu_of(wanted.pid), .set = true};
}

static void report(double cpu, struct mark from, struct mark to) {
    printf("{\"readers\":%d,\"received\":%ld,\"doubled\":%ld,\"out_of_order\":%ld,\"closed\":%d,", wanted.count,
           load.received, load.doubled, load.out_of_order, load.closed);
    print_percentiles("delay_us", load.delays, load.received, 1);
    printf(",\"cpu_s\":%.4f", cpu);
    if (to.set)
        printf(",\"running\":{\"messages\":%ld,\"cpu_s\":%.4f}", to.messages - from.messages, to.cpu - from.cpu);
    printf("}\n");
}

static void read_all(int poll_set) {
    struct mark from = {0}, to = {0};
    double before = cpu_of(wanted.pid);
    uint64_t deadline = now_ns() + (uint64_t)(wanted.limit * SECOND);
    long total = 0;
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    while (load.done < wanted.count && now_ns() < deadline) {
        turn(poll_set, 20);
        if (!from.set && load.begun == wanted.count) from = mark_now();
        if (from.set && !to.set && load.done > 0) to = mark_now();
        if (total == 0 && (total = expected()) > 0) load.last = now_ns();
        if (total > 0 && (load.received >= total || now_ns() - load.last > SILENCE)) break;
    }
    report(cpu_of(wanted.pid) - before, from, to);
}

static void idle(int poll_set) {
    uint64_t deadline = now_ns() + (uint64_t)(wanted.idle * SECOND);
    double before = cpu_of(wanted.pid);
    while (now_ns() < deadline) turn(poll_set, 20);
    report(cpu_of(wanted.pid) - before, (struct mark){0}, (struct mark){0});
}

static const char *value_of(const char *argument, const char *name) {
    size_t length = strlen(name);
    return strncmp(argument, name, length) == 0 ? argument + length : NULL;
}

static bool read_option(char *argument) {
    const char *value;
    if ((value = value_of(argument, "pid=")))
        wanted.pid = atoi(value);
    else if ((value = value_of(argument, "silent=")))
        wanted.silent = atoi(value);
    else if ((value = value_of(argument, "idle=")))
        wanted.idle = atof(value);
    else if ((value = value_of(argument, "limit=")))
        wanted.limit = atof(value);
    else if ((value = value_of(argument, "channel="))) {
        wanted.channel = value;
        char *colon = strchr(argument, ':');
        if (colon == NULL) return false;
        *colon = '\0';
        wanted.id = colon + 1;
    } else
        return false;
    return true;
}

static bool read_arguments(int argc, char **argv) {
    if (argc < 5) return false;
    wanted.port = atoi(argv[1]);
    wanted.path = argv[2];
    wanted.count = atoi(argv[3]);
    wanted.messages = atol(argv[4]);
    for (int i = 5; i < argc; i++)
        if (!read_option(argv[i])) return false;
    return true;
}

static void make_readers(void) {
    size_t total = (size_t)(wanted.count + wanted.silent), bits = (size_t)wanted.messages / 8 + 1;
    load.readers = calloc(total, sizeof *load.readers);
    load.delays = calloc((size_t)wanted.count * (size_t)wanted.messages + 1, sizeof *load.delays);
    uint8_t *seen = calloc(total, bits);
    struct websocket *sockets = wanted.channel ? calloc(total, sizeof *sockets) : NULL;
    need(load.readers && load.delays && seen && (sockets || !wanted.channel), "memory");
    for (size_t i = 0; i < total; i++) {
        load.readers[i].seen = seen + i * bits;
        load.readers[i].websocket = sockets ? &sockets[i] : NULL;
    }
}

int main(int argc, char **argv) {
    if (!read_arguments(argc, argv)) {
        fprintf(stderr, "usage: readers PORT PATH READERS MESSAGES [pid=PID] [channel=NAME:ID] [silent=NUMBER] "
                        "[idle=SECONDS] [limit=SECONDS]\n");
        return 64;
    }
    raise_open_files();
    make_readers();
    int poll_set = epoll_create1(0);
    open_all(poll_set);
    if (wanted.idle > 0)
        idle(poll_set);
    else
        read_all(poll_set);
    return 0;
}
