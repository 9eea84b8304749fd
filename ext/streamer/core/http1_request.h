/* http1_request: writes a request's head, and the framing of a body in chunks, so that nothing can be injected. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "span.h"
#include "status.h"

struct streamer_http1_field {
    struct streamer_span name; /* any case; sent as it is */
    struct streamer_span value;
};

enum streamer_http1_upload {
    STREAMER_UPLOAD_NONE,   /* no body, and no field about one */
    STREAMER_UPLOAD_LENGTH, /* content_length bytes, which may be 0 */
    STREAMER_UPLOAD_CHUNKED
};

struct streamer_http1_request {
    struct streamer_span method;
    struct streamer_span target; /* in origin-form, "/path?query", or "*" */
    struct streamer_span host;   /* with a port where it is not the scheme's own */

    /* Absolute-form, for a plain request through an HTTP proxy: "http://host" comes before the target. */
    bool absolute;
    struct streamer_span proxy_authorization; /* its field's value; length 0: none */

    const struct streamer_http1_field *fields; /* all others, sent in their order */
    size_t count;

    enum streamer_http1_upload upload;
    uint64_t content_length;
};

/* Appends the head with its blank line. STREAMER_OK; STREAMER_REQUEST_INVALID: the method or a name is no token, the
 * target is in no such form or has a byte other than visible ASCII, or a "#", the host is empty or has a byte that RFC
 * 3986 does not allow there, a value has a control character other than HTAB, or a field is named as one that is
 * written here: Host, Content-Length, Transfer-Encoding; STREAMER_FULL; STREAMER_NO_MEMORY. On anything but OK the
 * buffer is as it was. */
enum streamer_status streamer_http1_request_write(struct streamer_buffer *buffer,
                                                  const struct streamer_http1_request *request);

/* A body in chunks: the line before a chunk's data, what stands behind it, and the end of the body. */
#define STREAMER_MAX_CHUNK_HEAD 18 /* 16 digits, CR, LF */
#define STREAMER_CHUNK_END "\r\n"
#define STREAMER_LAST_CHUNK "0\r\n\r\n"

/* Writes the line, at most STREAMER_MAX_CHUNK_HEAD bytes, and returns its length. The length of 0 would be the last
 * chunk's: it writes nothing and returns 0. */
size_t streamer_http1_chunk_head(char *line, size_t length);
