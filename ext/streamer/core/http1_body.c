#include "http1_body.h"

#include <stdbool.h>
#include <string.h>

#include "http_syntax.h"

void streamer_http1_body_init(struct streamer_http1_body *body, enum streamer_body_framing framing,
                              uint64_t content_length) {
    *body = (struct streamer_http1_body){.state = STREAMER_HTTP1_BODY_COMPLETE};
    switch (framing) {
        case STREAMER_BODY_NONE: break;
        case STREAMER_BODY_LENGTH:
            if (content_length > 0) body->state = STREAMER_HTTP1_BODY_LENGTH;
            body->left = content_length;
            break;
        case STREAMER_BODY_CHUNKED: body->state = STREAMER_HTTP1_CHUNK_SIZE; break;
        case STREAMER_BODY_UNTIL_CLOSE: body->state = STREAMER_HTTP1_BODY_UNTIL_CLOSE; break;
    }
}

/* The value of a hexadecimal digit, or -1. */
static int hex(char byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
    return -1;
}

static void fail(struct streamer_http1_body *body, enum streamer_status failure) {
    body->state = STREAMER_HTTP1_BODY_FAILED;
    body->failure = failure;
}

static void begin_chunk(struct streamer_http1_body *body) {
    body->state = STREAMER_HTTP1_CHUNK_SIZE;
    body->counted = 0;
}

static void end_chunk_line(struct streamer_http1_body *body) {
    body->state = body->left > 0 ? STREAMER_HTTP1_CHUNK_DATA : STREAMER_HTTP1_TRAILER;
    body->counted = 0;
}

static bool read_digit(struct streamer_http1_body *body, char byte) {
    int digit = hex(byte);
    if (digit < 0 || body->left > (uint64_t)INT64_MAX >> 4) return false;
    body->left = body->left << 4 | (unsigned)digit;
    body->state = STREAMER_HTTP1_CHUNK_DIGITS;
    return true;
}

/* Ends a chunk's line, with its first byte. False when the byte does not belong to a line end. */
static bool read_chunk_line_end(struct streamer_http1_body *body, char byte) {
    if (byte == '\r') body->state = STREAMER_HTTP1_CHUNK_SIZE_LF;
    if (byte == '\n') end_chunk_line(body);
    return byte == '\r' || byte == '\n';
}

static bool read_behind_digits(struct streamer_http1_body *body, char byte) {
    body->state = byte == ';' ? STREAMER_HTTP1_CHUNK_EXTENSION : STREAMER_HTTP1_CHUNK_PADDING;
    return byte == ';' || streamer_http_blank(byte) || read_chunk_line_end(body, byte);
}

/* A byte of a chunk's line, or of the line end behind its data. False when it cannot stand there. */
static bool read_chunk_framing(struct streamer_http1_body *body, char byte) {
    switch (body->state) {
        case STREAMER_HTTP1_CHUNK_SIZE: return read_digit(body, byte);
        case STREAMER_HTTP1_CHUNK_DIGITS:
            return hex(byte) >= 0 ? read_digit(body, byte) : read_behind_digits(body, byte);
        case STREAMER_HTTP1_CHUNK_PADDING: return read_behind_digits(body, byte);
        case STREAMER_HTTP1_CHUNK_EXTENSION: read_chunk_line_end(body, byte); return true;
        case STREAMER_HTTP1_CHUNK_SIZE_LF: end_chunk_line(body); return byte == '\n';
        case STREAMER_HTTP1_CHUNK_DATA_END:
            if (byte == '\r') body->state = STREAMER_HTTP1_CHUNK_DATA_LF;
            if (byte == '\n') begin_chunk(body);
            return byte == '\r' || byte == '\n';
        case STREAMER_HTTP1_CHUNK_DATA_LF: begin_chunk(body); return byte == '\n';
        default: return false;
    }
}

/* A byte behind the last chunk's line: the rules are those of streamer_fields_add. */
static bool read_trailer(struct streamer_http1_body *body, char byte) {
    switch (body->state) {
        case STREAMER_HTTP1_TRAILER:
            body->state = STREAMER_HTTP1_TRAILER_NAME;
            if (byte == '\r') body->state = STREAMER_HTTP1_LAST_LF;
            if (byte == '\n') body->state = STREAMER_HTTP1_BODY_COMPLETE;
            return byte == '\r' || byte == '\n' || streamer_http_token_byte(byte);
        case STREAMER_HTTP1_TRAILER_NAME:
            if (byte == ':') body->state = STREAMER_HTTP1_TRAILER_VALUE;
            return byte == ':' || streamer_http_token_byte(byte);
        case STREAMER_HTTP1_TRAILER_VALUE:
            if (byte == '\r') body->state = STREAMER_HTTP1_TRAILER_LF;
            if (byte == '\n') body->state = STREAMER_HTTP1_TRAILER;
            return byte != '\0';
        case STREAMER_HTTP1_TRAILER_LF: body->state = STREAMER_HTTP1_TRAILER; return byte == '\n';
        case STREAMER_HTTP1_LAST_LF: body->state = STREAMER_HTTP1_BODY_COMPLETE; return byte == '\n';
        default: return false;
    }
}

static void read_framing(struct streamer_http1_body *body, char byte) {
    body->counted++;
    if (body->state < STREAMER_HTTP1_TRAILER) {
        if (body->counted > STREAMER_MAX_CHUNK_LINE) {
            fail(body, STREAMER_CHUNK_LINE_TOO_LONG);
        } else if (!read_chunk_framing(body, byte)) {
            fail(body, STREAMER_CHUNK_INVALID);
        }
    } else if (body->counted > STREAMER_MAX_TRAILERS) {
        fail(body, STREAMER_TRAILERS_TOO_LARGE);
    } else if (!read_trailer(body, byte)) {
        fail(body, STREAMER_HEADER_INVALID);
    }
}

/* Finds a chunk that has arrived as a whole, without extensions and with CRLF: the length of its line, CRLF included,
 * and of its data. This is the path of tokens, which costs no more than one memmove a chunk. */
static bool find_whole_chunk(const char *bytes, size_t length, size_t *line, size_t *size) {
    size_t digits = 0;
    *size = 0;
    for (int digit; digits < length && digits < 7 && (digit = hex(bytes[digits])) >= 0; digits++) {
        *size = *size << 4 | (unsigned)digit;
    }
    size_t framing = digits + 4;
    if (*size == 0 || length < framing || length - framing < *size) return false;
    *line = digits + 2;
    const char *data = bytes + *line;
    return data[-2] == '\r' && data[-1] == '\n' && data[*size] == '\r' && data[*size + 1] == '\n';
}

/* Moves as much data as there is to the front, behind what is there. */
static size_t take_data(struct streamer_http1_body *body, char *front, const char *bytes, size_t length) {
    bool counted = body->state != STREAMER_HTTP1_BODY_UNTIL_CLOSE;
    if (counted && length > body->left) length = (size_t)body->left;
    if (front != bytes) memmove(front, bytes, length);
    if (!counted) return length;
    body->left -= length;
    if (body->left == 0) {
        body->state =
            body->state == STREAMER_HTTP1_CHUNK_DATA ? STREAMER_HTTP1_CHUNK_DATA_END : STREAMER_HTTP1_BODY_COMPLETE;
    }
    return length;
}

enum streamer_status streamer_http1_body_read(struct streamer_http1_body *body, char *bytes, size_t length,
                                              size_t *used, size_t *data) {
    size_t at = 0, front = 0, line, size;
    while (at < length && body->state > STREAMER_HTTP1_BODY_FAILED) {
        if (body->state <= STREAMER_HTTP1_BODY_UNTIL_CLOSE || body->state == STREAMER_HTTP1_CHUNK_DATA) {
            size = take_data(body, bytes + front, bytes + at, length - at);
            front += size;
            at += size;
        } else if (body->state == STREAMER_HTTP1_CHUNK_SIZE &&
                   find_whole_chunk(bytes + at, length - at, &line, &size)) {
            memmove(bytes + front, bytes + at + line, size);
            front += size;
            at += line + size + 2;
        } else {
            read_framing(body, bytes[at++]);
        }
    }
    *used = at;
    *data = front;
    if (body->state == STREAMER_HTTP1_BODY_FAILED) return body->failure;
    return body->state == STREAMER_HTTP1_BODY_COMPLETE ? STREAMER_OK : STREAMER_MORE;
}

enum streamer_status streamer_http1_body_close(const struct streamer_http1_body *body) {
    switch (body->state) {
        case STREAMER_HTTP1_BODY_FAILED: return body->failure;
        case STREAMER_HTTP1_BODY_COMPLETE:
        case STREAMER_HTTP1_BODY_UNTIL_CLOSE: return STREAMER_OK;
        default: return body->state >= STREAMER_HTTP1_TRAILER ? STREAMER_OK : STREAMER_INCOMPLETE;
    }
}
