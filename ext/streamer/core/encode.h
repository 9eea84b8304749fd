/* encode: SSE frames for any text.
 *
 * What it writes, a WHATWG parser reads back as the same data: CR, LF and CRLF each become a line of their own. (All
 * three come back as LF; SSE has no other line end.) What SSE cannot carry is refused, never repaired: nothing that
 * comes from outside can add a field, an event or a line.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "status.h"

struct streamer_frame {
    const char *event; /* NULL: none, the browser dispatches "message" */
    size_t event_length;
    const char *id; /* NULL: none */
    size_t id_length;
    int64_t retry;    /* milliseconds; negative: none */
    const char *data; /* NULL: none, for a frame that only sets id or retry */
    size_t data_length;
};

/* Appends the frame, its blank line included. The order is event, id, retry, data. An empty value is written without
 * the space behind the colon. STREAMER_OK; STREAMER_FIELD_INVALID when event holds CR or LF (or NUL), or id holds CR,
 * LF or NUL, or either is longer than STREAMER_MAX_FIELD; STREAMER_FULL; STREAMER_NO_MEMORY. On anything but OK nothing
 * was appended. */
enum streamer_status streamer_encode_frame(struct streamer_buffer *buffer, const struct streamer_frame *frame);

/* Appends ": text" for each line of text, and a blank line. An empty text gives ":\n\n". Returns as above. */
enum streamer_status streamer_encode_comment(struct streamer_buffer *buffer, const char *text, size_t length);

/* Appends text, which is well-formed UTF-8, as a JSON string with its quotes, in the form of Ruby's JSON.generate.
 * Returns as streamer_buffer_reserve. */
enum streamer_status streamer_encode_json_string(struct streamer_buffer *buffer, const char *text, size_t length);

/* Bytes of the frame. */
size_t streamer_frame_size(const struct streamer_frame *frame);

/* Writes the frame to `out`, which has room for streamer_frame_size, for fields that are known to be good: those of a
 * decoded event. Returns the bytes written. */
size_t streamer_frame_write(const struct streamer_frame *frame, char *out);
