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
    if (pipeline == NULL) rb_raise(rb_eArgError, "this pipeline was not initialized");
    return pipeline;
}

/* setup(paths, names, event, done, text, max_line, max_event): Arrays of Strings, Strings or nil, a flag, limits in
 * bytes or nil */
static VALUE initialize(VALUE self, VALUE paths, VALUE names, VALUE event, VALUE done, VALUE text, VALUE max_line,
                        VALUE max_event) {
    if (RTYPEDDATA_DATA(self) != NULL) rb_raise(streamer_error, "this pipeline is initialized already");
    const char *path_texts[STREAMER_MAX_PATHS], *name_texts[STREAMER_MAX_PATHS];
    size_t path_lengths[STREAMER_MAX_PATHS], name_lengths[STREAMER_MAX_PATHS];
    long count = RARRAY_LEN(paths);
    if (count > STREAMER_MAX_PATHS || RARRAY_LEN(names) != count) streamer_raise_status(STREAMER_PATH_INVALID);
    for (long i = 0; i < count; i++) {
        VALUE path = rb_ary_entry(paths, i), name = rb_ary_entry(names, i);
        Check_Type(path, T_STRING);
        Check_Type(name, T_STRING);
        path_texts[i] = RSTRING_PTR(path);
        path_lengths[i] = (size_t)RSTRING_LEN(path);
        name_texts[i] = RSTRING_PTR(name);
        name_lengths[i] = (size_t)RSTRING_LEN(name);
    }
    struct streamer_pipeline_options options = {
        .paths = path_texts,
        .path_lengths = path_lengths,
        .names = name_texts,
        .name_lengths = name_lengths,
        .count = (size_t)count,
        .text = RTEST(text),
        .max_line = streamer_limit(max_line, "max_line"),
        .max_event = streamer_limit(max_event, "max_event"),
    };
    if (!NIL_P(event)) {
        options.event = StringValuePtr(event);
        options.event_length = (size_t)RSTRING_LEN(event);
    }
    if (!NIL_P(done)) {
        options.done = StringValuePtr(done);
        options.done_length = (size_t)RSTRING_LEN(done);
    }
    struct streamer_pipeline *pipeline;
    enum streamer_status status = streamer_pipeline_new(&pipeline, &options);
    if (status != STREAMER_OK) streamer_raise_status(status);
    RTYPEDDATA_DATA(self) = pipeline;
    RB_GC_GUARD(paths);
    RB_GC_GUARD(names);
    RB_GC_GUARD(event);
    RB_GC_GUARD(done);
    return self;
}

VALUE
streamer_pipeline_feed(VALUE object, const char *bytes, size_t length) {
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
    rb_define_private_method(class, "setup", initialize, 7);
    rb_define_method(class, "feed", feed, 1);
    rb_define_method(class, "done?", is_done, 0);
    rb_define_method(class, "events", events, 0);
    rb_define_method(class, "frames", frame_count, 0);
    id_frames = rb_intern("@frames");
}
