#include "chunks.h"

#include <string.h>

enum { MAX_DIGITS = 16 };

static int hex(char byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
    if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
    return -1;
}

/* Takes a byte of the framing. */
static void frame(struct streamer_chunks *chunks, char byte) {
    int digit = hex(byte);
    switch (chunks->state) {
        case STREAMER_CHUNKS_SIZE:
            if (digit >= 0 && chunks->digits < MAX_DIGITS) {
                chunks->size = chunks->size << 4 | (unsigned)digit;
                chunks->digits++;
                return;
            }
            chunks->state = digit >= 0 || chunks->digits == 0 ? STREAMER_CHUNKS_INVALID : STREAMER_CHUNKS_EXTENSION;
            if (chunks->state == STREAMER_CHUNKS_INVALID || byte != '\n') return;
            /* fall through */
        case STREAMER_CHUNKS_EXTENSION:
            if (byte == '\n') chunks->state = chunks->size > 0 ? STREAMER_CHUNKS_DATA : STREAMER_CHUNKS_TRAILERS;
            return;
        case STREAMER_CHUNKS_DATA_END:
            if (byte == '\n')
                *chunks = (struct streamer_chunks){STREAMER_CHUNKS_SIZE, 0, 0};
            else if (byte != '\r')
                chunks->state = STREAMER_CHUNKS_INVALID;
            return;
        default: return;
    }
}

size_t streamer_chunks_read(struct streamer_chunks *chunks, const char *bytes, size_t length, char *data) {
    size_t copied = 0;
    for (size_t i = 0; i < length && chunks->state < STREAMER_CHUNKS_TRAILERS;) {
        if (chunks->state != STREAMER_CHUNKS_DATA) {
            frame(chunks, bytes[i++]);
            continue;
        }
        size_t piece = chunks->size < length - i ? (size_t)chunks->size : length - i;
        memmove(data + copied, bytes + i, piece);
        copied += piece;
        i += piece;
        chunks->size -= piece;
        if (chunks->size == 0) chunks->state = STREAMER_CHUNKS_DATA_END;
    }
    return copied;
}

size_t streamer_chunks_whole(const char *bytes, size_t length) {
    size_t whole = 0;
    for (;;) {
        size_t at = whole, size = 0;
        /* No size of more digits fits into a read. */
        for (int digit; at < length && at < whole + 6 && (digit = hex(bytes[at])) >= 0; at++) {
            size = size << 4 | (unsigned)digit;
        }
        if (size == 0 || length - at < size + 4) return whole;
        const char *data = bytes + at + 2;
        if (memcmp(bytes + at, "\r\n", 2) != 0 || memcmp(data + size, "\r\n", 2) != 0) return whole;
        whole = at + size + 4;
    }
}
