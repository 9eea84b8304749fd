#include "../upstream/transfer.h"

#include <math.h>
#include <ruby/fiber/scheduler.h>

#include "../core/fields.h"
#include "../loop/fork.h"
#include "../relay/thread.h"
#include "await.h"
#include "binding.h"
#include "errors.h"
#include "objects.h"
#include "scheduler.h"
#include "source.h"
#include "stages.h"

/* Of a request, in the form in which they are kept. */
#define STREAMER_MAX_REQUEST_FIELDS ((size_t)256 << 10)

struct reader {
    struct streamer_transfer *transfer;
    struct streamer_buffer taken; /* the inbox's other half: the two are swapped, so reading allocates nothing */
};

static ID id_driver;

static void free_reader(void *pointer) {
    struct reader *reader = pointer;
    /* In a forked child the parent's locks may be held for ever: leave everything as it is. */
    if (reader->transfer != NULL && reader->transfer->generation == streamer_fork_generation()) {
        streamer_transfer_cancel(reader->transfer);
        streamer_transfer_release(reader->transfer);
    }
    streamer_buffer_release(&reader->taken);
    xfree(reader);
}

static size_t reader_size(const void *pointer) {
    const struct reader *reader = pointer;
    size_t size = sizeof *reader + reader->taken.capacity;
    if (reader->transfer == NULL || reader->transfer->generation != streamer_fork_generation()) return size;
    return size + streamer_transfer_size(reader->transfer);
}

static const rb_data_type_t reader_type = {
    .wrap_struct_name = "streamer/transfer",
    .function = {.dfree = free_reader, .dsize = reader_size},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static VALUE allocate(VALUE class) {
    struct reader *reader;
    VALUE object = TypedData_Make_Struct(class, struct reader, &reader_type, reader);
    streamer_buffer_init(&reader->taken, STREAMER_INBOX_MAX);
    return object;
}

static struct reader *get(VALUE self) {
    struct reader *reader;
    TypedData_Get_Struct(self, struct reader, &reader_type, reader);
    if (reader->transfer == NULL) rb_raise(rb_eArgError, "this transfer was not initialized");
    streamer_check_generation(reader->transfer->generation, "this response");
    return reader;
}

struct streamer_transfer *streamer_get_transfer(VALUE object) {
    return get(object)->transfer;
}

/* ---- making one ---- */

static VALUE option(VALUE options, const char *name) {
    return rb_hash_aref(options, ID2SYM(rb_intern(name)));
}

/* Strings while a request is made of them: on the stack, where compaction leaves them in their places. */
struct texts {
    volatile VALUE strings[24];
    size_t count;
};

/* The String of that name, or NULL. */
static const char *text_option(VALUE options, const char *name, struct texts *texts) {
    VALUE value = option(options, name);
    if (NIL_P(value)) return NULL;
    texts->strings[texts->count++] = value;
    return StringValueCStr(value);
}

static void read_route(struct streamer_route *route, VALUE options, struct texts *texts) {
    route->url = text_option(options, "url", texts);
    route->origin = text_option(options, "origin", texts);
    route->proxy = text_option(options, "proxy", texts);
    route->proxy_user = text_option(options, "proxy_user", texts);
    route->proxy_password = text_option(options, "proxy_password", texts);
    route->unix_path = text_option(options, "unix", texts);
    route->addresses = text_option(options, "addresses", texts);
    route->names = text_option(options, "names", texts);
    route->ca_file = text_option(options, "ca_file", texts);
    route->certificate = text_option(options, "cert", texts);
    route->key = text_option(options, "key", texts);
    route->key_password = text_option(options, "key_password", texts);
    route->verify = RTEST(option(options, "verify"));
}

/* Seconds, or nil for none, as milliseconds. */
static int64_t timeout_option(VALUE options, const char *name) {
    VALUE seconds = option(options, name);
    return NIL_P(seconds) ? 0 : (int64_t)ceil(NUM2DBL(seconds) * 1000);
}

static void read_timeouts(struct streamer_timeouts *timeouts, VALUE options) {
    timeouts->queue = timeout_option(options, "queue");
    timeouts->connect = timeout_option(options, "connect");
    timeouts->first_byte = timeout_option(options, "first_byte");
    timeouts->first_event = timeout_option(options, "first_event");
    timeouts->idle = timeout_option(options, "idle");
    timeouts->event_idle = timeout_option(options, "event_idle");
    timeouts->total = timeout_option(options, "total");
}

struct added_fields {
    struct streamer_buffer buffer;
    enum streamer_status status;
};

static int add_field(VALUE name, VALUE value, VALUE argument) {
    struct added_fields *fields = (struct added_fields *)argument;
    fields->status = streamer_fields_add(&fields->buffer, RSTRING_PTR(name), (size_t)RSTRING_LEN(name),
                                         RSTRING_PTR(value), (size_t)RSTRING_LEN(value));
    return fields->status == STREAMER_OK ? ST_CONTINUE : ST_STOP;
}

static int check_field(VALUE name, VALUE value, VALUE argument) {
    (void)argument;
    Check_Type(name, T_STRING);
    Check_Type(value, T_STRING);
    return ST_CONTINUE;
}

/* The pool of the scheduler's driver, where there is a scheduler, or of the native thread. */
static struct streamer_pool *pool_for(VALUE self, bool native) {
    struct streamer_pool *pool;
    if (!native && rb_fiber_scheduler_current() != Qnil) {
        VALUE driver = streamer_scheduler_driver();
        rb_ivar_set(self, id_driver, driver);
        pool = streamer_scheduler_pool(driver);
    } else if ((pool = streamer_thread_pool()) == NULL) {
        rb_sys_fail("streamer: the native thread could not be started");
    }
    return pool;
}

/* initialize(options): method, authority, target: Strings. fields: a Hash of name => value. body: a String, nil, or an
 * Integer for a streamed one (its length, -1: unknown). route: ConnectionOptions' Hash. proxy_authorization: a String
 * or nil. timeouts: a Hash of seconds. native: whether it is the native thread's even where there is a scheduler. */
static VALUE initialize(VALUE self, VALUE options) {
    struct reader *reader;
    TypedData_Get_Struct(self, struct reader, &reader_type, reader);
    if (reader->transfer != NULL) rb_raise(streamer_error, "this transfer is initialized already");

    struct texts texts = {.count = 0};
    struct streamer_request request = {0};
    request.method = text_option(options, "method", &texts);
    request.authority = text_option(options, "authority", &texts);
    request.target = text_option(options, "target", &texts);
    request.proxy_authorization = text_option(options, "proxy_authorization", &texts);
    VALUE route = option(options, "route"), networks = option(route, "guard"), body = option(options, "body");
    VALUE names = option(options, "fields");
    read_route(&request.route, route, &texts);
    read_timeouts(&request.timeouts, option(options, "timeouts"));
    if (RB_INTEGER_TYPE_P(body)) {
        request.body_streamed = true;
        request.body_length = NUM2LL(body);
    } else if (!NIL_P(body)) {
        request.body = StringValuePtr(body);
        request.body_length = RSTRING_LEN(body);
    }
    rb_hash_foreach(names, check_field, Qnil);
    struct streamer_pool *pool = pool_for(self, RTEST(option(options, "native")));

    struct streamer_guard *guard = NULL; /* nothing below raises before it is freed */
    if (!NIL_P(networks)) {
        size_t count = (size_t)RSTRING_LEN(networks) / sizeof(struct streamer_network);
        guard = streamer_guard_new((const struct streamer_network *)RSTRING_PTR(networks), count);
        if (guard == NULL) rb_memerror();
    }
    request.route.guard = guard;
    struct added_fields fields = {.status = STREAMER_OK};
    streamer_buffer_init(&fields.buffer, STREAMER_MAX_REQUEST_FIELDS);
    rb_hash_foreach(names, add_field, (VALUE)&fields);
    request.fields = &fields.buffer;
    if (fields.status == STREAMER_OK) reader->transfer = streamer_transfer_new(pool, &request);
    streamer_buffer_release(&fields.buffer);
    free(guard);
    RB_GC_GUARD(options);
    RB_GC_GUARD(names);
    RB_GC_GUARD(networks);
    RB_GC_GUARD(body);
    if (fields.status == STREAMER_HEADERS_TOO_LARGE)
        rb_raise(rb_eArgError, "the request's headers are larger than %zu bytes", STREAMER_MAX_REQUEST_FIELDS);
    if (fields.status == STREAMER_HEADER_INVALID) rb_raise(rb_eArgError, "a header's name or value cannot be sent");
    if (reader->transfer == NULL) rb_memerror();
    return self;
}

/* Transfer.limit(per_origin, total, idle_age, age): requests under way at once, in each pool; seconds after which a
 * connection is not used again. 0 for no limit. */
static VALUE limit(VALUE class, VALUE per_origin, VALUE total, VALUE idle_age, VALUE age) {
    streamer_admission_limit(NUM2SIZET(per_origin), NUM2SIZET(total));
    streamer_pool_limit_age(NUM2LL(idle_age), NUM2LL(age));
    return class;
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
    if (streamer_await_in_source(self, transfer, ready)) return;
    streamer_await(rb_ivar_get(self, id_driver), &transfer->monitor, ready, transfer, -1);
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

static VALUE name_of(enum streamer_outcome outcome) {
    return ID2SYM(rb_intern(streamer_outcome_name(outcome)));
}

static void set(VALUE hash, const char *name, VALUE value) {
    rb_hash_aset(hash, ID2SYM(rb_intern(name)), value);
}

static void set_seconds(VALUE hash, const char *name, int64_t microseconds) {
    set(hash, name, microseconds > 0 ? rb_float_new((double)microseconds / 1e6) : Qnil);
}

static VALUE timings_hash(const struct streamer_timings *timings, enum streamer_outcome outcome) {
    int version = timings->http_version;
    VALUE hash = rb_hash_new();
    set(hash, "queue", rb_float_new((double)timings->queue / 1e6));
    set_seconds(hash, "dns", timings->dns);
    set_seconds(hash, "connect", timings->connect);
    set_seconds(hash, "tls", timings->tls);
    set_seconds(hash, "first_byte", timings->first_byte);
    set_seconds(hash, "first_event", timings->first_event);
    set_seconds(hash, "first_text", timings->first_text);
    set_seconds(hash, "total", timings->total);
    set_seconds(hash, "gap_p95", timings->gap_p95);
    set_seconds(hash, "gap_max", timings->gap_max);
    set(hash, "bytes", LL2NUM(timings->bytes));
    set(hash, "reused", timings->reused ? Qtrue : Qfalse);
    set(hash, "http_version", version == 0 ? Qnil : rb_sprintf("%d.%d", version / 10, version % 10));
    set(hash, "address", timings->address[0] == '\0' ? Qnil : rb_str_new_cstr(timings->address));
    if (outcome == STREAMER_OUTCOME_SINK_FAILED) outcome = STREAMER_OUTCOME_CANCELLED; /* by us, whoever reads it */
    set(hash, "outcome", rb_funcall(name_of(outcome), rb_intern("downcase"), 0));
    return hash;
}

/* A Hash, of seconds where nothing else is said; nil for what did not happen, and as a whole until the end. */
static VALUE timings_of(struct streamer_transfer *transfer) {
    pthread_mutex_lock(&transfer->monitor.lock);
    struct streamer_timings timings = streamer_transfer_timings(transfer);
    enum streamer_outcome outcome = transfer->outcome;
    pthread_mutex_unlock(&transfer->monitor.lock);
    bool drains = outcome == STREAMER_OUTCOME_OPEN && timings.total > 0; /* nobody wants what still comes */
    if (outcome == STREAMER_OUTCOME_OPEN && !drains) return Qnil;
    return timings_hash(&timings, drains ? STREAMER_OUTCOME_COMPLETED : outcome);
}

void streamer_raise_failure(struct streamer_transfer *transfer) {
    char detail[STREAMER_DETAIL_SIZE];
    pthread_mutex_lock(&transfer->monitor.lock);
    enum streamer_outcome outcome = transfer->outcome;
    memcpy(detail, transfer->detail, sizeof detail);
    pthread_mutex_unlock(&transfer->monitor.lock);
    if (outcome == STREAMER_OUTCOME_OPEN || outcome == STREAMER_OUTCOME_COMPLETED) return;
    streamer_raise_outcome(outcome, detail, timings_of(transfer));
}

/* Waits for the response's head: its status. Raises when there is none. */
static VALUE wait_head(VALUE self) {
    struct streamer_transfer *transfer = get(self)->transfer;
    wait_until(self, transfer, has_head);
    if (!transfer->head_ready) {
        streamer_raise_failure(transfer);
        rb_raise(streamer_error, "the response has no head");
    }
    return INT2NUM(transfer->status);
}

/* The head's "Name: value" lines, LF between. A source of a merge does not wait for what is here: it could be
 * abandoned there, between its Response and the reading that would cancel it. */
static VALUE head(VALUE self) {
    struct streamer_transfer *transfer = get(self)->transfer;
    pthread_mutex_lock(&transfer->monitor.lock);
    bool ready = transfer->head_ready;
    pthread_mutex_unlock(&transfer->monitor.lock);
    if (!ready) wait_head(self);
    return rb_str_new(transfer->head.bytes, (long)transfer->head.length); /* it does not change any more */
}

/* Waits until bytes are in `taken`; false at the response's end. Raises a failure once all that arrived was handed out.
 */
static bool fill(VALUE self, struct reader *reader) {
    struct streamer_transfer *transfer = reader->transfer;
    if (reader->taken.length > 0) return true; /* an exception kept them from being handed out */
    streamer_transfer_note_decoded(transfer);
    wait_until(self, transfer, has_bytes);
    pthread_mutex_lock(&transfer->monitor.lock);
    streamer_transfer_take(transfer, &reader->taken);
    pthread_mutex_unlock(&transfer->monitor.lock);
    if (reader->taken.length > 0) return true;
    streamer_raise_failure(transfer);
    return false;
}

/* All bytes that have arrived, at least one; nil at the end. */
static VALUE read_bytes(VALUE self) {
    struct reader *reader = get(self);
    if (!fill(self, reader)) return Qnil;
    VALUE bytes = rb_str_new(reader->taken.bytes, (long)reader->taken.length);
    streamer_buffer_clear(&reader->taken);
    return bytes;
}

struct frames {
    VALUE pipeline;
    struct reader *reader;
    uint64_t content_before; /* events of the pipeline */
};

static VALUE feed_taken(VALUE argument) {
    struct frames *frames = (struct frames *)argument;
    return streamer_pipeline_feed(frames->pipeline, frames->reader->taken.bytes, frames->reader->taken.length);
}

/* Also behind an exception: what came before its cause has come. */
static VALUE conclude_taken(VALUE argument) {
    struct frames *frames = (struct frames *)argument;
    streamer_buffer_clear(&frames->reader->taken);
    const struct streamer_pipeline *fed = streamer_get_pipeline(frames->pipeline);
    if (streamer_pipeline_content_events(fed) > frames->content_before)
        streamer_transfer_note_event(frames->reader->transfer);
    if (streamer_pipeline_texts(fed) > 0) streamer_transfer_note_text(frames->reader->transfer);
    return Qnil;
}

/* The frames of all that has arrived, possibly none: ""; nil at the end. */
static VALUE read_frames(VALUE self, VALUE pipeline) {
    struct frames frames = {pipeline, get(self), 0};
    if (!fill(self, frames.reader)) return Qnil;
    frames.content_before = streamer_pipeline_content_events(streamer_get_pipeline(pipeline));
    return rb_ensure(feed_taken, (VALUE)&frames, conclude_taken, (VALUE)&frames);
}

static VALUE note_event(VALUE self) {
    streamer_transfer_note_event(get(self)->transfer);
    return Qnil;
}

static VALUE note_text(VALUE self) {
    streamer_transfer_note_text(get(self)->transfer);
    return Qnil;
}

/* Hands over at most STREAMER_UPLOAD_SPAN bytes of a streamed body, once there is room. False when the response has
 * ended already. */
static VALUE upload(VALUE self, VALUE bytes, VALUE last) {
    struct streamer_transfer *transfer = get(self)->transfer;
    StringValue(bytes);
    if ((size_t)RSTRING_LEN(bytes) > STREAMER_UPLOAD_SPAN)
        rb_raise(rb_eArgError, "at most %zu bytes at a time", STREAMER_UPLOAD_SPAN);
    wait_until(self, transfer, has_upload_room);
    pthread_mutex_lock(&transfer->monitor.lock);
    bool over = has_ended(transfer);
    enum streamer_status status = STREAMER_OK;
    if (!over) {
        status = streamer_transfer_upload(transfer, RSTRING_PTR(bytes), (size_t)RSTRING_LEN(bytes), RTEST(last));
    }
    pthread_mutex_unlock(&transfer->monitor.lock);
    RB_GC_GUARD(bytes);
    if (status != STREAMER_OK) streamer_raise_status(status);
    VALUE driver = rb_ivar_get(self, id_driver);
    if (driver != Qnil) streamer_scheduler_iterate(driver); /* nobody may be leading while the next bytes are made */
    return over ? Qfalse : Qtrue;
}

/* ---- the end ---- */

static VALUE cancel(VALUE self) {
    streamer_transfer_cancel(get(self)->transfer);
    VALUE driver = rb_ivar_get(self, id_driver);
    if (driver != Qnil) streamer_scheduler_iterate(driver); /* nobody may be leading just now */
    return Qnil;
}

/* The consumer has what it wanted: the rest is read and dropped, within bounds, so that the connection can be used
 * again. */
static VALUE drain(VALUE self) {
    streamer_transfer_drain(get(self)->transfer);
    VALUE driver = rb_ivar_get(self, id_driver);
    if (driver != Qnil) streamer_scheduler_iterate(driver);
    return Qnil;
}

static VALUE outcome(VALUE self) {
    struct streamer_transfer *transfer = get(self)->transfer;
    pthread_mutex_lock(&transfer->monitor.lock);
    enum streamer_outcome outcome = transfer->outcome;
    pthread_mutex_unlock(&transfer->monitor.lock);
    return name_of(outcome);
}

/* Whether a byte of a response had come when it ended; false until then. */
static VALUE is_answered(VALUE self) {
    struct streamer_transfer *transfer = get(self)->transfer;
    pthread_mutex_lock(&transfer->monitor.lock);
    bool answered = has_ended(transfer) && transfer->answered;
    pthread_mutex_unlock(&transfer->monitor.lock);
    return answered ? Qtrue : Qfalse;
}

static VALUE timings(VALUE self) {
    return timings_of(get(self)->transfer);
}

static bool is_over(void *transfer) {
    return has_ended(transfer);
}

/* Ends it, waits for the end, which the loop's next iteration brings, and returns the timings. */
static VALUE finish(VALUE self) {
    struct streamer_transfer *transfer = get(self)->transfer;
    cancel(self);
    wait_until(self, transfer, is_over);
    return timings_of(transfer);
}

static VALUE is_native(VALUE self) {
    return streamer_transfer_is_native(self) ? Qtrue : Qfalse;
}

void streamer_init_transfer(void) {
    VALUE class = rb_define_class_under(streamer_module, "Transfer", rb_cObject);
    rb_define_alloc_func(class, allocate);
    rb_define_singleton_method(class, "limit", limit, 4);
    rb_define_method(class, "initialize", initialize, 1);
    rb_define_method(class, "start", start, 0);
    rb_define_method(class, "wait_head", wait_head, 0);
    rb_define_method(class, "head", head, 0);
    rb_define_method(class, "read", read_bytes, 0);
    rb_define_method(class, "read_frames", read_frames, 1);
    rb_define_method(class, "note_event", note_event, 0);
    rb_define_method(class, "note_text", note_text, 0);
    rb_define_method(class, "upload", upload, 2);
    rb_define_method(class, "cancel", cancel, 0);
    rb_define_method(class, "drain", drain, 0);
    rb_define_method(class, "outcome", outcome, 0);
    rb_define_method(class, "finish", finish, 0);
    rb_define_method(class, "answered?", is_answered, 0);
    rb_define_method(class, "timings", timings, 0);
    rb_define_method(class, "native?", is_native, 0);
    id_driver = rb_intern("__driver");
}
