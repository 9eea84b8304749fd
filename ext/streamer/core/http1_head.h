/* http1_head: the head of an HTTP/1 response (RFC 9112), read as it arrives, wherever it is cut.
 *
 * What RFC 9112 leaves open, and what is decided here:
 *
 *   a line ends with CRLF or LF; a CR elsewhere is refused
 *   white space before a field's colon and folded lines are refused, as is a line without a colon
 *   HTTP/1.2 to HTTP/1.9 are read as HTTP/1.1; any other version and HTTP/0.9 are not HTTP
 *   1xx heads are passed over; 101 is refused, since nobody asked for it
 *   Transfer-Encoding overrides Content-Length, as it does for libcurl, and the connection is not used again; the same
 *     goes for Transfer-Encoding in HTTP/1.0
 *   Transfer-Encoding is "chunked", once, or "identity", which says nothing; any other coding is refused
 *   a Content-Length may be repeated when all its values are the same number
 *
 * The result does not depend on how the head is cut into reads.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "status.h"

/* All heads of one response together, 1xx heads included, as they came and as they are kept. */
#define STREAMER_MAX_HEAD ((size_t)256 << 10)

enum streamer_body_framing {
    STREAMER_BODY_NONE,
    STREAMER_BODY_LENGTH, /* content_length bytes, which may be 0 */
    STREAMER_BODY_CHUNKED,
    STREAMER_BODY_UNTIL_CLOSE
};

struct streamer_http1_head {
    /* Filled once it is complete. */
    int version; /* 10 or 11 */
    int status;  /* 200 to 999 */
    enum streamer_body_framing framing;
    uint64_t content_length;       /* with STREAMER_BODY_LENGTH, otherwise 0; at most INT64_MAX */
    bool persists;                 /* the connection may be used again when the body has ended */
    struct streamer_buffer fields; /* as fields.h describes; the owner may take its memory */

    /* Internal. */
    enum { STREAMER_METHOD_OTHER, STREAMER_METHOD_HEAD, STREAMER_METHOD_CONNECT } method;
    enum { STREAMER_HEAD_STATUS_LINE, STREAMER_HEAD_FIELDS, STREAMER_HEAD_DONE } state;
    enum streamer_status result; /* with STREAMER_HEAD_DONE */
    size_t size;                 /* of all heads, so far, without `line` */
    struct streamer_buffer line; /* the beginning of a line whose end has not come yet */
};

/* method: the request's, as it was sent. */
void streamer_http1_head_init(struct streamer_http1_head *head, const char *method);
void streamer_http1_head_release(struct streamer_http1_head *head);

/* Reads on from *cursor, which moves behind what was used: behind the head's blank line once it is complete, and to
 * `end` before that.
 *
 *   STREAMER_MORE               the head goes on
 *   STREAMER_OK                 it is complete; what is left belongs to the body
 *   STREAMER_NOT_HTTP           it does not begin with a status line of HTTP/1
 *   STREAMER_HEADER_INVALID     a line breaks the grammar of fields
 *   STREAMER_HEADERS_TOO_LARGE  STREAMER_MAX_HEAD
 *   STREAMER_FRAMING_INVALID    Content-Length or Transfer-Encoding cannot be relied on
 *   STREAMER_SWITCHED_PROTOCOLS status 101
 *   STREAMER_NO_MEMORY
 *
 * All but STREAMER_MORE are final: they are returned again, and nothing is read. */
enum streamer_status streamer_http1_head_read(struct streamer_http1_head *head, const char **cursor, const char *end);
