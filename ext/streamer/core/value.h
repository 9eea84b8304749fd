/* value: a JSON value where it was found, and what can be made of it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

enum streamer_kind {
    STREAMER_KIND_NONE, /* the path is not in this event */
    STREAMER_KIND_STRING,
    STREAMER_KIND_NUMBER,
    STREAMER_KIND_TRUE,
    STREAMER_KIND_FALSE,
    STREAMER_KIND_NULL,
    STREAMER_KIND_CONTAINER /* an object or array */
};

/* Points into the JSON text it was read from and lives no longer. */
struct streamer_value {
    enum streamer_kind kind;
    const char *json; /* the value as written; for a string without its quotes */
    size_t length;
    bool escaped; /* a string with at least one backslash in it */
};

/* Whether it is a string that is not empty. */
bool streamer_value_is_text(const struct streamer_value *value);

/* Appends a string value's characters as UTF-8, every escape resolved; a lone surrogate becomes U+FFFD.
 * For another kind, appends its JSON text. Returns as streamer_buffer_reserve. */
enum streamer_status streamer_value_text(const struct streamer_value *value, struct streamer_buffer *buffer);

/* Writes the value as JSON, a string with its quotes, in the form Ruby's JSON.generate gives it: characters as
 * UTF-8, only what must be escaped is. A lone surrogate keeps its escape, so that halves split
 * over two tokens join again in the browser. `out` has room for value->length + 2 bytes. Returns the bytes written. */
size_t streamer_value_json(const struct streamer_value *value, char *out);
