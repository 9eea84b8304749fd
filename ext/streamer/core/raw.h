/* raw: an event stream's own bytes, event by event. Internal.
 *
 * Whole events pass when they are known to be no error. What is between them, comments and blank lines, passes as soon
 * as its lines are whole: a comment that keeps a connection alive is of no use later. A BOM, which is no part of the
 * first event, is left out, and so are line ends in front of a body whose format is not known yet.
 *
 * What passes does not depend on how the stream was cut into reads, and is a prefix of the stream. Whether fields
 * without data meet the ceiling of an event does: only what is carried from one read to the next is counted for them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "decode.h"

struct streamer_raw {
    struct streamer_buffer carried; /* from earlier reads */
    size_t offset;                  /* bytes of the body that were read so far */
    size_t max_event;               /* bytes of an event with its fields and line ends */
    /* of the last call of the decoder: what passes, behind what is carried, and what does not pass yet */
    const char *from, *to, *end;
    bool passes_carried;
    const char *event;  /* where the last one began in its call's input */
    bool event_carried; /* or in what is carried */
};

void streamer_raw_init(struct streamer_raw *raw, size_t max_line, size_t max_event);
void streamer_raw_release(struct streamer_raw *raw);

/* The decoder has read the bytes from `start` to `end`. With `event`, an event ends there and passes, unless it is
 * withheld. STREAMER_OK or STREAMER_EVENT_TOO_LARGE. */
enum streamer_status streamer_raw_take(struct streamer_raw *raw, const struct streamer_decoder *decoder,
                                       const char *start, const char *end, bool event);

/* The event does not pass after all; what was in front of it does. */
void streamer_raw_withhold(struct streamer_raw *raw);

/* The event is the stream's last: the LF behind its last CR does not pass, for it may not have been read yet. */
void streamer_raw_end(struct streamer_raw *raw);

/* Bytes that pass now. */
size_t streamer_raw_size(const struct streamer_raw *raw);

/* Writes them to `out`. Returns the bytes written. */
size_t streamer_raw_write(const struct streamer_raw *raw, char *out);

/* They were written; the rest is kept for the next read if the stream goes on. STREAMER_OK, STREAMER_EVENT_TOO_LARGE
 * or STREAMER_NO_MEMORY. */
enum streamer_status streamer_raw_keep_rest(struct streamer_raw *raw);
