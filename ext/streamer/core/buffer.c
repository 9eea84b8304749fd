#include "buffer.h"

#include <string.h>

#include "alloc.h"
#include "limits.h"

/* Small enough for thousands of idle streams, large enough that an id or an event's name never grows twice. */
#define FIRST_CAPACITY 64

void streamer_buffer_init(struct streamer_buffer *buffer, size_t limit) {
    *buffer = (struct streamer_buffer){.limit = limit};
}

void streamer_buffer_release(struct streamer_buffer *buffer) {
    streamer_free(buffer->bytes);
    streamer_buffer_init(buffer, buffer->limit);
}

enum streamer_status streamer_buffer_reserve(struct streamer_buffer *buffer, size_t extra) {
    if (extra <= buffer->capacity - buffer->length) return STREAMER_OK;
    if (extra > buffer->limit - buffer->length) return STREAMER_FULL;

    /* Doubling keeps appending linear. */
    size_t wanted = buffer->length + extra;
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : FIRST_CAPACITY / 2;
    capacity = capacity > buffer->limit / 2 ? buffer->limit : capacity * 2;
    if (capacity < wanted) capacity = wanted;

    char *bytes = streamer_realloc(buffer->bytes, capacity);
    if (bytes == NULL) return STREAMER_NO_MEMORY;
    buffer->bytes = bytes;
    buffer->capacity = capacity;
    return STREAMER_OK;
}

enum streamer_status streamer_buffer_append(struct streamer_buffer *buffer, const char *bytes, size_t length) {
    if (length == 0) return STREAMER_OK;
    enum streamer_status status = streamer_buffer_reserve(buffer, length);
    if (status != STREAMER_OK) return status;
    memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
    return STREAMER_OK;
}

void streamer_buffer_clear(struct streamer_buffer *buffer) {
    if (buffer->capacity > STREAMER_KEEP) streamer_buffer_release(buffer);
    buffer->length = 0;
}
