/* decode: bytes of a body in, events out.
 *
 * Each format (format.h) has a decoder of its own behind these functions; decode_*.c says what its events are. All of
 * them pass over one BOM at the very start, replace ill-formed UTF-8 by U+FFFD, and keep to the limits.
 *
 * Resumable at every byte, and linear: whatever the read sizes, no byte is looked at more than a fixed number of times.
 * They work in place: an event that lies within one read is handed out as pointers into that read. Only what a read's
 * end cuts is carried over.
 *
 * Pull, not push: nothing is called back, so whoever drives it may stop, raise or switch fibers
 * between two events.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "format.h"
#include "status.h"

/* One event, as the browser would dispatch it. The pointers are valid until the next call on the
 * decoder, and no longer than the input they were read from. None is NUL-terminated. */
struct streamer_event {
    const char *type; /* "message" where the stream named none */
    size_t type_length;
    const char *data; /* well-formed UTF-8; an event stream's lines joined by LF */
    size_t data_length;
    const char *id; /* the last event ID, possibly empty; only event streams have any */
    size_t id_length;
};

/* Whether it has content. What only keeps a connection alive has none: no data but white space, or the type "ping",
 * "heartbeat" or "keep-alive", however it is written, of the event or alone in its data: {"type":"ping"}. */
bool streamer_event_is_content(const struct streamer_event *event);

struct streamer_decoder; /* body in decoder.h */

/* max_line and max_event in bytes, 0 for the defaults of ceilings.h. NULL when out of memory. */
struct streamer_decoder *streamer_decoder_new(enum streamer_format format, size_t max_line, size_t max_event);
void streamer_decoder_free(struct streamer_decoder *decoder); /* NULL is fine */

/* Reads from *cursor towards end and moves *cursor past what was read.
 *
 *   STREAMER_EVENT           `event` is filled; call again for the next one
 *   STREAMER_MORE            *cursor == end; an unfinished line or event is kept inside
 *   STREAMER_LINE_TOO_LONG,
 *   STREAMER_EVENT_TOO_LARGE,
 *   STREAMER_JSON_INVALID,   (only of what stands between the elements of a JSON array)
 *   STREAMER_NO_MEMORY       the stream cannot go on: every further call returns the same
 *
 * Between two calls that return STREAMER_EVENT the input must stay where it is. */
enum streamer_status streamer_decoder_next(struct streamer_decoder *decoder, const char **cursor, const char *end,
                                           struct streamer_event *event);

/* The body is over, without an error on the way. What was unfinished is an event now, or shows that it is incomplete:
 *
 *   STREAMER_EVENT           as above; call again
 *   STREAMER_MORE            there is nothing left
 *   STREAMER_TRUNCATED       a JSON text or array was not closed
 *
 * or as above. An unfinished event of an event stream is discarded, as the standard says. */
enum streamer_status streamer_decoder_finish(struct streamer_decoder *decoder, struct streamer_event *event);

/* The format; of a sniffed one, once it is known, what it turned out to be. */
enum streamer_format streamer_decoder_format(const struct streamer_decoder *decoder);

/* Before the first read: the last event ID that the stream goes on from. Ignored, as in a stream, if there is a NUL in
 * it; and by formats other than event streams. STREAMER_OK, STREAMER_FIELD_INVALID or STREAMER_NO_MEMORY. */
enum streamer_status streamer_decoder_resume(struct streamer_decoder *decoder, const char *id, size_t length);

/* What a browser would send as Last-Event-ID if it reconnected now. */
const char *streamer_decoder_last_event_id(const struct streamer_decoder *decoder, size_t *length);

/* The last reconnection time the stream asked for, in milliseconds; -1 for none. Values beyond INT64_MAX saturate. */
int64_t streamer_decoder_retry(const struct streamer_decoder *decoder);

/* Bytes at the body's beginning that belong to no line, as far as it was read: a BOM; and line ends in front of a
 * sniffed body. */
size_t streamer_decoder_skipped(const struct streamer_decoder *decoder);

/* Of an event stream, in the input of the last call: behind the last line with which no event was begun. NULL: there is
 * none in it. */
const char *streamer_decoder_settled(const struct streamer_decoder *decoder);

/* Whether JSON came that was no array's element: a document. */
bool streamer_decoder_document(const struct streamer_decoder *decoder);

/* Bytes of heap held, for ObjectSpace.memsize_of. */
size_t streamer_decoder_size(const struct streamer_decoder *decoder);
