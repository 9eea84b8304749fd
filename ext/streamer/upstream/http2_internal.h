/* What http2's files share. Internal. */
#pragma once

#include <nghttp2/nghttp2.h>

#include "http2.h"

struct streamer_http2_stream {
    struct streamer_http2_stream *next, **link; /* among those that are open */
    void *user;
    int32_t id;
    int status;                    /* of the head that is being received */
    uint32_t head_size;            /* of all heads so far */
    uint32_t outstanding;          /* bytes of the response that have not been consumed */
    struct streamer_buffer fields; /* of that head */
    uint64_t upload_left;          /* of the content-length; UINT64_MAX: none was given */
    bool head_seen;                /* the final one */
    bool uploading;                /* the request has a body whose end was not sent */
};

struct streamer_http2 {
    nghttp2_session *session;
    const struct streamer_http2_vtable *vtable;
    void *owner;
    struct streamer_http2_limits limits;
    struct streamer_http2_stream *streams; /* the newest first */
    size_t count;
    const char *input;     /* what streamer_http2_receive is looking at, */
    uint64_t received;     /* how many bytes came before it, */
    uint64_t patience;     /* and at which byte a server that brings us nothing is cut off */
    bool draining, failed; /* as in the interface */
    bool no_memory;        /* a frame could not be queued: the next function that may call `close` fails */
    struct streamer_buffer output;
    size_t output_sent;
};

/* ---- http2_streams.c ---- */

/* NULL: it is closed. */
struct streamer_http2_stream *streamer_http2_find(const struct streamer_http2 *http2, int32_t id);

/* Whether the request's HEADERS are in the output, or were. */
bool streamer_http2_was_sent(const struct streamer_http2 *http2, const struct streamer_http2_stream *stream);

/* Forgets the stream; then nghttp2 has callbacks for it no more. */
void streamer_http2_forget(struct streamer_http2 *http2, struct streamer_http2_stream *stream);

/* Forgets it and calls `close`. RST_STREAM is up to the caller. */
void streamer_http2_finish(struct streamer_http2 *http2, struct streamer_http2_stream *stream,
                           enum streamer_http2_close reason, uint32_t error_code);

/* Notes that a frame could not be queued. */
void streamer_http2_queued(struct streamer_http2 *http2, int result);

/* RST_STREAM, for a stream that is about to be forgotten or has been. */
void streamer_http2_queue_reset(struct streamer_http2 *http2, int32_t id, uint32_t error_code);

/* Something useful came or went at this byte of what is received: patience begins anew. */
void streamer_http2_progress(struct streamer_http2 *http2, uint64_t offset);

/* ---- http2_callbacks.c ---- */

void streamer_http2_set_callbacks(nghttp2_session_callbacks *callbacks);

/* The request body's source. */
ssize_t streamer_http2_read_upload(nghttp2_session *session, int32_t id, uint8_t *into, size_t room, uint32_t *flags,
                                   nghttp2_data_source *source, void *http2);

/* ---- http2_request.c ---- */

struct streamer_http2_head {
    nghttp2_nv *fields; /* to be freed; what they point to is the request's */
    size_t count;
    uint64_t content_length; /* UINT64_MAX: none */
};

/* 0, or an enum streamer_http2_submit_error: then there is nothing to free. */
int streamer_http2_head_of(const struct streamer_http2_request *request, size_t limit,
                           struct streamer_http2_head *head);
