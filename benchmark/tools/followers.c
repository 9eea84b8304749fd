/* One log's readers in one process: what a fanout costs, and what readers that do not read cost the others.
 *
 *   followers [READERS [PER_SECOND [SECONDS [STALLED [BATCH]]]]]       2000 50 5 20 1
 *
 * Built by `make -C ext/streamer/relay followers`, as tmp/native/plain/followers.
 *
 * The readers are another process's, over TCP on loopback; STALLED of them never read. Entries are published in
 * batches of BATCH. Prints one line of JSON:
 *
 *   us_per_entry    CPU time of this process, the kernel's included, by entry and reader that reads
 *   delay_us        {p50, p99, max} from an entry's publication to its receipt
 *   missing, out_of_order   of the readers that read; both must be 0
 *   bytes_per_reader        growth of this process's memory (RSS) with the readers connected and idle
 *   idle_cpu                share of a core while nothing is published
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../ext/streamer/loop/fork.h"
#include "../../ext/streamer/relay/thread.h"
#include "../../ext/streamer/sink/follower.h"
#include "tool.h"

static int readers = 2000, per_second = 50, seconds = 5, stalled = 20, batch = 1;

/* ---- the readers' process ---- */

struct peer {
    int fd;
    uint64_t next, number, time;
    int place; /* 0 outside, 1 in the number, 2 in the time of "@NUMBER:TIME " */
};

struct report {
    uint64_t received, out_of_order, p50, p99, max;
};

static uint32_t *delays;
static struct report report;

static void note(struct peer *peer, uint64_t now) {
    if (peer->number != peer->next) report.out_of_order++;
    peer->next = peer->number + 1;
    delays[report.received++] = (uint32_t)((now - peer->time) / 1000);
}

static void parse(struct peer *peer, const char *bytes, size_t length, uint64_t now) {
    for (const char *end = bytes + length; bytes < end; bytes++) {
        if (*bytes == '@') {
            peer->place = 1;
            peer->number = peer->time = 0;
        } else if (peer->place == 1 && *bytes == ':') {
            peer->place = 2;
        } else if (peer->place == 1) {
            peer->number = peer->number * 10 + (uint64_t)(*bytes - '0');
        } else if (peer->place == 2 && *bytes == ' ') {
            peer->place = 0;
            note(peer, now);
        } else if (peer->place == 2) {
            peer->time = peer->time * 10 + (uint64_t)(*bytes - '0');
        }
    }
}

static int ascending(const void *a, const void *b) {
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;
    return (one > other) - (one < other);
}

static void read_all(int port, int results) {
    struct peer *peers = calloc((size_t)readers, sizeof *peers);
    delays = calloc((size_t)readers * (size_t)(per_second * seconds + batch + 1), sizeof *delays);
    int poller = epoll_create1(0), open = readers - stalled;
    struct sockaddr_in address = loopback(port);
    for (int i = 0; i < readers; i++) {
        peers[i].fd = socket(AF_INET, SOCK_STREAM, 0);
        int small = 4096;
        bool reads = i >= stalled;
        if (!reads) setsockopt(peers[i].fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        need(connect(peers[i].fd, (void *)&address, sizeof address) == 0, "connect");
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &peers[i]};
        if (reads) need(epoll_ctl(poller, EPOLL_CTL_ADD, peers[i].fd, &event) == 0, "epoll_ctl");
    }
    while (open > 0) {
        struct epoll_event ready[256];
        int count = epoll_wait(poller, ready, 256, -1);
        for (int i = 0; i < count; i++) {
            char bytes[65536];
            struct peer *peer = ready[i].data.ptr;
            ssize_t got = recv(peer->fd, bytes, sizeof bytes, 0);
            if (got <= 0) {
                epoll_ctl(poller, EPOLL_CTL_DEL, peer->fd, NULL);
                open--;
            } else {
                parse(peer, bytes, (size_t)got, now_ns());
            }
        }
    }
    qsort(delays, report.received, sizeof *delays, ascending);
    if (report.received > 0) {
        report.p50 = delays[report.received / 2];
        report.p99 = delays[report.received * 99 / 100];
        report.max = delays[report.received - 1];
    }
    need(write(results, &report, sizeof report) == sizeof report, "write");
    _exit(0);
}

/* ---- the fanout's process ---- */

static double cpu(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static long memory(void) {
    long pages = 0, ignored;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL && fscanf(file, "%ld %ld", &ignored, &pages) != 2) pages = 0;
    if (file != NULL) fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static void publish(struct streamer_fanout *fanout, int64_t first) {
    char frames[batch * 256];
    int length = 0;
    for (int64_t n = first; n < first + batch; n++) {
        length += sprintf(frames + length,
                          "id: 1-%" PRId64 "\nevent: token\ndata: {\"content\":\"@%" PRId64 ":%" PRIu64 " \"}\n\n", n,
                          n, now_ns());
    }
    int64_t epoch = INT64_C(1) << 32;
    need(streamer_fanout_publish(fanout, frames, (size_t)length, epoch | first, epoch | (first + batch - 1)),
         "publish");
}

static void join_all(struct streamer_fanout *fanout, struct streamer_loop *loop, int listener) {
    struct streamer_browser_options options = {.chunked = true, .heartbeat = 15000, .write_timeout = 30000};
    for (int i = 0; i < readers; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC), on = 1, small = 4096;
        need(fd >= 0, "accept");
        if (i < stalled) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct streamer_browser *browser = streamer_browser_new(loop, fd, &options);
        struct streamer_follower *reader =
            streamer_fanout_join(fanout, browser, 0, &(struct streamer_follower_options){0});
        streamer_follower_forget(reader);
        streamer_browser_release(browser);
    }
}

int main(int count, char **arguments) {
    int *const settings[] = {&readers, &per_second, &seconds, &stalled, &batch};
    for (int i = 1; i < count && i <= 5; i++) *settings[i - 1] = atoi(arguments[i]);
    raise_open_files();
    int listener = socket(AF_INET, SOCK_STREAM, 0), results[2];
    struct sockaddr_in address = loopback(0);
    socklen_t length = sizeof address;
    need(bind(listener, (void *)&address, sizeof address) == 0 && listen(listener, 4096) == 0, "listen");
    getsockname(listener, (void *)&address, &length);
    need(pipe(results) == 0, "pipe");
    if (fork() == 0) read_all(ntohs(address.sin_port), results[1]);

    streamer_fork_watch();
    struct streamer_loop *loop = streamer_thread_pool()->loop;
    struct streamer_fanout *fanout = streamer_fanout_new(loop, 0, 0);
    long before = memory();
    join_all(fanout, loop, listener);
    usleep(500000);
    long growth = memory() - before;
    double idle = cpu();
    sleep(1);
    idle = cpu() - idle;

    double used = cpu();
    uint64_t begin = now_ns();
    int64_t entries = 0;
    for (; entries < (int64_t)per_second * seconds; entries += batch) {
        uint64_t due = begin + (uint64_t)entries * 1000000000u / (uint64_t)per_second, now = now_ns();
        if (due > now) usleep((useconds_t)((due - now) / 1000));
        publish(fanout, entries);
    }
    usleep(500000);
    used = cpu() - used;
    streamer_fanout_finish(fanout, NULL, 0);
    struct report got;
    need(read(results[0], &got, sizeof got) == sizeof got, "read");
    wait(NULL);
    struct streamer_fanout_stats stats = streamer_fanout_stats();
    uint64_t expected = (uint64_t)entries * (uint64_t)(readers - stalled);
    printf("{\"readers\":%d,\"stalled\":%d,\"per_second\":%d,\"batch\":%d,\"us_per_entry\":%.2f,\"delay_us\":{\"p50\":"
           "%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 "},\"missing\":%" PRIu64 ",\"out_of_order\":%" PRIu64
           ",\"bytes_per_reader\":%ld,\"idle_cpu\":%.4f,\"cut\":%" PRIu64 ",\"shared_bytes\":%" PRIu64 "}\n",
           readers, stalled, per_second, batch, used * 1e6 / (double)expected, got.p50, got.p99, got.max,
           expected - got.received, got.out_of_order, growth / readers, idle, stats.cut, stats.blocks.shared_bytes);
    return got.received != expected || got.out_of_order > 0;
}
