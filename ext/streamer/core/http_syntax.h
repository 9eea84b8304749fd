/* http_syntax: the few terms of RFC 9110, section 5.6, that every reader and writer of HTTP needs. */
#pragma once

#include <stdbool.h>

#include "span.h"

/* A byte of a token: a method, a field's name, half of a media type. */
bool streamer_http_token_byte(char byte);

/* One or more of them. */
bool streamer_http_token(struct streamer_span span);

/* Optional white space: SP and HTAB, and nothing else. */
static inline bool streamer_http_blank(char byte) {
    return byte == ' ' || byte == '\t';
}

/* Without the white space around it. */
struct streamer_span streamer_http_trim(struct streamer_span span);

/* ASCII only, whatever the locale. */
static inline char streamer_http_lower(char byte) {
    return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

/* Whether it is `text`, a lower-case C string, in any case. */
bool streamer_http_equals(struct streamer_span span, const char *text);

/* Splits a list at its commas, which do not count within quotes (RFC 9110, sections 5.6.1 and 5.6.4). False behind the
 * last member; otherwise `member` is the next one that is not empty, trimmed, and `rest` what is behind it.
 *
 * quoted: whether `rest` begins within a quoted string: false for a list's first value, carried over to the field's
 * next one, since several fields are one list. What lies behind such a beginning up to the next comma belongs to the
 * member before it, and is passed over. */
bool streamer_http_next_member(struct streamer_span *rest, bool *quoted, struct streamer_span *member);
