/* pipeline: decode, extract and encode over one read, in place.
 *
 * With paths, each event that has at least one of them becomes one frame with a JSON object of what was found,
 *
 *     event: token
 *     data: {"content":"Hel"}
 *
 * or, with `text`, the characters of the first path alone. Without paths every event passes through
 * as it was decoded, with its own type and id; with `raw`, as the very bytes it came in. Null is treated as not found:
 * OpenAI's first and last chunks carry one.
 *
 * The bytes of a value are copied once, from the read into the frame; nothing is allocated per event once warm.
 *
 * An event whose data is exactly `done` (OpenAI's "[DONE]") is an end marker, not JSON: it gives no frame and
 * sets streamer_pipeline_done. (With `raw` it passes, too.)
 *
 * On the way the pipeline can keep what its owner wants to know at the end: the characters of the first path so far
 * (collect), and the last value of paths that go into no frame (kept: usage, finish reason). A kept path makes every
 * event be read to its end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "decode.h"
#include "extract.h"
#include "status.h"

struct streamer_pipeline_options {
    const char *const *paths; /* NULL with count 0: events pass through */
    const size_t *path_lengths;
    const char *const
        *names; /* each value's key in the frame's object; NULL: the path's last segment that is no index */
    const size_t *name_lengths;
    size_t count;
    const char *const
        *kept; /* paths whose last value is kept; with `raw` and without `paths`, nothing else is looked for */
    const size_t *kept_lengths;
    size_t kept_count;
    size_t collect;    /* bytes of the first path's characters to keep; 0: none */
    const char *event; /* NULL: no event field */
    size_t event_length;
    const char *id; /* each frame gets the id ID1, ID2, …; NULL: none. Not for events that pass through */
    size_t id_length;
    const char *done; /* NULL: no end marker */
    size_t done_length;
    bool text;
    bool raw;
    size_t max_line;
    size_t max_event;
};

/* A place for frames. The pipeline writes behind length and never past capacity. */
struct streamer_output {
    char *bytes;
    size_t length;
    size_t capacity;
};

struct streamer_pipeline; /* body in pipeline.c */

/* Options are copied. STREAMER_OK, STREAMER_PATH_INVALID, STREAMER_FIELD_INVALID (event), STREAMER_NO_MEMORY. */
enum streamer_status streamer_pipeline_new(struct streamer_pipeline **pipeline,
                                           const struct streamer_pipeline_options *options);
void streamer_pipeline_free(struct streamer_pipeline *pipeline); /* NULL is fine */

/* Reads from *cursor towards end and appends whole frames to output.
 *
 *   STREAMER_MORE   everything was read
 *   STREAMER_FULL   the next frame needs *needed bytes of room; make it and call again with the same input
 *   anything else   as in decode.h and extract.h; the frames before it are in output, and every further call answers
 *                   the same
 *
 * Until it answers STREAMER_MORE the input must stay where it is. */
enum streamer_status streamer_pipeline_run(struct streamer_pipeline *pipeline, const char **cursor, const char *end,
                                           struct streamer_output *output, size_t *needed);

/* Whether the end marker has come. */
bool streamer_pipeline_done(const struct streamer_pipeline *pipeline);

/* So far: events decoded, those of them that are news (streamer_event_is_news), events whose first value was text, and
 * frames written. */
uint64_t streamer_pipeline_events(const struct streamer_pipeline *pipeline);
uint64_t streamer_pipeline_news(const struct streamer_pipeline *pipeline);
uint64_t streamer_pipeline_texts(const struct streamer_pipeline *pipeline);
uint64_t streamer_pipeline_frames(const struct streamer_pipeline *pipeline);

/* The characters collected so far, up to the ceiling; *cut tells whether some did not fit. */
const char *streamer_pipeline_text(const struct streamer_pipeline *pipeline, size_t *length, bool *cut);

/* The last value of the n-th kept path, as JSON; NULL for none, and for one longer than STREAMER_MAX_FIELD. */
const char *streamer_pipeline_kept(const struct streamer_pipeline *pipeline, size_t n, size_t *length);

size_t streamer_pipeline_size(const struct streamer_pipeline *pipeline);
