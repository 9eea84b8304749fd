/* classifier: what an event says of the stream itself: that this was its end, or that the upstream failed.
 *
 * Of an ordinary event it costs a few comparisons and a search for an error's key; JSON is parsed only where that key
 * occurs, or where the end is marked by a value.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ceilings.h"
#include "decode.h"

struct streamer_classifier_options {
    const char *done; /* the data of the event at the end, which is not JSON; NULL: none */
    size_t done_length;
    const char *const *done_types; /* the types of events that are the last; at most STREAMER_MAX_MARKERS */
    const size_t *done_type_lengths;
    size_t done_type_count;
    const char *done_path; /* the last event has something there; NULL: none */
    size_t done_path_length;
    bool done_required; /* a body that ends without a marker is truncated */
    const char *error;  /* where an event has the upstream's error, "error"; NULL: events are never errors */
    size_t error_length;
};

enum streamer_event_class {
    STREAMER_CLASS_ORDINARY,
    STREAMER_CLASS_MARKER, /* the end, and nothing else */
    STREAMER_CLASS_LAST,   /* the end, and an ordinary event, too */
    STREAMER_CLASS_FAILED, /* an ordinary event that has the upstream's error in it */
    STREAMER_CLASS_ERROR   /* the upstream's error, and nothing else: an event of that type */
};

struct streamer_classifier; /* body in classifier.c */

/* Options are copied. STREAMER_OK, STREAMER_PATH_INVALID, STREAMER_FIELD_INVALID (a marker too long, or too many),
 * STREAMER_NO_MEMORY. */
enum streamer_status streamer_classifier_new(struct streamer_classifier **classifier,
                                             const struct streamer_classifier_options *options);
void streamer_classifier_free(struct streamer_classifier *classifier); /* NULL is fine */

/* An event is an error if its type is "error", also the "type" in its JSON, or if it has something at the path of
 * errors, which null, false and "" are not. A path that leads into data that is not JSON leads nowhere. */
enum streamer_event_class streamer_classifier_event(struct streamer_classifier *classifier,
                                                    const struct streamer_event *event);

/* Whether the end was marked. */
bool streamer_classifier_done(const struct streamer_classifier *classifier);

/* Whether the body may end now. */
bool streamer_classifier_complete(const struct streamer_classifier *classifier);

size_t streamer_classifier_size(const struct streamer_classifier *classifier);
