#include "../core/pipeline.h"

#include "binding.h"
#include "errors.h"
#include "options.h"
#include "stages.h"

static ID id_frames;

static void free_pipeline(void *pointer) {
    streamer_pipeline_free(pointer);
}

static size_t pipeline_size(const void *pointer) {
    return streamer_pipeline_size(pointer);
}

static const rb_data_type_t pipeline_type = {
    .wrap_struct_name = "streamer/pipeline",
    .function = {.dfree = free_pipeline, .dsize = pipeline_size},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static VALUE allocate(VALUE class) {
    return TypedData_Wrap_Struct(class, &pipeline_type, NULL);
}

struct streamer_pipeline *streamer_get_pipeline(VALUE object) {
    struct streamer_pipeline *pipeline = rb_check_typeddata(object, &pipeline_type);
    if (pipeline == NULL) rb_raise(rb_eArgError, "this pipeline was not initialized, or a relay has it");
    return pipeline;
}

struct streamer_pipeline *streamer_take_pipeline(VALUE object) {
    struct streamer_pipeline *pipeline = streamer_get_pipeline(object);
    RTYPEDDATA_DATA(object) = NULL;
    return pipeline;
}

/* setup(options): format, a Symbol or nil; paths, names and kept, Arrays of Strings; from, an Array of Strings or nil;
 * event and id_prefix, Strings or nil; markers as of decoder/markers.rb; frame, a Symbol; collect, max_line and
 * max_event, bytes or nil; id_after, an Integer; reserved, an Array of Strings for a log's entries or nil. */
static VALUE initialize(VALUE self, VALUE given) {
    if (RTYPEDDATA_DATA(self) != NULL) rb_raise(streamer_error, "this pipeline is initialized already");
    struct streamer_strings paths = streamer_strings_of(streamer_option(given, "paths")),
                            names = streamer_strings_of(streamer_option(given, "names")),
                            kept = streamer_strings_of(streamer_option(given, "kept")),
                            from = streamer_strings_of(streamer_option(given, "from")),
                            reserved = streamer_strings_of(streamer_option(given, "reserved")), types;
    if (names.count != paths.count) rb_raise(rb_eArgError, "expected as many names as paths");
    VALUE format = streamer_option(given, "format"), frame = streamer_option(given, "frame");
    struct streamer_pipeline_options options = {
        .format = NIL_P(format) ? STREAMER_FORMAT_SSE : streamer_format_of_name(format),
        .format_given = !NIL_P(format),
        .paths = paths.texts,
        .path_lengths = paths.lengths,
        .names = names.texts,
        .name_lengths = names.lengths,
        .count = paths.count,
        .kept = kept.texts,
        .kept_lengths = kept.lengths,
        .kept_count = kept.count,
        .from = from.texts,
        .from_lengths = from.lengths,
        .from_count = from.count,
        .classifier = streamer_classifier_options_of(streamer_option(given, "markers"), &types),
        .text = frame == ID2SYM(rb_intern("text")),
        .raw = frame == ID2SYM(rb_intern("raw")),
        .id_after = NUM2ULL(streamer_option(given, "id_after")),
        .entries = !NIL_P(streamer_option(given, "reserved")),
        .reserved = reserved.texts,
        .reserved_lengths = reserved.lengths,
        .reserved_count = reserved.count,
        .collect = streamer_option_bytes(given, "collect"),
        .max_line = streamer_option_bytes(given, "max_line"),
        .max_event = streamer_option_bytes(given, "max_event"),
    };
    options.event = streamer_option_text(given, "event", &options.event_length);
    options.id = streamer_option_text(given, "id_prefix", &options.id_length);
    struct streamer_pipeline *pipeline;
    enum streamer_status status = streamer_pipeline_new(&pipeline, &options);
    if (status != STREAMER_OK) streamer_raise_status(status);
    RTYPEDDATA_DATA(self) = pipeline;
    RB_GC_GUARD(given);
    return self;
}

/* call-seq: expect(format) -> self
 *
 * Before the first read: the body's format, a Symbol, unless the pipeline was given one. */
static VALUE expect(VALUE self, VALUE format) {
    enum streamer_status status =
        streamer_pipeline_expect(streamer_get_pipeline(self), streamer_format_of_name(format));
    if (status != STREAMER_OK) streamer_raise_status(status);
    return self;
}

/* call-seq: text_cut? -> true or false
 *
 * Whether some of the text did not fit into `collect` bytes. */
static VALUE is_text_cut(VALUE self) {
    size_t length;
    bool cut;
    streamer_pipeline_text(streamer_get_pipeline(self), &length, &cut);
    return cut ? Qtrue : Qfalse;
}

/* call-seq: text_from(byte) -> String
 *
 * The text collected so far, from a byte of it on. */
static VALUE text_from(VALUE self, VALUE from) {
    size_t length, skip = NUM2SIZET(from);
    bool cut;
    const char *bytes = streamer_pipeline_text(streamer_get_pipeline(self), &length, &cut);
    return skip >= length ? rb_utf8_str_new("", 0) : rb_utf8_str_new(bytes + skip, (long)(length - skip));
}

/* :nodoc: The last value of the n-th kept path as JSON; nil for none. */
static VALUE kept_value(VALUE self, VALUE n) {
    size_t length;
    const char *json = streamer_pipeline_kept(streamer_get_pipeline(self), NUM2SIZET(n), &length);
    return json == NULL ? Qnil : rb_utf8_str_new(json, (long)length);
}

/* :nodoc: Whether a later value of the n-th kept path was too large to be kept. */
static VALUE is_kept_too_large(VALUE self, VALUE n) {
    return streamer_pipeline_kept_too_large(streamer_get_pipeline(self), NUM2SIZET(n)) ? Qtrue : Qfalse;
}

static VALUE error_of(struct streamer_pipeline *pipeline, enum streamer_status status) {
    if (status != STREAMER_UPSTREAM_ERROR && status != STREAMER_UNWANTED) return streamer_error_for_status(status);
    size_t length;
    bool document;
    const char *bytes = streamer_pipeline_error_payload(pipeline, &length, &document);
    return streamer_upstream_error(status, bytes, length, document);
}

void streamer_raise_pipeline(struct streamer_pipeline *pipeline, enum streamer_status status) {
    rb_exc_raise(error_of(pipeline, status));
}

/* bytes: NULL when the body is over. */
static enum streamer_status run(struct streamer_pipeline *pipeline, const char **cursor, const char *end,
                                struct streamer_output *output, size_t *needed) {
    return *cursor == NULL ? streamer_pipeline_finish(pipeline, output, needed)
                           : streamer_pipeline_run(pipeline, cursor, end, output, needed);
}

VALUE streamer_pipeline_feed(VALUE object, const char *bytes, size_t length) {
    struct streamer_pipeline *pipeline = streamer_get_pipeline(object);
    const char *cursor = bytes, *end = bytes + length;
    size_t needed = 0;
    enum streamer_status status;
    VALUE frames = rb_str_buf_new((long)(length / 4 + 64)); /* a value is the smaller part of its event */
    struct streamer_output output = {RSTRING_PTR(frames), 0, rb_str_capacity(frames)};
    while ((status = run(pipeline, &cursor, end, &output, &needed)) == STREAMER_FULL) {
        rb_str_set_len(frames, (long)output.length);
        rb_str_modify_expand(frames, (long)(needed > output.capacity ? needed : output.capacity));
        output.bytes = RSTRING_PTR(frames);
        output.capacity = rb_str_capacity(frames);
    }
    rb_str_set_len(frames, (long)output.length);
    rb_enc_associate(frames, rb_utf8_encoding());
    RB_GC_GUARD(object);
    if (status == STREAMER_MORE) return frames;

    VALUE error = error_of(pipeline, status);
    rb_ivar_set(error, id_frames, frames);
    rb_exc_raise(error);
}

/* call-seq: feed(bytes) -> String
 *
 * The frames of all events that these bytes complete, possibly "". Raises LineTooLongError, EventTooLargeError,
 * InvalidJSONError or UpstreamError; the error's #frames are those made of the same bytes before it. After an error
 * every further call raises the same. */
static VALUE feed(VALUE self, VALUE string) {
    string = rb_str_new_frozen(StringValue(string));
    VALUE frames = streamer_pipeline_feed(self, RSTRING_PTR(string), (size_t)RSTRING_LEN(string));
    RB_GC_GUARD(string);
    return frames;
}

/* call-seq: finish -> String
 *
 * The body is over: the frames of what was unfinished. Raises as feed, and TruncatedError when the body was incomplete:
 * `done` names a marker that did not come, or JSON was not closed. */
static VALUE finish(VALUE self) {
    return streamer_pipeline_feed(self, NULL, 0);
}

/* call-seq: done? -> true or false
 *
 * Whether the end marker has come. */
static VALUE is_done(VALUE self) {
    return streamer_pipeline_done(streamer_get_pipeline(self)) ? Qtrue : Qfalse;
}

/* call-seq: events -> Integer
 *
 * Events read so far. */
static VALUE events(VALUE self) {
    return ULL2NUM(streamer_pipeline_events(streamer_get_pipeline(self)));
}

/* call-seq: frames -> Integer
 *
 * Frames made so far. */
static VALUE frame_count(VALUE self) {
    return ULL2NUM(streamer_pipeline_frames(streamer_get_pipeline(self)));
}

VALUE streamer_added_strings(struct streamer_added added) {
    VALUE text = rb_str_new(added.text, (long)added.text_length);
    return rb_assoc_new(text, rb_str_new(added.others, (long)added.others_length));
}

/* :nodoc: What a log's entries have added since the last call: their text and the frames of those without, binary. */
static VALUE take_added(VALUE self) {
    struct streamer_pipeline *pipeline = streamer_get_pipeline(self);
    VALUE strings = streamer_added_strings(streamer_pipeline_added(pipeline));
    streamer_pipeline_forget_added(pipeline);
    RB_GC_GUARD(self);
    return strings;
}

void streamer_init_pipeline(void) {
    VALUE class = rb_define_class_under(streamer_module, "Pipeline", rb_cObject);
    rb_define_alloc_func(class, allocate);
    rb_define_private_method(class, "setup", initialize, 1);
    rb_define_method(class, "expect", expect, 1);
    rb_define_method(class, "text_cut?", is_text_cut, 0);
    rb_define_method(class, "text_from", text_from, 1);
    rb_define_method(class, "kept_value", kept_value, 1);
    rb_define_method(class, "kept_too_large?", is_kept_too_large, 1);
    rb_define_method(class, "feed", feed, 1);
    rb_define_method(class, "finish", finish, 0);
    rb_define_method(class, "done?", is_done, 0);
    rb_define_method(class, "events", events, 0);
    rb_define_method(class, "frames", frame_count, 0);
    rb_define_method(class, "take_added", take_added, 0);
    id_frames = rb_intern("@frames");
}
