/* What the stream of a transfer calls: its response's head and body, on their way to the inbox or the sink. */
#include <string.h>

#include "../loop/clock.h"
#include "transfer.h"

static struct streamer_transfer *owner(struct streamer_stream *stream) {
    return STREAMER_OWNER(stream, struct streamer_transfer, stream);
}

static void on_begin(struct streamer_stream *stream) {
    struct streamer_transfer *transfer = owner(stream);
    transfer->connected = true;
    transfer->sent = transfer->last_activity = streamer_now();
    streamer_transfer_lock(transfer);
    streamer_transfer_note_connection(transfer);
    streamer_transfer_unlock(transfer);
}

static void on_progress(struct streamer_stream *stream, size_t bytes) {
    struct streamer_transfer *transfer = owner(stream);
    int64_t now = streamer_now_us();
    if (bytes == 0) return;
    transfer->last_activity = now / 1000;
    atomic_fetch_add_explicit(&transfer->pool->stats.bytes, bytes, memory_order_relaxed);
    if (transfer->first_byte != 0) return;
    transfer->first_byte = now;
    streamer_transfer_lock(transfer);
    transfer->answered = true;
    streamer_transfer_unlock(transfer);
}

static void on_head(struct streamer_stream *stream, int status, int version, struct streamer_buffer *fields) {
    struct streamer_transfer *transfer = owner(stream);
    streamer_transfer_lock(transfer);
    struct streamer_buffer empty = transfer->head;
    transfer->head = *fields;
    *fields = empty;
    transfer->status = status;
    transfer->timings.http_version = version;
    transfer->head_ready = true;
    streamer_transfer_announce(transfer);
    streamer_transfer_unlock(transfer);
    streamer_buffer_release(&transfer->message.fields); /* it cannot be sent again any more */
}

/* ---- the body ---- */

static bool pause_receiving(struct streamer_transfer *transfer) {
    if (!transfer->paused) atomic_fetch_add_explicit(&transfer->pool->stats.pauses, 1, memory_order_relaxed);
    transfer->paused = true;
    return false;
}

static bool drop(struct streamer_transfer *transfer, size_t length) {
    transfer->drained += length;
    if (transfer->drained > STREAMER_DRAIN) streamer_transfer_finish(transfer, STREAMER_OUTCOME_COMPLETED, NULL);
    return true;
}

/* False when there is no room for more. */
static bool put_into_inbox(struct streamer_transfer *transfer, const char *bytes, size_t length, int64_t now_us) {
    streamer_transfer_lock(transfer);
    enum streamer_status status = streamer_buffer_append(&transfer->inbox, bytes, length);
    bool full = transfer->inbox.length >= STREAMER_INBOX_HIGH || transfer->sink != NULL;
    transfer->arrived = now_us;
    streamer_transfer_announce(transfer);
    streamer_transfer_unlock(transfer);
    if (status != STREAMER_OK) {
        streamer_transfer_finish(transfer, STREAMER_OUTCOME_NO_MEMORY, NULL);
        return true;
    }
    return full ? pause_receiving(transfer) : true;
}

static bool give_to_sink(struct streamer_transfer *transfer, const char *bytes, size_t length, int64_t now_us) {
    struct streamer_sink *sink = transfer->sink;
    transfer->read_at = now_us;
    switch (sink->take(sink, bytes, length)) {
        case STREAMER_SINK_TOOK: return true;
        case STREAMER_SINK_FULL: return put_into_inbox(transfer, bytes, length, now_us);
        case STREAMER_SINK_ENOUGH:
            transfer->sink = NULL;
            streamer_transfer_begin_draining(transfer);
            sink->end(sink);
            return true;
        case STREAMER_SINK_FAILED: streamer_transfer_finish(transfer, STREAMER_OUTCOME_SINK_FAILED, NULL); return true;
    }
    return true;
}

static bool on_data(struct streamer_stream *stream, const char *bytes, size_t length) {
    struct streamer_transfer *transfer = owner(stream);
    int64_t now_us = streamer_now_us();
    transfer->received += (int64_t)length;
    transfer->last_activity = now_us / 1000;
    atomic_fetch_add_explicit(&transfer->pool->stats.bytes, length, memory_order_relaxed);
    if (transfer->draining) return drop(transfer, length);
    /* While something waits in the inbox, it comes first. */
    if (transfer->sink != NULL && transfer->inbox.length == 0) return give_to_sink(transfer, bytes, length, now_us);
    return put_into_inbox(transfer, bytes, length, now_us);
}

void streamer_transfer_begin_draining(struct streamer_transfer *transfer) {
    transfer->draining = true;
    streamer_transfer_lock(transfer);
    streamer_transfer_measure(transfer, &transfer->timings);
    streamer_buffer_clear(&transfer->inbox);
    streamer_transfer_unlock(transfer);
    streamer_loop_set_timer(transfer->pool->loop, &transfer->timer, streamer_now() + STREAMER_DRAIN_TIME);
    streamer_stream_drain(&transfer->stream);
    if (!transfer->paused) return;
    transfer->paused = false;
    streamer_stream_resume(&transfer->stream);
}

void streamer_transfer_feed_sink(struct streamer_transfer *transfer) {
    struct streamer_sink *sink = transfer->sink;
    struct streamer_buffer arrived;
    streamer_buffer_init(&arrived, STREAMER_INBOX_MAX);
    streamer_transfer_lock(transfer);
    streamer_transfer_take(transfer, &arrived);
    streamer_transfer_unlock(transfer);

    enum streamer_sink_result result = STREAMER_SINK_TOOK;
    if (arrived.length > 0) result = sink->take(sink, arrived.bytes, arrived.length);
    streamer_transfer_note_decoded(transfer);
    if (result == STREAMER_SINK_FULL) {
        streamer_transfer_lock(transfer);
        transfer->inbox = arrived; /* nothing can have arrived since: it would have in this iteration */
        streamer_transfer_unlock(transfer);
        return;
    }
    streamer_buffer_release(&arrived);
    if (transfer->ended) { /* so that there is nothing to drain either */
        transfer->sink = NULL;
        sink->end(sink);
    } else if (result == STREAMER_SINK_ENOUGH) {
        transfer->sink = NULL;
        streamer_transfer_begin_draining(transfer);
        sink->end(sink);
    } else if (result == STREAMER_SINK_FAILED) {
        streamer_transfer_finish(transfer, STREAMER_OUTCOME_SINK_FAILED, NULL);
    }
}

/* ---- the request's body ---- */

static size_t copy(char *into, size_t room, const char *bytes, size_t length) {
    size_t taken = length < room ? length : room;
    if (taken > 0) memcpy(into, bytes, taken);
    return taken;
}

static size_t upload_body(struct streamer_transfer *transfer, char *into, size_t room, bool *last) {
    size_t length = (size_t)transfer->message.body_length;
    size_t taken = copy(into, room, transfer->body + transfer->body_offset, length - transfer->body_offset);
    transfer->body_offset += taken;
    *last = transfer->body_offset == length;
    return taken;
}

static size_t upload_outbox(struct streamer_transfer *transfer, char *into, size_t room, bool *last) {
    streamer_transfer_lock(transfer);
    struct streamer_buffer *outbox = &transfer->outbox;
    size_t taken = copy(into, room, outbox->bytes + transfer->outbox_offset, outbox->length - transfer->outbox_offset);
    transfer->outbox_offset += taken;
    bool empty = transfer->outbox_offset == outbox->length;
    if (empty) {
        streamer_buffer_clear(outbox);
        transfer->outbox_offset = 0;
        streamer_transfer_announce(transfer);
    }
    if (transfer->upload_left >= 0) transfer->upload_left -= (int64_t)taken;
    bool ended = empty && transfer->upload_ended, too_short = ended && transfer->upload_left > 0;
    streamer_transfer_unlock(transfer);
    if (taken > 0) transfer->uploaded = true;
    if (too_short) { /* the upstream would wait for the rest */
        streamer_transfer_fail_upload(transfer);
        return 0;
    }
    *last = ended;
    return taken;
}

static size_t on_upload(struct streamer_stream *stream, char *into, size_t room, bool *last) {
    struct streamer_transfer *transfer = owner(stream);
    transfer->last_activity = streamer_now();
    return transfer->body != NULL ? upload_body(transfer, into, room, last) : upload_outbox(transfer, into, room, last);
}

static void on_close(struct streamer_stream *stream, const struct streamer_stream_end *end) {
    streamer_transfer_stream_ended(owner(stream), end);
}

const struct streamer_stream_vtable streamer_transfer_vtable = {.begin = on_begin,
                                                                .progress = on_progress,
                                                                .head = on_head,
                                                                .data = on_data,
                                                                .upload = on_upload,
                                                                .close = on_close};
