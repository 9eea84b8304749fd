/* What nghttp2 calls for what it has read, and to send a request's body. */
#include "../core/fields.h"
#include "http2_internal.h"

/* Ends a stream of which the server is to hear. */
static void reset(struct streamer_http2 *http2, struct streamer_http2_stream *stream, enum streamer_http2_close reason,
                  uint32_t error_code) {
    streamer_http2_queue_reset(http2, stream->id, error_code);
    streamer_http2_finish(http2, stream, reason, error_code);
}

/* ---- a frame begins ---- */

/* nghttp2 allows a stream what it has not consumed in its own books, where what we consumed counts late. */
static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *frame, void *owner) {
    struct streamer_http2 *http2 = owner;
    if (frame->type != NGHTTP2_DATA) return 0;
    struct streamer_http2_stream *stream = nghttp2_session_get_stream_user_data(session, frame->stream_id);
    if (stream != NULL && frame->length > http2->limits.window - stream->outstanding) {
        reset(http2, stream, STREAMER_HTTP2_CUT, NGHTTP2_FLOW_CONTROL_ERROR);
    }
    return 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *owner) {
    (void)owner;
    struct streamer_http2_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (stream == NULL) return 0;
    streamer_buffer_clear(&stream->fields);
    stream->status = 0;
    return 0;
}

/* ---- fields ---- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name_buffer,
                     nghttp2_rcbuf *value_buffer, uint8_t flags, void *owner) {
    (void)flags;
    struct streamer_http2 *http2 = owner;
    struct streamer_http2_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    /* Given up: nghttp2 decodes the rest of the block, for the table's sake, and says no more. */
    if (stream == NULL) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;

    nghttp2_vec name = nghttp2_rcbuf_get_buf(name_buffer), value = nghttp2_rcbuf_get_buf(value_buffer);
    size_t size = name.len + value.len + 32;
    if (size > http2->limits.head - stream->head_size) {
        reset(http2, stream, STREAMER_HTTP2_TOO_LARGE, NGHTTP2_ENHANCE_YOUR_CALM);
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    stream->head_size += (uint32_t)size;

    if (stream->head_seen) return 0; /* a trailer */
    if (name.base[0] == ':') {
        /* nghttp2 lets one pseudo-header field of three digits through. */
        for (size_t i = 0; i < value.len; i++) stream->status = stream->status * 10 + (value.base[i] - '0');
        return 0;
    }
    switch (streamer_fields_add(&stream->fields, (const char *)name.base, name.len, (const char *)value.base, value.len)) {
        case STREAMER_OK: return 0;
        case STREAMER_HEADER_INVALID: reset(http2, stream, STREAMER_HTTP2_PROTOCOL, NGHTTP2_PROTOCOL_ERROR); break;
        case STREAMER_HEADERS_TOO_LARGE: reset(http2, stream, STREAMER_HTTP2_TOO_LARGE, NGHTTP2_CANCEL); break;
        default: reset(http2, stream, STREAMER_HTTP2_NO_MEMORY, NGHTTP2_INTERNAL_ERROR); break;
    }
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* Newer versions of nghttp2 would pass such a field over, 1.52 would not. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                             nghttp2_rcbuf *value, uint8_t flags, void *owner) {
    (void)session, (void)frame, (void)name, (void)value, (void)flags, (void)owner;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* ---- a frame has ended ---- */

static void take_head(struct streamer_http2 *http2, struct streamer_http2_stream *stream) {
    if (stream->head_seen || (stream->status >= 100 && stream->status < 200)) return;
    if (stream->status < 100) {
        reset(http2, stream, STREAMER_HTTP2_PROTOCOL, NGHTTP2_PROTOCOL_ERROR);
        return;
    }
    stream->head_seen = true;
    streamer_http2_progress(http2, http2->received);
    struct streamer_buffer fields = stream->fields;
    streamer_buffer_init(&stream->fields, 0);
    http2->vtable->head(stream->user, stream->status, &fields);
    streamer_buffer_release(&fields);
}

static void take_end(struct streamer_http2 *http2, struct streamer_http2_stream *stream) {
    /* Nobody waits for the rest of the request (RFC 9113, section 8.1). */
    if (stream->uploading) {
        reset(http2, stream, STREAMER_HTTP2_COMPLETE, NGHTTP2_NO_ERROR);
    } else {
        streamer_http2_finish(http2, stream, STREAMER_HTTP2_COMPLETE, NGHTTP2_NO_ERROR);
    }
}

static void take_reset(struct streamer_http2 *http2, struct streamer_http2_stream *stream, uint32_t error_code) {
    enum streamer_http2_close reason = STREAMER_HTTP2_RESET;
    if (error_code == NGHTTP2_NO_ERROR) reason = STREAMER_HTTP2_CUT;
    /* Whoever has begun to respond has not refused. */
    if (error_code == NGHTTP2_REFUSED_STREAM && !stream->head_seen) reason = STREAMER_HTTP2_REFUSED;
    streamer_http2_finish(http2, stream, reason, error_code);
}

/* A `close` may give up others: the search starts over after each. */
static void take_goaway(struct streamer_http2 *http2, int32_t last_stream_id) {
    http2->draining = true;
    struct streamer_http2_stream *stream = http2->streams;
    while (stream != NULL) {
        if (stream->id > last_stream_id || !streamer_http2_was_sent(http2, stream)) {
            streamer_http2_finish(http2, stream, stream->head_seen ? STREAMER_HTTP2_CUT : STREAMER_HTTP2_REFUSED,
                                  NGHTTP2_REFUSED_STREAM);
            stream = http2->streams;
        } else {
            stream = stream->next;
        }
    }
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *owner) {
    struct streamer_http2 *http2 = owner;
    struct streamer_http2_stream *stream;
    switch (frame->hd.type) {
        case NGHTTP2_HEADERS:
            stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
            if (stream != NULL) take_head(http2, stream);
            /* fall through */
        case NGHTTP2_DATA:
            if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
            stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
            if (stream != NULL) take_end(http2, stream);
            return 0;
        case NGHTTP2_RST_STREAM:
            stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
            if (stream != NULL) take_reset(http2, stream, frame->rst_stream.error_code);
            return 0;
        case NGHTTP2_GOAWAY:
            take_goaway(http2, frame->goaway.last_stream_id);
            http2->vtable->change(http2->owner);
            return 0;
        case NGHTTP2_SETTINGS:
            if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) http2->vtable->change(http2->owner);
            return 0;
        default: return 0;
    }
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t length,
                   void *owner) {
    (void)flags;
    struct streamer_http2 *http2 = owner;
    uint64_t offset = http2->received + (uint64_t)((const char *)bytes - http2->input);
    if (offset > http2->patience) return NGHTTP2_ERR_CALLBACK_FAILURE;
    /* A slow stream must not stall its siblings. */
    streamer_http2_queued(http2, nghttp2_session_consume_connection(session, length));
    struct streamer_http2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    if (stream == NULL) return 0;
    streamer_http2_progress(http2, offset + length);
    stream->outstanding += (uint32_t)length;
    http2->vtable->data(stream->user, (const char *)bytes, length);
    return 0;
}

/* Ended by nghttp2 in a way not seen above: it found something malformed. */
static int on_close(nghttp2_session *session, int32_t id, uint32_t error_code, void *owner) {
    struct streamer_http2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    if (stream == NULL) return 0;
    streamer_http2_finish(owner, stream, stream->head_seen ? STREAMER_HTTP2_CUT : STREAMER_HTTP2_PROTOCOL, error_code);
    return 0;
}

/* ---- the request's body ---- */

ssize_t streamer_http2_read_upload(nghttp2_session *session, int32_t id, uint8_t *into, size_t room, uint32_t *flags,
                                   nghttp2_data_source *source, void *owner) {
    (void)source;
    struct streamer_http2 *http2 = owner;
    struct streamer_http2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    if (stream == NULL) return NGHTTP2_ERR_DEFERRED;

    bool last = false;
    size_t length = http2->vtable->upload(stream->user, (char *)into, room, &last);
    stream = nghttp2_session_get_stream_user_data(session, id);
    if (stream == NULL) return NGHTTP2_ERR_DEFERRED; /* given up meanwhile */
    if (stream->upload_left != UINT64_MAX) {
        if (length > stream->upload_left || (last && length < stream->upload_left)) {
            reset(http2, stream, STREAMER_HTTP2_UPLOAD, NGHTTP2_INTERNAL_ERROR);
            return NGHTTP2_ERR_DEFERRED;
        }
        stream->upload_left -= length;
    }
    if (length == 0 && !last) return NGHTTP2_ERR_DEFERRED;
    streamer_http2_progress(http2, http2->received);
    if (last) {
        stream->uploading = false;
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t)length;
}

void streamer_http2_set_callbacks(nghttp2_session_callbacks *callbacks) {
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
}
