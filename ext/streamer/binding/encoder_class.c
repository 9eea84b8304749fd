#include "../core/encode.h"

#include "../core/ceilings.h"
#include "binding.h"
#include "errors.h"

/* Shared by all calls, which hold the GVL and call no Ruby while they use it; so an exception cannot leak it. */
static struct streamer_buffer scratch;

static VALUE take_string(enum streamer_status status) {
    if (status == STREAMER_OK) {
        VALUE string = rb_utf8_str_new(scratch.bytes, (long)scratch.length);
        streamer_buffer_clear(&scratch);
        return string;
    }
    streamer_buffer_clear(&scratch);
    streamer_raise_status(status);
}

/* Encoder.frame(data, event, id, retry): each a String or nil, retry an Integer or nil. */
static VALUE frame(VALUE self, VALUE data, VALUE event, VALUE id, VALUE retry) {
    (void)self;
    struct streamer_frame frame = {.retry = NIL_P(retry) ? -1 : NUM2LL(retry)};
    if (!NIL_P(data)) {
        frame.data = StringValuePtr(data);
        frame.data_length = (size_t)RSTRING_LEN(data);
    }
    if (!NIL_P(event)) {
        frame.event = StringValuePtr(event);
        frame.event_length = (size_t)RSTRING_LEN(event);
    }
    if (!NIL_P(id)) {
        frame.id = StringValuePtr(id);
        frame.id_length = (size_t)RSTRING_LEN(id);
    }
    streamer_buffer_clear(&scratch); /* an exception in take_string leaves its bytes */
    VALUE string = take_string(streamer_encode_frame(&scratch, &frame));
    RB_GC_GUARD(data);
    RB_GC_GUARD(event);
    RB_GC_GUARD(id);
    return string;
}

/* Encoder.comment_frame(text) */
static VALUE comment_frame(VALUE self, VALUE text) {
    (void)self;
    StringValue(text);
    streamer_buffer_clear(&scratch);
    VALUE string = take_string(streamer_encode_comment(&scratch, RSTRING_PTR(text), (size_t)RSTRING_LEN(text)));
    RB_GC_GUARD(text);
    return string;
}

void streamer_init_encoder(void) {
#if 0 /* for RDoc, which reads each file for itself */
    streamer_module = rb_define_module("Streamer");
#endif
    streamer_buffer_init(&scratch, SIZE_MAX / 2); /* what is encoded was in memory already */
    VALUE module = rb_define_module_under(streamer_module, "Encoder");
    rb_define_private_method(rb_singleton_class(module), "frame", frame, 4);
    rb_define_private_method(rb_singleton_class(module), "comment_frame", comment_frame, 1);
}
