/* UTF-8 as the WHATWG Encoding Standard decodes it ("utf-8 decode", section 8.1.1). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

/* True when a browser would decode these bytes without one replacement. Linear; ASCII goes eight bytes at a time. */
bool streamer_utf8_valid(const char *bytes, size_t length);

/* Appends the bytes with each maximal ill-formed part replaced by U+FFFD, as a browser does.
 * Returns as streamer_buffer_reserve. */
enum streamer_status streamer_utf8_scrub(struct streamer_buffer *buffer, const char *bytes, size_t length);

/* Writes one code point (not a surrogate, at most 0x10FFFF) to `out`, which has room for four. Returns the bytes
 * written. */
size_t streamer_utf8_put(char *out, unsigned code_point);
