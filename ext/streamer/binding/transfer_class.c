#include "../upstream/transfer.h"

#include <errno.h>
#include <ruby/fiber/scheduler.h>

#include "../relay/thread.h"
#include "../upstream/multi.h"
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

/* A list of an Array's Strings, which were checked to be free of NUL before. NULL when out of memory, and for none. */
static struct curl_slist *list_of(VALUE strings, bool *memory) {
    struct curl_slist *list = NULL;
    for (long i = 0; *memory && i < RARRAY_LEN(strings); i++) {
        VALUE string = rb_ary_entry(strings, i);
        struct curl_slist *longer = curl_slist_append(list, RSTRING_PTR(string));
        *memory = longer != NULL;
        if (*memory) list = longer;
    }
    return list;
}

static void check_strings(VALUE strings) {
    for (long i = 0; i < RARRAY_LEN(strings); i++) {
        VALUE string = rb_ary_entry(strings, i);
        StringValueCStr(string);
    }
}

/* networks: what streamer_guard_new takes, packed in a String. */
static struct streamer_guard *guard_of(VALUE networks, bool *memory) {
    if (NIL_P(networks)) return NULL;
    size_t count = (size_t)RSTRING_LEN(networks) / sizeof(struct streamer_network);
    struct streamer_guard *guard = streamer_guard_new((const struct streamer_network *)RSTRING_PTR(networks), count);
    *memory &= guard != NULL;
    return guard;
}

static VALUE option(VALUE route, const char *name) {
    return rb_hash_aref(route, ID2SYM(rb_intern(name)));
}

/* A route's Strings while a request is made of it: on the stack, where compaction leaves them in their places. */
struct route_texts {
    volatile VALUE strings[10];
    size_t count;
};

/* The String of that name, or NULL. */
static const char *text_option(VALUE route, const char *name, struct route_texts *texts) {
    VALUE value = option(route, name);
    if (NIL_P(value)) return NULL;
    texts->strings[texts->count++] = value;
    return StringValueCStr(value);
}

static void read_route(struct streamer_request *request, VALUE route, struct route_texts *texts) {
    request->origin = text_option(route, "origin", texts);
    request->proxy = text_option(route, "proxy", texts);
    request->proxy_user = text_option(route, "proxy_user", texts);
    request->proxy_password = text_option(route, "proxy_password", texts);
    request->no_proxy = text_option(route, "no_proxy", texts);
    request->unix_path = text_option(route, "unix", texts);
    request->ca_file = text_option(route, "ca_file", texts);
    request->certificate = text_option(route, "cert", texts);
    request->key = text_option(route, "key", texts);
    request->key_password = text_option(route, "key_password", texts);
    request->idle_age = NUM2LONG(option(route, "idle_age"));
    request->age = NUM2LONG(option(route, "age"));
    request->verify = RTEST(option(route, "verify"));
    check_strings(option(route, "addresses"));
    check_strings(option(route, "names"));
}

static void read_timeouts(struct streamer_timeouts *timeouts, VALUE milliseconds) {
    int64_t *const fields[] = {&timeouts->queue, &timeouts->connect,    &timeouts->first_byte, &timeouts->first_event,
                               &timeouts->idle,  &timeouts->event_idle, &timeouts->total};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        *fields[i] = NUM2LL(rb_ary_entry(milliseconds, (long)i));
    }
}

/* setup(method, url, headers, body, route, timeouts): the strings without NUL; headers "Name: value"; body a String,
 * nil, or an Integer for a streamed one (its length, -1: unknown); route: Route#for's Hash; timeouts in ms, in the
 * order of struct streamer_timeouts. */
static VALUE initialize(VALUE self, VALUE method, VALUE url, VALUE headers, VALUE body, VALUE route, VALUE timeouts) {
    struct exchange *exchange;
    TypedData_Get_Struct(self, struct exchange, &exchange_type, exchange);
    if (exchange->transfer != NULL) rb_raise(streamer_error, "this transfer is initialized already");

    struct streamer_request request = {.method = StringValueCStr(method), .url = StringValueCStr(url)};
    struct route_texts texts = {.count = 0};
    read_route(&request, route, &texts);
    read_timeouts(&request.timeouts, timeouts);
    check_strings(headers);
    if (RB_INTEGER_TYPE_P(body)) {
        request.body_streamed = true;
        request.body_length = NUM2LL(body);
    } else if (!NIL_P(body)) {
        request.body = StringValuePtr(body);
        request.body_length = RSTRING_LEN(body);
    }

    struct streamer_reactor *reactor;
    if (rb_fiber_scheduler_current() != Qnil) {
        VALUE driver = streamer_scheduler_driver();
        rb_ivar_set(self, id_driver, driver);
        reactor = streamer_scheduler_reactor(driver);
    } else if ((reactor = streamer_thread_reactor()) == NULL) {
        rb_sys_fail("streamer: the native thread could not be started");
    }
    VALUE addresses = option(route, "addresses"), names = option(route, "names"), networks = option(route, "guard");
    bool memory = true;
    request.headers = list_of(headers, &memory);
    request.addresses = list_of(addresses, &memory);
    request.names = list_of(names, &memory);
    request.guard = guard_of(networks, &memory);
    if (!memory) {
        curl_slist_free_all(request.headers);
        curl_slist_free_all(request.addresses);
        curl_slist_free_all(request.names);
        free(request.guard);
        rb_memerror();
    }
    const char *problem;
    exchange->transfer = streamer_transfer_new(reactor, &request, &problem);
    RB_GC_GUARD(method);
    RB_GC_GUARD(url);
    RB_GC_GUARD(body);
    RB_GC_GUARD(route);
    if (exchange->transfer != NULL) return self;
    if (problem == NULL) rb_memerror();
    rb_raise(rb_eArgError, "libcurl refused the request: %s", problem);
}

/* Transfer.limit(per_origin, total): requests under way at once, in each reactor; 0 for no limit. */
static VALUE limit(VALUE class, VALUE per_origin, VALUE total) {
    streamer_slots_limit(NUM2SIZET(per_origin), NUM2SIZET(total));
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
    long version = timings->http_version;
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
    set(hash, "http_version", version == 0 ? Qnil : rb_sprintf("%ld.%ld", version / 10, version % 10));
    set(hash, "address", timings->address[0] == '\0' ? Qnil : rb_str_new_cstr(timings->address));
    if (outcome == STREAMER_OUTCOME_SINK_FAILED) outcome = STREAMER_OUTCOME_CANCELLED; /* by us, whoever reads it */
    set(hash, "outcome", rb_funcall(name_of(outcome), rb_intern("downcase"), 0));
    return hash;
}

/* A Hash, of seconds where nothing else is said; nil for what did not happen, and as a whole until the end. */
static VALUE timings_of(struct streamer_transfer *transfer) {
    pthread_mutex_lock(&transfer->signal.lock);
    struct streamer_timings timings = streamer_transfer_timings(transfer);
    enum streamer_outcome outcome = transfer->outcome;
    pthread_mutex_unlock(&transfer->signal.lock);
    bool drains = outcome == STREAMER_OUTCOME_OPEN && timings.total > 0; /* nobody wants what still comes */
    if (outcome == STREAMER_OUTCOME_OPEN && !drains) return Qnil;
    return timings_hash(&timings, drains ? STREAMER_OUTCOME_COMPLETED : outcome);
}

void streamer_raise_failure(struct streamer_transfer *transfer) {
    char detail[CURL_ERROR_SIZE];
    pthread_mutex_lock(&transfer->signal.lock);
    enum streamer_outcome outcome = transfer->outcome;
    memcpy(detail, transfer->detail, sizeof detail);
    pthread_mutex_unlock(&transfer->signal.lock);
    if (outcome == STREAMER_OUTCOME_OPEN || outcome == STREAMER_OUTCOME_COMPLETED) return;
    streamer_raise_outcome(outcome, detail, timings_of(transfer));
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

/* The head's "Name: value" lines, LF between. A branch gives no turn away for what is here: it could be abandoned
 * there, between its Response and the reading that would cancel it. */
static VALUE head(VALUE self) {
    struct streamer_transfer *transfer = get(self)->transfer;
    pthread_mutex_lock(&transfer->signal.lock);
    bool ready = transfer->head_ready;
    pthread_mutex_unlock(&transfer->signal.lock);
    if (!ready) wait_head(self);
    return rb_str_new(transfer->head.bytes, (long)transfer->head.length); /* it does not change any more */
}

/* Waits until bytes are in `taken`; false at the answer's end. Raises a failure once all that arrived was handed out.
 */
static bool fill(VALUE self, struct exchange *exchange) {
    struct streamer_transfer *transfer = exchange->transfer;
    if (exchange->taken.length > 0) return true; /* an exception kept them from being handed out */
    streamer_transfer_note_decoded(transfer);
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
    uint64_t news; /* of the pipeline, before */
};

static VALUE feed_taken(VALUE argument) {
    struct frames *frames = (struct frames *)argument;
    return streamer_pipeline_feed(frames->pipeline, frames->exchange->taken.bytes, frames->exchange->taken.length);
}

/* Also behind an exception: what came before its cause has come. */
static VALUE conclude_taken(VALUE argument) {
    struct frames *frames = (struct frames *)argument;
    streamer_buffer_clear(&frames->exchange->taken);
    const struct streamer_pipeline *fed = streamer_get_pipeline(frames->pipeline);
    if (streamer_pipeline_content_events(fed) > frames->news) streamer_transfer_note_event(frames->exchange->transfer);
    if (streamer_pipeline_texts(fed) > 0) streamer_transfer_note_text(frames->exchange->transfer);
    return Qnil;
}

/* The frames of all that has arrived, possibly none: ""; nil at the end. */
static VALUE read_frames(VALUE self, VALUE pipeline) {
    struct frames frames = {pipeline, get(self), 0};
    if (!fill(self, frames.exchange)) return Qnil;
    frames.news = streamer_pipeline_content_events(streamer_get_pipeline(pipeline));
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

/* A sink that wants nothing: what still comes is thrown away, within STREAMER_DRAIN, so that the connection can be used
 * again. */
struct drain {
    struct streamer_task task;
    struct streamer_sink sink;
    struct streamer_transfer *transfer;
};

static void end_drain(struct streamer_sink *sink) {
    struct drain *drain = (struct drain *)((char *)sink - offsetof(struct drain, sink));
    streamer_transfer_release(drain->transfer);
    free(drain);
}

static void run_drain(struct streamer_task *task) {
    struct drain *drain = (struct drain *)((char *)task - offsetof(struct drain, task));
    struct streamer_transfer *transfer = drain->transfer;
    if (transfer->easy == NULL || transfer->draining) { /* it has ended, or did so before */
        end_drain(&drain->sink);
        return;
    }
    pthread_mutex_lock(&transfer->signal.lock);
    streamer_buffer_clear(&transfer->inbox);
    pthread_mutex_unlock(&transfer->signal.lock);
    transfer->sink = &drain->sink;
    if (transfer->receive_paused) streamer_transfer_resume(transfer);
    streamer_transfer_drain(transfer);
}

/* Nobody wants the rest. */
static VALUE drain(VALUE self) {
    struct streamer_transfer *transfer = get(self)->transfer;
    struct drain *drain = calloc(1, sizeof *drain);
    if (drain == NULL) rb_memerror();
    drain->task.run = run_drain;
    drain->sink.end = end_drain;
    drain->transfer = transfer;
    streamer_transfer_retain(transfer);
    if (!streamer_reactor_post(transfer->reactor, &drain->task)) end_drain(&drain->sink);
    VALUE driver = rb_ivar_get(self, id_driver);
    if (driver != Qnil) streamer_scheduler_turn(driver);
    return Qnil;
}

static VALUE outcome(VALUE self) {
    struct streamer_transfer *transfer = get(self)->transfer;
    pthread_mutex_lock(&transfer->signal.lock);
    enum streamer_outcome outcome = transfer->outcome;
    pthread_mutex_unlock(&transfer->signal.lock);
    return name_of(outcome);
}

/* Whether a line of the answer had come when it ended; false until then. (libcurl tells of no less than a line.) */
static VALUE is_answered(VALUE self) {
    struct streamer_transfer *transfer = get(self)->transfer;
    pthread_mutex_lock(&transfer->signal.lock);
    bool answered = has_ended(transfer) && transfer->head_bytes > 0;
    pthread_mutex_unlock(&transfer->signal.lock);
    return answered ? Qtrue : Qfalse;
}

static VALUE timings(VALUE self) {
    return timings_of(get(self)->transfer);
}

static bool is_over(void *transfer) {
    return has_ended(transfer);
}

/* Ends it, waits for the end, which is a turn away, and returns the timings. */
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
    rb_define_singleton_method(class, "limit", limit, 2);
    rb_define_method(class, "initialize", initialize, 6);
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
