/* Arguments by name: what the stages' Ruby code hands over in one Hash with Symbols as keys.
 *
 * Everything points into the Hash's Strings, so the Hash must stay alive (RB_GC_GUARD) for as long as it is used.
 */
#pragma once

#include <ruby.h>

#include "../core/ceilings.h"
#include "../core/classifier.h"
#include "../core/format.h"

/* The value under this name; nil when there is none. */
VALUE streamer_option(VALUE options, const char *name);

/* A String's bytes and their number; NULL for nil. */
const char *streamer_option_text(VALUE options, const char *name, size_t *length);

/* An Array's Strings; none for nil. Raises ArgumentError for more than STREAMER_MAX_PATHS. */
struct streamer_strings {
    const char *texts[STREAMER_MAX_PATHS];
    size_t lengths[STREAMER_MAX_PATHS];
    size_t count;
};
struct streamer_strings streamer_strings_of(VALUE array);

/* Bytes: nil is 0, which stands for the default. Raises ArgumentError for anything but a positive Integer. */
size_t streamer_option_bytes(VALUE options, const char *name);

/* A format's name, a Symbol, and back. Raises ArgumentError. */
enum streamer_format streamer_format_of_name(VALUE name);
VALUE streamer_name_of_format(enum streamer_format format);

/* What Decoder::Markers.options gives; the types are put into `types`. */
struct streamer_classifier_options streamer_classifier_options_of(VALUE markers, struct streamer_strings *types);
