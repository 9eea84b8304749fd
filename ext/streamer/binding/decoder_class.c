#include "../core/reader.h"

#include <stdbool.h>
#include <string.h>

#include "binding.h"
#include "errors.h"
#include "options.h"
#include "stages.h"

struct decoder {
    struct streamer_reader *reader;
    struct streamer_buffer unread; /* what a block that did not return left of its read */
    bool feeding;
};

static VALUE event_class, message_type, empty_id;
static ID id_type, id_data, id_id;

static void free_decoder(void *pointer) {
    struct decoder *decoder = pointer;
    streamer_reader_free(decoder->reader);
    streamer_buffer_release(&decoder->unread);
    xfree(decoder);
}

static size_t decoder_size(const void *pointer) {
    const struct decoder *decoder = pointer;
    return sizeof *decoder + decoder->unread.capacity +
           (decoder->reader == NULL ? 0 : streamer_reader_size(decoder->reader));
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
    if (decoder->reader == NULL) rb_raise(rb_eArgError, "this decoder was not initialized");
    return decoder;
}

/* call-seq: Decoder.format_of(content_type) -> Symbol or nil
 *
 * The format that a Content-Type field's value stands for; :sniffed for nil and text/event-stream, nil for a media type
 * that carries no events. */
static VALUE format_of(VALUE class, VALUE type) {
    (void)class;
    size_t length = 0;
    const char *bytes = NIL_P(type) ? NULL : StringValuePtr(type);
    if (bytes != NULL) length = (size_t)RSTRING_LEN(type);
    enum streamer_format format;
    if (!streamer_format_of_type(bytes, length, &format)) return Qnil;
    return streamer_name_of_format(format);
}

/* setup(options): format, max_line, max_event, last_event_id, from, from_paths, and markers as of decoder/markers.rb.
 */
static VALUE initialize(VALUE self, VALUE options) {
    struct decoder *decoder;
    TypedData_Get_Struct(self, struct decoder, &decoder_type, decoder);
    if (decoder->reader != NULL) rb_raise(streamer_error, "this decoder is initialized already");
    struct streamer_strings types, from = streamer_strings_of(streamer_option(options, "from"));
    size_t from_paths = NUM2SIZET(streamer_option(options, "from_paths"));
    if (from_paths > STREAMER_MAX_PATHS) rb_raise(rb_eArgError, "from_paths is at most %d", STREAMER_MAX_PATHS);
    struct streamer_reader_options given = {
        .format = streamer_format_of_name(streamer_option(options, "format")),
        .max_line = streamer_option_bytes(options, "max_line"),
        .max_event = streamer_option_bytes(options, "max_event"),
        .classifier = streamer_classifier_options_of(streamer_option(options, "markers"), &types),
        .from = from.texts,
        .from_lengths = from.lengths,
        .from_count = from.count,
        .from_paths = from_paths,
    };
    given.last_event_id = streamer_option_text(options, "last_event_id", &given.last_event_id_length);
    enum streamer_status status = streamer_reader_new(&decoder->reader, &given);
    if (status != STREAMER_OK) streamer_raise_status(status);
    RB_GC_GUARD(options);
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

/* call-seq: content? -> true or false
 *
 * Whether it has content. What only keeps a connection alive has none: no data but white space, or the type "ping",
 * "heartbeat" or "keep-alive", however it is written, of the event or alone in its data: {"type":"ping"}. */
static VALUE is_content(VALUE self) {
    VALUE type = rb_ivar_get(self, id_type), data = rb_ivar_get(self, id_data);
    Check_Type(type, T_STRING);
    Check_Type(data, T_STRING);
    const struct streamer_event event = {.type = RSTRING_PTR(type),
                                         .type_length = (size_t)RSTRING_LEN(type),
                                         .data = RSTRING_PTR(data),
                                         .data_length = (size_t)RSTRING_LEN(data)};
    VALUE content = streamer_event_is_content(&event) ? Qtrue : Qfalse;
    RB_GC_GUARD(type);
    RB_GC_GUARD(data);
    return content;
}

struct feed {
    struct decoder *decoder;
    struct streamer_extractor *extractor; /* NULL: events are wanted, not values */
    struct streamer_value values[STREAMER_MAX_PATHS];
    bool finishing; /* the body ends with these bytes */
    const char *bytes, *cursor, *end;
    uint64_t events; /* with an extractor, those with content */
};

static void yield_values(struct feed *feed) {
    size_t count = streamer_extractor_count(feed->extractor);
    VALUE found[STREAMER_MAX_PATHS];
    streamer_ruby_values(feed->values, count, found);
    rb_yield(count == 1 ? found[0] : rb_ary_new_from_values((long)count, found));
}

static void yield_item(struct feed *feed, const struct streamer_item *item) {
    feed->events += feed->extractor == NULL || item->content;
    if (feed->extractor == NULL) {
        rb_yield(ruby_event(&item->event));
    } else if (item->found > 0) {
        yield_values(feed);
    }
}

static NORETURN(void raise_failure(const struct decoder *decoder, enum streamer_status status)) {
    if (status != STREAMER_UPSTREAM_ERROR && status != STREAMER_UNWANTED) streamer_raise_status(status);
    size_t length;
    bool document;
    const char *payload = streamer_reader_error_payload(decoder->reader, &length, &document);
    rb_exc_raise(streamer_upstream_error(status, payload, length, document));
}

static VALUE feed_body(VALUE argument) {
    struct feed *feed = (struct feed *)argument;
    struct streamer_reader *reader = feed->decoder->reader;
    struct streamer_item item;
    enum streamer_status status;
    while ((status = streamer_reader_next(reader, &feed->cursor, feed->end, &item)) == STREAMER_EVENT) {
        yield_item(feed, &item);
    }
    while (status == STREAMER_MORE && feed->finishing) {
        status = streamer_reader_finish(reader, &item);
        if (status != STREAMER_EVENT) break;
        yield_item(feed, &item);
        status = STREAMER_MORE;
    }
    if (status == STREAMER_MORE) return ULL2NUM(feed->events);
    feed->cursor = feed->end;
    raise_failure(feed->decoder, status);
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

/* Decodes a String, with which the body may end. Yields to the method's block and returns the number of events; with
 * an extractor, of those with content. */
static VALUE feed(VALUE self, VALUE string, struct streamer_extractor *extractor, bool finishing) {
    struct decoder *decoder = get(self);
    if (decoder->feeding) rb_raise(streamer_error, "this decoder is being fed already; its block cannot feed it");
    string = rb_str_new_frozen(StringValue(string));

    struct feed feed = {
        .decoder = decoder, .extractor = extractor, .finishing = finishing, .bytes = RSTRING_PTR(string)};
    streamer_reader_extract(decoder->reader, extractor, feed.values,
                            extractor == NULL ? 0 : streamer_extractor_count(extractor));
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
    return feed(self, string, NULL, false);
}

/* call-seq: feed_values(bytes, extractor) { |value| ... } -> Integer
 *
 * As feed, and yields the values at the Extractor's paths instead: of each event that has at least one of them and not
 * null; with several paths an Array. What only keeps a connection alive (Event#content?) is passed over. Returns how
 * many events with content there were. Raises InvalidJSONError for an event that is not JSON; and UpstreamError for one
 * that reports an error, behind the text that is in it. */
static VALUE feed_values(VALUE self, VALUE string, VALUE extractor) {
    VALUE events = feed(self, string, streamer_get_extractor(extractor), false);
    RB_GC_GUARD(extractor);
    return events;
}

static VALUE finish_events(VALUE self) {
    return feed(self, rb_str_new(NULL, 0), NULL, true);
}

/* call-seq: finish_values(extractor) { |value| ... } -> Integer
 *
 * As finish, and yields values as feed_values does. Raises UpstreamError, with the origin :unwanted, for a body that
 * was one JSON document without any of the values. */
static VALUE finish_values(VALUE self, VALUE extractor) {
    VALUE events = feed(self, rb_str_new(NULL, 0), streamer_get_extractor(extractor), true);
    RB_GC_GUARD(extractor);
    return events;
}

/* call-seq: done? -> true or false
 *
 * Whether the end marker has come. */
static VALUE is_done(VALUE self) {
    return streamer_reader_done(get(self)->reader) ? Qtrue : Qfalse;
}

/* call-seq: last_event_id -> String
 *
 * What a browser would send as Last-Event-ID if it reconnected now; "" for none. */
static VALUE last_event_id(VALUE self) {
    size_t length;
    const char *id = streamer_decoder_last_event_id(streamer_reader_decoder(get(self)->reader), &length);
    return rb_utf8_str_new(id, (long)length);
}

/* call-seq: retry -> Integer or nil
 *
 * The last reconnection time that the stream asked for, in milliseconds. */
static VALUE retry_time(VALUE self) {
    int64_t retry = streamer_decoder_retry(streamer_reader_decoder(get(self)->reader));
    return retry < 0 ? Qnil : LL2NUM(retry);
}

void streamer_init_decoder(void) {
#if 0 /* for RDoc, which reads each file for itself */
    streamer_module = rb_define_module("Streamer");
    event_class = rb_define_class_under(streamer_module, "Event", rb_cObject);
#endif
    VALUE class = rb_define_class_under(streamer_module, "Decoder", rb_cObject);
    rb_define_alloc_func(class, allocate);
    rb_define_singleton_method(class, "format_of", format_of, 1);
    rb_define_private_method(class, "setup", initialize, 1);
    rb_define_private_method(class, "feed_events", feed_events, 1);
    rb_define_private_method(class, "finish_events", finish_events, 0);
    rb_define_method(class, "feed_values", feed_values, 2);
    rb_define_method(class, "finish_values", finish_values, 1);
    rb_define_method(class, "done?", is_done, 0);
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
    rb_define_method(event_class, "content?", is_content, 0);
}
