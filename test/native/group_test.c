/* A group: one thread reads many transfers of the native thread together, while other threads cancel some of them and
 * interrupt its wait; then groups that are closed, or left, while their transfers go on. For ThreadSanitizer above all.
 *
 *   group_test [TRANSFERS]      60 when not given
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../ext/streamer/loop/clock.h"
#include "../../ext/streamer/loop/fork.h"
#include "../../ext/streamer/relay/thread.h"
#include "../../ext/streamer/upstream/group.h"
#include "../../ext/streamer/upstream/transfer.h"
#include "check.h"

enum { MOST = 512, PIECES = 20, WAIT_MS = 60000 };

static int port;

/* ---- an upstream: PIECES chunks of ten bytes each, a moment apart ---- */

static void *serve(void *argument) {
    int fd = (int)(intptr_t)argument;
    static const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", piece[] = "a\r\n0123456789\r\n";
    char request[4096];
    while (recv(fd, request, sizeof request, 0) > 0) {
        bool alive = send(fd, head, strlen(head), MSG_NOSIGNAL) > 0;
        for (int i = 0; alive && i < PIECES; i++) {
            alive = send(fd, piece, strlen(piece), MSG_NOSIGNAL) > 0;
            usleep(300);
        }
        if (!alive || send(fd, "0\r\n\r\n", 5, MSG_NOSIGNAL) < 0) break;
    }
    close(fd);
    return NULL;
}

/* In a process of its own: libcurl reports sockets that it has closed, whose numbers another thread's accept may have
 * got by then. */
static pid_t serve_in_child(int listener) {
    pid_t child = fork();
    if (child != 0) return child;
    int fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) != 0) abort();
        pthread_detach(thread);
    }
    _exit(0);
}

static int listen_on_loopback(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(listener, (void *)&address, sizeof address) != 0 || listen(listener, 512) != 0) abort();
    getsockname(listener, (void *)&address, &length);
    port = ntohs(address.sin_port);
    return listener;
}

static struct streamer_transfer *new_transfer(void) {
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    struct streamer_buffer fields;
    streamer_buffer_init(&fields, 1 << 16);
    struct streamer_request request = {.method = "GET",
                                       .authority = "localhost",
                                       .target = "/",
                                       .fields = &fields,
                                       .route = {.url = url, .origin = url}};
    struct streamer_transfer *transfer = streamer_transfer_new(streamer_thread_pool(), &request);
    if (transfer == NULL) abort();
    return transfer;
}

/* ---- a reader ---- */

static struct streamer_transfer *transfers[MOST];
static size_t received[MOST];
static bool over[MOST];
static int count;

/* False when nothing changed in time. */
static bool wait_for_change(struct streamer_group *group) {
    int64_t deadline = streamer_now() + WAIT_MS;
    bool in_time = true;
    streamer_monitor_lock(&group->monitor);
    while (in_time && !streamer_group_has_changes(group)) in_time = streamer_monitor_wait(&group->monitor, deadline);
    group->interrupted = false;
    streamer_monitor_unlock(&group->monitor);
    return in_time;
}

static void read_transfer(long key) {
    struct streamer_transfer *transfer = transfers[key];
    struct streamer_buffer taken;
    streamer_buffer_init(&taken, STREAMER_INBOX_MAX);
    streamer_transfer_lock(transfer);
    streamer_transfer_take(transfer, &taken);
    bool ended = transfer->outcome != STREAMER_OUTCOME_OPEN;
    streamer_transfer_unlock(transfer);
    received[key] += taken.length;
    streamer_buffer_release(&taken);
    if (!ended) return;
    CHECK(!over[key], "%ld ended twice", key);
    over[key] = true;
}

static void read_all(struct streamer_group *group) {
    for (int left = count; left > 0;) {
        if (!wait_for_change(group)) {
            CHECK(false, "%d have not ended", left);
            return;
        }
        long key;
        while (streamer_group_take(group, &key)) {
            CHECK(!over[key], "%ld changed after its end", key);
            read_transfer(key);
            if (!over[key]) continue;
            streamer_group_leave(transfers[key]);
            left--;
        }
    }
}

static atomic_bool disturbing;

static void *disturb(void *argument) {
    struct streamer_group *group = argument;
    for (int i = 0; atomic_load(&disturbing); i++) {
        if (i < count && i % 3 == 0) streamer_transfer_cancel(transfers[i]);
        streamer_group_interrupt(group);
        usleep(200);
    }
    return NULL;
}

static void start_all(struct streamer_group *group) {
    memset(over, 0, sizeof over);
    memset(received, 0, sizeof received);
    for (int i = 0; i < count; i++) {
        transfers[i] = new_transfer();
        CHECK(streamer_group_join(group, transfers[i], i), "it is in no group");
        CHECK(!streamer_group_join(group, transfers[i], i), "it is in one already");
        streamer_transfer_start(transfers[i]);
    }
}

static void release_all(void) {
    for (int i = 0; i < count; i++) streamer_transfer_release(transfers[i]);
}

static void test_each_is_read_to_its_end(bool disturbed) {
    struct streamer_group *group = streamer_group_new();
    pthread_t thread;
    start_all(group);
    atomic_store(&disturbing, disturbed);
    if (disturbed && pthread_create(&thread, NULL, disturb, group) != 0) abort();
    read_all(group);
    atomic_store(&disturbing, false);
    if (disturbed) pthread_join(thread, NULL);
    for (int i = 0; i < count; i++) {
        enum streamer_outcome outcome = transfers[i]->outcome;
        bool cancelled = disturbed && outcome == STREAMER_OUTCOME_CANCELLED;
        CHECK(cancelled || (outcome == STREAMER_OUTCOME_COMPLETED && received[i] == PIECES * 10), "%d: %s, %zu bytes",
              i, streamer_outcome_name(outcome), received[i]);
    }
    CHECK(group->first == NULL && group->last == NULL, "some are queued");
    streamer_group_close(group);
    streamer_group_release(group);
    release_all();
}

/* As a reader does that is left by an exception: the transfers know the group for a while longer. */
static void test_a_group_is_closed_while_its_transfers_go_on(bool leaves_first) {
    struct streamer_group *group = streamer_group_new();
    start_all(group);
    wait_for_change(group);
    for (int i = 0; leaves_first && i < count; i++) streamer_group_leave(transfers[i]);
    streamer_group_close(group);
    CHECK(group->first == NULL && group->last == NULL, "some are queued");
    streamer_group_release(group);
    for (int i = 0; i < count; i++) {
        streamer_transfer_cancel(transfers[i]);
        if (i % 2 == 0) streamer_group_leave(transfers[i]);
    }
    release_all();
}

/* Those that change again go behind the others. */
static void test_the_order_is_that_of_the_changes(void) {
    struct streamer_group *group = streamer_group_new();
    static const long posted[] = {2, 0, 2, 1, 0}, taken[] = {2, 0, 1};
    count = 3;
    for (int i = 0; i < count; i++) {
        transfers[i] = new_transfer();
        streamer_group_join(group, transfers[i], i);
    }
    for (size_t i = 0; i < sizeof posted / sizeof *posted; i++) {
        streamer_transfer_lock(transfers[posted[i]]);
        streamer_group_post(group, transfers[posted[i]]);
        streamer_transfer_unlock(transfers[posted[i]]);
    }
    long key = -1;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        CHECK(streamer_group_take(group, &key) && key == taken[i], "%ld came instead of %ld", key, taken[i]);
    }
    CHECK(!streamer_group_take(group, &key), "%ld came once more", key);
    streamer_group_close(group);
    streamer_group_release(group);
    release_all();
}

int main(int arguments, char **argument) {
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_on_loopback(), wanted = arguments > 1 ? atoi(argument[1]) : 60;
    pid_t server = serve_in_child(listener);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    streamer_fork_watch();

    test_the_order_is_that_of_the_changes();
    count = wanted < MOST ? wanted : MOST;
    for (int round = 0; round < 3; round++) {
        test_each_is_read_to_its_end(false);
        test_each_is_read_to_its_end(true);
        test_a_group_is_closed_while_its_transfers_go_on(false);
        test_a_group_is_closed_while_its_transfers_go_on(true);
    }

    streamer_thread_stop();
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    close(listener);
    curl_global_cleanup();
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
