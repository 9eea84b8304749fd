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

struct path_list {
    const char *texts[STREAMER_MAX_PATHS];
    size_t lengths[STREAMER_MAX_PATHS];
    size_t count;
};

/* Points into the Strings of an Array. */
static struct path_list list_of(VALUE strings) {
    struct path_list list = {.count = (size_t)RARRAY_LEN(strings)};
    if (list.count > STREAMER_MAX_PATHS) streamer_raise_status(STREAMER_PATH_INVALID);
    for (size_t i = 0; i < list.count; i++) {
        VALUE string = rb_ary_entry(strings, (long)i);
        Check_Type(string, T_STRING);
        list.texts[i] = RSTRING_PTR(string);
        list.lengths[i] = (size_t)RSTRING_LEN(string);
    }
    return list;
}

static const char *optional(VALUE string, size_t *length) {
    if (NIL_P(string)) return NULL;
    const char *text = StringValuePtr(string);
    *length = (size_t)RSTRING_LEN(string);
    return text;
}

/* setup(paths, names, kept, fields, modes, limits): Arrays of Strings; fields are event, id, done, Strings or nil; modes text and
 * raw; limits collect, max_line, max_event, bytes or nil. */
static VALUE initialize(VALUE self, VALUE paths, VALUE names, VALUE kept, VALUE fields, VALUE modes, VALUE limits) {
    if (RTYPEDDATA_DATA(self) != NULL) rb_raise(streamer_error, "this pipeline is initialized already");
    struct path_list path_list = list_of(paths), name_list = list_of(names), kept_list = list_of(kept);
    if (name_list.count != path_list.count) rb_raise(rb_eArgError, "as many names as paths are wanted");
    VALUE event = rb_ary_entry(fields, 0), id = rb_ary_entry(fields, 1), done = rb_ary_entry(fields, 2);
    struct streamer_pipeline_options options = {
        .paths = path_list.texts,
        .path_lengths = path_list.lengths,
        .names = name_list.texts,
        .name_lengths = name_list.lengths,
        .count = path_list.count,
        .kept = kept_list.texts,
        .kept_lengths = kept_list.lengths,
        .kept_count = kept_list.count,
        .text = RTEST(rb_ary_entry(modes, 0)),
        .raw = RTEST(rb_ary_entry(modes, 1)),
        .collect = streamer_limit(rb_ary_entry(limits, 0), "collect"),
        .max_line = streamer_limit(rb_ary_entry(limits, 1), "max_line"),
        .max_event = streamer_limit(rb_ary_entry(limits, 2), "max_event"),
    };
    options.event = optional(event, &options.event_length);
    options.id = optional(id, &options.id_length);
    options.done = optional(done, &options.done_length);
    struct streamer_pipeline *pipeline;
    enum streamer_status status = streamer_pipeline_new(&pipeline, &options);
    if (status != STREAMER_OK) streamer_raise_status(status);
    RTYPEDDATA_DATA(self) = pipeline;
    RB_GC_GUARD(paths);
    RB_GC_GUARD(names);
    RB_GC_GUARD(kept);
    RB_GC_GUARD(fields);
    return self;
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

VALUE streamer_pipeline_feed(VALUE object, const char *bytes, size_t length) {
    struct streamer_pipeline *pipeline = streamer_get_pipeline(object);
    const char *cursor = bytes, *end = bytes + length;
    size_t needed = 0;
    enum streamer_status status;
    VALUE frames = rb_str_buf_new((long)(length / 4 + 64)); /* a value is the smaller part of its event */
    struct streamer_output output = {RSTRING_PTR(frames), 0, rb_str_capacity(frames)};
    while ((status = streamer_pipeline_run(pipeline, &cursor, end, &output, &needed)) == STREAMER_FULL) {
        rb_str_set_len(frames, (long)output.length);
        rb_str_modify_expand(frames, (long)(needed > output.capacity ? needed : output.capacity));
        output.bytes = RSTRING_PTR(frames);
        output.capacity = rb_str_capacity(frames);
    }
    rb_str_set_len(frames, (long)output.length);
    rb_enc_associate(frames, rb_utf8_encoding());
    RB_GC_GUARD(object);
    if (status == STREAMER_MORE) return frames;

    VALUE error = streamer_error_for_status(status);
    rb_ivar_set(error, id_frames, frames);
    rb_exc_raise(error);
}

static VALUE feed(VALUE self, VALUE string) {
    string = rb_str_new_frozen(StringValue(string));
    VALUE frames = streamer_pipeline_feed(self, RSTRING_PTR(string), (size_t)RSTRING_LEN(string));
    RB_GC_GUARD(string);
    return frames;
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
    rb_define_private_method(class, "setup", initialize, 6);
    rb_define_method(class, "text_from", text_from, 1);
    rb_define_method(class, "kept_value", kept_value, 1);
    rb_define_method(class, "feed", feed, 1);
    rb_define_method(class, "done?", is_done, 0);
    rb_define_method(class, "events", events, 0);
    rb_define_method(class, "frames", frame_count, 0);
    id_frames = rb_intern("@frames");
}
