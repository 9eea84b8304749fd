/* Streamer::Headers: the fields of a head by the rules of core/fields.h, which nothing in Ruby repeats.
 *
 * Their normalized lines are an instance variable, a frozen String; a view of it is all that C needs. */
#include <string.h>

#include "../core/fields.h"
#include "binding.h"
#include "errors.h"

static ID id_lines;

/* Shared by all calls, which hold the GVL and call no Ruby while they use it; so an exception cannot leak it. */
static struct streamer_buffer scratch;

static VALUE utf8_string(const char *bytes, size_t length) {
    return rb_utf8_str_new(bytes, (long)length);
}

/* The fields of the String `lines`, which must be alive as long as they are used. */
static struct streamer_buffer fields_in(VALUE lines) {
    Check_Type(lines, T_STRING); /* nil in what was allocated and not initialized */
    size_t length = (size_t)RSTRING_LEN(lines);
    return (struct streamer_buffer){RSTRING_PTR(lines), length, length, length};
}

/* Adds "name:value". What is no field is passed over. */
static enum streamer_status add_line(const char *line, size_t length) {
    const char *colon = memchr(line, ':', length);
    if (colon == NULL) return STREAMER_OK;
    size_t name_length = (size_t)(colon - line);
    if (line[length - 1] == '\r') length--;
    enum streamer_status status = streamer_fields_add(&scratch, line, name_length, colon + 1, length - name_length - 1);
    return status == STREAMER_HEADER_INVALID ? STREAMER_OK : status;
}

static enum streamer_status add_lines(const char *bytes, size_t length) {
    enum streamer_status status = STREAMER_OK;
    for (const char *line = bytes, *end = bytes + length; line < end && status == STREAMER_OK;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        if (newline == NULL) newline = end;
        if (newline > line) status = add_line(line, (size_t)(newline - line));
        line = newline + 1;
    }
    return status;
}

/* What was added to the scratch buffer, as a String. */
static VALUE take_lines(enum streamer_status status) {
    if (status != STREAMER_OK) streamer_raise_status(status);
    VALUE lines = utf8_string(scratch.bytes, scratch.length);
    streamer_buffer_clear(&scratch);
    return lines;
}

/*
 * call-seq: Headers.normalize(lines) -> String
 *
 * lines: a String, "Name: value" on each line. What is no field, as a status line is none, is left out.
 */
static VALUE normalize(VALUE class, VALUE lines) {
    (void)class;
    StringValue(lines);
    streamer_buffer_clear(&scratch);
    enum streamer_status status = add_lines(RSTRING_PTR(lines), (size_t)RSTRING_LEN(lines));
    RB_GC_GUARD(lines);
    return take_lines(status);
}

/*
 * call-seq: Headers.line(name, value) -> String or nil
 *
 * The normalized line of one field. nil for what HTTP does not allow in a name or a value.
 */
static VALUE line(VALUE class, VALUE name, VALUE value) {
    (void)class;
    StringValue(name);
    StringValue(value);
    streamer_buffer_clear(&scratch);
    enum streamer_status status = streamer_fields_add(&scratch, RSTRING_PTR(name), (size_t)RSTRING_LEN(name),
                                                      RSTRING_PTR(value), (size_t)RSTRING_LEN(value));
    RB_GC_GUARD(name);
    RB_GC_GUARD(value);
    return status == STREAMER_HEADER_INVALID ? Qnil : take_lines(status);
}

/*
 * call-seq: headers.values_of(name) -> Array of String
 *
 * name: in lower case.
 */
static VALUE values_of(VALUE self, VALUE name) {
    VALUE lines = rb_ivar_get(self, id_lines), values = rb_ary_new();
    const char *wanted = StringValueCStr(name);
    struct streamer_buffer fields = fields_in(lines);
    struct streamer_span value;
    size_t cursor = 0;
    while (streamer_fields_next(&fields, wanted, &cursor, &value)) {
        rb_ary_push(values, utf8_string(value.bytes, value.length));
    }
    RB_GC_GUARD(lines);
    RB_GC_GUARD(name);
    return values;
}

static bool find_media_type(VALUE self, struct streamer_media_type *type) {
    VALUE lines = rb_ivar_get(self, id_lines);
    struct streamer_buffer fields = fields_in(lines);
    bool known = streamer_fields_content_type(&fields, type);
    RB_GC_GUARD(lines);
    return known;
}

/*
 * call-seq: headers.media_type -> String or nil
 *
 * The media type of the body, in lower case and without parameters: "text/event-stream". It is what Fetch extracts from
 * all Content-Type fields, so where several are named the last one counts. nil where there is none.
 */
static VALUE media_type(VALUE self) {
    struct streamer_media_type type;
    return find_media_type(self, &type) ? utf8_string(type.essence, type.essence_length) : Qnil;
}

/*
 * call-seq: headers.charset -> String or nil
 *
 * The charset that the Content-Type names, as it is written there, or nil.
 */
static VALUE charset(VALUE self) {
    struct streamer_media_type type;
    if (!find_media_type(self, &type) || type.charset_length == 0) return Qnil;
    return utf8_string(type.charset, type.charset_length);
}

/*
 * call-seq: headers.identity? -> true or false
 *
 * Whether the body is not compressed: there is no Content-Encoding, or it says only "identity" or "none".
 */
static VALUE is_identity(VALUE self) {
    VALUE lines = rb_ivar_get(self, id_lines);
    struct streamer_buffer fields = fields_in(lines);
    bool identity = streamer_fields_is_identity(&fields);
    RB_GC_GUARD(lines);
    return identity ? Qtrue : Qfalse;
}

void streamer_init_headers(void) {
#if 0 /* for RDoc, which reads each file for itself */
    streamer_module = rb_define_module("Streamer");
#endif
    streamer_buffer_init(&scratch, SIZE_MAX / 2); /* what is normalized was in memory already */
    id_lines = rb_intern("@lines");
    VALUE class = rb_define_class_under(streamer_module, "Headers", rb_cObject);
    rb_define_private_method(rb_singleton_class(class), "normalize", normalize, 1);
    rb_define_private_method(rb_singleton_class(class), "line", line, 2);
    rb_define_private_method(class, "values_of", values_of, 1);
    rb_define_method(class, "media_type", media_type, 0);
    rb_define_method(class, "charset", charset, 0);
    rb_define_method(class, "identity?", is_identity, 0);
}
