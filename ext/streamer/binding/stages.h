/* What the classes of the stages lend each other. */
#pragma once

#include <ruby.h>

#include "../core/extract.h"
#include "../core/limits.h"
#include "../core/pipeline.h"
#include "../core/watch.h"

/* The C object behind a Ruby one; TypeError when it is of another class. */
struct streamer_extractor *streamer_get_extractor(VALUE object);
struct streamer_pipeline *streamer_get_pipeline(VALUE object);

/* The pipeline is the caller's from now on, and the Ruby object empty. */
struct streamer_pipeline *streamer_take_pipeline(VALUE object);

/* What the paths of one event gave, as the caller of Extractor#call sees it. */
VALUE streamer_ruby_value(const struct streamer_value *value);

/* The frames of one read as a String, written by the encoder straight into it; those of the body's end when bytes is
 * NULL. Raises with #frames set to what came before. */
VALUE streamer_pipeline_feed(VALUE object, const char *bytes, size_t length);

/* Raises what a pipeline failed with. */
void streamer_raise_pipeline(struct streamer_pipeline *pipeline, enum streamer_status status);

/* A format's name, a Symbol, and back. Raises ArgumentError. */
enum streamer_format streamer_format_of_name(VALUE name);

/* Strings of an Array, at most STREAMER_MAX_PATHS, pointed at where they are. Raises ArgumentError. */
struct streamer_strings {
    const char *texts[STREAMER_MAX_PATHS];
    size_t lengths[STREAMER_MAX_PATHS];
    size_t count;
};
struct streamer_strings streamer_strings_of(VALUE array);

/* The String's bytes, and their number; NULL for nil. */
const char *streamer_optional(VALUE string, size_t *length);

/* What lib/streamer/watch.rb makes: [done, types, path, required, error]. It points into the Array's Strings and into
 * `types`. */
struct streamer_watch_options streamer_watch_options_of(VALUE array, struct streamer_strings *types);

/* Compiles paths: an Array of Strings. Raises ArgumentError. */
struct streamer_extractor *streamer_compile_paths(VALUE paths);

/* A limit given in bytes: nil is 0, which stands for the default. Raises ArgumentError, naming it, for anything but a
 * positive Integer. */
size_t streamer_limit(VALUE bytes, const char *name);
