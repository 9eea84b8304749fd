#include "transfer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "fork.h"
#include "multi.h"

/* What other threads want of the next turn. */
enum { WANT_START = 1, WANT_CANCEL = 2, WANT_RECEIVE = 4, WANT_SEND = 8 };

static void lock(struct streamer_transfer *transfer) {
    pthread_mutex_lock(&transfer->signal.lock);
}

static void unlock(struct streamer_transfer *transfer) {
    pthread_mutex_unlock(&transfer->signal.lock);
}

/* The lock is held. */
static void announce(struct streamer_transfer *transfer) {
    streamer_signal_raise(&transfer->signal);
    streamer_reactor_note_change(transfer->reactor, transfer);
}

static bool inbox_empty(struct streamer_transfer *transfer) {
    lock(transfer);
    bool empty = transfer->inbox.length == 0;
    unlock(transfer);
    return empty;
}

/* ---- libcurl's callbacks ---- */

/* Stops libcurl from within a callback, which returns this; streamer_transfer_completed then brings the transfer home.
 */
static size_t stop(struct streamer_transfer *transfer, enum streamer_outcome failure) {
    if (transfer->failure == STREAMER_OUTCOME_OPEN) transfer->failure = failure;
    return 0;
}

static void note_activity(struct streamer_transfer *transfer, size_t bytes) {
    transfer->last_activity = streamer_now();
    atomic_fetch_add_explicit(&transfer->reactor->stats.bytes, bytes, memory_order_relaxed);
}

static size_t pause_receiving(struct streamer_transfer *transfer) {
    transfer->receive_paused = true;
    atomic_fetch_add_explicit(&transfer->reactor->stats.pauses, 1, memory_order_relaxed);
    return CURL_WRITEFUNC_PAUSE;
}

/* The sink has enough: it gets its end, and what still comes is thrown away. */
static void drain(struct streamer_transfer *transfer) {
    struct streamer_sink *sink = transfer->sink;
    transfer->sink = NULL;
    transfer->draining = true;
    streamer_timers_set(&transfer->reactor->timers, &transfer->timer, streamer_now() + STREAMER_DRAIN_TIME);
    sink->end(sink);
}

static size_t on_body(char *bytes, size_t unit, size_t count, void *context) {
    struct streamer_transfer *transfer = context;
    size_t length = unit * count;

    if (length == 0) return 0;
    if (transfer->draining) {
        transfer->drained += length;
        return transfer->drained > STREAMER_DRAIN ? stop(transfer, STREAMER_OUTCOME_COMPLETED) : length;
    }
    if (transfer->sink != NULL) {
        if (!inbox_empty(transfer)) return pause_receiving(transfer); /* what came before is not taken yet */
        struct streamer_sink *sink = transfer->sink;
        switch (sink->take(sink, bytes, length)) {
            case STREAMER_SINK_TOOK: break;
            case STREAMER_SINK_ENOUGH: drain(transfer); break;
            case STREAMER_SINK_FULL: return pause_receiving(transfer);
            case STREAMER_SINK_FAILED: return stop(transfer, STREAMER_OUTCOME_SINK_FAILED);
        }
        note_activity(transfer, length);
        return length;
    }

    lock(transfer);
    if (transfer->inbox.length >= STREAMER_INBOX_HIGH) {
        unlock(transfer);
        return pause_receiving(transfer);
    }
    enum streamer_status status = streamer_buffer_append(&transfer->inbox, bytes, length);
    announce(transfer);
    unlock(transfer);
    if (status != STREAMER_OK) return stop(transfer, STREAMER_OUTCOME_NO_MEMORY);
    note_activity(transfer, length);
    return length;
}

/* "HTTP/1.1 200 OK" -> 200; 0 for anything else. */
static int parse_status(const char *line, size_t length) {
    const char *space = length > 5 && memcmp(line, "HTTP/", 5) == 0 ? memchr(line, ' ', length) : NULL;
    if (space == NULL || line + length - space < 4) return 0;
    int status = 0;
    for (int i = 1; i <= 3; i++) {
        if (space[i] < '0' || space[i] > '9') return 0;
        status = status * 10 + (space[i] - '0');
    }
    return status;
}

/* libcurl brings every line of every head: 1xx heads before the answer's, and trailers behind its body. */
static size_t on_header(char *line, size_t unit, size_t count, void *context) {
    struct streamer_transfer *transfer = context;
    size_t length = unit * count, text = length;
    transfer->head_bytes += length;
    if (transfer->head_bytes > STREAMER_MAX_HEAD) return stop(transfer, STREAMER_OUTCOME_HEADERS_TOO_LARGE);
    note_activity(transfer, length);
    while (text > 0 && (line[text - 1] == '\r' || line[text - 1] == '\n')) text--;

    lock(transfer);
    if (!transfer->head_ready) {
        if (text == 0) {
            /* The blank line: a 1xx head is over and thrown away, any other is the answer's. */
            transfer->head_ready = transfer->status >= 200;
            transfer->status_line_next = true;
            if (transfer->head_ready) announce(transfer);
        } else if (transfer->status_line_next) {
            transfer->status = parse_status(line, text);
            transfer->status_line_next = false;
            streamer_buffer_clear(&transfer->head);
        } else if (streamer_buffer_append(&transfer->head, line, text) != STREAMER_OK ||
                   streamer_buffer_append(&transfer->head, "\n", 1) != STREAMER_OK) {
            length = stop(transfer, STREAMER_OUTCOME_NO_MEMORY);
        }
    }
    unlock(transfer);
    return length;
}

static size_t on_upload(char *into, size_t unit, size_t count, void *context) {
    struct streamer_transfer *transfer = context;
    size_t room = unit * count;
    lock(transfer);
    size_t length = transfer->outbox.length - transfer->outbox_offset;
    if (length > room) length = room;
    if (length > 0) memcpy(into, transfer->outbox.bytes + transfer->outbox_offset, length);
    transfer->outbox_offset += length;
    if (transfer->outbox_offset == transfer->outbox.length) {
        streamer_buffer_clear(&transfer->outbox);
        transfer->outbox_offset = 0;
        announce(transfer);
    }
    if (transfer->upload_left >= 0) transfer->upload_left -= (int64_t)length;
    bool wait = length == 0 && !transfer->upload_ended;
    bool too_short = length == 0 && transfer->upload_ended && transfer->upload_left > 0;
    unlock(transfer);
    if (too_short) { /* the upstream would wait for the rest */
        stop(transfer, STREAMER_OUTCOME_UPLOAD_FAILED);
        return CURL_READFUNC_ABORT;
    }
    if (wait) {
        transfer->send_paused = true;
        return CURL_READFUNC_PAUSE;
    }
    transfer->last_activity = streamer_now();
    return length;
}

static curl_socket_t on_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)context, (void)purpose;
    int type = address->socktype;
#ifdef SOCK_CLOEXEC
    type |= SOCK_CLOEXEC;
#endif
    curl_socket_t fd = socket(address->family, type, address->protocol);
    if (fd >= 0) streamer_fork_track(fd);
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int on_close_socket(void *context, curl_socket_t fd) {
    (void)context; /* NULL: a pooled connection outlives the transfer that opened it */
    return streamer_fork_close(fd);
}

/* The connection stands, new or reused, and the request is about to be sent. */
static int on_connected(void *context, char *peer, char *local, int peer_port, int local_port) {
    (void)peer, (void)local, (void)peer_port, (void)local_port;
    struct streamer_transfer *transfer = context;
    transfer->connected = true;
    transfer->last_activity = streamer_now();
    return CURL_PREREQFUNC_OK;
}

/* ---- timeouts ---- */

/* libcurl's own timeouts are not used: under socket_action its response timeout may never fire, its speed limit stops
 * counting while paused, and none of them knows an event. The earliest deadline is found anew when the timer fires. */
static void on_timer(struct streamer_timer *timer, int64_t now) {
    struct streamer_transfer *transfer =
        (struct streamer_transfer *)((char *)timer - offsetof(struct streamer_transfer, timer));
    const struct streamer_timeouts *timeouts = &transfer->timeouts;
    if (transfer->draining) {
        streamer_transfer_finish(transfer, STREAMER_OUTCOME_COMPLETED, NULL);
        return;
    }
    int64_t next = INT64_MAX;
    enum streamer_outcome expired = STREAMER_OUTCOME_OPEN;

#define DEADLINE(limit, from, outcome)                                                 \
    do {                                                                               \
        int64_t deadline_ = (from) + (limit);                                          \
        if (deadline_ <= now && expired == STREAMER_OUTCOME_OPEN) expired = (outcome); \
        if (deadline_ < next) next = deadline_;                                        \
    } while (0)

    if (timeouts->total > 0) DEADLINE(timeouts->total, transfer->started, STREAMER_OUTCOME_TOTAL_TIMEOUT);
    if (timeouts->connect > 0 && !transfer->connected) {
        DEADLINE(timeouts->connect, transfer->started, STREAMER_OUTCOME_CONNECT_TIMEOUT);
    }
    /* A consumer that has not looked yet, or that made us pause, is not the upstream's delay. */
    bool upstreams_turn = !transfer->receive_paused && inbox_empty(transfer);
    if (timeouts->first_event > 0 && !transfer->event_seen) {
        DEADLINE(timeouts->first_event, upstreams_turn ? transfer->started : now, STREAMER_OUTCOME_FIRST_EVENT_TIMEOUT);
    }
    if (timeouts->idle > 0 && transfer->connected) {
        DEADLINE(timeouts->idle, upstreams_turn ? transfer->last_activity : now, STREAMER_OUTCOME_IDLE_TIMEOUT);
    }
#undef DEADLINE

    if (expired != STREAMER_OUTCOME_OPEN) {
        streamer_transfer_finish(transfer, expired, NULL);
    } else if (next != INT64_MAX || timeouts->idle > 0) {
        /* The idle clock starts with the connection, of which no timer is told: look again when it could first run out.
         */
        if (timeouts->idle > 0 && now + timeouts->idle < next) next = now + timeouts->idle;
        streamer_timers_set(streamer_reactor_timers(transfer->reactor), timer, next);
    }
}

/* ---- turns ---- */

static void start(struct streamer_transfer *transfer) {
    struct streamer_reactor *reactor = transfer->reactor;
    transfer->started = transfer->last_activity = streamer_now();
    streamer_transfer_retain(transfer); /* the reactor's, until the end */
    streamer_reactor_link(reactor, transfer);
    if (curl_multi_add_handle(reactor->multi, transfer->easy) != CURLM_OK) {
        streamer_transfer_finish(transfer, STREAMER_OUTCOME_NO_MEMORY, NULL);
        return;
    }
    transfer->added = true;
    on_timer(&transfer->timer, transfer->started); /* nothing is due yet: it sets itself */
}

static bool ended(const struct streamer_transfer *transfer) {
    return transfer->easy == NULL;
}

/* Gives the sink what is in the inbox, all or nothing, and after the transfer's end and the last byte the end. */
static void feed_sink(struct streamer_transfer *transfer) {
    struct streamer_sink *sink = transfer->sink;
    struct streamer_buffer arrived;
    streamer_buffer_init(&arrived, STREAMER_INBOX_MAX);
    lock(transfer);
    streamer_transfer_take(transfer, &arrived);
    unlock(transfer);

    enum streamer_sink_answer answer = STREAMER_SINK_TOOK;
    if (arrived.length > 0) answer = sink->take(sink, arrived.bytes, arrived.length);
    if (answer == STREAMER_SINK_FULL) {
        lock(transfer);
        transfer->inbox = arrived; /* nothing can have arrived since: libcurl runs in this thread's turns only */
        unlock(transfer);
        return;
    }
    streamer_buffer_release(&arrived);
    if (ended(transfer)) { /* so that there is nothing to drain either */
        transfer->sink = NULL;
        sink->end(sink);
    } else if (answer == STREAMER_SINK_ENOUGH) {
        drain(transfer);
    } else if (answer == STREAMER_SINK_FAILED) {
        streamer_transfer_finish(transfer, STREAMER_OUTCOME_SINK_FAILED, NULL);
    }
}

static void drop_inbox(struct streamer_transfer *transfer) {
    lock(transfer);
    streamer_buffer_clear(&transfer->inbox);
    unlock(transfer);
}

static void unpause(struct streamer_transfer *transfer) {
    transfer->last_activity = streamer_now();
    int paused = (transfer->receive_paused ? CURLPAUSE_RECV : 0) | (transfer->send_paused ? CURLPAUSE_SEND : 0);
    curl_easy_pause(transfer->easy, paused); /* may bring the kept bytes at once, through on_body */
}

static void run(struct streamer_task *task) {
    struct streamer_transfer *transfer =
        (struct streamer_transfer *)((char *)task - offsetof(struct streamer_transfer, task));
    int wanted = atomic_exchange(&transfer->wanted, 0);
    if ((wanted & WANT_START) && !ended(transfer)) start(transfer);
    if (wanted & WANT_CANCEL) streamer_transfer_finish(transfer, STREAMER_OUTCOME_CANCELLED, NULL);
    if ((wanted & WANT_RECEIVE) && transfer->sink != NULL) feed_sink(transfer);
    if ((wanted & WANT_RECEIVE) && !ended(transfer) && transfer->receive_paused) {
        transfer->receive_paused = false;
        unpause(transfer);
    }
    if ((wanted & WANT_SEND) && !ended(transfer) && transfer->send_paused) {
        transfer->send_paused = false;
        unpause(transfer);
    }
    streamer_transfer_release(transfer); /* the queue's */
}

static void want(struct streamer_transfer *transfer, int what) {
    if (atomic_fetch_or(&transfer->wanted, what) != 0) return; /* queued already */
    streamer_transfer_retain(transfer);
    if (!streamer_reactor_post(transfer->reactor, &transfer->task)) streamer_transfer_release(transfer);
}

static int64_t info(struct streamer_transfer *transfer, CURLINFO which) {
    curl_off_t microseconds = 0;
    curl_easy_getinfo(transfer->easy, which, &microseconds);
    return microseconds;
}

static struct streamer_timings measure(struct streamer_transfer *transfer) {
    struct streamer_timings timings = {
        .dns = info(transfer, CURLINFO_NAMELOOKUP_TIME_T),
        .connect = info(transfer, CURLINFO_CONNECT_TIME_T),
        .tls = info(transfer, CURLINFO_APPCONNECT_TIME_T),
        .first_byte = info(transfer, CURLINFO_STARTTRANSFER_TIME_T),
        .total = info(transfer, CURLINFO_TOTAL_TIME_T),
        .bytes = info(transfer, CURLINFO_SIZE_DOWNLOAD_T),
    };
    if (timings.total == 0)
        timings.total = (streamer_now() - transfer->started) * 1000; /* ended by us, not by libcurl */
    long version = 0, connects = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &version);
    curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects);
    timings.http_version = version == CURL_HTTP_VERSION_1_0   ? 10
                           : version == CURL_HTTP_VERSION_1_1 ? 11
                           : version == CURL_HTTP_VERSION_2_0 ? 20
                           : version == CURL_HTTP_VERSION_3   ? 30
                                                              : 0;
    timings.reused = transfer->connected && connects == 0;
    return timings;
}

void streamer_transfer_finish(struct streamer_transfer *transfer, enum streamer_outcome outcome, const char *detail) {
    struct streamer_reactor *reactor = transfer->reactor;
    bool abandoned =
        transfer->sink != NULL && (outcome == STREAMER_OUTCOME_CANCELLED || outcome == STREAMER_OUTCOME_SINK_FAILED);
    if (abandoned) drop_inbox(transfer);
    if (ended(transfer)) {
        if (abandoned) feed_sink(transfer); /* which was too full for the last bytes, and now gets the end */
        return;
    }
    bool linked = transfer->started != 0;
    struct streamer_timings timings = measure(transfer);
    if (timings.reused) atomic_fetch_add_explicit(&reactor->stats.reused, 1, memory_order_relaxed);

    if (transfer->added) curl_multi_remove_handle(reactor->multi, transfer->easy);
    curl_easy_cleanup(transfer->easy);
    transfer->easy = NULL;
    streamer_timers_cancel(&reactor->timers, &transfer->timer);
    if (linked) streamer_reactor_unlink(reactor, transfer);

    lock(transfer);
    transfer->timings = timings;
    if (detail != NULL && detail != transfer->detail) strncpy(transfer->detail, detail, sizeof transfer->detail - 1);
    transfer->outcome = outcome;
    announce(transfer);
    unlock(transfer);

    if (transfer->sink != NULL) feed_sink(transfer);
    if (linked) streamer_transfer_release(transfer); /* the reactor's */
}

static enum streamer_outcome outcome_of(const struct streamer_transfer *transfer, CURLcode code) {
    if (transfer->failure != STREAMER_OUTCOME_OPEN) return transfer->failure;
    switch (code) {
        case CURLE_OK: return STREAMER_OUTCOME_COMPLETED;
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_RESOLVE_PROXY: return STREAMER_OUTCOME_RESOLVE_FAILED;
        case CURLE_COULDNT_CONNECT:
        case CURLE_PROXY: return STREAMER_OUTCOME_CONNECT_FAILED;
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_INVALIDCERTSTATUS: return STREAMER_OUTCOME_TLS_FAILED;
        case CURLE_GOT_NOTHING:
        case CURLE_PARTIAL_FILE:
        case CURLE_SEND_ERROR:
        case CURLE_RECV_ERROR:
        case CURLE_HTTP2:
        case CURLE_HTTP2_STREAM: return STREAMER_OUTCOME_CLOSED;
        case CURLE_WEIRD_SERVER_REPLY:
        case CURLE_UNSUPPORTED_PROTOCOL:
#if LIBCURL_VERSION_NUM >= 0x080600
        case CURLE_TOO_LARGE:
#endif
        case CURLE_BAD_CONTENT_ENCODING: return STREAMER_OUTCOME_PROTOCOL_ERROR;
        case CURLE_URL_MALFORMAT:
        case CURLE_BAD_FUNCTION_ARGUMENT: return STREAMER_OUTCOME_REQUEST_INVALID;
        case CURLE_OPERATION_TIMEDOUT: return STREAMER_OUTCOME_CONNECT_TIMEOUT;
        case CURLE_READ_ERROR:
        case CURLE_ABORTED_BY_CALLBACK: return STREAMER_OUTCOME_UPLOAD_FAILED;
        case CURLE_OUT_OF_MEMORY: return STREAMER_OUTCOME_NO_MEMORY;
        default: return STREAMER_OUTCOME_CLOSED;
    }
}

void streamer_transfer_completed(struct streamer_transfer *transfer, CURLcode code) {
    enum streamer_outcome outcome = outcome_of(transfer, code);
    /* A close within the head is an empty HTTP/1.0 answer to libcurl. */
    if (outcome == STREAMER_OUTCOME_COMPLETED && !transfer->head_ready) outcome = STREAMER_OUTCOME_CLOSED;
    bool explain = outcome != STREAMER_OUTCOME_COMPLETED && transfer->failure == STREAMER_OUTCOME_OPEN;
    if (!explain) transfer->detail[0] = '\0';
    streamer_transfer_finish(transfer, outcome,
                             explain && transfer->detail[0] == '\0' ? curl_easy_strerror(code) : transfer->detail);
}

/* ---- from any thread ---- */

static const char *set_options(struct streamer_transfer *transfer, const struct streamer_request *request) {
    CURL *easy = transfer->easy;
    CURLcode code = CURLE_OK;
#define SET(option, value)                                                  \
    do {                                                                    \
        if (code == CURLE_OK) code = curl_easy_setopt(easy, option, value); \
    } while (0)

    SET(CURLOPT_URL, request->url);
#if LIBCURL_VERSION_NUM >= 0x075500
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
#endif
    SET(CURLOPT_PRIVATE, transfer);
    SET(CURLOPT_ERRORBUFFER, transfer->detail);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(CURLOPT_QUICK_EXIT, 1L); /* removing a handle must not wait for its getaddrinfo */
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(CURLOPT_SSL_VERIFYPEER, request->verify ? 1L : 0L);
    SET(CURLOPT_SSL_VERIFYHOST, request->verify ? 2L : 0L);
    if (request->ca_file != NULL) SET(CURLOPT_CAINFO, request->ca_file);
    SET(CURLOPT_TCP_NODELAY, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, 0x7fffffffL); /* ours counts; libcurl's default of 300 s would too */
    SET(CURLOPT_HTTPHEADER, transfer->headers);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    SET(CURLOPT_PREREQFUNCTION, on_connected);
    SET(CURLOPT_PREREQDATA, transfer);

    if (request->body_streamed) {
        SET(CURLOPT_UPLOAD, 1L);
        SET(CURLOPT_READFUNCTION, on_upload);
        SET(CURLOPT_READDATA, transfer);
        SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_length);
    } else if (request->body != NULL) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
        SET(CURLOPT_COPYPOSTFIELDS, request->body);
    }
    if (strcmp(request->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else {
        SET(CURLOPT_CUSTOMREQUEST, request->method);
    }
#undef SET
    return code == CURLE_OK ? NULL : curl_easy_strerror(code);
}

struct streamer_transfer *streamer_transfer_new(struct streamer_reactor *reactor,
                                                const struct streamer_request *request, const char **problem) {
    *problem = NULL;
    struct streamer_transfer *transfer = calloc(1, sizeof *transfer);
    if (transfer == NULL) {
        curl_slist_free_all(request->headers);
        return NULL;
    }
    streamer_signal_init(&transfer->signal);
    streamer_buffer_init(&transfer->head, STREAMER_MAX_HEAD);
    streamer_buffer_init(&transfer->inbox, STREAMER_INBOX_MAX);
    streamer_buffer_init(&transfer->outbox, STREAMER_OUTBOX_MAX);
    streamer_reactor_retain(reactor);
    transfer->reactor = reactor;
    transfer->references = 1;
    transfer->generation = streamer_fork_generation();
    transfer->timeouts = request->timeouts;
    transfer->upload_left = request->body_streamed ? request->body_length : -1;
    transfer->headers = request->headers;
    transfer->task.run = run;
    transfer->timer.fire = on_timer;
    transfer->status_line_next = true;
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL || (*problem = set_options(transfer, request)) != NULL) {
        streamer_transfer_release(transfer);
        return NULL;
    }
    return transfer;
}

void streamer_transfer_retain(struct streamer_transfer *transfer) {
    atomic_fetch_add(&transfer->references, 1);
}

void streamer_transfer_release(struct streamer_transfer *transfer) {
    if (atomic_fetch_sub(&transfer->references, 1) != 1) return;
    curl_easy_cleanup(transfer->easy); /* never started, or NULL */
    curl_slist_free_all(transfer->headers);
    streamer_buffer_release(&transfer->head);
    streamer_buffer_release(&transfer->inbox);
    streamer_buffer_release(&transfer->outbox);
    streamer_signal_destroy(&transfer->signal);
    streamer_reactor_release(transfer->reactor);
    free(transfer);
}

void streamer_transfer_start(struct streamer_transfer *transfer) {
    want(transfer, WANT_START);
}

void streamer_transfer_cancel(struct streamer_transfer *transfer) {
    want(transfer, WANT_CANCEL);
}

void streamer_transfer_resume(struct streamer_transfer *transfer) {
    want(transfer, WANT_RECEIVE);
}

bool streamer_transfer_header(struct streamer_transfer *transfer, const char *name, const char **value,
                              size_t *length) {
    size_t name_length = strlen(name);
    const char *line = transfer->head.bytes, *end = line + transfer->head.length;
    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if ((size_t)(stop - line) > name_length && line[name_length] == ':' &&
            strncasecmp(line, name, name_length) == 0) {
            *value = line + name_length + 1;
            while (*value < stop && **value == ' ') (*value)++;
            *length = (size_t)(stop - *value);
            return true;
        }
        line = stop + 1;
    }
    return false;
}

void streamer_transfer_note_event(struct streamer_transfer *transfer) {
    atomic_store_explicit(&transfer->event_seen, true, memory_order_relaxed);
}

void streamer_transfer_take(struct streamer_transfer *transfer, struct streamer_buffer *into) {
    bool was_full = transfer->inbox.length >= STREAMER_INBOX_HIGH;
    struct streamer_buffer inbox = transfer->inbox;
    transfer->inbox = *into;
    *into = inbox;
    if (was_full) want(transfer, WANT_RECEIVE);
}

enum streamer_status streamer_transfer_upload(struct streamer_transfer *transfer, const char *bytes, size_t length,
                                              bool last) {
    enum streamer_status status = streamer_buffer_append(&transfer->outbox, bytes, length);
    if (status != STREAMER_OK) return status;
    transfer->upload_ended |= last;
    want(transfer, WANT_SEND);
    return STREAMER_OK;
}

size_t streamer_transfer_size(struct streamer_transfer *transfer) {
    lock(transfer);
    size_t size = sizeof *transfer + transfer->head.capacity + transfer->inbox.capacity + transfer->outbox.capacity;
    unlock(transfer);
    return size;
}

void streamer_transfer_attach(struct streamer_transfer *transfer, struct streamer_sink *sink) {
    transfer->sink = sink;
    feed_sink(transfer);
}
