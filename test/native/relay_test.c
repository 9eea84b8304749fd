/* The loop, the native thread, browsers and relays together, without Ruby, so that ThreadSanitizer, AddressSanitizer
 * and valgrind see all of it: real sockets on loopback, several threads, browsers that leave, read slowly or stay.
 *
 *   relay_test [ROUNDS]     relays per thread, 150 when not given
 *
 * Each browser checks that it got every token once and in order. At the end nothing may be open that was not at the
 * start.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../ext/streamer/loop/clock.h"
#include "../../ext/streamer/loop/fork.h"
#include "../../ext/streamer/relay/relay.h"
#include "../../ext/streamer/relay/thread.h"

enum { THREADS = 4, TOKENS = 40, WAIT_MS = 120000 };

static const char TERMINAL[] = "event: done\ndata: {}\n\n";

static atomic_int passed, failed, notified_ends;
static atomic_bool all_over;
static struct streamer_mailbox mailbox, entries_mailbox;
static int port;

#define CHECK(condition, ...)                               \
    do {                                                    \
        if (condition) {                                    \
            atomic_fetch_add(&passed, 1);                   \
        } else {                                            \
            atomic_fetch_add(&failed, 1);                   \
            fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
            fprintf(stderr, __VA_ARGS__);                   \
            fputc('\n', stderr);                            \
        }                                                   \
    } while (0)

/* A header of as many bytes as the head's buffer has at first, so that its end of line asks for more. */
#define PAD "X-Pad: 0123456789012345678901234567890123456789012345678901234-6\r\n"

/* ---- an upstream: GET /KIND/BYTES streams TOKENS events, each padded to BYTES
 * ------------------------------------------ */

static bool send_all(int fd, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        bytes += sent;
        length -= (size_t)sent;
    }
    return true;
}

static bool answer(int fd, const char *request) {
    bool silent = strstr(request, "GET /silent") != NULL, cut = strstr(request, "GET /cut") != NULL;
    bool lines = strstr(request, "GET /lines") != NULL;
    const char *slash = strchr(strstr(request, "GET /") + 5, '/');
    int padding = slash == NULL ? 0 : atoi(slash + 1);
    char head[256];
    int head_length = sprintf(head, "HTTP/1.1 200 OK\r\n%sContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n",
                              strstr(request, "GET /padded") != NULL ? PAD : "",
                              lines ? "application/x-ndjson" : "text/event-stream");
    if (!send_all(fd, head, (size_t)head_length)) return false;
    if (silent) {
        char byte;
        return recv(fd, &byte, 1, 0) > 0; /* until the client gives up */
    }
    if (strstr(request, "GET /broken") != NULL) {
        static const char broken[] = "data: {\"choices\": [}\n\n";
        char byte;
        head_length = sprintf(head, "%zx\r\n%s\r\n", strlen(broken), broken);
        return send_all(fd, head, (size_t)head_length) && recv(fd, &byte, 1, 0) > 0;
    }
    char *event = malloc((size_t)padding + 256), *chunk = malloc((size_t)padding + 512);
    bool alive = true;
    for (int i = 0; alive && i < TOKENS; i++) {
        if (cut && i == TOKENS / 2) {
            alive = false;
            break;
        }
        /* The last line has no end: its token comes with the body's. */
        const char *end = !lines ? "\n\n" : i == TOKENS - 1 ? "" : "\n";
        int length = sprintf(event, "%s{\"choices\":[{\"delta\":{\"content\":\"@%d%*s\"}}]}%s",
                             lines ? "" : "data: ", i, padding, "", end);
        int size = sprintf(chunk, "%x\r\n%s\r\n", (unsigned)length, event);
        alive = send_all(fd, chunk, (size_t)size);
        if (i % 8 == 0) usleep(500);
    }
    free(event);
    free(chunk);
    if (strstr(request, "GET /marked") != NULL) {
        alive = alive && send_all(fd, "e\r\ndata: [DONE]\n\n\r\n", 19);
        usleep(2000); /* the relay has ended by the marker; this is drained */
    }
    return alive && send_all(fd, "0\r\n\r\n", 5);
}

static void *serve(void *argument) {
    int fd = (int)(intptr_t)argument;
    char request[4096];
    size_t length = 0;
    for (;;) {
        ssize_t got = recv(fd, request + length, sizeof request - 1 - length, 0);
        if (got <= 0) break;
        length += (size_t)got;
        request[length] = '\0';
        if (strstr(request, "\r\n\r\n") == NULL) continue;
        if (!answer(fd, request)) break;
        length = 0;
    }
    close(fd);
    return NULL;
}

static void detach(void *(*run)(void *), void *argument) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, argument) == 0)
        pthread_detach(thread);
    else
        abort();
}

static void *accept_all(void *argument) {
    int listener = (int)(intptr_t)argument, fd;
    while ((fd = accept(listener, NULL, NULL)) >= 0) detach(serve, (void *)(intptr_t)fd);
    return NULL;
}

static int listen_on_loopback(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(listener, (void *)&address, sizeof address) != 0 || listen(listener, 128) != 0) abort();
    getsockname(listener, (void *)&address, &length);
    port = ntohs(address.sin_port);
    return listener;
}

/* ---- browsers ---- */

enum manner { STAYS, LEAVES_EARLY, LEAVES_AT_ONCE, READS_SLOWLY, MANNERS };

struct visitor {
    int fd;
    enum manner manner;
    int next; /* the token expected */
    bool in_order;
    bool ended_well; /* the last chunk came */
};

static void look_for_tokens(struct visitor *visitor, const char *bytes, size_t length) {
    /* A token's number is never cut: each frame leaves in one piece, and the padding behind it is blank. */
    for (const char *at = bytes; (at = memchr(at, '@', length - (size_t)(at - bytes))) != NULL; at++) {
        visitor->in_order &= atoi(at + 1) == visitor->next++;
    }
}

static void *browse(void *argument) {
    struct visitor *visitor = argument;
    static const size_t MOST = 64 << 20;
    char *all = NULL;
    size_t length = 0;
    if (visitor->manner == LEAVES_AT_ONCE) goto leave;
    for (;;) {
        all = realloc(all, length + 65537);
        ssize_t got = recv(visitor->fd, all + length, visitor->manner == READS_SLOWLY ? 4096 : 65536, 0);
        if (got <= 0) break;
        length += (size_t)got;
        if (length > MOST || (visitor->manner == LEAVES_EARLY && length > 400)) goto leave;
        if (visitor->manner == READS_SLOWLY && length % 65536 < 4096) usleep(1000);
    }
    all[length] = '\0';
    look_for_tokens(visitor, all, length);
    visitor->ended_well = length >= 5 && memcmp(all + length - 5, "0\r\n\r\n", 5) == 0;
leave:
    free(all);
    close(visitor->fd);
    return NULL;
}

/* ---- one relay ---- */

static bool wait_for(struct streamer_browser *browser, bool (*ready)(void *), void *argument) {
    int64_t deadline = streamer_now() + WAIT_MS;
    bool in_time = true;
    pthread_mutex_lock(&browser->monitor.lock);
    while (!ready(argument) && in_time) in_time = streamer_monitor_wait(&browser->monitor, deadline);
    bool is_ready = ready(argument);
    pthread_mutex_unlock(&browser->monitor.lock);
    return is_ready;
}

static bool relay_ended(void *relay) {
    return ((struct streamer_relay *)relay)->ended;
}

static bool browser_closed(void *browser) {
    return ((struct streamer_browser *)browser)->fd < 0;
}

static void wait_for_end(struct streamer_transfer *transfer) {
    int64_t deadline = streamer_now() + WAIT_MS;
    bool in_time = true;
    pthread_mutex_lock(&transfer->monitor.lock);
    while (transfer->outcome == STREAMER_OUTCOME_OPEN && in_time)
        in_time = streamer_monitor_wait(&transfer->monitor, deadline);
    pthread_mutex_unlock(&transfer->monitor.lock);
}

static struct streamer_pipeline *make_pipeline(bool entries) {
    const char *paths[] = {"choices.0.delta.content"};
    size_t lengths[] = {strlen(paths[0])};
    const char *names[] = {"content"};
    size_t name_lengths[] = {strlen(names[0])};
    struct streamer_pipeline_options options = {.paths = paths,
                                                .path_lengths = lengths,
                                                .names = names,
                                                .name_lengths = name_lengths,
                                                .count = 1,
                                                .event = "token",
                                                .event_length = 5,
                                                .collect = 4096,
                                                .entries = entries,
                                                .id = entries ? "1-" : NULL,
                                                .id_length = entries ? 2 : 0,
                                                .classifier.done = "[DONE]",
                                                .classifier.done_length = 6};
    struct streamer_pipeline *pipeline;
    if (streamer_pipeline_new(&pipeline, &options) != STREAMER_OK) abort();
    return pipeline;
}

/* Of the upstream's path; not sent off. */
static struct streamer_transfer *request(const char *path) {
    char url[64], authority[32];
    snprintf(authority, sizeof authority, "127.0.0.1:%d", port);
    snprintf(url, sizeof url, "http://%s", authority);
    struct streamer_buffer fields;
    streamer_buffer_init(&fields, 1024);
    struct streamer_request request = {
        .method = "GET",
        .authority = authority,
        .target = path,
        .fields = &fields,
        .route = {.url = url, .origin = url, .verify = true},
        .timeouts = {.connect = 60000, .first_event = 60000, .idle = 60000, .event_idle = 60000, .total = 90000}};
    struct streamer_transfer *transfer = streamer_transfer_new(streamer_thread_pool(), &request);
    if (transfer == NULL) abort();
    return transfer;
}

/* Times in milliseconds. */
static struct streamer_browser *new_browser(struct streamer_pool *pool, int fd, int64_t heartbeat,
                                            int64_t write_timeout) {
    struct streamer_browser_options options = {.chunked = true, .heartbeat = heartbeat, .write_timeout = write_timeout};
    return streamer_browser_new(pool->loop, fd, &options);
}

static void relay_once(const char *kind, int padding, enum manner manner, bool cancel, unsigned *seed) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) abort();
    struct visitor visitor = {.fd = ends[1], .manner = manner, .in_order = true};
    pthread_t thread;
    if (pthread_create(&thread, NULL, browse, &visitor) != 0) abort();

    struct streamer_pool *pool = streamer_thread_pool();
    struct streamer_browser *browser = new_browser(pool, ends[0], 30, 60000);
    char path[128];
    snprintf(path, sizeof path, "/%s/%d", kind, padding);
    struct streamer_transfer *transfer = request(path);
    struct streamer_pipeline *pipeline = make_pipeline(false);
    bool flushes = rand_r(seed) % 3 == 0, terminal = rand_r(seed) % 2 == 0;
    struct streamer_relay_options options = {
        .mailbox = &mailbox,
        .wanted_notifications = STREAMER_NOTIFICATION_FIRST | STREAMER_NOTIFICATION_TEXT,
        .flush_after = flushes ? 5 : 0,
        .flush_at = 2000,
        .terminal = terminal ? TERMINAL : NULL,
        .terminal_length = strlen(TERMINAL),
    };
    struct streamer_relay *relay =
        streamer_relay_new(transfer, streamer_outlet_to_browser(browser), pipeline, &options);
    streamer_transfer_start(transfer);
    /* The relay of an answer that is here already, all of it. */
    if (padding < 1000 && strcmp(kind, "silent") != 0 && rand_r(seed) % 4 == 0) wait_for_end(transfer);
    streamer_relay_start(relay);
    if (cancel) streamer_transfer_cancel(transfer);

    CHECK(wait_for(browser, relay_ended, relay), "%s/%d to a browser of manner %d did not end", kind, padding, manner);
    if (!relay->completed || !terminal) streamer_browser_close(browser, relay->completed);
    CHECK(wait_for(browser, browser_closed, browser), "the browser of %s was not closed", kind);
    pthread_join(thread, NULL);

    CHECK(visitor.in_order, "tokens of %s/%d out of order", kind, padding);
    bool whole = strcmp(kind, "cut") != 0 && strcmp(kind, "silent") != 0 && !cancel;
    if (whole && (manner == STAYS || manner == READS_SLOWLY)) {
        CHECK(relay->completed, "%s/%d: %s", kind, padding, streamer_outcome_name(transfer->outcome));
        CHECK(visitor.next == TOKENS && visitor.ended_well, "%d of %d tokens", visitor.next, TOKENS);
    } else if (strcmp(kind, "cut") == 0 && manner == STAYS && !cancel) {
        CHECK(!relay->completed && visitor.next == TOKENS / 2 && !visitor.ended_well, "cut: after %d", visitor.next);
    }
    streamer_relay_release(relay);
    streamer_transfer_release(transfer);
    streamer_browser_release(browser);
}

/* ---- a relay into a batch ---- */

enum taking { TAKES, TAKES_SLOWLY, GIVES_UP, TAKINGS };

/* What was taken from a batch, as a log's store would have it. */
struct taken {
    uint64_t entries;
    int next; /* the token expected */
    bool in_order;
    size_t text;
    size_t most; /* bytes that waited */
};

/* Ids have no hole, each token is once in the frames and once in the text, and there is nothing besides. */
static void take_from(struct streamer_batch *batch, struct taken *taken, int padding) {
    struct streamer_batch_taken content = streamer_batch_take(batch);
    int next = taken->next;
    if (content.frames.length > taken->most) taken->most = content.frames.length;
    const char *at = content.frames.bytes, *end = at + content.frames.length;
    for (uint64_t i = 0; i < content.count; i++) {
        char head[64];
        int length = sprintf(head, "event: token\nid: 1-%llu\ndata: {\"content\":\"@%d",
                             (unsigned long long)++taken->entries, taken->next++);
        taken->in_order &= (size_t)(end - at) >= (size_t)(length + padding) && memcmp(at, head, (size_t)length) == 0;
        at = taken->in_order ? at + length + padding + strlen("\"}\n\n") : end;
    }
    taken->in_order &= at == end && content.others.length == 0;
    for (size_t i = 0; i < content.text.length; i++) {
        if (content.text.bytes[i] == '@') taken->in_order &= atoi(content.text.bytes + i + 1) == next++;
    }
    taken->in_order &= next == taken->next;
    taken->text += content.text.length;
    streamer_buffer_release(&content.frames);
    streamer_buffer_release(&content.text);
    streamer_buffer_release(&content.others);
}

static size_t text_of(int tokens, int padding) {
    size_t size = 0;
    for (int i = 0; i < tokens; i++) size += 2 + (i > 9) + (size_t)padding;
    return size;
}

static bool relay_has_ended(struct streamer_relay *relay) {
    pthread_mutex_lock(&relay->outlet.monitor->lock);
    bool ended = relay->ended;
    pthread_mutex_unlock(&relay->outlet.monitor->lock);
    return ended;
}

static void relay_into_batch(const char *kind, int padding, enum taking taking, bool cancel) {
    struct streamer_batch *batch = streamer_batch_new(streamer_thread_pool()->loop);
    char path[128];
    snprintf(path, sizeof path, "/%s/%d", kind, padding);
    struct streamer_transfer *transfer = request(path);
    struct streamer_relay_options options = {.mailbox = &mailbox, .entries_mailbox = &entries_mailbox};
    struct streamer_relay *relay =
        streamer_relay_new(transfer, streamer_outlet_to_batch(batch), make_pipeline(true), &options);
    streamer_relay_start(relay);
    if (cancel) streamer_transfer_cancel(transfer);
    struct taken taken = {.in_order = true};
    int64_t deadline = streamer_now() + WAIT_MS;
    for (int i = 0; !relay_has_ended(relay) && streamer_now() < deadline; i++) {
        usleep(taking == TAKES ? 200 : 3000);
        if (taking == GIVES_UP) {
            if (i == 2) streamer_batch_abandon(batch);
        } else {
            take_from(batch, &taken, padding);
        }
    }
    CHECK(relay_has_ended(relay), "%s/%d into a batch did not end", kind, padding);
    take_from(batch, &taken, padding);
    CHECK(taken.in_order, "entries of %s/%d out of order", kind, padding);
    CHECK(taken.text == text_of(taken.next, padding), "%zu bytes of text of %d tokens", taken.text, taken.next);
    CHECK(taken.most <= STREAMER_BATCH_HIGH + STREAMER_INBOX_MAX, "%zu bytes waited", taken.most);
    bool cut = strcmp(kind, "cut") == 0, silent = strcmp(kind, "silent") == 0;
    if (!cut && !silent && !cancel && taking != GIVES_UP) {
        CHECK(relay->completed && taken.next == TOKENS, "%s: %d tokens", streamer_outcome_name(transfer->outcome),
              taken.next);
    } else if (cut && taking != GIVES_UP && !cancel) {
        CHECK(!relay->completed && taken.next == TOKENS / 2, "cut: after %d", taken.next);
    }
    streamer_relay_release(relay);
    streamer_transfer_release(transfer);
    streamer_batch_release(batch);
}

/* Nobody takes: what has come stays below the high-water mark and one read, until it is taken. */
static void hold_up_an_upstream(void) {
    struct streamer_pool *pool = streamer_thread_pool();
    struct streamer_batch *batch = streamer_batch_new(pool->loop);
    uint64_t pauses = streamer_pool_stats(pool).pauses;
    struct streamer_transfer *transfer = request("/tokens/60000");
    struct streamer_relay_options options = {.terminal = NULL};
    struct streamer_relay *relay =
        streamer_relay_new(transfer, streamer_outlet_to_batch(batch), make_pipeline(true), &options);
    streamer_relay_start(relay);
    for (int i = 0; i < WAIT_MS && streamer_pool_stats(pool).pauses == pauses; i++) usleep(1000);
    CHECK(streamer_pool_stats(pool).pauses > pauses, "a full batch does not pause the upstream");
    usleep(50000);
    size_t size = streamer_batch_size(batch);
    CHECK(!relay_has_ended(relay) && size > STREAMER_BATCH_HIGH, "it did not wait: %zu", size);
    struct taken taken = {.in_order = true};
    for (int i = 0; i < WAIT_MS && !relay_has_ended(relay); i++) {
        take_from(batch, &taken, 60000);
        usleep(1000);
    }
    take_from(batch, &taken, 60000);
    CHECK(relay->completed && taken.in_order && taken.next == TOKENS, "%d tokens after a pause", taken.next);
    CHECK(taken.most <= STREAMER_BATCH_HIGH + STREAMER_INBOX_MAX, "%zu bytes waited", taken.most);
    streamer_relay_release(relay);
    streamer_transfer_release(transfer);
    streamer_batch_release(batch);
}

static bool transfer_paused(void *unused) {
    (void)unused;
    return streamer_pool_stats(streamer_thread_pool()).pauses > 0;
}

/* The bytes that found the browser's place full come again once there is room. What they fail with ends the relay then,
 * though the upstream sends nothing more. */
static void fail_after_a_pause(void) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) abort();
    struct streamer_pool *pool = streamer_thread_pool();
    struct streamer_browser *browser = new_browser(pool, ends[0], 0, WAIT_MS);
    char *filling = calloc(4, STREAMER_BROWSER_HIGH);
    streamer_browser_write(browser, filling, 4 * STREAMER_BROWSER_HIGH);
    free(filling);

    struct streamer_transfer *transfer = request("/broken");
    struct streamer_relay_options options = {.terminal = NULL};
    struct streamer_relay *relay =
        streamer_relay_new(transfer, streamer_outlet_to_browser(browser), make_pipeline(false), &options);
    streamer_relay_start(relay);
    for (int i = 0; i < WAIT_MS && !transfer_paused(NULL); i++) usleep(1000);
    CHECK(transfer_paused(NULL), "a full browser does not pause the upstream");

    struct visitor visitor = {.fd = ends[1], .manner = STAYS};
    pthread_t thread;
    if (pthread_create(&thread, NULL, browse, &visitor) != 0) abort();
    CHECK(wait_for(browser, relay_ended, relay), "what comes after a pause fails, and the relay goes on");
    CHECK(relay->status == STREAMER_JSON_INVALID, "%s", streamer_status_name(relay->status));
    streamer_transfer_cancel(transfer);
    wait_for(browser, relay_ended, relay);
    streamer_browser_close(browser, false);
    pthread_join(thread, NULL);
    streamer_relay_release(relay);
    streamer_transfer_release(transfer);
    streamer_browser_release(browser);
}

#ifdef HAVE_SYS_EPOLL_H       /* where the Makefile wraps it */
static atomic_size_t refused; /* a size */

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_realloc(void *memory, size_t size) {
    return size == atomic_load(&refused) ? NULL : __real_realloc(memory, size);
}

static void run_out_of_memory_in_a_head(void) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) abort();
    struct streamer_pool *pool = streamer_thread_pool();
    struct streamer_browser *browser = new_browser(pool, ends[0], 0, WAIT_MS);
    struct streamer_transfer *transfer = request("/padded");
    struct streamer_relay_options options = {.terminal = NULL};
    struct streamer_relay *relay =
        streamer_relay_new(transfer, streamer_outlet_to_browser(browser), make_pipeline(false), &options);
    atomic_store(&refused, 128);
    streamer_relay_start(relay);
    CHECK(wait_for(browser, relay_ended, relay), "a relay without memory does not end");
    atomic_store(&refused, 0);
    CHECK(!relay->completed, "it relayed all the same");
    streamer_browser_close(browser, false);
    wait_for(browser, browser_closed, browser);
    close(ends[1]);
    streamer_relay_release(relay);
    streamer_transfer_release(transfer);
    streamer_browser_release(browser);
}
#endif

static int rounds = 150;

static void *relay_many(void *argument) {
    unsigned seed = (unsigned)(uintptr_t)argument;
    for (int i = 0; i < rounds; i++) {
        static const char *const kinds[] = {"tokens", "lines", "marked", "cut", "silent"};
        const char *kind = kinds[rand_r(&seed) % 5];
        bool silent = strcmp(kind, "silent") == 0;
        enum manner manner = silent ? LEAVES_AT_ONCE : (enum manner)(rand_r(&seed) % MANNERS);
        int padding = rand_r(&seed) % 4 == 0 ? 60000 : 20;
        if (i % 4 == 0) {
            relay_into_batch(kind, padding, silent ? GIVES_UP : (enum taking)(rand_r(&seed) % TAKINGS),
                             rand_r(&seed) % 10 == 0);
            continue;
        }
        relay_once(kind, padding, manner, rand_r(&seed) % 10 == 0, &seed);
    }
    return NULL;
}

/* A child forked while the native thread is amid a read relays its own frames, and none of its parent's. (The
 * sanitizers do not carry threads, nor their own locks, over such a fork.) */
static void relay_in_children(void) {
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
    for (int i = 0; i < rounds; i++) {
        usleep(500);
        pid_t child = fork();
        if (child == 0) {
            unsigned seed = 1;
            alarm(WAIT_MS / 1000);
            streamer_mailbox_init(&mailbox);
            atomic_store(&failed, 0);
            relay_once("marked", 20, STAYS, false, &seed);
            struct streamer_relay_stats stats = streamer_relay_stats();
            CHECK(stats.relays == 1 && stats.open == 0, "the child counts its parent's relays");
            if (atomic_load(&failed) == 0) execl("/bin/true", "true", NULL); /* valgrind looks for leaks in no other */
            _exit(1);
        }
        int status;
        CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0, "the child's relay failed: %x", status);
    }
#endif
}

/* What Ruby's thread does. */
static void wait_for_notifications(void) {
    pthread_mutex_lock(&mailbox.monitor.lock);
    int64_t deadline = streamer_now() + 100;
    bool in_time = true;
    while (mailbox.first == NULL && in_time) in_time = streamer_monitor_wait(&mailbox.monitor, deadline);
    pthread_mutex_unlock(&mailbox.monitor.lock);
}

static void take_all(void) {
    struct streamer_relay *relay;
    int notifications;
    while ((relay = streamer_mailbox_take(&entries_mailbox, &notifications)) != NULL) {
        CHECK(notifications == STREAMER_NOTIFICATION_ENTRIES, "%d", notifications);
        streamer_relay_release(relay);
    }
    while ((relay = streamer_mailbox_take(&mailbox, &notifications)) != NULL) {
        if (notifications & STREAMER_NOTIFICATION_ENDED) atomic_fetch_add(&notified_ends, 1);
        streamer_relay_release(relay);
    }
}

static void *read_mailbox(void *unused) {
    while (!atomic_load(&all_over)) {
        wait_for_notifications();
        take_all();
    }
    take_all();
    return unused;
}

static int open_descriptors(void) {
    int count = 0;
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory) != NULL) count++;
    closedir(directory);
    return count;
}

int main(int count, char **arguments) {
    if (count > 1) rounds = atoi(arguments[1]);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    streamer_fork_watch();
    detach(accept_all, (void *)(intptr_t)listen_on_loopback());
    if (streamer_thread_pool() == NULL) abort();
    int before = open_descriptors();

    fail_after_a_pause();
    hold_up_an_upstream();
#ifdef HAVE_SYS_EPOLL_H
    run_out_of_memory_in_a_head();
#endif
    streamer_mailbox_init(&mailbox);
    streamer_mailbox_init(&entries_mailbox);
    pthread_t threads[THREADS], reader;
    pthread_create(&reader, NULL, read_mailbox, NULL);
    for (uintptr_t i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, relay_many, (void *)(i + 1));
    relay_in_children();
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);

    atomic_store(&all_over, true);
    pthread_join(reader, NULL);
    CHECK(notified_ends == rounds * THREADS, "%d ends were told of", notified_ends);

    struct streamer_pool_stats stats = streamer_pool_stats(streamer_thread_pool());
    for (int i = 0; i < 500 && stats.open > 0; i++) { /* those that are drained behind their end markers */
        usleep(10 * 1000);
        stats = streamer_pool_stats(streamer_thread_pool());
    }
    CHECK(stats.open == 0, "%llu transfers are still open", (unsigned long long)stats.open);
    uint64_t relays = streamer_relay_stats().relays;
    CHECK(relays >= (uint64_t)rounds * THREADS, "only %llu relays", (unsigned long long)relays);
    streamer_thread_stop();
    const int idle = 2 * THREADS * 4; /* connections, both of their ends */
    for (int i = 0; i < 200 && open_descriptors() - before > idle; i++)
        usleep(50 * 1000); /* the upstream closes its own */
    int kept = open_descriptors() - before;
    CHECK(kept <= idle, "%d descriptors more than before", kept);
    printf("%d passed, %d failed\n", atomic_load(&passed), atomic_load(&failed));
    return atomic_load(&failed) > 0;
}
