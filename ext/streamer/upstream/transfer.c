#include "transfer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "direct.h"
#include "fork.h"
#include "idle.h"
#include "multi.h"

/* What other threads want of the next turn. */
enum { WANT_START = 1, WANT_CANCEL = 2, WANT_RECEIVE = 4, WANT_SEND = 8, WANT_GIVE_UP = 16, WANT_STOP = 32 };

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
    if (transfer->membership.group != NULL) streamer_group_post(transfer->membership.group, transfer);
}

static bool inbox_empty(struct streamer_transfer *transfer) {
    lock(transfer);
    bool empty = transfer->inbox.length == 0;
    unlock(transfer);
    return empty;
}

/* ---- libcurl's callbacks ---- */

/* The answer is given up. Over HTTP/2 libcurl (7.88 to 8.14 at least) buffers the stream's reset until the connection
 * has something else to send, and the upstream would go on for nobody. So where nobody else uses the connection it is
 * closed, as it is over HTTP/1.1; for the other case see tell_upstream. */
static void abandon(struct streamer_transfer *transfer) {
    curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
}

/* Stops libcurl from within a callback, which returns this; streamer_transfer_completed then brings the transfer home.
 */
static size_t stop(struct streamer_transfer *transfer, enum streamer_outcome failure) {
    abandon(transfer);
    if (transfer->failure == STREAMER_OUTCOME_OPEN) transfer->failure = failure;
    return 0;
}

static void note_activity(struct streamer_transfer *transfer, int64_t now_us, size_t bytes) {
    transfer->last_activity = now_us / 1000;
    atomic_fetch_add_explicit(&transfer->reactor->stats.bytes, bytes, memory_order_relaxed);
}

static enum streamer_delivery pause_receiving(struct streamer_transfer *transfer) {
    transfer->receive_paused = true;
    atomic_fetch_add_explicit(&transfer->reactor->stats.pauses, 1, memory_order_relaxed);
    return STREAMER_PAUSED;
}

/* The sink has enough: it gets its end, and what still comes is thrown away. */
static void drain(struct streamer_transfer *transfer) {
    struct streamer_sink *sink = transfer->sink;
    transfer->sink = NULL;
    transfer->draining = true;
    struct streamer_timings timings = streamer_transfer_measure(transfer);
    lock(transfer);
    transfer->timings = timings;
    unlock(transfer);
    streamer_timers_set(&transfer->reactor->timers, &transfer->timer, streamer_now() + STREAMER_DRAIN_TIME);
    sink->end(sink);
}

static enum streamer_delivery fail(struct streamer_transfer *transfer, enum streamer_outcome failure) {
    stop(transfer, failure);
    return STREAMER_STOPPED;
}

static enum streamer_delivery deliver(struct streamer_transfer *transfer, const char *bytes, size_t length,
                                      int64_t now_us) {
    if (transfer->draining) {
        transfer->drained += length;
        return transfer->drained > STREAMER_DRAIN ? fail(transfer, STREAMER_OUTCOME_COMPLETED) : STREAMER_DELIVERED;
    }
    if (transfer->sink != NULL) {
        if (!inbox_empty(transfer)) return pause_receiving(transfer); /* what came before is not taken yet */
        struct streamer_sink *sink = transfer->sink;
        transfer->read_at = now_us;
        switch (sink->take(sink, bytes, length)) {
            case STREAMER_SINK_TOOK: break;
            case STREAMER_SINK_ENOUGH: drain(transfer); break;
            case STREAMER_SINK_FULL: return pause_receiving(transfer);
            case STREAMER_SINK_FAILED: return fail(transfer, STREAMER_OUTCOME_SINK_FAILED);
        }
        return STREAMER_DELIVERED;
    }

    lock(transfer);
    if (transfer->inbox.length >= STREAMER_INBOX_HIGH) {
        unlock(transfer);
        return pause_receiving(transfer);
    }
    enum streamer_status status = streamer_buffer_append(&transfer->inbox, bytes, length);
    transfer->arrived = now_us;
    announce(transfer);
    unlock(transfer);
    return status == STREAMER_OK ? STREAMER_DELIVERED : fail(transfer, STREAMER_OUTCOME_NO_MEMORY);
}

enum streamer_delivery streamer_transfer_deliver(struct streamer_transfer *transfer, const char *bytes, size_t length) {
    int64_t now_us = streamer_now_us();
    enum streamer_delivery delivery = deliver(transfer, bytes, length, now_us);
    if (delivery == STREAMER_DELIVERED) {
        transfer->received += (int64_t)length;
        note_activity(transfer, now_us, length);
    }
    return delivery;
}

static size_t on_body(char *bytes, size_t unit, size_t count, void *context) {
    struct streamer_transfer *transfer = context;
    size_t length = unit * count, data_length = length;
    const char *data = bytes;
    struct streamer_chunks chunks = transfer->chunks;

    if (transfer->chunked) {
        data_length = streamer_chunks_read(&chunks, bytes, length, transfer->reactor->read);
        data = transfer->reactor->read;
    }
    switch (data_length > 0 ? streamer_transfer_deliver(transfer, data, data_length) : STREAMER_DELIVERED) {
        case STREAMER_DELIVERED: break;
        case STREAMER_PAUSED: return CURL_WRITEFUNC_PAUSE;
        case STREAMER_STOPPED: return 0;
    }
    transfer->chunks = chunks;
    if (chunks.state == STREAMER_CHUNKS_INVALID) return stop(transfer, STREAMER_OUTCOME_PROTOCOL_ERROR);
    if (chunks.state == STREAMER_CHUNKS_TRAILERS) transfer->head_bytes += length - data_length;
    return transfer->head_bytes > STREAMER_MAX_HEAD ? stop(transfer, STREAMER_OUTCOME_HEADERS_TOO_LARGE) : length;
}

/* The answer's head is complete. False when it names a coding that nobody asked for. The lock is held. */
static bool expect_body(struct streamer_transfer *transfer) {
    const char *coding;
    size_t length;
    if (!transfer->framed || !streamer_transfer_header(transfer, "transfer-encoding", &coding, &length)) return true;
    transfer->chunked = length == strlen("chunked") && strncasecmp(coding, "chunked", length) == 0;
    if (transfer->chunked) streamer_direct_begin(transfer);
    return transfer->chunked || memchr(coding, ',', length) == NULL;
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
    note_activity(transfer, streamer_now_us(), length);
    while (text > 0 && (line[text - 1] == '\r' || line[text - 1] == '\n')) text--;

    lock(transfer);
    if (!transfer->head_ready) {
        if (text == 0) {
            /* The blank line: a 1xx head is over and thrown away, any other is the answer's. */
            transfer->head_ready = transfer->status >= 200;
            transfer->status_line_next = true;
            if (transfer->head_ready) {
                if (!expect_body(transfer)) length = stop(transfer, STREAMER_OUTCOME_PROTOCOL_ERROR);
                announce(transfer);
            }
        } else if (transfer->status_line_next) {
            transfer->status = parse_status(line, text);
            transfer->slot.origin->multiplexes = text > 5 && line[5] == '2'; /* HTTP/2 */
            transfer->status_line_next = false;
            streamer_buffer_clear(&transfer->head);
        } else if (streamer_buffer_reserve(&transfer->head, text + 1) == STREAMER_OK) {
            /* A line is there with its end, or not at all. */
            streamer_buffer_append(&transfer->head, line, text);
            streamer_buffer_append(&transfer->head, "\n", 1);
        } else {
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
    (void)purpose;
    struct streamer_transfer *transfer = context;
    if (transfer->guard != NULL && !streamer_guard_allows(transfer->guard, &address->addr)) {
        transfer->guarded = true;
        return CURL_SOCKET_BAD; /* libcurl tries the host's next address */
    }
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

static bool is_reused(CURL *easy) {
    long connects = 0;
    return curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK && connects == 0;
}

/* The connection stands, new or reused, and the request is about to be sent. */
static int on_connected(void *context, char *peer, char *local, int peer_port, int local_port) {
    (void)local, (void)peer_port;
    struct streamer_transfer *transfer = context;
    /* A reused connection may be one that somebody else opened without the guard. */
    if (transfer->guard != NULL && !streamer_guard_allows_text(transfer->guard, peer)) {
        stop(transfer, STREAMER_OUTCOME_FORBIDDEN_ADDRESS);
        return CURL_PREREQFUNC_ABORT;
    }
    /* Over HTTP/2 there is always something to say. */
    if (!transfer->slot.origin->multiplexes && is_reused(transfer->easy) && !streamer_idle_is_silent(local_port)) {
        transfer->starts_afresh = true;
        return CURL_PREREQFUNC_ABORT;
    }
    /* libcurl sends again what a reused connection has closed upon, though the upstream may have done its work. Over
     * HTTP/2 it is also how it goes on after a GOAWAY or a refused stream, which were not processed. */
    if (transfer->connected && !transfer->idempotent && !transfer->slot.origin->multiplexes) {
        stop(transfer, STREAMER_OUTCOME_CLOSED);
        return CURL_PREREQFUNC_ABORT;
    }
    transfer->connected = true;
    transfer->local_port = local_port;
    transfer->sent = transfer->last_activity = streamer_now();
    lock(transfer);
    strncpy(transfer->timings.address, peer, sizeof transfer->timings.address - 1);
    unlock(transfer);
    return CURL_PREREQFUNC_OK;
}

/* ---- turns ---- */

/* There is a slot: libcurl gets it. */
static void on_granted(struct streamer_slot *slot) {
    struct streamer_transfer *transfer =
        (struct streamer_transfer *)((char *)slot - offsetof(struct streamer_transfer, slot));
    transfer->started = streamer_now_us();
    atomic_fetch_sub_explicit(&transfer->reactor->stats.queued, 1, memory_order_relaxed);
    transfer->last_activity = transfer->started / 1000;
    /* Waiting for a connection that is being made is worth it only where it can be shared. */
    curl_easy_setopt(transfer->easy, CURLOPT_PIPEWAIT, slot->origin->multiplexes ? 1L : 0L);
    if (curl_multi_add_handle(transfer->reactor->multi, transfer->easy) != CURLM_OK) {
        streamer_transfer_finish(transfer, STREAMER_OUTCOME_NO_MEMORY, NULL);
        return;
    }
    transfer->added = true;
    streamer_transfer_fire(&transfer->timer, transfer->last_activity); /* nothing is due yet: it sets itself */
}

static void start(struct streamer_transfer *transfer) {
    struct streamer_reactor *reactor = transfer->reactor;
    transfer->queued = streamer_now_us();
    streamer_transfer_retain(transfer); /* the reactor's, until the end */
    streamer_reactor_link(reactor, transfer);
    transfer->linked = true;
    atomic_fetch_add_explicit(&reactor->stats.queued, 1, memory_order_relaxed);
    streamer_transfer_fire(&transfer->timer, transfer->queued / 1000);
    if (!streamer_slots_ask(&reactor->slots, &transfer->slot, transfer->origin)) {
        streamer_transfer_finish(transfer, STREAMER_OUTCOME_NO_MEMORY, NULL);
    }
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
    streamer_transfer_note_decoded(transfer);
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

static int paused(const struct streamer_transfer *transfer) {
    return (transfer->receive_paused ? CURLPAUSE_RECV : 0) | (transfer->send_paused ? CURLPAUSE_SEND : 0);
}

static void want(struct streamer_transfer *transfer, int what) {
    if (atomic_fetch_or(&transfer->wanted, what) != 0) return; /* queued already */
    streamer_transfer_retain(transfer);
    if (!streamer_reactor_post(transfer->reactor, &transfer->task)) streamer_transfer_release(transfer);
}

/* May bring the bytes that libcurl kept at once, through on_body. Where that fails libcurl says so here, does not end
 * the transfer, and does not read from its connection again. */
static void set_pause(struct streamer_transfer *transfer, int what) {
    CURLcode code = curl_easy_pause(transfer->easy, what);
    if (code == CURLE_OUT_OF_MEMORY) stop(transfer, STREAMER_OUTCOME_NO_MEMORY);
    if (transfer->failure != STREAMER_OUTCOME_OPEN) want(transfer, WANT_STOP);
}

void streamer_transfer_apply_pause(struct streamer_transfer *transfer) {
    set_pause(transfer, paused(transfer));
}

static void unpause(struct streamer_transfer *transfer) {
    transfer->resumed = transfer->last_activity = streamer_now();
    streamer_transfer_apply_pause(transfer);
}

static void run(struct streamer_task *task) {
    struct streamer_transfer *transfer =
        (struct streamer_transfer *)((char *)task - offsetof(struct streamer_transfer, task));
    int wanted = atomic_exchange(&transfer->wanted, 0);
    if ((wanted & WANT_START) && !ended(transfer)) start(transfer);
    if (wanted & WANT_CANCEL) streamer_transfer_finish(transfer, STREAMER_OUTCOME_CANCELLED, NULL);
    if (wanted & WANT_GIVE_UP) {
        streamer_transfer_finish(transfer, STREAMER_OUTCOME_CONNECT_FAILED, "the system does not watch its socket");
    }
    if ((wanted & WANT_STOP) && !ended(transfer)) streamer_transfer_finish(transfer, transfer->failure, NULL);
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

void streamer_transfer_stir(struct streamer_transfer *transfer) {
    set_pause(transfer, paused(transfer) ^ CURLPAUSE_RECV);
    streamer_transfer_apply_pause(transfer);
}

/* Makes libcurl send the reset of a stream that was given up: a stream of the same connection that pauses and goes on
 * has its window to tell of. */
static void tell_upstream(struct streamer_transfer *left) {
    if (!left->connected || !left->slot.origin->multiplexes) return;
    for (struct streamer_transfer *other = left->reactor->transfers; other != NULL; other = other->next) {
        if (other == left || !other->connected || other->local_port != left->local_port ||
            strcmp(other->origin, left->origin) != 0)
            continue;
        streamer_transfer_stir(other);
        return;
    }
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
    struct streamer_timings timings = streamer_transfer_measure(transfer);
    if (timings.reused) atomic_fetch_add_explicit(&reactor->stats.reused, 1, memory_order_relaxed);

    if (transfer->added) {
        if (!transfer->completed) abandon(transfer);
        curl_multi_remove_handle(reactor->multi, transfer->easy);
        if (!transfer->completed || transfer->failure != STREAMER_OUTCOME_OPEN) tell_upstream(transfer);
    }
    curl_easy_cleanup(transfer->easy);
    transfer->easy = NULL;
    streamer_timers_cancel(&reactor->timers, &transfer->timer);
    streamer_reactor_strike(reactor, &transfer->direct);
    if (transfer->linked) streamer_reactor_unlink(reactor, transfer);
    if (transfer->linked && transfer->started == 0)
        atomic_fetch_sub_explicit(&reactor->stats.queued, 1, memory_order_relaxed);
    streamer_slots_give_back(&reactor->slots, &transfer->slot);

    lock(transfer);
    transfer->timings = timings;
    if (detail != NULL && detail != transfer->detail) strncpy(transfer->detail, detail, sizeof transfer->detail - 1);
    transfer->outcome = outcome;
    announce(transfer);
    unlock(transfer);

    if (transfer->sink != NULL) feed_sink(transfer);
    if (transfer->linked) streamer_transfer_release(transfer); /* the reactor's */
}

/* With a connection of its own. libcurl has closed the other one. */
static bool start_afresh(struct streamer_transfer *transfer) {
    transfer->starts_afresh = false;
    transfer->detail[0] = '\0';
    curl_multi_remove_handle(transfer->reactor->multi, transfer->easy);
    curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, 1L);
    transfer->added = curl_multi_add_handle(transfer->reactor->multi, transfer->easy) == CURLM_OK;
    return transfer->added;
}

void streamer_transfer_completed(struct streamer_transfer *transfer, CURLcode code) {
    if (transfer->starts_afresh && start_afresh(transfer)) return;
    transfer->completed = true;
    curl_socket_t fd = CURL_SOCKET_BAD;
    curl_easy_getinfo(transfer->easy, CURLINFO_ACTIVESOCKET, &fd);
    if (transfer->connected) streamer_idle_note(transfer->local_port, fd);
    bool ours = transfer->failure != STREAMER_OUTCOME_OPEN;
    enum streamer_outcome outcome = ours ? transfer->failure : streamer_outcome_of(code);
    if (!ours && code == CURLE_COULDNT_CONNECT && transfer->guarded) outcome = STREAMER_OUTCOME_FORBIDDEN_ADDRESS;
    /* A close within the head is an empty HTTP/1.0 answer to libcurl. */
    if (outcome == STREAMER_OUTCOME_COMPLETED && !transfer->head_ready) outcome = STREAMER_OUTCOME_CLOSED;
    /* A proxy that refuses the tunnel looks like an answer that was cut. */
    if (outcome == STREAMER_OUTCOME_CLOSED && !transfer->connected) outcome = STREAMER_OUTCOME_CONNECT_FAILED;
    bool explain = !ours && outcome != STREAMER_OUTCOME_COMPLETED && outcome != STREAMER_OUTCOME_FORBIDDEN_ADDRESS;
    if (!explain) transfer->detail[0] = '\0';
    streamer_transfer_finish(transfer, outcome,
                             explain && transfer->detail[0] == '\0' ? curl_easy_strerror(code) : transfer->detail);
}

/* ---- from any thread ---- */

static const char *set_callbacks(struct streamer_transfer *transfer, bool body_streamed) {
    CURL *easy = transfer->easy;
    CURLcode code = CURLE_OK;
#define SET(option, value)                                                  \
    do {                                                                    \
        if (code == CURLE_OK) code = curl_easy_setopt(easy, option, value); \
    } while (0)

    SET(CURLOPT_PRIVATE, transfer);
    SET(CURLOPT_ERRORBUFFER, transfer->detail);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_HTTP_TRANSFER_DECODING, transfer->framed ? 0L : 1L);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, transfer);
    SET(CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    SET(CURLOPT_PREREQFUNCTION, on_connected);
    SET(CURLOPT_PREREQDATA, transfer);
    if (body_streamed) {
        SET(CURLOPT_READFUNCTION, on_upload);
        SET(CURLOPT_READDATA, transfer);
    }
#undef SET
    return code == CURLE_OK ? NULL : curl_easy_strerror(code);
}

/* RFC 9110, section 9.2.2. */
static bool is_idempotent(const char *method) {
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        if (strcmp(method, methods[i]) == 0) return true;
    }
    return false;
}

/* What libcurl refuses; NULL also when out of memory, which the handle's or the origin's absence tells. */
static const char *prepare(struct streamer_transfer *transfer, const struct streamer_request *request) {
    transfer->origin = strdup(request->origin);
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL || transfer->origin == NULL) return NULL;
    const char *problem = streamer_request_apply(request, transfer->easy);
    return problem != NULL ? problem : set_callbacks(transfer, request->body_streamed);
}

struct streamer_transfer *streamer_transfer_new(struct streamer_reactor *reactor,
                                                const struct streamer_request *request, const char **problem) {
    *problem = NULL;
    struct streamer_transfer *transfer = calloc(1, sizeof *transfer);
    if (transfer == NULL) {
        curl_slist_free_all(request->headers);
        curl_slist_free_all(request->addresses);
        curl_slist_free_all(request->names);
        free(request->guard);
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
    transfer->idempotent = is_idempotent(request->method);
    transfer->upload_left = request->body_streamed ? request->body_length : -1;
    transfer->memory = (struct streamer_request_memory){request->headers, request->addresses, request->names};
    transfer->guard = request->guard;
    transfer->framed = streamer_direct_suits(request);
    transfer->socket = -1;
    transfer->slot.granted = on_granted;
    transfer->task.run = run;
    transfer->timer.fire = streamer_transfer_fire;
    transfer->status_line_next = true;
    *problem = prepare(transfer, request);
    if (*problem != NULL || transfer->easy == NULL || transfer->origin == NULL) {
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
    curl_slist_free_all(transfer->memory.headers);
    curl_slist_free_all(transfer->memory.addresses);
    curl_slist_free_all(transfer->memory.names);
    free(transfer->guard);
    free(transfer->origin);
    streamer_buffer_release(&transfer->head);
    streamer_buffer_release(&transfer->inbox);
    streamer_buffer_release(&transfer->outbox);
    streamer_signal_destroy(&transfer->signal);
    if (transfer->membership.group != NULL) streamer_group_release(transfer->membership.group);
    streamer_reactor_release(transfer->reactor);
    free(transfer);
}

void streamer_transfer_start(struct streamer_transfer *transfer) {
    if (!atomic_exchange(&transfer->sent_off, true)) want(transfer, WANT_START);
}

void streamer_transfer_cancel(struct streamer_transfer *transfer) {
    want(transfer, WANT_CANCEL);
}

void streamer_transfer_strand(struct streamer_transfer *transfer) {
    want(transfer, WANT_GIVE_UP);
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

void streamer_transfer_take(struct streamer_transfer *transfer, struct streamer_buffer *into) {
    bool was_full = transfer->inbox.length >= STREAMER_INBOX_HIGH;
    transfer->decoding |= transfer->inbox.length > 0;
    transfer->read_at = transfer->arrived;
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
