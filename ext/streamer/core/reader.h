/* reader: what a stream means. Decoder, classifier and extractor in one: each event with what it is and the values in
 * it, and at the end whether the body was a whole stream.
 *
 * - What keeps a connection alive (streamer_event_is_content) is handed out and not parsed.
 * - The types that mark the end (classifier.h) or have the wanted values (from) may be said by an event's `type` in its
 *   data alone.
 * - An error that the upstream reports ends the stream with STREAMER_UPSTREAM_ERROR, whatever else is in its event:
 *   text that was asked for is handed out first.
 * - A body that was one JSON document, without any of the values, ends with STREAMER_UNWANTED.
 * - A body without the end marker that is required, or with JSON that is not closed, ends with STREAMER_TRUNCATED.
 *
 * After a failure every further call returns the same.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "classifier.h"
#include "decode.h"
#include "extract.h"

struct streamer_reader_options {
    enum streamer_format format;
    size_t max_line, max_event; /* as for streamer_decoder_new */
    struct streamer_classifier_options classifier;
    const char *const *from; /* the types of the events that have the wanted values; count 0: any */
    const size_t *from_lengths;
    size_t from_count;         /* at most STREAMER_MAX_MARKERS */
    size_t from_paths;         /* so many paths, from the first, are of these events alone; 0: all that are wanted */
    const char *last_event_id; /* NULL: none; as for streamer_decoder_resume */
    size_t last_event_id_length;
    bool all_events; /* events without any of the values are of use, too: no document is unwanted */
};

/* One event. Valid until the next call on the reader, and no longer than the input. */
struct streamer_item {
    struct streamer_event event;
    enum streamer_event_class class;
    bool content;
    size_t found; /* wanted values that it has; null is none */
};

struct streamer_reader; /* body in reader.c */

/* Options are copied. As streamer_classifier_new. */
enum streamer_status streamer_reader_new(struct streamer_reader **reader,
                                         const struct streamer_reader_options *options);
void streamer_reader_free(struct streamer_reader *reader); /* NULL is fine */

/* Before the first read: another format. STREAMER_OK or STREAMER_NO_MEMORY. */
enum streamer_status streamer_reader_expect(struct streamer_reader *reader, enum streamer_format format);

/* What is looked for from the next event on. `values` has a place for each of the extractor's paths and is filled with
 * each event; the first `wanted` paths are what events are read for (STREAMER_KIND_NONE where there is null), the
 * others are found in passing. Both are the caller's, and must stay for as long as they are used. NULL: nothing. */
void streamer_reader_extract(struct streamer_reader *reader, struct streamer_extractor *extractor,
                             struct streamer_value *values, size_t wanted);

/* As streamer_decoder_next: STREAMER_EVENT fills `item`, STREAMER_MORE has read everything; or a failure. */
enum streamer_status streamer_reader_next(struct streamer_reader *reader, const char **cursor, const char *end,
                                          struct streamer_item *item);

/* The body is over, without an error on the way. As streamer_decoder_finish; STREAMER_MORE only if it was whole. */
enum streamer_status streamer_reader_finish(struct streamer_reader *reader, struct streamer_item *item);

/* Whether the end marker has come. */
bool streamer_reader_done(const struct streamer_reader *reader);

/* So far: events, and those of them with content. */
uint64_t streamer_reader_events(const struct streamer_reader *reader);
uint64_t streamer_reader_content_events(const struct streamer_reader *reader);

/* The data of the event that was the upstream's error, or of the document that was not wanted; its first
 * STREAMER_MAX_FIELD bytes. *document tells whether it was a document. */
const char *streamer_reader_error_payload(const struct streamer_reader *reader, size_t *length, bool *document);

const struct streamer_decoder *streamer_reader_decoder(const struct streamer_reader *reader);

size_t streamer_reader_size(const struct streamer_reader *reader);
