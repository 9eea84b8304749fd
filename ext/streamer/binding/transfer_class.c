#include "../upstream/transfer.h"

#include <errno.h>
#include <ruby/fiber/scheduler.h>

#include "../relay/thread.h"
#include "../upstream/fork.h"
#include "binding.h"
#include "branch.h"
#include "errors.h"
#include "exchange.h"
#include "scheduler.h"
#include "stages.h"
#include "waiting.h"

struct exchange {
    struct streamer_transfer *transfer;
    struct streamer_buffer taken; /* the inbox's other half: the two are swapped, so reading allocates nothing */
};

static ID id_driver;

static void free_exchange(void *pointer) {
    struct exchange *exchange = pointer;
    /* In a forked child the parent's locks may be held for ever: leave everything as it is. */
    if (exchange->transfer != NULL && exchange->transfer->generation == streamer_fork_generation()) {
        streamer_transfer_cancel(exchange->transfer);
        streamer_transfer_release(exchange->transfer);
    }
    streamer_buffer_release(&exchange->taken);
    xfree(exchange);
}

static size_t exchange_size(const void *pointer) {
    const struct exchange *exchange = pointer;
    size_t size = sizeof *exchange + exchange->taken.capacity;
    if (exchange->transfer == NULL || exchange->transfer->generation != streamer_fork_generation()) return size;
    return size + streamer_transfer_size(exchange->transfer);
}

static const rb_data_type_t exchange_type = {
    .wrap_struct_name = "streamer/transfer",
    .function = {.dfree = free_exchange, .dsize = exchange_size},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static VALUE allocate(VALUE class) {
    struct exchange *exchange;
    VALUE object = TypedData_Make_Struct(class, struct exchange, &exchange_type, exchange);
    streamer_buffer_init(&exchange->taken, STREAMER_INBOX_MAX);
    return object;
}

static struct exchange *get(VALUE self) {
    struct exchange *exchange;
    TypedData_Get_Struct(self, struct exchange, &exchange_type, exchange);
    if (exchange->transfer == NULL) rb_raise(rb_eArgError, "this transfer was not initialized");
    streamer_check_generation(exchange->transfer->generation, "this response");
    return exchange;
}

struct streamer_transfer *streamer_get_transfer(VALUE object) {
    return get(object)->transfer;
}

/* ---- making one ---- */

static struct curl_slist *header_list(VALUE headers) {
    struct curl_slist *list = NULL;
    for (long i = 0; i < RARRAY_LEN(headers); i++) {
        VALUE header = rb_ary_entry(headers, i);
        struct curl_slist *longer = curl_slist_append(list, RSTRING_PTR(header)); /* checked to be free of NUL before */
        if (longer == NULL) {
            curl_slist_free_all(list);
            rb_memerror();
        }
        list = longer;
    }
    return list;
}

/* setup(method, url, headers, body, verify, ca_file, timeouts): the strings without NUL; headers "Name: value"; body a
 * String, nil, or an Integer for a streamed one (its length, -1: unknown); timeouts connect, first_event, idle, total
 * in ms. */
static VALUE initialize(VALUE self, VALUE method, VALUE url, VALUE headers, VALUE body, VALUE verify, VALUE ca_file,
                        VALUE timeouts) {
    struct exchange *exchange;
    TypedData_Get_Struct(self, struct exchange, &exchange_type, exchange);
    if (exchange->transfer != NULL) rb_raise(streamer_error, "this transfer is initialized already");

    struct streamer_request request = {
        .method = StringValueCStr(method),
        .url = StringValueCStr(url),
        .verify = RTEST(verify),
        .ca_file = NIL_P(ca_file) ? NULL : StringValueCStr(ca_file),
        .timeouts = {NUM2LL(rb_ary_entry(timeouts, 0)), NUM2LL(rb_ary_entry(timeouts, 1)),
                     NUM2LL(rb_ary_entry(timeouts, 2)), NUM2LL(rb_ary_entry(timeouts, 3))},
    };
    if (RB_INTEGER_TYPE_P(body)) {
        request.body_streamed = true;
        request.body_length = NUM2LL(body);
    } else if (!NIL_P(body)) {
        request.body = StringValuePtr(body);
        request.body_length = RSTRING_LEN(body);
    }
    for (long i = 0; i < RARRAY_LEN(headers); i++) {
        VALUE header = rb_ary_entry(headers, i);
        StringValueCStr(header);
    }

    struct streamer_reactor *reactor;
    if (rb_fiber_scheduler_current() != Qnil) {
        VALUE driver = streamer_scheduler_driver();
        rb_ivar_set(self, id_driver, driver);
        reactor = streamer_scheduler_reactor(driver);
    } else if ((reactor = streamer_thread_reactor()) == NULL) {
        rb_sys_fail("streamer: the native thread could not be started");
    }
    request.headers = header_list(headers);
    const char *problem;
    exchange->transfer = streamer_transfer_new(reactor, &request, &problem);
    RB_GC_GUARD(method);
    RB_GC_GUARD(url);
    RB_GC_GUARD(body);
    RB_GC_GUARD(ca_file);
    if (exchange->transfer != NULL) return self;
    if (problem == NULL) rb_memerror();
    rb_raise(rb_eArgError, "libcurl refused the request: %s", problem);
}

static VALUE start(VALUE self) {
    streamer_transfer_start(get(self)->transfer);
    return self;
}

/* ---- waiting ---- */

bool streamer_transfer_is_native(VALUE object) {
    return rb_ivar_get(object, id_driver) == Qnil;
}

VALUE streamer_transfer_driver(VALUE object) {
    return rb_ivar_get(object, id_driver);
}

static void wait_until(VALUE self, struct streamer_transfer *transfer, bool (*ready)(void *)) {
    if (streamer_wait_in_branch(self, transfer, ready)) return;
    VALUE driver = rb_ivar_get(self, id_driver);
    if (driver == Qnil)
        streamer_wait(&transfer->signal, ready, transfer, -1);
    else
        streamer_scheduler_wait(driver, &transfer->signal, &transfer->waiter, ready, transfer);
    RB_GC_GUARD(driver);
}

static bool has_ended(const struct streamer_transfer *transfer) {
    return transfer->outcome != STREAMER_OUTCOME_OPEN;
}

static bool has_head(void *argument) {
    struct streamer_transfer *transfer = argument;
    return transfer->head_ready || has_ended(transfer);
}

static bool has_bytes(void *argument) {
    struct streamer_transfer *transfer = argument;
    return transfer->inbox.length > 0 || has_ended(transfer);
}

static bool has_upload_room(void *argument) {
    struct streamer_transfer *transfer = argument;
    return transfer->outbox.length < STREAMER_OUTBOX_HIGH || has_ended(transfer);
}

void streamer_raise_failure(struct streamer_transfer *transfer) {
    char detail[CURL_ERROR_SIZE];
    pthread_mutex_lock(&transfer->signal.lock);
    enum streamer_outcome outcome = transfer->outcome;
    memcpy(detail, transfer->detail, sizeof detail);
    pthread_mutex_unlock(&transfer->signal.lock);
    if (outcome == STREAMER_OUTCOME_OPEN || outcome == STREAMER_OUTCOME_COMPLETED) return;
    streamer_raise_outcome(outcome, detail);
}

/* Waits for the answer's head: its status. Raises when there is none. */
static VALUE wait_head(VALUE self) {
    struct streamer_transfer *transfer = get(self)->transfer;
    wait_until(self, transfer, has_head);
    if (!transfer->head_ready) {
        streamer_raise_failure(transfer);
        rb_raise(streamer_error, "the answer has no head");
    }
    return INT2NUM(transfer->status);
}

/* The head's "Name: value" lines, LF between. */
static VALUE head(VALUE self) {
    struct streamer_transfer *transfer = get(self)->transfer;
    wait_head(self);
    return rb_str_new(transfer->head.bytes, (long)transfer->head.length); /* it does not change any more */
}

/* Waits until bytes are in `taken`; false at the answer's end. Raises a failure once all that arrived was handed out.
 */
static bool fill(VALUE self, struct exchange *exchange) {
    struct streamer_transfer *transfer = exchange->transfer;
    if (exchange->taken.length > 0) return true; /* an exception kept them from being handed out */
    wait_until(self, transfer, has_bytes);
    pthread_mutex_lock(&transfer->signal.lock);
    streamer_transfer_take(transfer, &exchange->taken);
    pthread_mutex_unlock(&transfer->signal.lock);
    if (exchange->taken.length > 0) return true;
    streamer_raise_failure(transfer);
    return false;
}

/* All bytes that have arrived, at least one; nil at the end. */
static VALUE read_bytes(VALUE self) {
    struct exchange *exchange = get(self);
    if (!fill(self, exchange)) return Qnil;
    VALUE bytes = rb_str_new(exchange->taken.bytes, (long)exchange->taken.length);
    streamer_buffer_clear(&exchange->taken);
    return bytes;
}

struct frames {
    VALUE pipeline;
    struct exchange *exchange;
};

static VALUE feed_taken(VALUE argument) {
    struct frames *frames = (struct frames *)argument;
    return streamer_pipeline_feed(frames->pipeline, frames->exchange->taken.bytes, frames->exchange->taken.length);
}

static VALUE clear_taken(VALUE argument) {
    streamer_buffer_clear(&((struct frames *)argument)->exchange->taken);
    return Qnil;
}

/* The frames of all that has arrived, possibly none: ""; nil at the end. */
static VALUE read_frames(VALUE self, VALUE pipeline) {
    struct frames frames = {pipeline, get(self)};
    if (!fill(self, frames.exchange)) return Qnil;
    VALUE string = rb_ensure(feed_taken, (VALUE)&frames, clear_taken, (VALUE)&frames);
    if (streamer_pipeline_events(streamer_get_pipeline(pipeline)) > 0)
        streamer_transfer_note_event(frames.exchange->transfer);
    return string;
}

static VALUE note_event(VALUE self) {
    streamer_transfer_note_event(get(self)->transfer);
    return Qnil;
}

/* Hands over at most STREAMER_PIECE bytes of a streamed body, once there is room. False when the answer has ended
 * already. */
static VALUE upload(VALUE self, VALUE bytes, VALUE last) {
    struct streamer_transfer *transfer = get(self)->transfer;
    StringValue(bytes);
    if ((size_t)RSTRING_LEN(bytes) > STREAMER_PIECE)
        rb_raise(rb_eArgError, "at most %zu bytes at a time", STREAMER_PIECE);
    wait_until(self, transfer, has_upload_room);
    pthread_mutex_lock(&transfer->signal.lock);
    bool over = has_ended(transfer);
    enum streamer_status status = STREAMER_OK;
    if (!over) {
        status = streamer_transfer_upload(transfer, RSTRING_PTR(bytes), (size_t)RSTRING_LEN(bytes), RTEST(last));
    }
    pthread_mutex_unlock(&transfer->signal.lock);
    RB_GC_GUARD(bytes);
    if (status != STREAMER_OK) streamer_raise_status(status);
    return over ? Qfalse : Qtrue;
}

/* ---- the end ---- */

static VALUE cancel(VALUE self) {
    streamer_transfer_cancel(get(self)->transfer);
    VALUE driver = rb_ivar_get(self, id_driver);
    if (driver != Qnil) streamer_scheduler_turn(driver); /* nobody may be leading just now */
    return Qnil;
}

static VALUE outcome(VALUE self) {
    struct streamer_transfer *transfer = get(self)->transfer;
    pthread_mutex_lock(&transfer->signal.lock);
    enum streamer_outcome outcome = transfer->outcome;
    pthread_mutex_unlock(&transfer->signal.lock);
    return ID2SYM(rb_intern(streamer_outcome_name(outcome)));
}

/* Whether a line of the answer had come when it ended; false until then. (libcurl tells of no less than a line.) */
static VALUE is_answered(VALUE self) {
    struct streamer_transfer *transfer = get(self)->transfer;
    pthread_mutex_lock(&transfer->signal.lock);
    bool answered = has_ended(transfer) && transfer->head_bytes > 0;
    pthread_mutex_unlock(&transfer->signal.lock);
    return answered ? Qtrue : Qfalse;
}

static void set_seconds(VALUE hash, const char *name, int64_t microseconds) {
    rb_hash_aset(hash, ID2SYM(rb_intern(name)), microseconds > 0 ? rb_float_new((double)microseconds / 1e6) : Qnil);
}

/* Seconds from the start, nil for what did not happen; nil as a whole until the end. */
static VALUE timings(VALUE self) {
    struct streamer_transfer *transfer = get(self)->transfer;
    pthread_mutex_lock(&transfer->signal.lock);
    struct streamer_timings timings = transfer->timings;
    bool over = has_ended(transfer);
    pthread_mutex_unlock(&transfer->signal.lock);
    if (!over) return Qnil;

    VALUE hash = rb_hash_new();
    set_seconds(hash, "dns", timings.dns);
    set_seconds(hash, "connect", timings.connect);
    set_seconds(hash, "tls", timings.tls);
    set_seconds(hash, "first_byte", timings.first_byte);
    set_seconds(hash, "total", timings.total);
    rb_hash_aset(hash, ID2SYM(rb_intern("bytes")), LL2NUM(timings.bytes));
    rb_hash_aset(hash, ID2SYM(rb_intern("reused")), timings.reused ? Qtrue : Qfalse);
    rb_hash_aset(
        hash, ID2SYM(rb_intern("http_version")),
        timings.http_version == 0 ? Qnil : rb_sprintf("%ld.%ld", timings.http_version / 10, timings.http_version % 10));
    return hash;
}

static VALUE is_native(VALUE self) {
    return streamer_transfer_is_native(self) ? Qtrue : Qfalse;
}

void streamer_init_transfer(void) {
    VALUE class = rb_define_class_under(streamer_module, "Transfer", rb_cObject);
    rb_define_alloc_func(class, allocate);
    rb_define_method(class, "initialize", initialize, 7);
    rb_define_method(class, "start", start, 0);
    rb_define_method(class, "wait_head", wait_head, 0);
    rb_define_method(class, "head", head, 0);
    rb_define_method(class, "read", read_bytes, 0);
    rb_define_method(class, "read_frames", read_frames, 1);
    rb_define_method(class, "note_event", note_event, 0);
    rb_define_method(class, "upload", upload, 2);
    rb_define_method(class, "cancel", cancel, 0);
    rb_define_method(class, "outcome", outcome, 0);
    rb_define_method(class, "answered?", is_answered, 0);
    rb_define_method(class, "timings", timings, 0);
    rb_define_method(class, "native?", is_native, 0);
    id_driver = rb_intern("__driver");
}
