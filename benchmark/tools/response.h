/* Reads an HTTP/1.1 response as it comes. */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { HEAD_SIZE = 8192 };

enum framing { HEAD, CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_END, LAST_LINE, UNTIL_CLOSE, ENDED };

struct response {
    enum framing framing;
    int status;
    char head[HEAD_SIZE + 1];
    size_t head_length, chunk_left, line_length;
};

/* Takes bytes of the head; returns how many. A status other than 200 and 101 or a head too large ends it at once. */
static inline size_t response_head(struct response *response, const char *bytes, size_t length) {
    size_t before = response->head_length, room = HEAD_SIZE - before;
    size_t taken = length < room ? length : room;
    memcpy(response->head + before, bytes, taken);
    response->head_length += taken;
    response->head[response->head_length] = '\0';
    const char *end = strstr(response->head, "\r\n\r\n");
    if (end == NULL) {
        if (response->head_length == HEAD_SIZE) response->framing = ENDED;
        return taken;
    }
    sscanf(response->head, "HTTP/1.1 %d", &response->status);
    bool good = response->status == 200 || response->status == 101;
    bool chunked = strcasestr(response->head, "\r\ntransfer-encoding: chunked\r\n") != NULL;
    response->framing = !good ? ENDED : chunked ? CHUNK_SIZE : UNTIL_CLOSE;
    if (!good) fprintf(stderr, "%.*s\n", (int)strcspn(response->head, "\r"), response->head);
    return (size_t)(end + 4 - response->head) - before;
}

static inline int hex(char character) {
    if (character >= '0' && character <= '9') return character - '0';
    character |= 0x20;
    return character >= 'a' && character <= 'f' ? character - 'a' + 10 : -1;
}

/* Takes the next bytes of the connection and returns how many. *payload: how many of them, the first ones, are the
 * body's. The peer's close ends a body without chunks: that is the caller's to say. */
static inline size_t response_take(struct response *response, const char *bytes, size_t length, size_t *payload) {
    *payload = 0;
    switch (response->framing) {
        case HEAD: return response_head(response, bytes, length);
        case CHUNK_SIZE:
            if (hex(*bytes) >= 0) {
                response->chunk_left = response->chunk_left * 16 + (size_t)hex(*bytes);
                return 1;
            }
            response->framing = CHUNK_EXTENSION;
            return 0;
        case CHUNK_EXTENSION:
            if (*bytes == '\n') response->framing = response->chunk_left > 0 ? CHUNK_DATA : LAST_LINE;
            return 1;
        case CHUNK_DATA: {
            size_t taken = length < response->chunk_left ? length : response->chunk_left;
            *payload = taken;
            response->chunk_left -= taken;
            if (response->chunk_left == 0) response->framing = CHUNK_END;
            return taken;
        }
        case CHUNK_END:
            if (*bytes == '\n') response->framing = CHUNK_SIZE;
            return 1;
        case LAST_LINE: /* trailers end with an empty line */
            if (*bytes == '\n' && response->line_length == 0) response->framing = ENDED;
            response->line_length = *bytes == '\n' ? 0 : response->line_length + (*bytes != '\r');
            return 1;
        case UNTIL_CLOSE: *payload = length; return length;
        case ENDED: return length;
    }
    return length;
}
