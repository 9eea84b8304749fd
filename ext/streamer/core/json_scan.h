/* json_scan: where a JSON value ends, in bytes that come in several reads. Internal.
 *
 * It follows strings and brackets and checks nothing else: what is between them is for whoever reads the value. Linear,
 * and it keeps nothing.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct streamer_json_scan {
    size_t depth; /* brackets open */
    bool string;  /* within a string */
    bool escaped; /* and behind a backslash that the last read ended with */
    bool scalar;  /* a number or a literal: without an end of its own */
};

/* Begins with the value's first byte, which is not read. False when no value begins so. */
bool streamer_json_scan_begin(struct streamer_json_scan *scan, char first);

/* Reads on. True when the value has ended: *cursor is behind its last byte. A number or literal ends in front of what
 * cannot belong to it, or with the text. Otherwise *cursor is end. */
bool streamer_json_scan_read(struct streamer_json_scan *scan, const char **cursor, const char *end);

/* Whether a text that begins and ends with a byte of it holds no value that is cut. */
bool streamer_json_scan_whole(const char *json, size_t length);

bool streamer_json_blank(char byte);
