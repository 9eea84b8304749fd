#include "options.h"

#include "errors.h"

VALUE streamer_option(VALUE options, const char *name) {
    return rb_hash_lookup(options, ID2SYM(rb_intern(name)));
}

const char *streamer_option_text(VALUE options, const char *name, size_t *length) {
    VALUE string = streamer_option(options, name);
    if (NIL_P(string)) return NULL;
    Check_Type(string, T_STRING);
    *length = (size_t)RSTRING_LEN(string);
    return RSTRING_PTR(string);
}

struct streamer_strings streamer_strings_of(VALUE array) {
    struct streamer_strings strings = {.count = NIL_P(array) ? 0 : (size_t)RARRAY_LEN(array)};
    if (strings.count > STREAMER_MAX_PATHS) streamer_raise_status(STREAMER_PATH_INVALID);
    for (size_t i = 0; i < strings.count; i++) {
        VALUE string = rb_ary_entry(array, (long)i);
        Check_Type(string, T_STRING);
        strings.texts[i] = RSTRING_PTR(string);
        strings.lengths[i] = (size_t)RSTRING_LEN(string);
    }
    return strings;
}

size_t streamer_option_bytes(VALUE options, const char *name) {
    VALUE bytes = streamer_option(options, name);
    if (NIL_P(bytes)) return 0;
    if (!FIXNUM_P(bytes) || FIX2LONG(bytes) <= 0) {
        rb_raise(rb_eArgError, "%s must be a positive Integer of bytes, or nil for the default; got %+" PRIsVALUE, name,
                 bytes);
    }
    return (size_t)FIX2LONG(bytes);
}

static const char *const format_names[] = {
    [STREAMER_FORMAT_SSE] = "sse",   [STREAMER_FORMAT_NDJSON] = "ndjson",   [STREAMER_FORMAT_JSON] = "json",
    [STREAMER_FORMAT_TEXT] = "text", [STREAMER_FORMAT_SNIFFED] = "sniffed",
};

enum streamer_format streamer_format_of_name(VALUE name) {
    for (enum streamer_format format = 0; SYMBOL_P(name) && format < sizeof format_names / sizeof *format_names;
         format++) {
        if (SYM2ID(name) == rb_intern(format_names[format])) return format;
    }
    rb_raise(rb_eArgError, "format must be :sse, :ndjson, :json or :text; got %+" PRIsVALUE, name);
}

VALUE streamer_name_of_format(enum streamer_format format) {
    return ID2SYM(rb_intern(format_names[format]));
}

struct streamer_classifier_options streamer_classifier_options_of(VALUE markers, struct streamer_strings *types) {
    *types = streamer_strings_of(streamer_option(markers, "done_types"));
    struct streamer_classifier_options options = {
        .done_types = types->texts,
        .done_type_lengths = types->lengths,
        .done_type_count = types->count,
        .done_required = RTEST(streamer_option(markers, "done_required")),
    };
    options.done = streamer_option_text(markers, "done", &options.done_length);
    options.done_path = streamer_option_text(markers, "done_path", &options.done_path_length);
    options.error = streamer_option_text(markers, "error", &options.error_length);
    return options;
}
