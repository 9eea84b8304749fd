/* watch: what an event says of the stream itself: that this was its end, or that the upstream failed.
 *
 * Of an ordinary event it costs a few comparisons; JSON is read only where something points to an error, or where the
 * end is marked by a value.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "decode.h"
#include "limits.h"

struct streamer_watch_options {
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

enum streamer_verdict {
    STREAMER_ORDINARY,
    STREAMER_MARKER,   /* the end, and nothing else */
    STREAMER_LAST,     /* the end, and an ordinary event, too */
    STREAMER_COMPLAINT /* the upstream's error */
};

struct streamer_watch; /* body in watch.c */

/* Options are copied. STREAMER_OK, STREAMER_PATH_INVALID, STREAMER_FIELD_INVALID (a marker too long, or too many),
 * STREAMER_NO_MEMORY. */
enum streamer_status streamer_watch_new(struct streamer_watch **watch, const struct streamer_watch_options *options);
void streamer_watch_free(struct streamer_watch *watch); /* NULL is fine */

/* Looks at an event from outside: an error is one of the type "error", or a JSON object whose first key leads to one.
 */
enum streamer_verdict streamer_watch_event(struct streamer_watch *watch, const struct streamer_event *event);

/* Looks into an event that lacks what was wanted: whether there is an error anywhere in it. What is null, false or
 * empty is none. */
bool streamer_watch_complains(struct streamer_watch *watch, const struct streamer_event *event);

/* Whether the end was marked. */
bool streamer_watch_done(const struct streamer_watch *watch);

/* Whether the body may end now. */
bool streamer_watch_complete(const struct streamer_watch *watch);

size_t streamer_watch_size(const struct streamer_watch *watch);
