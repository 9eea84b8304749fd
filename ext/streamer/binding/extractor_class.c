#include "../core/extract.h"
#include "../core/utf8.h"

#include <stdbool.h>
#include <string.h>

#include "binding.h"
#include "errors.h"
#include "options.h"
#include "stages.h"

static VALUE extractor_class;

static void free_extractor(void *pointer) {
    streamer_extractor_free(pointer);
}

static size_t extractor_size(const void *pointer) {
    return streamer_extractor_size(pointer);
}

static const rb_data_type_t extractor_type = {
    .wrap_struct_name = "streamer/extractor",
    .function = {.dfree = free_extractor, .dsize = extractor_size},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static VALUE allocate(VALUE class) {
    return TypedData_Wrap_Struct(class, &extractor_type, NULL);
}

struct streamer_extractor *streamer_get_extractor(VALUE object) {
    struct streamer_extractor *extractor = rb_check_typeddata(object, &extractor_type);
    if (extractor == NULL) rb_raise(rb_eArgError, "this extractor was not initialized");
    return extractor;
}

/* setup(paths): an Array of Strings. */
static VALUE initialize(VALUE self, VALUE given) {
    if (RTYPEDDATA_DATA(self) != NULL) rb_raise(streamer_error, "this extractor is initialized already");
    struct streamer_strings paths = streamer_strings_of(given);
    const struct streamer_extractor_options options = {
        .paths = paths.texts, .lengths = paths.lengths, .count = paths.count};
    struct streamer_extractor *extractor;
    enum streamer_status status = streamer_extractor_new(&extractor, &options);
    RB_GC_GUARD(given);
    if (status != STREAMER_OK) streamer_raise_status(status);
    RTYPEDDATA_DATA(self) = extractor;
    return self;
}

static VALUE ruby_text(const struct streamer_value *value) {
    if (!value->escaped) return rb_utf8_str_new(value->json, (long)value->length);
    struct streamer_buffer text;
    streamer_buffer_init(&text, value->length);
    VALUE string = rb_str_buf_new((long)value->length); /* before the buffer holds memory that a raise would leak */
    enum streamer_status status = streamer_value_text(value, &text);
    if (status == STREAMER_OK) memcpy(RSTRING_PTR(string), text.bytes, text.length);
    size_t length = text.length;
    streamer_buffer_release(&text);
    if (status != STREAMER_OK) streamer_raise_status(status);
    rb_str_set_len(string, (long)length);
    return rb_enc_associate(string, rb_utf8_encoding());
}

static VALUE ruby_number(const struct streamer_value *value) {
    VALUE text = rb_str_new(value->json, (long)value->length);
    for (size_t i = 0; i < value->length; i++) {
        if (strchr(".eE", value->json[i]) != NULL) return rb_float_new(rb_str_to_dbl(text, 0));
    }
    return rb_str_to_inum(text, 10, 0);
}

/* An object or array as its JSON text. */
static VALUE ruby_value(const struct streamer_value *value) {
    switch (value->kind) {
        case STREAMER_KIND_STRING: return ruby_text(value);
        case STREAMER_KIND_NUMBER: return ruby_number(value);
        case STREAMER_KIND_TRUE: return Qtrue;
        case STREAMER_KIND_FALSE: return Qfalse;
        case STREAMER_KIND_CONTAINER: return rb_utf8_str_new(value->json, (long)value->length);
        case STREAMER_KIND_NULL:
        case STREAMER_KIND_NONE: break;
    }
    return Qnil;
}

void streamer_ruby_values(const struct streamer_value *values, size_t count, VALUE *found) {
    bool container[STREAMER_MAX_PATHS];
    for (size_t i = 0; i < count; i++) {
        container[i] = values[i].kind == STREAMER_KIND_CONTAINER;
        found[i] = ruby_value(&values[i]);
    }
    /* Ruby code runs from here on: another thread may read with the same extractor, whose lists are then others. */
    for (size_t i = 0; i < count; i++) {
        if (container[i]) found[i] = rb_funcall(extractor_class, rb_intern("parse"), 1, found[i]);
    }
}

/* A frozen String with the bytes as UTF-8. The decoder's events are well-formed; a String from elsewhere may not be,
 * and yajl looks at the shape of sequences only: as in the decoder, what is ill-formed becomes U+FFFD. */
static VALUE well_formed(VALUE json) {
    if (streamer_utf8_valid(RSTRING_PTR(json), (size_t)RSTRING_LEN(json))) return rb_str_new_frozen(json);
    VALUE copy = rb_enc_associate(rb_str_dup(json), rb_utf8_encoding());
    VALUE scrubbed = rb_str_scrub(copy, Qnil);
    return rb_str_new_frozen(NIL_P(scrubbed) ? copy : scrubbed);
}

/* call-seq: call(json) -> value or Array
 *
 * The value at the path: a String, Integer, Float, true, false, nil (also where the path leads nowhere), Hash or Array;
 * with several paths an Array of these. Raises InvalidJSONError when json is not JSON, or nested deeper than 128. */
static VALUE call(VALUE self, VALUE json) {
    struct streamer_extractor *extractor = streamer_get_extractor(self);
    struct streamer_value values[STREAMER_MAX_PATHS];
    json = well_formed(StringValue(json));
    const char *text = RSTRING_PTR(json);
    size_t length = (size_t)RSTRING_LEN(json);
    enum streamer_status status = streamer_extractor_read(extractor, text, length, values);
    if (status != STREAMER_OK && status != STREAMER_MISSING) streamer_raise_status(status);

    size_t count = streamer_extractor_count(extractor);
    VALUE found[STREAMER_MAX_PATHS];
    streamer_ruby_values(values, count, found);
    VALUE result = count == 1 ? found[0] : rb_ary_new_from_values((long)count, found);
    RB_GC_GUARD(json);
    return result;
}

void streamer_init_extractor(void) {
#if 0 /* for RDoc, which reads each file for itself */
    streamer_module = rb_define_module("Streamer");
#endif
    extractor_class = rb_define_class_under(streamer_module, "Extractor", rb_cObject);
    rb_global_variable(&extractor_class);
    rb_define_alloc_func(extractor_class, allocate);
    rb_define_private_method(extractor_class, "setup", initialize, 1);
    rb_define_method(extractor_class, "call", call, 1);
}
