/* extract: JSON paths over one event's data.
 *
 * A path is keys and array indexes joined by dots: "choices.0.delta.content". A segment of digits
 * matches an array index, and an object key of the same text. The first occurrence of a key counts.
 *
 *   parts.*.text               every element of an array, in order: a list of values. null is passed over.
 *   parts.*{!thought}.text     those whose `thought` is missing, null or false
 *   parts.*{type=text}.text    those whose `type` is the String "text"
 *   content|content.*.text     alternatives: the first that has a value counts; null, objects and arrays are no value
 *   status{=failed}            the value, if it is the String "failed"
 *
 * A list is an array of its values, a STREAMER_KIND_CONTAINER; or, of a path that is to be joined, the Strings among
 * them as one. An empty one is missing.
 *
 * libyajl parses; the parse stops at the last wanted value, so what follows it is neither read nor checked. yajl's own
 * string decoding is not used (it writes lone low surrogates as ill-formed UTF-8 and drops a character behind a lone
 * high one): a string is handed out as the JSON text between its quotes and turned into UTF-8, or into another JSON
 * string, by the functions of value.h.
 *
 * Nothing is allocated for a read but what lists grow by: yajl's memory comes from a block that all extractors of a
 * thread share (arena.h). No callback of ours outlives a call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "status.h"
#include "value.h"

struct streamer_extractor; /* body in extract.c */

struct streamer_extractor_options {
    const char *const *paths;
    const size_t *lengths;
    size_t count;
    size_t joined;    /* so many of the paths, from the first, have their lists joined */
    bool something;   /* a value is what is neither null nor false nor an empty String: objects and arrays, too */
    size_t max_depth; /* 0: STREAMER_MAX_DEPTH */
    size_t max_size;  /* 0: STREAMER_MAX_EVENT */
};

/* Compiles the paths, copied. STREAMER_OK, STREAMER_PATH_INVALID (not a path, or more than STREAMER_MAX_PATHS paths,
 * STREAMER_MAX_ALTERNATIVES of them all or STREAMER_MAX_SEGMENTS segments) or STREAMER_NO_MEMORY. */
enum streamer_status streamer_extractor_new(struct streamer_extractor **extractor,
                                            const struct streamer_extractor_options *options);
void streamer_extractor_free(struct streamer_extractor *extractor); /* NULL is fine */

/* Reads one JSON text. `values` has one element per path, in their order, all filled on STREAMER_OK and
 * STREAMER_MISSING. They point into the text; lists into the extractor, and are valid until its next read.
 *
 *   STREAMER_OK              at least one path was found
 *   STREAMER_MISSING         valid JSON, and none of the paths in it
 *   STREAMER_JSON_INVALID, STREAMER_JSON_TOO_DEEP, STREAMER_JSON_TOO_LARGE, STREAMER_NO_MEMORY
 *                            values are all STREAMER_KIND_NONE; the extractor can be used again */
enum streamer_status streamer_extractor_read(struct streamer_extractor *extractor, const char *json, size_t length,
                                             struct streamer_value *values);

/* What JSON has in it, as a String or a key, in which alternative `n` of all paths has a value, from 0; false behind
 * the last one. length 0: it may have anything. */
bool streamer_extractor_token(const struct streamer_extractor *extractor, size_t n, const char **token, size_t *length);

size_t streamer_extractor_count(const struct streamer_extractor *extractor);
size_t streamer_extractor_size(const struct streamer_extractor *extractor);
