/* fields: a head's or a trailer's fields, normalized once, when they are read (RFC 9110, section 5).
 *
 * They are kept as text in a streamer_buffer, a line for each in the order they came: the name in lower case, ": ", the
 * value without the white space around it, "\n". Whatever protocol they came by and whoever asks, C or Ruby, this is
 * what is read; nothing else in the library reads a head.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "media_type.h"
#include "span.h"
#include "status.h"

/* Adds a field. STREAMER_OK; STREAMER_HEADER_INVALID (the name is no token, or CR, LF or NUL is in the value);
 * STREAMER_HEADERS_TOO_LARGE (the buffer's limit); STREAMER_NO_MEMORY. On anything but OK the buffer is as it was. */
enum streamer_status streamer_fields_add(struct streamer_buffer *fields, const char *name, size_t name_length,
                                         const char *value, size_t value_length);

/* How many there are. */
size_t streamer_fields_count(const struct streamer_buffer *fields);

/* The next field, whatever its name. False when there is none behind *cursor, which is 0 for the first. Both point into
 * the buffer. */
bool streamer_fields_each(const struct streamer_buffer *fields, size_t *cursor, struct streamer_span *name,
                          struct streamer_span *value);

/* The value of the next field of that name, a lower-case C string. False when there is none behind *cursor, which is 0
 * for the first. The value points into the buffer. */
bool streamer_fields_next(const struct streamer_buffer *fields, const char *name, size_t *cursor,
                          struct streamer_span *value);

/* Where an iteration over a list is. All zero: at its beginning. */
struct streamer_fields_list {
    size_t cursor;
    struct streamer_span rest;
    bool quoted;
};

/* The next member of the list that all fields of that name are together. Empty members are passed over. */
bool streamer_fields_next_member(const struct streamer_buffer *fields, const char *name,
                                 struct streamer_fields_list *list, struct streamer_span *member);

/* Whether a member is `member`, a lower-case C string, in any case. */
bool streamer_fields_include(const struct streamer_buffer *fields, const char *name, const char *member);

/* Fetch's "extract a MIME type". False when there is none; *type is all zero then. */
bool streamer_fields_content_type(const struct streamer_buffer *fields, struct streamer_media_type *type);

/* Whether the body is not compressed: there is no Content-Encoding, or it says only "identity" or "none". */
bool streamer_fields_is_identity(const struct streamer_buffer *fields);
