/* A growing run of bytes with a ceiling it was born with. */
#pragma once

#include <stddef.h>

#include "status.h"

struct streamer_buffer {
    char *bytes;
    size_t length;
    size_t capacity;
    size_t limit; /* length never exceeds it */
};

/* Starts empty and owns nothing until the first append. */
void streamer_buffer_init(struct streamer_buffer *buffer, size_t limit);

/* Frees the memory and leaves an empty buffer with the same limit. */
void streamer_buffer_release(struct streamer_buffer *buffer);

/* Room for `extra` more bytes behind length. STREAMER_OK, STREAMER_FULL when that would pass the
 * limit, STREAMER_NO_MEMORY. On anything but OK the buffer is as it was. */
enum streamer_status streamer_buffer_reserve(struct streamer_buffer *buffer, size_t extra);

/* Appends a copy. Returns as streamer_buffer_reserve. `bytes` must not lie in the buffer. */
enum streamer_status streamer_buffer_append(struct streamer_buffer *buffer, const char *bytes, size_t length);

/* Empties it; memory beyond STREAMER_KEEP is given back. */
void streamer_buffer_clear(struct streamer_buffer *buffer);
