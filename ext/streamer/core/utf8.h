/* UTF-8 as the WHATWG Encoding Standard decodes it ("utf-8 decode", section 8.1.1). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

/* How many of the bytes, from the first on, are well-formed: all that a browser would decode without a replacement. A
 * character that the end cuts is not counted, so that the count goes on from there once more bytes have come.
 * Linear; ASCII goes 32 bytes at a time. */
size_t streamer_utf8_prefix(const char *bytes, size_t length);

/* True when a browser would decode these bytes without one replacement. */
bool streamer_utf8_valid(const char *bytes, size_t length);

/* Appends the bytes with each maximal ill-formed part replaced by U+FFFD, as a browser does.
 * Answers as streamer_buffer_reserve. */
enum streamer_status streamer_utf8_scrub(struct streamer_buffer *buffer, const char *bytes, size_t length);

/* Writes one code point (not a surrogate, at most 0x10FFFF) to `out`, which has room for four. Returns the bytes
 * written. */
size_t streamer_utf8_put(char *out, unsigned code_point);
