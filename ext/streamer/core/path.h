/* path: the language of JSON paths. Internal; extract.h says what a path means.
 *
 *     path        = alternative *( "|" alternative )
 *     alternative = segment *( "." segment ) [ "{=" text "}" ]
 *     segment     = key / index / "*" / "*{" filter "}"
 *     filter      = "!" key / key "=" text
 *
 * A key is not empty and has no ".", "|" or "{=" in it; within braces these are allowed, and "}" is not. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct streamer_filter {
    const char *key; /* NULL: passes what is itself this String */
    size_t key_length;
    const char *text; /* passes where the key has this String; NULL: where it is missing, null or false */
    size_t text_length;
};

struct streamer_segment {
    const char *text;
    size_t length;                        /* SIZE_MAX, which no key has: every element */
    size_t index;                         /* SIZE_MAX: not an index */
    const struct streamer_filter *filter; /* of elements, or of the value; NULL: everything passes */
};

/* One alternative. */
struct streamer_path {
    const struct streamer_segment *segments;
    size_t count;
    size_t first_star; /* the number of the first segment that is "*", from 1; 0: none */
};

/* How many there are of each. */
struct streamer_path_counts {
    size_t alternatives, starred; /* those with a "*" */
    size_t segments, filters;     /* over all alternatives */
};

/* Adds to the counts. False when it is not a path, or an alternative has more than STREAMER_MAX_SEGMENTS. */
bool streamer_path_count(const char *text, size_t length, struct streamer_path_counts *counts);

/* Compiles what was counted: moves each pointer behind what is filled. Points into `text`. */
void streamer_path_compile(const char *text, size_t length, struct streamer_path **paths,
                           struct streamer_segment **segments, struct streamer_filter **filters);

/* The filter of the value; NULL: any value passes. */
const struct streamer_filter *streamer_path_value_filter(const struct streamer_path *path);

/* What JSON with a value there has in it as a String or a key: the value that is wanted, or the last key on the way.
 * False when there is neither, but only indexes and "*". */
bool streamer_path_token(const struct streamer_path *path, const char **token, size_t *length);
