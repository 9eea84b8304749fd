/* http1_body: the body of an HTTP/1 response (RFC 9112, sections 6 and 7), decoded in place as it arrives.
 *
 * What is decided about chunks: a line ends with CRLF or LF, a CR elsewhere is refused; white space may stand behind a
 * size; extensions are passed over; trailers must be valid fields, and are dropped. A connection may close behind the
 * last chunk's line: the body is complete then (RFC 9112, section 8), even without the end of its trailers.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "http1_head.h"
#include "status.h"

/* The line with a chunk's size and extensions; all trailers together. */
#define STREAMER_MAX_CHUNK_LINE ((size_t)4 << 10)
#define STREAMER_MAX_TRAILERS ((size_t)64 << 10)

enum streamer_http1_body_state {
    STREAMER_HTTP1_BODY_COMPLETE,
    STREAMER_HTTP1_BODY_FAILED,
    STREAMER_HTTP1_BODY_LENGTH, /* `left` bytes */
    STREAMER_HTTP1_BODY_UNTIL_CLOSE,

    STREAMER_HTTP1_CHUNK_SIZE,      /* before its first digit */
    STREAMER_HTTP1_CHUNK_DIGITS,    /* behind one */
    STREAMER_HTTP1_CHUNK_PADDING,   /* in white space behind them */
    STREAMER_HTTP1_CHUNK_EXTENSION, /* behind a semicolon */
    STREAMER_HTTP1_CHUNK_SIZE_LF,   /* behind a CR: as all that end with _LF */
    STREAMER_HTTP1_CHUNK_DATA,      /* `left` bytes */
    STREAMER_HTTP1_CHUNK_DATA_END,
    STREAMER_HTTP1_CHUNK_DATA_LF,
    STREAMER_HTTP1_TRAILER, /* at a line's beginning; this state and those below are behind the last chunk */
    STREAMER_HTTP1_TRAILER_NAME,
    STREAMER_HTTP1_TRAILER_VALUE,
    STREAMER_HTTP1_TRAILER_LF,
    STREAMER_HTTP1_LAST_LF
};

/* Small, and owns nothing. */
struct streamer_http1_body {
    enum streamer_http1_body_state state;
    enum streamer_status failure;
    uint64_t left;  /* of the body or of a chunk; a chunk's size while it is read */
    size_t counted; /* bytes of the chunk's line or of the trailers */
};

void streamer_http1_body_init(struct streamer_http1_body *body, enum streamer_body_framing framing,
                              uint64_t content_length);

/* Decodes: the data in `bytes` is moved to its front, *data bytes of it. *used of the `length` bytes belong to the
 * body: all, unless it is complete or has failed.
 *
 *   STREAMER_MORE                 the body goes on
 *   STREAMER_OK                   it is complete; a body without bytes is so before the first read, and a read of 0
 *                                 bytes says it
 *   STREAMER_CHUNK_INVALID        the framing of a chunk
 *   STREAMER_CHUNK_LINE_TOO_LONG  STREAMER_MAX_CHUNK_LINE
 *   STREAMER_HEADER_INVALID       a trailer
 *   STREAMER_TRAILERS_TOO_LARGE   STREAMER_MAX_TRAILERS
 *
 * All but STREAMER_MORE are final. The data before something invalid counts. */
enum streamer_status streamer_http1_body_read(struct streamer_http1_body *body, char *bytes, size_t length,
                                              size_t *used, size_t *data);

/* The connection has ended in good order. STREAMER_OK when the body is complete with that, STREAMER_INCOMPLETE when it
 * is not, or the failure there was. */
enum streamer_status streamer_http1_body_close(const struct streamer_http1_body *body);
