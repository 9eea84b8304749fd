/* extract: JSON paths over one event's data.
 *
 * A path is keys and array indexes joined by dots: "choices.0.delta.content". A segment of digits
 * matches an array index, and an object key of the same text. libyajl parses; the parse stops at the last
 * wanted value, so what follows it is neither read nor checked. The first occurrence of a key counts.
 *
 * yajl's own string decoding is not used (it writes lone low surrogates as ill-formed UTF-8 and drops a
 * character behind a lone high one): a string is handed out as the JSON text between its quotes and turned
 * into UTF-8, or into another JSON string, by the functions below.
 *
 * Nothing is allocated for a read: yajl's memory comes from a block that all extractors of a thread share. The heap is
 * asked only for strings of more than a few kilobytes that have escapes in them. No callback of ours outlives a call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "status.h"

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

struct streamer_extractor; /* body in extract.c */

/* Compiles `count` paths, copied. STREAMER_OK, STREAMER_PATH_INVALID (an empty path or segment, more than
 * STREAMER_MAX_PATHS paths or STREAMER_MAX_SEGMENTS segments) or STREAMER_NO_MEMORY.
 * max_depth and max_size: 0 for STREAMER_MAX_DEPTH and STREAMER_MAX_EVENT. */
enum streamer_status streamer_extractor_new(struct streamer_extractor **extractor, const char *const *paths,
                                            const size_t *lengths, size_t count, size_t max_depth, size_t max_size);
void streamer_extractor_free(struct streamer_extractor *extractor); /* NULL is fine */

/* Reads one JSON text. `values` has one element per path, in their order, all filled on STREAMER_OK and
 * STREAMER_MISSING.
 *
 *   STREAMER_OK              at least one path was found
 *   STREAMER_MISSING         valid JSON, and none of the paths in it
 *   STREAMER_JSON_INVALID, STREAMER_JSON_TOO_DEEP, STREAMER_JSON_TOO_LARGE, STREAMER_NO_MEMORY
 *                            values are all STREAMER_KIND_NONE; the extractor can be used again */
enum streamer_status streamer_extractor_read(struct streamer_extractor *extractor, const char *json, size_t length,
                                             struct streamer_value *values);

/* Appends a string value's characters as UTF-8, every escape resolved; a lone surrogate becomes U+FFFD.
 * For another kind, appends its JSON text. Answers as streamer_buffer_reserve. */
enum streamer_status streamer_value_text(const struct streamer_value *value, struct streamer_buffer *buffer);

/* Writes the value as JSON, a string with its quotes, in the form Ruby's JSON.generate gives it: characters as
 * UTF-8, only what must be escaped is. A lone surrogate keeps its escape, so that halves split
 * over two tokens join again in the browser. `out` has room for value->length + 2 bytes. Returns the bytes written. */
size_t streamer_value_json(const struct streamer_value *value, char *out);

size_t streamer_extractor_count(const struct streamer_extractor *extractor);
size_t streamer_extractor_size(const struct streamer_extractor *extractor);
