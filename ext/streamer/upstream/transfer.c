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

void streamer_transfer_announce(struct streamer_transfer *transfer) {
    streamer_monitor_notify(&transfer->monitor);
    streamer_reactor_note_change(transfer->reactor, transfer);
    if (transfer->membership.group != NULL) streamer_group_post(transfer->membership.group, transfer);
}

/* The answer is given up. Over HTTP/2 libcurl (7.88 to 8.14 at least) buffers the stream's reset until the connection
 * has something else to send, and the upstream would go on for nobody. So where nobody else uses the connection it is
 * closed, as it is over HTTP/1.1; for the other case see tell_upstream. */
static void abandon(struct streamer_transfer *transfer) {
    curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
}

size_t streamer_transfer_stop(struct streamer_transfer *transfer, enum streamer_outcome failure) {
    abandon(transfer);
    if (transfer->failure == STREAMER_OUTCOME_OPEN) transfer->failure = failure;
    return 0;
}

void streamer_transfer_drain(struct streamer_transfer *transfer) {
    struct streamer_sink *sink = transfer->sink;
    transfer->sink = NULL;
    transfer->draining = true;
    struct streamer_timings timings = streamer_transfer_measure(transfer);
    streamer_transfer_lock(transfer);
    transfer->timings = timings;
    streamer_transfer_unlock(transfer);
    streamer_timers_set(&transfer->reactor->timers, &transfer->timer, streamer_now() + STREAMER_DRAIN_TIME);
    sink->end(sink);
}

/* ---- turns ---- */

/* There is a slot: libcurl gets it. */
static void on_granted(struct streamer_permit *slot) {
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
    if (!streamer_admission_ask(&reactor->slots, &transfer->slot, transfer->origin)) {
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
    streamer_transfer_lock(transfer);
    streamer_transfer_take(transfer, &arrived);
    streamer_transfer_unlock(transfer);

    enum streamer_sink_answer answer = STREAMER_SINK_TOOK;
    if (arrived.length > 0) answer = sink->take(sink, arrived.bytes, arrived.length);
    streamer_transfer_note_decoded(transfer);
    if (answer == STREAMER_SINK_FULL) {
        streamer_transfer_lock(transfer);
        transfer->inbox = arrived; /* nothing can have arrived since: libcurl runs in this thread's turns only */
        streamer_transfer_unlock(transfer);
        return;
    }
    streamer_buffer_release(&arrived);
    if (ended(transfer)) { /* so that there is nothing to drain either */
        transfer->sink = NULL;
        sink->end(sink);
    } else if (answer == STREAMER_SINK_ENOUGH) {
        streamer_transfer_drain(transfer);
    } else if (answer == STREAMER_SINK_FAILED) {
        streamer_transfer_finish(transfer, STREAMER_OUTCOME_SINK_FAILED, NULL);
    }
}

static void drop_inbox(struct streamer_transfer *transfer) {
    streamer_transfer_lock(transfer);
    streamer_buffer_clear(&transfer->inbox);
    streamer_transfer_unlock(transfer);
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
    if (code == CURLE_OUT_OF_MEMORY) streamer_transfer_stop(transfer, STREAMER_OUTCOME_NO_MEMORY);
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
    streamer_admission_give_back(&reactor->slots, &transfer->slot);

    streamer_transfer_lock(transfer);
    transfer->timings = timings;
    if (detail != NULL && detail != transfer->detail) strncpy(transfer->detail, detail, sizeof transfer->detail - 1);
    transfer->outcome = outcome;
    streamer_transfer_announce(transfer);
    streamer_transfer_unlock(transfer);

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
    return problem != NULL ? problem : streamer_transfer_set_callbacks(transfer, request->body_streamed);
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
    streamer_monitor_init(&transfer->monitor);
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
    streamer_monitor_destroy(&transfer->monitor);
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
    streamer_transfer_lock(transfer);
    size_t size = sizeof *transfer + transfer->head.capacity + transfer->inbox.capacity + transfer->outbox.capacity;
    streamer_transfer_unlock(transfer);
    return size;
}

void streamer_transfer_attach(struct streamer_transfer *transfer, struct streamer_sink *sink) {
    transfer->sink = sink;
    feed_sink(transfer);
}
