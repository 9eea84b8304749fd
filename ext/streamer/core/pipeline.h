/* pipeline: decode, extract and encode over one read, in place.
 *
 * The body may be of any format (format.h); what goes out are always frames of an event stream. With paths, each event
 * that has at least one of them becomes one frame with a JSON object of what was found,
 *
 *     event: token
 *     data: {"content":"Hel"}
 *
 * or, with `text`, the characters of the first path alone. Null is treated as not found (OpenAI's first and last chunks
 * carry one), and the Strings of a path with "*" are joined. Without paths every event passes through
 * as it was decoded, with its own type and id (those of the other formats, which have none, under `event` and `id`);
 * with `raw`, an event stream's as the very bytes it came in (raw.h).
 *
 * The bytes of a value are copied once, from the read into the frame; nothing is allocated per event once warm.
 *
 * What the stream means is the reader's (reader.h): an event that is nothing but the end marker gives no frame (with
 * `raw` it passes), and the upstream's own error ends the stream with STREAMER_UPSTREAM_ERROR.
 *
 * On the way the pipeline can keep what its owner wants to know at the end: the characters of the first path so far
 * (collect), and the last value of paths that go into no frame (kept: usage, finish reason). A kept path makes every
 * event be read to its end.
 *
 * With `entries` each frame is an entry of a log (entries.h): all have an id of ours, also those of events that pass
 * through; of these a type that the log uses itself ("done") is written behind "upstream."; a body of text becomes
 * {"content":"..."}; and what the frames add to the log's text is gathered until the owner has taken it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifier.h"
#include "format.h"
#include "status.h"

struct streamer_pipeline_options {
    enum streamer_format format;
    bool format_given;        /* whatever streamer_pipeline_expect says */
    const char *const *paths; /* NULL with count 0: events pass through */
    const size_t *path_lengths;
    const char *const *names; /* each value's key in the frame's object; of no use with `text` and `raw` */
    const size_t *name_lengths;
    size_t count;
    const char *const
        *kept; /* paths whose last value is kept; with `raw` and without `paths`, nothing else is looked for */
    const size_t *kept_lengths;
    size_t kept_count;
    size_t collect;    /* bytes of the first path's characters, or of text, to keep; 0: none */
    const char *event; /* NULL: no event field */
    size_t event_length;
    const char *id; /* each frame gets the id ID1, ID2, …; NULL: none. Not for an event stream's that pass through */
    size_t id_length;
    uint64_t id_after;       /* the number before the first one's */
    const char *const *from; /* the types of the events that have the values in `paths`; count 0: any */
    const size_t *from_lengths;
    size_t from_count; /* at most STREAMER_MAX_MARKERS. Kept values are in any event */
    struct streamer_classifier_options classifier;
    bool text;
    bool raw;
    bool entries;                /* of a log; with neither text nor raw, and with an id */
    const char *const *reserved; /* the types that the log uses itself */
    const size_t *reserved_lengths;
    size_t reserved_count;
    size_t max_line; /* bytes; 0: the defaults of ceilings.h */
    size_t max_event;
};

/* A place for frames. The pipeline writes behind length and never past capacity. */
struct streamer_output {
    char *bytes;
    size_t length;
    size_t capacity;
};

struct streamer_pipeline; /* body in pipeline.c */

/* What entries have added to a log since it was last forgotten. */
struct streamer_added {
    const char *text; /* the Strings under "content", joined */
    size_t text_length;
    const char *others; /* the frames of the entries without one */
    size_t others_length;
};

/* Options are copied. STREAMER_OK, STREAMER_PATH_INVALID, STREAMER_FIELD_INVALID (event, id, an end marker),
 * STREAMER_NO_MEMORY. */
enum streamer_status streamer_pipeline_new(struct streamer_pipeline **pipeline,
                                           const struct streamer_pipeline_options *options);
void streamer_pipeline_free(struct streamer_pipeline *pipeline); /* NULL is fine */

/* Whether a body of this format can be read: not text where values are wanted. NULL: of none that is known, which is
 * fine when the options have given one. */
bool streamer_pipeline_accepts(const struct streamer_pipeline *pipeline, const enum streamer_format *format);

/* Before the first read: the body's format, unless the options have given it. STREAMER_OK or STREAMER_NO_MEMORY. */
enum streamer_status streamer_pipeline_expect(struct streamer_pipeline *pipeline, enum streamer_format format);

/* Reads from *cursor towards end and appends whole frames to output.
 *
 *   STREAMER_MORE   everything was read
 *   STREAMER_FULL   the next frame needs *needed bytes of room; make it and call again with the same input
 *   STREAMER_UPSTREAM_ERROR  the upstream's own error, which streamer_pipeline_error_payload has
 *   anything else   as in decode.h and extract.h
 *
 * After a failure the frames before it are in output, and every further call returns the same.
 *
 * Until it returns STREAMER_MORE the input must stay where it is. */
enum streamer_status streamer_pipeline_run(struct streamer_pipeline *pipeline, const char **cursor, const char *end,
                                           struct streamer_output *output, size_t *needed);

/* The body is over, without an error on the way. Appends the frames of what was unfinished, and says whether it was
 * whole:
 *
 *   STREAMER_MORE       it was
 *   STREAMER_FULL       as above
 *   STREAMER_TRUNCATED  the end marker that is required did not come, or JSON was not closed
 *   STREAMER_UNWANTED   it was one JSON document, no stream, and had none of the values;
 *                       streamer_pipeline_error_payload has it
 *
 * or as above. */
enum streamer_status streamer_pipeline_finish(struct streamer_pipeline *pipeline, struct streamer_output *output,
                                              size_t *needed);

/* Whether the end marker has come. */
bool streamer_pipeline_done(const struct streamer_pipeline *pipeline);

/* So far: events decoded, those of them with content (streamer_event_is_content), events whose first value was text,
 * and frames written. */
uint64_t streamer_pipeline_events(const struct streamer_pipeline *pipeline);
uint64_t streamer_pipeline_content_events(const struct streamer_pipeline *pipeline);
uint64_t streamer_pipeline_texts(const struct streamer_pipeline *pipeline);
uint64_t streamer_pipeline_frames(const struct streamer_pipeline *pipeline);

/* The characters collected so far, up to the ceiling; *cut tells whether some did not fit. */
const char *streamer_pipeline_text(const struct streamer_pipeline *pipeline, size_t *length, bool *cut);

/* Of entries: valid until the next call on the pipeline. Whoever has taken it forgets it. */
struct streamer_added streamer_pipeline_added(const struct streamer_pipeline *pipeline);
void streamer_pipeline_forget_added(struct streamer_pipeline *pipeline);

/* The data of the event that was the upstream's error, or of the document that was not wanted; its first
 * STREAMER_MAX_FIELD bytes. *document tells whether it was a document. */
const char *streamer_pipeline_error_payload(const struct streamer_pipeline *pipeline, size_t *length, bool *document);

/* The last value of the n-th kept path that was no longer than STREAMER_MAX_KEPT, as JSON; NULL for none. */
const char *streamer_pipeline_kept(const struct streamer_pipeline *pipeline, size_t n, size_t *length);

/* Whether there was a later one, and it was longer. */
bool streamer_pipeline_kept_too_large(const struct streamer_pipeline *pipeline, size_t n);

size_t streamer_pipeline_size(const struct streamer_pipeline *pipeline);
