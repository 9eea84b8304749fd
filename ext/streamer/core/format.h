/* format: the shapes in which a body carries events. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

enum streamer_format {
    STREAMER_FORMAT_SSE,    /* an event stream */
    STREAMER_FORMAT_NDJSON, /* a JSON text on each line */
    STREAMER_FORMAT_JSON,   /* an array: an event for each element, as it comes; otherwise the document is one event */
    STREAMER_FORMAT_TEXT,   /* text: an event for each read */
    STREAMER_FORMAT_SNIFFED /* an event stream, or JSON where the first byte is that of an object or array */
};

/* What a body's media type stands for, an event stream or JSON where none is known. False for one that carries no
 * events. */
bool streamer_format_of_fields(const struct streamer_buffer *fields, enum streamer_format *format);

/* The same for the value of a Content-Type field. */
bool streamer_format_of_type(const char *value, size_t length, enum streamer_format *format);
