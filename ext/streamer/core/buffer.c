#include "buffer.h"

#include <string.h>

#include "alloc.h"
#include "ceilings.h"
#include "pages.h"

/* Small enough for thousands of idle streams, large enough that an id or an event's name never grows twice. */
#define FIRST_CAPACITY 64

/* From here on memory is of pages.h, and grows in larger steps. */
#define LARGE ((size_t)1 << 20)

void streamer_buffer_init(struct streamer_buffer *buffer, size_t limit) {
    *buffer = (struct streamer_buffer){.limit = limit};
}

void streamer_buffer_release(struct streamer_buffer *buffer) {
    if (buffer->capacity < LARGE) {
        streamer_free(buffer->bytes);
    } else {
        streamer_pages_free(buffer->bytes, buffer->capacity);
    }
    streamer_buffer_init(buffer, buffer->limit);
}

static char *resize(struct streamer_buffer *buffer, size_t capacity) {
    if (capacity < LARGE) return streamer_realloc(buffer->bytes, capacity);
    if (buffer->capacity >= LARGE) return streamer_pages_resize(buffer->bytes, buffer->capacity, capacity);
    char *bytes = streamer_pages_resize(NULL, 0, capacity);
    if (bytes == NULL) return NULL;
    if (buffer->length > 0) memcpy(bytes, buffer->bytes, buffer->length);
    streamer_free(buffer->bytes);
    return bytes;
}

enum streamer_status streamer_buffer_reserve(struct streamer_buffer *buffer, size_t extra) {
    if (extra <= buffer->capacity - buffer->length) return STREAMER_OK;
    if (extra > buffer->limit - buffer->length) return STREAMER_FULL;

    /* A constant factor keeps appending linear. */
    size_t wanted = buffer->length + extra;
    size_t capacity = buffer->capacity > 0 ? buffer->capacity : FIRST_CAPACITY / 2;
    size_t factor = capacity < LARGE ? 2 : 4;
    capacity = capacity > buffer->limit / factor ? buffer->limit : capacity * factor;
    if (capacity < wanted) capacity = wanted;

    char *bytes = resize(buffer, capacity);
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
