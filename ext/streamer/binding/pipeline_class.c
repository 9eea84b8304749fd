#include "../core/pipeline.h"

#include "binding.h"
#include "errors.h"
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

/* setup(format, paths, names, kept, fields, watch, modes, limits): a Symbol or nil; Arrays of Strings; fields are
 * event, id and from, Strings or nil; watch as of watch.rb; modes text and raw; limits collect, max_line, max_event,
 * bytes or nil.
 */
static VALUE initialize(VALUE self, VALUE format, VALUE paths, VALUE names, VALUE kept, VALUE fields, VALUE watch,
                        VALUE modes, VALUE limits) {
    if (RTYPEDDATA_DATA(self) != NULL) rb_raise(streamer_error, "this pipeline is initialized already");
    struct streamer_strings path_list = streamer_strings_of(paths), name_list = streamer_strings_of(names),
                            kept_list = streamer_strings_of(kept), types;
    if (name_list.count != path_list.count) rb_raise(rb_eArgError, "as many names as paths are wanted");
    struct streamer_pipeline_options options = {
        .format = NIL_P(format) ? STREAMER_FORMAT_SSE : streamer_format_of_name(format),
        .format_given = !NIL_P(format),
        .paths = path_list.texts,
        .path_lengths = path_list.lengths,
        .names = name_list.texts,
        .name_lengths = name_list.lengths,
        .count = path_list.count,
        .kept = kept_list.texts,
        .kept_lengths = kept_list.lengths,
        .kept_count = kept_list.count,
        .watch = streamer_watch_options_of(watch, &types),
        .text = RTEST(rb_ary_entry(modes, 0)),
        .raw = RTEST(rb_ary_entry(modes, 1)),
        .collect = streamer_limit(rb_ary_entry(limits, 0), "collect"),
        .max_line = streamer_limit(rb_ary_entry(limits, 1), "max_line"),
        .max_event = streamer_limit(rb_ary_entry(limits, 2), "max_event"),
    };
    options.event = streamer_optional(rb_ary_entry(fields, 0), &options.event_length);
    options.id = streamer_optional(rb_ary_entry(fields, 1), &options.id_length);
    options.from = streamer_optional(rb_ary_entry(fields, 2), &options.from_length);
    struct streamer_pipeline *pipeline;
    enum streamer_status status = streamer_pipeline_new(&pipeline, &options);
    if (status != STREAMER_OK) streamer_raise_status(status);
    RTYPEDDATA_DATA(self) = pipeline;
    RB_GC_GUARD(paths);
    RB_GC_GUARD(names);
    RB_GC_GUARD(kept);
    RB_GC_GUARD(fields);
    RB_GC_GUARD(watch);
    return self;
}

/* Before the first read: the body's format, a Symbol. */
static VALUE expect(VALUE self, VALUE format) {
    enum streamer_status status =
        streamer_pipeline_expect(streamer_get_pipeline(self), streamer_format_of_name(format));
    if (status != STREAMER_OK) streamer_raise_status(status);
    return self;
}

static VALUE is_text_cut(VALUE self) {
    size_t length;
    bool cut;
    streamer_pipeline_text(streamer_get_pipeline(self), &length, &cut);
    return cut ? Qtrue : Qfalse;
}

/* The text collected so far, from a byte of it on. */
static VALUE text_from(VALUE self, VALUE from) {
    size_t length, skip = NUM2SIZET(from);
    bool cut;
    const char *bytes = streamer_pipeline_text(streamer_get_pipeline(self), &length, &cut);
    return skip >= length ? rb_utf8_str_new("", 0) : rb_utf8_str_new(bytes + skip, (long)(length - skip));
}

/* The last value of the n-th kept path as JSON; nil for none. */
static VALUE kept_value(VALUE self, VALUE n) {
    size_t length;
    const char *json = streamer_pipeline_kept(streamer_get_pipeline(self), NUM2SIZET(n), &length);
    return json == NULL ? Qnil : rb_utf8_str_new(json, (long)length);
}

static VALUE error_of(struct streamer_pipeline *pipeline, enum streamer_status status) {
    if (status != STREAMER_UPSTREAM_ERROR && status != STREAMER_UNWANTED) return streamer_error_for_status(status);
    size_t length;
    bool document;
    const char *bytes = streamer_pipeline_complaint(pipeline, &length, &document);
    return streamer_complaint(status, bytes, length, document);
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

static VALUE feed(VALUE self, VALUE string) {
    string = rb_str_new_frozen(StringValue(string));
    VALUE frames = streamer_pipeline_feed(self, RSTRING_PTR(string), (size_t)RSTRING_LEN(string));
    RB_GC_GUARD(string);
    return frames;
}

static VALUE finish(VALUE self) {
    return streamer_pipeline_feed(self, NULL, 0);
}

static VALUE is_done(VALUE self) {
    return streamer_pipeline_done(streamer_get_pipeline(self)) ? Qtrue : Qfalse;
}

static VALUE events(VALUE self) {
    return ULL2NUM(streamer_pipeline_events(streamer_get_pipeline(self)));
}

static VALUE frame_count(VALUE self) {
    return ULL2NUM(streamer_pipeline_frames(streamer_get_pipeline(self)));
}

void streamer_init_pipeline(void) {
    VALUE class = rb_define_class_under(streamer_module, "Pipeline", rb_cObject);
    rb_define_alloc_func(class, allocate);
    rb_define_private_method(class, "setup", initialize, 8);
    rb_define_method(class, "expect", expect, 1);
    rb_define_method(class, "text_cut?", is_text_cut, 0);
    rb_define_method(class, "text_from", text_from, 1);
    rb_define_method(class, "kept_value", kept_value, 1);
    rb_define_method(class, "feed", feed, 1);
    rb_define_method(class, "finish", finish, 0);
    rb_define_method(class, "done?", is_done, 0);
    rb_define_method(class, "events", events, 0);
    rb_define_method(class, "frames", frame_count, 0);
    id_frames = rb_intern("@frames");
}
