/* The streams of a connection: opened by a request, found by their id, closed once. */
#include <stdlib.h>

#include "http2_internal.h"

/* So many bytes may arrive without anything in them that was asked for: PING, SETTINGS, WINDOW_UPDATE, empty DATA,
 * frames of unknown types and of streams that are closed. 60,000 PINGs without one byte of a response. */
#define PATIENCE ((uint64_t)1 << 20)

void streamer_http2_progress(struct streamer_http2 *http2, uint64_t offset) {
    if (http2->patience < offset + PATIENCE) http2->patience = offset + PATIENCE;
}

void streamer_http2_queued(struct streamer_http2 *http2, int result) {
    if (nghttp2_is_fatal(result)) http2->no_memory = true;
}

void streamer_http2_queue_reset(struct streamer_http2 *http2, int32_t id, uint32_t error_code) {
    /* All that the server has been allowed to send may still come. */
    http2->patience += (uint64_t)http2->limits.window + http2->limits.head;
    streamer_http2_queued(http2, nghttp2_submit_rst_stream(http2->session, NGHTTP2_FLAG_NONE, id, error_code));
}

/* nghttp2 knows a stream from the moment at which its HEADERS are put into the output, and until then only we do. */
struct streamer_http2_stream *streamer_http2_find(const struct streamer_http2 *http2, int32_t id) {
    struct streamer_http2_stream *stream = nghttp2_session_get_stream_user_data(http2->session, id);
    if (stream != NULL) return stream;
    /* The ids of the list descend. */
    for (stream = http2->streams; stream != NULL && stream->id > id; stream = stream->next) continue;
    return stream != NULL && stream->id == id ? stream : NULL;
}

bool streamer_http2_was_sent(const struct streamer_http2 *http2, const struct streamer_http2_stream *stream) {
    return nghttp2_session_get_stream_user_data(http2->session, stream->id) != NULL;
}

void streamer_http2_forget(struct streamer_http2 *http2, struct streamer_http2_stream *stream) {
    nghttp2_session_set_stream_user_data(http2->session, stream->id, NULL);
    *stream->link = stream->next;
    if (stream->next != NULL) stream->next->link = stream->link;
    http2->count--;
    streamer_buffer_release(&stream->fields);
    free(stream);
}

void streamer_http2_finish(struct streamer_http2 *http2, struct streamer_http2_stream *stream,
                           enum streamer_http2_close reason, uint32_t error_code) {
    void *user = stream->user;
    streamer_http2_forget(http2, stream);
    http2->vtable->close(user, reason, error_code);
}

/* ---- the interface ---- */

int32_t streamer_http2_submit(struct streamer_http2 *http2, void *user, const struct streamer_http2_request *request) {
    if (!streamer_http2_accepts(http2)) return STREAMER_HTTP2_NOT_ACCEPTED;
    struct streamer_http2_head head;
    int error = streamer_http2_head_of(request, http2->limits.head, &head);
    if (error != 0) return error;

    struct streamer_http2_stream *stream = calloc(1, sizeof *stream);
    int32_t id = NGHTTP2_ERR_NOMEM;
    if (stream != NULL) {
        nghttp2_data_provider upload = {.read_callback = streamer_http2_read_upload};
        id = nghttp2_submit_request(http2->session, NULL, head.fields, head.count, request->body ? &upload : NULL,
                                    stream);
    }
    free(head.fields);
    if (id < 0) {
        free(stream);
        return STREAMER_HTTP2_NOT_SUBMITTED;
    }

    stream->user = user;
    stream->id = id;
    stream->uploading = request->body;
    stream->upload_left = head.content_length;
    streamer_buffer_init(&stream->fields, http2->limits.head);
    stream->next = http2->streams;
    stream->link = &http2->streams;
    if (stream->next != NULL) stream->next->link = &stream->next;
    http2->streams = stream;
    http2->count++;
    if (nghttp2_session_get_next_stream_id(http2->session) > INT32_MAX) http2->draining = true;
    streamer_http2_progress(http2, http2->received);
    return id;
}

void streamer_http2_consume(struct streamer_http2 *http2, int32_t id, size_t length) {
    struct streamer_http2_stream *stream = streamer_http2_find(http2, id);
    if (stream == NULL) return;
    if (length > stream->outstanding) length = stream->outstanding;
    stream->outstanding -= (uint32_t)length;
    streamer_http2_queued(http2, nghttp2_session_consume_stream(http2->session, id, length));
}

void streamer_http2_reset(struct streamer_http2 *http2, int32_t id, uint32_t error_code) {
    struct streamer_http2_stream *stream = streamer_http2_find(http2, id);
    if (stream == NULL) return;
    streamer_http2_forget(http2, stream);
    streamer_http2_queue_reset(http2, id, error_code);
}

void streamer_http2_resume_upload(struct streamer_http2 *http2, int32_t id) {
    if (streamer_http2_find(http2, id) == NULL) return;
    streamer_http2_queued(http2, nghttp2_session_resume_data(http2->session, id));
}

bool streamer_http2_accepts(const struct streamer_http2 *http2) {
    return !http2->draining && http2->count < http2->limits.streams &&
           http2->count < nghttp2_session_get_remote_settings(http2->session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

size_t streamer_http2_streams(const struct streamer_http2 *http2) {
    return http2->count;
}
