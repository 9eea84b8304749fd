#include "transfer.h"

#include <stdlib.h>
#include <string.h>

#include "../loop/clock.h"
#include "../loop/fork.h"

/* Requests from other threads, applied on the next iteration. */
enum { START = 1, CANCEL = 2, RECEIVE = 4, SEND = 8, FAIL_UPLOAD = 16, DRAIN = 32 };

/* How often a request is sent again that was certainly not processed, or that an idle connection closed upon. */
enum { RESTARTS = 3 };

void streamer_transfer_announce(struct streamer_transfer *transfer) {
    streamer_monitor_notify(&transfer->monitor);
    if (transfer->membership.group != NULL) streamer_group_post(transfer->membership.group, transfer);
}

static void want(struct streamer_transfer *transfer, int what) {
    if (atomic_fetch_or(&transfer->wanted, what) != 0) return; /* queued already */
    streamer_transfer_retain(transfer);
    if (!streamer_loop_post(transfer->pool->loop, &transfer->task)) streamer_transfer_release(transfer);
}

/* ---- in an iteration ---- */

static void request_stream(struct streamer_transfer *transfer) {
    transfer->asked = streamer_now();
    streamer_transfer_check_timeouts(&transfer->timer,
                                     transfer->asked); /* the connect timeout may be the next one now */
    if (transfer->ended) return;
    if (!streamer_pool_request(transfer->pool, &transfer->stream, transfer->route, transfer->timeouts.connect))
        streamer_transfer_finish(transfer, STREAMER_OUTCOME_NO_MEMORY, NULL);
}

static void on_granted(struct streamer_permit *permit) {
    struct streamer_transfer *transfer = STREAMER_OWNER(permit, struct streamer_transfer, permit);
    transfer->started = streamer_now_us();
    atomic_fetch_sub_explicit(&transfer->pool->stats.queued, 1, memory_order_relaxed);
    transfer->last_activity = transfer->started / 1000;
    request_stream(transfer);
}

static void shut_down(struct streamer_member *member) {
    streamer_transfer_finish(STREAMER_OWNER(member, struct streamer_transfer, member), STREAMER_OUTCOME_CANCELLED,
                             "the process is ending");
}

static void start(struct streamer_transfer *transfer) {
    struct streamer_pool *pool = transfer->pool;
    transfer->queued = streamer_now_us();
    streamer_transfer_retain(transfer); /* the pool's, until the end */
    streamer_pool_join(pool, &transfer->member);
    transfer->linked = true;
    atomic_fetch_add_explicit(&pool->stats.queued, 1, memory_order_relaxed);
    streamer_transfer_check_timeouts(&transfer->timer, transfer->queued / 1000);
    if (!streamer_admission_ask(&pool->admission, &transfer->permit, transfer->route->origin))
        streamer_transfer_finish(transfer, STREAMER_OUTCOME_NO_MEMORY, NULL);
}

static void receive(struct streamer_transfer *transfer) {
    if (transfer->sink != NULL) streamer_transfer_feed_sink(transfer);
    if (transfer->ended || !transfer->paused) return;
    streamer_transfer_lock(transfer);
    bool room = transfer->sink != NULL ? transfer->inbox.length == 0 : transfer->inbox.length < STREAMER_INBOX_HIGH;
    streamer_transfer_unlock(transfer);
    if (!room) return;
    transfer->paused = false;
    transfer->resumed = transfer->last_activity = streamer_now();
    streamer_stream_resume(&transfer->stream);
}

static void run(struct streamer_task *task) {
    struct streamer_transfer *transfer = STREAMER_OWNER(task, struct streamer_transfer, task);
    int wanted = atomic_exchange(&transfer->wanted, 0);
    if (wanted & CANCEL) streamer_transfer_finish(transfer, STREAMER_OUTCOME_CANCELLED, NULL); /* nothing is sent then */
    if ((wanted & START) && !transfer->ended) start(transfer);
    if (wanted & FAIL_UPLOAD) streamer_transfer_finish(transfer, STREAMER_OUTCOME_UPLOAD_FAILED, NULL);
    if ((wanted & DRAIN) && !transfer->ended && !transfer->draining) streamer_transfer_begin_draining(transfer);
    if (wanted & RECEIVE) receive(transfer);
    if ((wanted & SEND) && !transfer->ended) streamer_stream_upload(&transfer->stream);
    streamer_transfer_release(transfer); /* the queue's */
}

static void drop_inbox(struct streamer_transfer *transfer) {
    streamer_transfer_lock(transfer);
    streamer_buffer_clear(&transfer->inbox);
    streamer_transfer_unlock(transfer);
}

void streamer_transfer_finish(struct streamer_transfer *transfer, enum streamer_outcome outcome, const char *detail) {
    struct streamer_pool *pool = transfer->pool;
    bool abandoned =
        transfer->sink != NULL && (outcome == STREAMER_OUTCOME_CANCELLED || outcome == STREAMER_OUTCOME_SINK_FAILED);
    if (abandoned) drop_inbox(transfer);
    if (transfer->ended) {
        if (abandoned) streamer_transfer_feed_sink(transfer); /* which was full, and now gets the end */
        return;
    }
    transfer->ended = true;
    streamer_stream_cancel(&transfer->stream); /* nothing when that is what has ended */
    streamer_loop_cancel_timer(pool->loop, &transfer->timer);
    if (transfer->linked) streamer_pool_leave(pool, &transfer->member);
    if (transfer->linked && transfer->started == 0) atomic_fetch_sub_explicit(&pool->stats.queued, 1, memory_order_relaxed);

    streamer_transfer_lock(transfer);
    if (!transfer->draining) streamer_transfer_measure(transfer, &transfer->timings);
    if (detail != NULL) strncpy(transfer->detail, detail, sizeof transfer->detail - 1);
    transfer->outcome = outcome;
    streamer_transfer_announce(transfer);
    streamer_transfer_unlock(transfer);

    if (transfer->sink != NULL) streamer_transfer_feed_sink(transfer);
    streamer_admission_give_back(&pool->admission, &transfer->permit);
    if (transfer->linked) streamer_transfer_release(transfer); /* the pool's */
}

/* Whether the request may be sent once more (RFC 9110, section 9.2.2). */
static bool may_restart(const struct streamer_transfer *transfer, const struct streamer_stream_end *end) {
    bool harmless = end->unprocessed || (end->unanswered && transfer->idempotent);
    return harmless && !transfer->head_ready && !transfer->uploaded && transfer->restarts < RESTARTS;
}

void streamer_transfer_stream_ended(struct streamer_transfer *transfer, const struct streamer_stream_end *end) {
    if (may_restart(transfer, end)) {
        transfer->restarts++;
        transfer->body_offset = 0;
        transfer->connected = false;
        request_stream(transfer);
        return;
    }
    enum streamer_outcome outcome = transfer->draining ? STREAMER_OUTCOME_COMPLETED : end->outcome;
    streamer_transfer_finish(transfer, outcome, outcome == STREAMER_OUTCOME_COMPLETED ? NULL : end->detail);
}

void streamer_transfer_attach(struct streamer_transfer *transfer, struct streamer_sink *sink) {
    transfer->sink = sink;
    streamer_transfer_feed_sink(transfer);
}

void streamer_transfer_fail_upload(struct streamer_transfer *transfer) {
    want(transfer, FAIL_UPLOAD);
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

/* Copies the request's texts, one behind the other. False when out of memory. */
static bool copy_texts(struct streamer_transfer *transfer, const struct streamer_request *request) {
    const char *const sources[] = {request->method, request->authority, request->target,
                                   transfer->message.absolute ? request->proxy_authorization : NULL};
    const char **const places[] = {&transfer->message.method, &transfer->message.authority, &transfer->message.target,
                                   &transfer->message.proxy_authorization};
    size_t size = 0;
    for (int i = 0; i < 4; i++) size += sources[i] == NULL ? 0 : strlen(sources[i]) + 1;
    char *texts = transfer->texts = malloc(size);
    for (int i = 0; texts != NULL && i < 4; i++) {
        if (sources[i] == NULL) continue;
        size_t length = strlen(sources[i]) + 1;
        *places[i] = memcpy(texts, sources[i], length);
        texts += length;
    }
    return texts != NULL;
}

static bool copy_body(struct streamer_transfer *transfer, const struct streamer_request *request) {
    if (request->body == NULL && !request->body_streamed) return true;
    transfer->message.body = request->body_length < 0 ? STREAMER_BODY_UNSIZED : STREAMER_BODY_SIZED;
    transfer->message.body_length = request->body_length < 0 ? 0 : (uint64_t)request->body_length;
    if (request->body_streamed) return true;
    transfer->body = malloc((size_t)request->body_length + 1);
    if (transfer->body != NULL) memcpy(transfer->body, request->body, (size_t)request->body_length);
    return transfer->body != NULL;
}

struct streamer_transfer *streamer_transfer_new(struct streamer_pool *pool, const struct streamer_request *request) {
    struct streamer_transfer *transfer = calloc(1, sizeof *transfer);
    if (transfer == NULL) {
        streamer_buffer_release(request->fields);
        return NULL;
    }
    streamer_monitor_init(&transfer->monitor);
    streamer_buffer_init(&transfer->head, 0); /* swapped for the one that is read */
    streamer_buffer_init(&transfer->inbox, STREAMER_INBOX_MAX);
    streamer_buffer_init(&transfer->outbox, STREAMER_OUTBOX_MAX);
    streamer_pool_retain(pool);
    transfer->pool = pool;
    transfer->references = 1;
    transfer->generation = streamer_fork_generation();
    transfer->timeouts = request->timeouts;
    transfer->idempotent = is_idempotent(request->method);
    transfer->upload_left = request->body_streamed ? request->body_length : -1;
    transfer->stream.vtable = &streamer_transfer_vtable;
    transfer->stream.message = &transfer->message;
    transfer->message.fields = *request->fields;
    streamer_buffer_init(request->fields, request->fields->limit);
    transfer->message.scheme = streamer_route_is_tls(&request->route) ? "https" : "http";
    transfer->message.absolute = streamer_route_asks_proxy(&request->route);
    transfer->member.shut_down = shut_down;
    transfer->permit.granted = on_granted;
    transfer->task.run = run;
    transfer->timer.fire = streamer_transfer_check_timeouts;
    transfer->route = streamer_route_copy(&request->route);
    if (transfer->route != NULL && copy_texts(transfer, request) && copy_body(transfer, request)) return transfer;
    streamer_transfer_release(transfer);
    return NULL;
}

void streamer_transfer_retain(struct streamer_transfer *transfer) {
    atomic_fetch_add(&transfer->references, 1);
}

void streamer_transfer_release(struct streamer_transfer *transfer) {
    if (atomic_fetch_sub(&transfer->references, 1) != 1) return;
    free(transfer->route);
    free(transfer->texts);
    free(transfer->body);
    streamer_buffer_release(&transfer->message.fields);
    streamer_buffer_release(&transfer->head);
    streamer_buffer_release(&transfer->inbox);
    streamer_buffer_release(&transfer->outbox);
    streamer_monitor_destroy(&transfer->monitor);
    if (transfer->membership.group != NULL) streamer_group_release(transfer->membership.group);
    streamer_pool_release(transfer->pool);
    free(transfer);
}

void streamer_transfer_start(struct streamer_transfer *transfer) {
    if (!atomic_exchange(&transfer->sent_off, true)) want(transfer, START);
}

void streamer_transfer_cancel(struct streamer_transfer *transfer) {
    want(transfer, CANCEL);
}

void streamer_transfer_resume(struct streamer_transfer *transfer) {
    want(transfer, RECEIVE);
}

void streamer_transfer_drain(struct streamer_transfer *transfer) {
    want(transfer, DRAIN);
}

void streamer_transfer_take(struct streamer_transfer *transfer, struct streamer_buffer *into) {
    bool was_full = transfer->inbox.length >= STREAMER_INBOX_HIGH;
    transfer->decoding |= transfer->inbox.length > 0;
    transfer->read_at = transfer->arrived;
    struct streamer_buffer inbox = transfer->inbox;
    transfer->inbox = *into;
    *into = inbox;
    if (was_full) want(transfer, RECEIVE);
}

enum streamer_status streamer_transfer_upload(struct streamer_transfer *transfer, const char *bytes, size_t length,
                                              bool last) {
    enum streamer_status status = streamer_buffer_append(&transfer->outbox, bytes, length);
    if (status != STREAMER_OK) return status;
    transfer->upload_ended |= last;
    want(transfer, SEND);
    return STREAMER_OK;
}

size_t streamer_transfer_size(struct streamer_transfer *transfer) {
    streamer_transfer_lock(transfer);
    size_t size = sizeof *transfer + transfer->head.capacity + transfer->inbox.capacity + transfer->outbox.capacity +
                  transfer->message.fields.capacity;
    streamer_transfer_unlock(transfer);
    return size;
}
