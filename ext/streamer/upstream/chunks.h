/* chunks: the framing of an HTTP/1.1 body in chunks (RFC 9112, section 7.1), decoded as it arrives.
 *
 * It accepts what libcurl accepts: chunk extensions, which are ignored, and line ends without CR. Trailers are ignored.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum streamer_chunks_state {
    STREAMER_CHUNKS_SIZE, /* before a chunk's size, or in it */
    STREAMER_CHUNKS_EXTENSION,
    STREAMER_CHUNKS_DATA,
    STREAMER_CHUNKS_DATA_END,
    STREAMER_CHUNKS_TRAILERS, /* the last chunk has come: there is no more data */
    STREAMER_CHUNKS_INVALID   /* for good */
};

/* All zero at the body's start. */
struct streamer_chunks {
    enum streamer_chunks_state state;
    int digits;    /* of the size, so far */
    uint64_t size; /* of the chunk, then what is left of it */
};

/* Copies the data in the body's next bytes to `data`, which has room for `length` and may be `bytes` itself. Returns
 * how much it was; what stands before something invalid counts. */
size_t streamer_chunks_read(struct streamer_chunks *chunks, const char *bytes, size_t length, char *data);

/* Whether the next byte begins a chunk. */
static inline bool streamer_chunks_between(const struct streamer_chunks *chunks) {
    return chunks->state == STREAMER_CHUNKS_SIZE && chunks->digits == 0;
}

/* How many of the bytes behind such a point are chunks that are here to their end, without the last chunk. Only chunks
 * as everybody sends them count, without extensions. */
size_t streamer_chunks_whole(const char *bytes, size_t length);
