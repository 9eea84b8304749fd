/* A connection: its settings, what it receives and sends, and its end. */
#include "http2.h"

#include <stdlib.h>

#include "http2_internal.h"

/* The connection's window is no backpressure, each stream's is: so that one that is slow stalls no other, it is
 * given back at once. It only has to be wide enough for a network's delay. */
#define CONNECTION_WINDOW ((int32_t)16 << 20)

/* What SETTINGS_MAX_FRAME_SIZE is at first, and stays on our side. */
#define FRAME_SIZE ((size_t)16 << 10)

/* Frames are put together up to here, for one write and one TLS record. The last one may go beyond it. */
#define OUTPUT_CHUNK FRAME_SIZE
#define OUTPUT_LIMIT ((size_t)64 << 10)

/* An output buffer that a request's body made larger than this is freed once it is sent. */
#define OUTPUT_KEEP ((size_t)2 << 10)

const struct streamer_http2_limits streamer_http2_default_limits = {
    .streams = 100, .window = (uint32_t)256 << 10, .head = (uint32_t)256 << 10};

/* Enough for a head of the largest size in full frames. nghttp2 counts each time it looks for a CONTINUATION's nine
 * bytes, so that one of which they arrive one by one counts as nine. */
static size_t max_continuations(const struct streamer_http2 *http2) {
    return 9 * (http2->limits.head / FRAME_SIZE + 4);
}

static int new_session(struct streamer_http2 *http2) {
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *options = NULL;
    int result = NGHTTP2_ERR_NOMEM;
    if (nghttp2_session_callbacks_new(&callbacks) == 0 && nghttp2_option_new(&options) == 0) {
        streamer_http2_set_callbacks(callbacks);
        nghttp2_option_set_no_auto_window_update(options, 1);
        /* nghttp2's estimate is below our count of a request's head. */
        nghttp2_option_set_max_send_header_block_length(options, (size_t)http2->limits.head + 64);
        nghttp2_option_set_max_continuations(options, max_continuations(http2));
        result = nghttp2_session_client_new2(&http2->session, callbacks, http2, options);
    }
    nghttp2_option_del(options);
    nghttp2_session_callbacks_del(callbacks);
    return result;
}

static int submit_settings(struct streamer_http2 *http2) {
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, http2->limits.window},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, http2->limits.head},
    };
    int result =
        nghttp2_submit_settings(http2->session, NGHTTP2_FLAG_NONE, settings, sizeof settings / sizeof *settings);
    if (result != 0) return result;
    return nghttp2_session_set_local_window_size(http2->session, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW);
}

struct streamer_http2 *streamer_http2_new(const struct streamer_http2_vtable *vtable, void *owner,
                                          const struct streamer_http2_limits *limits) {
    struct streamer_http2 *http2 = calloc(1, sizeof *http2);
    if (http2 == NULL) return NULL;
    http2->vtable = vtable;
    http2->owner = owner;
    http2->limits = *limits;
    streamer_buffer_init(&http2->output, OUTPUT_LIMIT);
    streamer_http2_progress(http2, 0);
    if (new_session(http2) == 0 && submit_settings(http2) == 0) return http2;
    streamer_http2_free(http2);
    return NULL;
}

void streamer_http2_free(struct streamer_http2 *http2) {
    if (http2 == NULL) return;
    while (http2->streams != NULL) streamer_http2_forget(http2, http2->streams);
    nghttp2_session_del(http2->session);
    streamer_buffer_release(&http2->output);
    free(http2);
}

/* ---- the end ---- */

static void close_all(struct streamer_http2 *http2, enum streamer_http2_close reason, uint32_t error_code) {
    while (http2->streams != NULL) {
        bool sent = streamer_http2_was_sent(http2, http2->streams);
        streamer_http2_finish(http2, http2->streams, sent ? reason : STREAMER_HTTP2_REFUSED, error_code);
    }
}

static void end(struct streamer_http2 *http2, enum streamer_http2_close reason, uint32_t error_code) {
    http2->failed = http2->draining = true;
    /* Does nothing where nghttp2 has queued a GOAWAY of its own. */
    nghttp2_session_terminate_session(http2->session, error_code);
    close_all(http2, reason, error_code);
}

static void fail(struct streamer_http2 *http2, enum streamer_http2_close reason, uint32_t error_code) {
    end(http2, reason, error_code);
    http2->vtable->change(http2->owner);
}

void streamer_http2_shutdown(struct streamer_http2 *http2) {
    if (!http2->failed) end(http2, STREAMER_HTTP2_CUT, NGHTTP2_NO_ERROR);
}

/* After an error of the connection nghttp2 allows no request. With a GOAWAY from the server it does not do so anyway:
 * then the error shows when our own GOAWAY is in the output, from which on it does not want to read. */
static bool refuses(const struct streamer_http2 *http2) {
    return http2->draining ? http2->streams != NULL && !nghttp2_session_want_read(http2->session)
                           : !nghttp2_session_check_request_allowed(http2->session);
}

/* `result`: nghttp2's, negative only when it cannot go on. */
static void check(struct streamer_http2 *http2, ssize_t result) {
    if (http2->failed) return;
    if (http2->no_memory || result == NGHTTP2_ERR_NOMEM) {
        fail(http2, STREAMER_HTTP2_NO_MEMORY, NGHTTP2_INTERNAL_ERROR);
    } else if (result == NGHTTP2_ERR_FLOODED || result == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS ||
               http2->received > http2->patience) {
        fail(http2, STREAMER_HTTP2_PROTOCOL, NGHTTP2_ENHANCE_YOUR_CALM);
    } else if (result < 0 || refuses(http2)) {
        fail(http2, STREAMER_HTTP2_PROTOCOL, NGHTTP2_PROTOCOL_ERROR);
    }
}

/* ---- bytes ---- */

bool streamer_http2_receive(struct streamer_http2 *http2, const char *bytes, size_t length) {
    if (http2->failed) return false;
    http2->input = bytes;
    ssize_t result = nghttp2_session_mem_recv(http2->session, (const uint8_t *)bytes, length);
    http2->received += length;
    check(http2, result);
    return !http2->failed;
}

static void fill_output(struct streamer_http2 *http2) {
    ssize_t length = 0;
    check(http2, 0);
    while (http2->output.length < OUTPUT_CHUNK) {
        const uint8_t *bytes;
        length = nghttp2_session_mem_send(http2->session, &bytes);
        if (length <= 0) break;
        if (streamer_buffer_append(&http2->output, (const char *)bytes, (size_t)length) != STREAMER_OK) {
            length = NGHTTP2_ERR_NOMEM;
            break;
        }
    }
    check(http2, length);
}

size_t streamer_http2_output(struct streamer_http2 *http2, const char **bytes) {
    if (http2->output.length == 0) fill_output(http2);
    *bytes = http2->output.bytes + http2->output_sent;
    return http2->output.length - http2->output_sent;
}

void streamer_http2_sent(struct streamer_http2 *http2, size_t length) {
    http2->output_sent += length;
    if (http2->output_sent < http2->output.length) return;
    http2->output.length = http2->output_sent = 0;
    if (http2->output.capacity > OUTPUT_KEEP) streamer_buffer_release(&http2->output);
}

bool streamer_http2_draining(const struct streamer_http2 *http2) {
    return http2->draining;
}

bool streamer_http2_failed(const struct streamer_http2 *http2) {
    return http2->failed;
}
