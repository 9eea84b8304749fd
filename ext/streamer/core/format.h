/* format: the shapes in which a body carries events. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum streamer_format {
    STREAMER_FORMAT_SSE,    /* an event stream */
    STREAMER_FORMAT_NDJSON, /* a JSON text on each line */
    STREAMER_FORMAT_JSON,   /* an array: an event for each element, as it comes; otherwise the document is one event */
    STREAMER_FORMAT_TEXT,   /* text: an event for each read */
    STREAMER_FORMAT_SNIFFED /* an event stream, or JSON where the first byte is that of an object or array */
};

/* What a Content-Type field's value stands for; "" where there is none. False for a media type that carries no events.
 * Parameters do not matter, and neither does case (RFC 9110, section 8.3.1). */
bool streamer_format_of_type(const char *type, size_t length, enum streamer_format *format);
