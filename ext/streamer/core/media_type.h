/* media_type: what a Content-Type says, by the WHATWG's MIME Sniffing and Fetch standards. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "span.h"

/* RFC 6838 allows 127 characters on either side of the slash; a longer type is no media type. A longer charset is the
 * name of no encoding and counts as absent. */
#define STREAMER_MAX_ESSENCE 255
#define STREAMER_MAX_CHARSET 63

/* All zero: none is known. Holds copies. */
struct streamer_media_type {
    size_t essence_length;
    size_t charset_length;              /* 0: there is none */
    char essence[STREAMER_MAX_ESSENCE]; /* "text/event-stream": lower-case, without parameters */
    char charset[STREAMER_MAX_CHARSET]; /* as written, without quotes and white space */
};

/* "Parse a MIME type", of one. False when it is none; *type is as it was then. */
bool streamer_media_type_parse(struct streamer_span text, struct streamer_media_type *type);

/* One more step of "extract a MIME type": takes another member of the Content-Type's list into account. The last media
 * type counts; the charset of those before it, only when they are of the same type. */
void streamer_media_type_add(struct streamer_media_type *type, struct streamer_span member);

/* All steps, for the value of one field. False when no media type is in it; *type is all zero then. */
bool streamer_media_type_extract(struct streamer_span value, struct streamer_media_type *type);

/* Whether the essence is `essence`, a lower-case C string. */
bool streamer_media_type_is(const struct streamer_media_type *type, const char *essence);
