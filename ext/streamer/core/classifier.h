/* classifier: what an event says of the stream itself: that this was its end, or that the upstream failed.
 *
 * Of an ordinary event it costs a few comparisons; JSON is read only where something points to an error, or where the
 * end is marked by a value.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ceilings.h"
#include "decode.h"

struct streamer_classifier_options {
    const char *done; /* the data of the event at the end, which is no JSON; NULL: none */
    size_t done_length;
    const char *const *done_types; /* the types of events that are the last; at most STREAMER_MAX_MARKERS */
    const size_t *done_type_lengths;
    size_t done_type_count;
    const char *done_path; /* the last event has something there; NULL: none */
    size_t done_path_length;
    bool done_required; /* an end without a marker is a cut */
    const char *error;  /* where an event has the upstream's error, "error"; NULL: events are never errors */
    size_t error_length;
};

enum streamer_event_class {
    STREAMER_CLASS_ORDINARY,
    STREAMER_CLASS_MARKER, /* the end, and nothing else */
    STREAMER_CLASS_LAST,   /* the end, and an ordinary event, too */
    STREAMER_CLASS_ERROR   /* the upstream's error */
};

struct streamer_classifier; /* body in classifier.c */

/* Options are copied. STREAMER_OK, STREAMER_PATH_INVALID, STREAMER_FIELD_INVALID (a marker too long, or too many),
 * STREAMER_NO_MEMORY. */
enum streamer_status streamer_classifier_new(struct streamer_classifier **classifier,
                                             const struct streamer_classifier_options *options);
void streamer_classifier_free(struct streamer_classifier *classifier); /* NULL is fine */

/* Looks at an event from outside: an error is one of the type "error", or a JSON object whose first key leads to one.
 */
enum streamer_event_class streamer_classifier_event(struct streamer_classifier *classifier,
                                                    const struct streamer_event *event);

/* Looks into an event that lacks what was wanted: whether there is an error anywhere in it. What is null, false or
 * empty is none. */
bool streamer_classifier_finds_error(struct streamer_classifier *classifier, const struct streamer_event *event);

/* Whether the end was marked. */
bool streamer_classifier_done(const struct streamer_classifier *classifier);

/* Whether the body may end now. */
bool streamer_classifier_complete(const struct streamer_classifier *classifier);

size_t streamer_classifier_size(const struct streamer_classifier *classifier);
