/* What the classes of the stages lend each other. */
#pragma once

#include <ruby.h>

#include "../core/extract.h"
#include "../core/pipeline.h"

/* The C object behind a Ruby one; TypeError when it is of another class. */
struct streamer_extractor *streamer_get_extractor(VALUE object);
struct streamer_pipeline *streamer_get_pipeline(VALUE object);

/* The pipeline is the caller's from now on, and the Ruby object empty. */
struct streamer_pipeline *streamer_take_pipeline(VALUE object);

/* What the paths gave, as the caller of Extractor#call sees it: `count` of them, at most STREAMER_MAX_PATHS, into
 * `found`, which is on the stack. */
void streamer_ruby_values(const struct streamer_value *values, size_t count, VALUE *found);

/* The frames of one read as a String, written by the encoder straight into it; those of the body's end when bytes is
 * NULL. Raises with #frames set to what came before. */
VALUE streamer_pipeline_feed(VALUE object, const char *bytes, size_t length);

/* What entries have added, as binary Strings: [text, frames of those without]. */
VALUE streamer_added_strings(struct streamer_added added);

/* Raises what a pipeline failed with. */
void streamer_raise_pipeline(struct streamer_pipeline *pipeline, enum streamer_status status);
