#include "../core/decode.h"

#include <stdbool.h>
#include <string.h>

#include "binding.h"
#include "errors.h"
#include "stages.h"

struct decoder {
    struct streamer_decoder *decoder;
    struct streamer_buffer unread; /* what a block that did not return left of its read */
    bool feeding;
};

static VALUE event_class, message_type, empty_id;
static ID id_type, id_data, id_id;

static void free_decoder(void *pointer) {
    struct decoder *decoder = pointer;
    streamer_decoder_free(decoder->decoder);
    streamer_buffer_release(&decoder->unread);
    xfree(decoder);
}

static size_t decoder_size(const void *pointer) {
    const struct decoder *decoder = pointer;
    return sizeof *decoder + decoder->unread.capacity +
           (decoder->decoder == NULL ? 0 : streamer_decoder_size(decoder->decoder));
}

static const rb_data_type_t decoder_type = {
    .wrap_struct_name = "streamer/decoder",
    .function = {.dfree = free_decoder, .dsize = decoder_size},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static VALUE allocate(VALUE class) {
    struct decoder *decoder;
    VALUE object = TypedData_Make_Struct(class, struct decoder, &decoder_type, decoder);
    streamer_buffer_init(&decoder->unread, SIZE_MAX / 2); /* holds one read, as large as the caller made it */
    return object;
}

static struct decoder *get(VALUE self) {
    struct decoder *decoder;
    TypedData_Get_Struct(self, struct decoder, &decoder_type, decoder);
    if (decoder->decoder == NULL) rb_raise(rb_eArgError, "this decoder was not initialized");
    return decoder;
}

size_t streamer_limit(VALUE bytes, const char *name) {
    if (NIL_P(bytes)) return 0;
    if (!FIXNUM_P(bytes) || FIX2LONG(bytes) <= 0) {
        rb_raise(rb_eArgError, "%s is a positive Integer of bytes, or nil for the default; got %+" PRIsVALUE, name,
                 bytes);
    }
    return (size_t)FIX2LONG(bytes);
}

static VALUE initialize(VALUE self, VALUE max_line, VALUE max_event) {
    struct decoder *decoder;
    TypedData_Get_Struct(self, struct decoder, &decoder_type, decoder);
    if (decoder->decoder != NULL) rb_raise(streamer_error, "this decoder is initialized already");
    decoder->decoder =
        streamer_decoder_new(streamer_limit(max_line, "max_line"), streamer_limit(max_event, "max_event"));
    if (decoder->decoder == NULL) rb_memerror();
    return self;
}

static VALUE ruby_event(const struct streamer_event *event) {
    VALUE object = rb_obj_alloc(event_class);
    bool message = event->type_length == 7 && memcmp(event->type, "message", 7) == 0;
    rb_ivar_set(object, id_type,
                message ? message_type
                        : rb_enc_interned_str(event->type, (long)event->type_length, rb_utf8_encoding()));
    rb_ivar_set(object, id_data, rb_utf8_str_new(event->data, (long)event->data_length));
    rb_ivar_set(object, id_id, event->id_length == 0 ? empty_id : rb_utf8_str_new(event->id, (long)event->id_length));
    return object;
}

struct feed {
    struct decoder *decoder;
    struct streamer_extractor *extractor; /* NULL: events are wanted, not values */
    const char *bytes, *cursor, *end;
};

static bool is_end_marker(const struct streamer_event *event) {
    return event->data_length == 6 && memcmp(event->data, "[DONE]", 6) == 0;
}

static void yield_values(struct streamer_extractor *extractor, const struct streamer_event *event) {
    struct streamer_value values[STREAMER_MAX_PATHS];
    if (event->data_length == 0 || is_end_marker(event)) return;
    enum streamer_status status = streamer_extractor_read(extractor, event->data, event->data_length, values);
    if (status == STREAMER_MISSING) return;
    if (status != STREAMER_OK) streamer_raise_status(status);

    size_t count = streamer_extractor_count(extractor);
    VALUE found[STREAMER_MAX_PATHS];
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        found[i] = streamer_ruby_value(&values[i]);
        any |= found[i] != Qnil;
    }
    if (any) rb_yield(count == 1 ? found[0] : rb_ary_new_from_values((long)count, found));
}

static VALUE feed_body(VALUE argument) {
    struct feed *feed = (struct feed *)argument;
    struct streamer_event event;
    enum streamer_status status;
    long events = 0;
    while ((status = streamer_decoder_next(feed->decoder->decoder, &feed->cursor, feed->end, &event)) ==
           STREAMER_EVENT) {
        events += feed->extractor == NULL || streamer_event_is_news(&event);
        if (feed->extractor == NULL)
            rb_yield(ruby_event(&event));
        else
            yield_values(feed->extractor, &event);
    }
    if (status != STREAMER_MORE) {
        feed->cursor = feed->end;
        streamer_raise_status(status);
    }
    return LONG2NUM(events);
}

static VALUE feed_end(VALUE argument) {
    struct feed *feed = (struct feed *)argument;
    struct streamer_buffer *unread = &feed->decoder->unread;
    size_t left = (size_t)(feed->end - feed->cursor);
    feed->decoder->feeding = false;
    if (feed->bytes == unread->bytes) {
        if (left > 0) memmove(unread->bytes, feed->cursor, left);
        unread->length = left;
        if (left == 0) streamer_buffer_clear(unread);
    } else if (left > 0 && streamer_buffer_append(unread, feed->cursor, left) != STREAMER_OK) {
        rb_memerror();
    }
    return Qnil;
}

/* Decodes a String. Yields to the method's block and returns the number of events; with an extractor, of those that are
 * news (streamer_event_is_news). */
static VALUE feed(VALUE self, VALUE string, struct streamer_extractor *extractor) {
    struct decoder *decoder = get(self);
    if (decoder->feeding) rb_raise(streamer_error, "this decoder is being fed already; its block cannot feed it");
    string = rb_str_new_frozen(StringValue(string));

    struct feed feed = {.decoder = decoder, .extractor = extractor, .bytes = RSTRING_PTR(string)};
    size_t length = (size_t)RSTRING_LEN(string);
    if (decoder->unread.length > 0) {
        if (streamer_buffer_append(&decoder->unread, feed.bytes, length) != STREAMER_OK) rb_memerror();
        feed.bytes = decoder->unread.bytes;
        length = decoder->unread.length;
    }
    feed.cursor = feed.bytes;
    feed.end = feed.bytes + length;
    decoder->feeding = true;
    VALUE events = rb_ensure(feed_body, (VALUE)&feed, feed_end, (VALUE)&feed);
    RB_GC_GUARD(string);
    RB_GC_GUARD(self);
    return events;
}

static VALUE feed_events(VALUE self, VALUE string) {
    return feed(self, string, NULL);
}

static VALUE feed_values(VALUE self, VALUE string, VALUE extractor) {
    VALUE events = feed(self, string, streamer_get_extractor(extractor));
    RB_GC_GUARD(extractor);
    return events;
}

static VALUE last_event_id(VALUE self) {
    size_t length;
    const char *id = streamer_decoder_last_event_id(get(self)->decoder, &length);
    return rb_utf8_str_new(id, (long)length);
}

static VALUE retry_time(VALUE self) {
    int64_t retry = streamer_decoder_retry(get(self)->decoder);
    return retry < 0 ? Qnil : LL2NUM(retry);
}

void streamer_init_decoder(void) {
    VALUE class = rb_define_class_under(streamer_module, "Decoder", rb_cObject);
    rb_define_alloc_func(class, allocate);
    rb_define_private_method(class, "setup", initialize, 2);
    rb_define_private_method(class, "feed_events", feed_events, 1);
    rb_define_method(class, "feed_values", feed_values, 2);
    rb_define_method(class, "last_event_id", last_event_id, 0);
    rb_define_method(class, "retry", retry_time, 0);

    event_class = rb_const_get(streamer_module, rb_intern("Event"));
    message_type = rb_enc_interned_str_cstr("message", rb_utf8_encoding());
    empty_id = rb_enc_interned_str_cstr("", rb_utf8_encoding());
    rb_global_variable(&event_class);
    rb_global_variable(&message_type);
    rb_global_variable(&empty_id);
    id_type = rb_intern("@type");
    id_data = rb_intern("@data");
    id_id = rb_intern("@id");
}
