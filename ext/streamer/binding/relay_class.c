#include "../relay/relay.h"

#include "../loop/clock.h"
#include "../loop/fork.h"
#include "../relay/thread.h"
#include "../sink/fanout.h"
#include "await.h"
#include "binding.h"
#include "errors.h"
#include "objects.h"
#include "stages.h"

static void free_relay(void *pointer) {
    struct streamer_relay *relay = pointer;
    if (relay == NULL || relay->outlet.generation != streamer_fork_generation()) return;
    streamer_relay_release(relay);
}

static size_t relay_size(const void *pointer) {
    const struct streamer_relay *relay = pointer;
    if (relay == NULL) return 0;
    size_t size = sizeof *relay + relay->body.capacity + relay->fresh.capacity;
    bool ours = relay->outlet.generation == streamer_fork_generation();
    return relay->batch != NULL && ours ? size + streamer_batch_size(relay->batch) : size;
}

static const rb_data_type_t relay_type = {
    .wrap_struct_name = "streamer/relay",
    .function = {.dfree = free_relay, .dsize = relay_size},
    .flags = RUBY_TYPED_FREE_IMMEDIATELY | RUBY_TYPED_WB_PROTECTED,
};

static VALUE allocate(VALUE class) {
    return TypedData_Wrap_Struct(class, &relay_type, NULL);
}

static struct streamer_relay *get(VALUE self) {
    struct streamer_relay *relay = rb_check_typeddata(self, &relay_type);
    if (relay == NULL) rb_raise(rb_eArgError, "this relay was not initialized");
    streamer_check_generation(relay->outlet.generation, "this relay");
    return relay;
}

static void lock(struct streamer_relay *relay) {
    pthread_mutex_lock(&relay->outlet.monitor->lock);
}

static void unlock(struct streamer_relay *relay) {
    pthread_mutex_unlock(&relay->outlet.monitor->lock);
}

/* ---- the mailbox ---- */

enum { CALLBACKS, ENTRIES, MAILBOXES };

/* This process's; the parent's are left as they are, for their locks may be held by a thread that is not here. */
static struct streamer_mailbox *mailbox(int which) {
    static struct streamer_mailbox *mailboxes;
    static unsigned generation;
    if (mailboxes == NULL || generation != streamer_fork_generation()) {
        mailboxes = ALLOC_N(struct streamer_mailbox, MAILBOXES);
        for (int i = 0; i < MAILBOXES; i++) streamer_mailbox_init(&mailboxes[i]);
        generation = streamer_fork_generation();
    }
    return &mailboxes[which];
}

static bool has_notifications(void *argument) {
    return ((struct streamer_mailbox *)argument)->first != NULL;
}

/* Waits for a relay that has notifications, at most so long; the reference is the caller's. NULL when the time is over.
 */
static struct streamer_relay *await_notifications(struct streamer_mailbox *waited, VALUE seconds, int *notifications) {
    int64_t deadline = NIL_P(seconds) ? -1 : streamer_now() + (int64_t)(NUM2DBL(seconds) * 1000);
    streamer_await(Qnil, &waited->monitor, has_notifications, waited, deadline);
    return streamer_mailbox_take(waited, notifications);
}

/* Relay.take_notifications(seconds or nil): waits for notifications, at most so long: [id, Array of :first, :text,
 * :entries, :ended]; nil when the time is over. */
static VALUE take_notifications(VALUE class, VALUE seconds) {
    (void)class;
    int notifications;
    struct streamer_relay *relay = await_notifications(mailbox(CALLBACKS), seconds, &notifications);
    if (relay == NULL) return Qnil;
    uint64_t id = relay->id;
    streamer_relay_release(relay);

    VALUE names = rb_ary_new();
    if (notifications & STREAMER_NOTIFICATION_FIRST) rb_ary_push(names, ID2SYM(rb_intern("first")));
    if (notifications & STREAMER_NOTIFICATION_TEXT) rb_ary_push(names, ID2SYM(rb_intern("text")));
    if (notifications & STREAMER_NOTIFICATION_ENTRIES) rb_ary_push(names, ID2SYM(rb_intern("entries")));
    if (notifications & STREAMER_NOTIFICATION_ENDED) rb_ary_push(names, ID2SYM(rb_intern("ended")));
    return rb_assoc_new(ULL2NUM(id), names);
}

/* Relay.await_entries(seconds or nil): the id of the next relay whose entries wait to be taken; nil when the time is
 * over. */
static VALUE await_entries(VALUE class, VALUE seconds) {
    (void)class;
    int notifications;
    struct streamer_relay *relay = await_notifications(mailbox(ENTRIES), seconds, &notifications);
    if (relay == NULL) return Qnil;
    uint64_t id = relay->id;
    streamer_relay_release(relay);
    return ULL2NUM(id);
}

/* ---- one relay ---- */

/* A batch of this process's native thread; the caller owns the reference. */
static struct streamer_batch *new_batch(void) {
    struct streamer_pool *pool = streamer_thread_pool();
    if (pool == NULL) rb_sys_fail("streamer: the native thread could not be started");
    struct streamer_batch *batch = streamer_batch_new(pool->loop);
    if (batch == NULL) rb_memerror();
    return batch;
}

/* setup(browser_socket, transfer, pipeline, notifications, flush, outlives_browser, terminal): browser_socket nil for
 * entries that are taken here (take_entries); notifications nil or [first, text]; flush nil or [milliseconds, bytes];
 * terminal frames or nil. The pipeline becomes the relay's. */
static VALUE initialize(VALUE self, VALUE browser, VALUE transfer, VALUE pipeline, VALUE notifications, VALUE flush,
                        VALUE outlives, VALUE terminal) {
    if (RTYPEDDATA_DATA(self) != NULL) rb_raise(streamer_error, "this relay is initialized already");
    if (!streamer_transfer_is_native(transfer)) {
        rb_raise(streamer_error,
                 "this response belongs to a fiber scheduler; its bytes cannot be relayed by the native thread");
    }
    struct streamer_relay_options options = {.outlives_outlet = RTEST(outlives)};
    if (!NIL_P(notifications)) {
        options.mailbox = mailbox(CALLBACKS);
        options.entries_mailbox = mailbox(ENTRIES);
        options.wanted_notifications = (RTEST(rb_ary_entry(notifications, 0)) ? STREAMER_NOTIFICATION_FIRST : 0) |
                                       (RTEST(rb_ary_entry(notifications, 1)) ? STREAMER_NOTIFICATION_TEXT : 0);
    }
    if (!NIL_P(flush)) {
        options.flush_after = NUM2LL(rb_ary_entry(flush, 0));
        options.flush_at = NUM2SIZET(rb_ary_entry(flush, 1));
    }
    if (!NIL_P(terminal)) {
        options.terminal = StringValuePtr(terminal);
        options.terminal_length = (size_t)RSTRING_LEN(terminal);
    }
    struct streamer_transfer *theirs = streamer_get_transfer(transfer);
    struct streamer_pipeline *frames = streamer_get_pipeline(pipeline);
    struct streamer_batch *batch = NIL_P(browser) ? new_batch() : NULL;
    struct streamer_outlet outlet =
        batch != NULL ? streamer_outlet_to_batch(batch) : streamer_outlet_to_browser(streamer_get_browser(browser));
    struct streamer_relay *relay = streamer_relay_new(theirs, outlet, frames, &options);
    if (batch != NULL) streamer_batch_release(batch);
    if (relay == NULL) rb_memerror();
    streamer_take_pipeline(pipeline);
    RTYPEDDATA_DATA(self) = relay;
    RB_GC_GUARD(terminal);
    return self;
}

static VALUE start(VALUE self) {
    streamer_relay_start(get(self));
    return self;
}

static bool has_ended(void *argument) {
    return ((struct streamer_relay *)argument)->ended;
}

static VALUE wait_interruptibly(VALUE argument) {
    struct streamer_relay *relay = (struct streamer_relay *)argument;
    streamer_await(Qnil, relay->outlet.monitor, has_ended, relay, -1);
    return Qnil;
}

/* When the waiting was interrupted, nobody wants the rest. */
static VALUE cancel_unless_ended(VALUE argument) {
    struct streamer_relay *relay = (struct streamer_relay *)argument;
    lock(relay);
    bool ended = relay->ended;
    unlock(relay);
    if (!ended) streamer_transfer_cancel(relay->transfer);
    return Qnil;
}

/* Waits for the end. An exception that interrupts it cancels the upstream. */
static VALUE wait_for_end(VALUE self) {
    struct streamer_relay *relay = get(self);
    rb_ensure(wait_interruptibly, (VALUE)relay, cancel_unless_ended, (VALUE)relay);
    RB_GC_GUARD(self);
    return self;
}

/* Ends it. From any thread, any number of times. */
static VALUE stop(VALUE self) {
    streamer_transfer_cancel(get(self)->transfer);
    return Qnil;
}

/* Raises what the pipeline or the upstream failed with; returns when neither did. Once it has ended. */
static VALUE raise_failure(VALUE self) {
    struct streamer_relay *relay = get(self);
    if (relay->status != STREAMER_OK) streamer_raise_pipeline(relay->pipeline, relay->status);
    if (!relay->completed) streamer_raise_failure(relay->transfer);
    return Qnil;
}

static VALUE is_ended(VALUE self) {
    struct streamer_relay *relay = get(self);
    lock(relay);
    bool ended = relay->ended;
    unlock(relay);
    return ended ? Qtrue : Qfalse;
}

static VALUE is_completed(VALUE self) {
    return get(self)->completed ? Qtrue : Qfalse;
}

/* Whether the browser left, and whether it did because it took nothing for the write timeout. */
static VALUE browser_state(VALUE self) {
    struct streamer_relay *relay = get(self);
    lock(relay);
    struct streamer_outlet_state state = relay->outlet.type->state(relay->outlet.target);
    unlock(relay);
    return ID2SYM(rb_intern(state.slow ? "slow" : state.gone ? "gone" : "there"));
}

static VALUE id(VALUE self) {
    return ULL2NUM(get(self)->id);
}

/* The start of the body of a response that is no success. */
static VALUE body(VALUE self) {
    struct streamer_relay *relay = get(self);
    return rb_str_new(relay->body.bytes, (long)relay->body.length);
}

static struct streamer_batch *get_batch(VALUE self) {
    struct streamer_relay *relay = get(self);
    if (relay->batch == NULL) rb_raise(streamer_error, "this relay's frames go to a browser");
    return relay->batch;
}

struct strings {
    struct streamer_batch_taken taken;
    VALUE array;
};

static VALUE make_strings(VALUE argument) {
    struct strings *strings = (struct strings *)argument;
    const struct streamer_batch_taken *taken = &strings->taken;
    rb_ary_push(strings->array, rb_str_new(taken->frames.bytes, (long)taken->frames.length));
    rb_ary_push(strings->array, ULL2NUM(taken->count));
    rb_ary_push(strings->array, rb_str_new(taken->text.bytes, (long)taken->text.length));
    return rb_ary_push(strings->array, rb_str_new(taken->others.bytes, (long)taken->others.length));
}

static VALUE release_strings(VALUE argument) {
    struct streamer_batch_taken *taken = &((struct strings *)argument)->taken;
    streamer_buffer_release(&taken->frames);
    streamer_buffer_release(&taken->text);
    streamer_buffer_release(&taken->others);
    return Qnil;
}

/* The entries that came since the last call: [frames, count, the text that they add, the frames of those that add
 * none], binary; nil for none. The upstream goes on if it was held up. */
static VALUE take_entries(VALUE self) {
    struct streamer_batch *batch = get_batch(self);
    struct strings strings = {.array = rb_ary_new_capa(4)};
    strings.taken = streamer_batch_take(batch);
    if (strings.taken.count > 0) rb_ensure(make_strings, (VALUE)&strings, release_strings, (VALUE)&strings);
    RB_GC_GUARD(self);
    return strings.taken.count > 0 ? strings.array : Qnil;
}

/* Bytes of entries that wait to be taken. */
static VALUE waiting(VALUE self) {
    struct streamer_batch *batch = get_batch(self);
    pthread_mutex_lock(&batch->monitor.lock);
    size_t bytes = batch->frames.length;
    pthread_mutex_unlock(&batch->monitor.lock);
    return SIZET2NUM(bytes);
}

/* Nobody takes any more: what waits is dropped, and the upstream ends. From any thread, any number of times. */
static VALUE abandon(VALUE self) {
    streamer_batch_abandon(get_batch(self));
    return Qnil;
}

/* Has the relay's entries looked at, whether there are any or not. From any thread. */
static VALUE remind(VALUE self) {
    struct streamer_relay *relay = get(self);
    struct streamer_mailbox *entries = relay->options.entries_mailbox;
    if (entries != NULL) streamer_mailbox_post(entries, &relay->entries_letter, STREAMER_NOTIFICATION_ENTRIES);
    return Qnil;
}

/* Notifies Dispatcher of :entries. From any thread. */
static VALUE tell_dispatcher(VALUE self) {
    struct streamer_relay *relay = get(self);
    struct streamer_mailbox *callbacks = relay->options.mailbox;
    if (callbacks != NULL) streamer_mailbox_post(callbacks, &relay->letter, STREAMER_NOTIFICATION_ENTRIES);
    return Qnil;
}

/* The text that came since the last call. */
static VALUE take_text(VALUE self) {
    struct streamer_relay *relay = get(self);
    VALUE text = rb_str_buf_new(0);
    struct streamer_buffer fresh;
    streamer_buffer_init(&fresh, STREAMER_RELAY_FRESH);
    lock(relay);
    struct streamer_buffer taken = relay->fresh;
    relay->fresh = fresh;
    unlock(relay);
    rb_str_cat(text, taken.bytes == NULL ? "" : taken.bytes, (long)taken.length);
    streamer_buffer_release(&taken);
    return rb_enc_associate(text, rb_utf8_encoding());
}

/* All the text, up to the ceiling, once it has ended. */
static VALUE text(VALUE self) {
    size_t length;
    bool cut;
    const char *bytes = streamer_pipeline_text(get(self)->pipeline, &length, &cut);
    return rb_utf8_str_new(bytes, (long)length);
}

/* Whether that was not all. */
static VALUE is_text_cut(VALUE self) {
    size_t length;
    bool cut;
    streamer_pipeline_text(get(self)->pipeline, &length, &cut);
    return cut ? Qtrue : Qfalse;
}

/* The last value of the n-th kept path as JSON, nil for none, once it has ended. */
static VALUE kept_value(VALUE self, VALUE n) {
    size_t length;
    const char *json = streamer_pipeline_kept(get(self)->pipeline, NUM2SIZET(n), &length);
    return json == NULL ? Qnil : rb_utf8_str_new(json, (long)length);
}

/* Whether a later value of the n-th kept path was too large to be kept, once it has ended. */
static VALUE is_kept_too_large(VALUE self, VALUE n) {
    return streamer_pipeline_kept_too_large(get(self)->pipeline, NUM2SIZET(n)) ? Qtrue : Qfalse;
}

static VALUE seconds_since(int64_t start, int64_t moment) {
    return moment == 0 ? Qnil : rb_float_new((double)(moment - start) / 1000);
}

/* Seconds from the start to the first event and to the end; frames written; bytes sent to the browser. */
static VALUE measures(VALUE self) {
    struct streamer_relay *relay = get(self);
    VALUE hash = rb_hash_new();
    lock(relay);
    int64_t started = relay->started, first = relay->first_event, over = relay->over;
    uint64_t bytes = relay->outlet.type->state(relay->outlet.target).bytes;
    bool ended = relay->ended;
    unlock(relay);
    rb_hash_aset(hash, ID2SYM(rb_intern("first_event")), seconds_since(started, first));
    rb_hash_aset(hash, ID2SYM(rb_intern("duration")), seconds_since(started, over));
    rb_hash_aset(hash, ID2SYM(rb_intern("bytes")), ULL2NUM(bytes));
    rb_hash_aset(hash, ID2SYM(rb_intern("frames")), ended ? ULL2NUM(streamer_pipeline_frames(relay->pipeline)) : Qnil);
    return hash;
}

/* Streamer.stats without the Ruby side's: of the native thread; each figure true by itself. */
static VALUE counters(VALUE class) {
    (void)class;
    struct streamer_relay_stats relays = streamer_relay_stats();
    VALUE hash = rb_hash_new();
#define SET(name, value) rb_hash_aset(hash, ID2SYM(rb_intern(name)), ULL2NUM(value))
    SET("open", relays.open);
    SET("relays", relays.relays);
    SET("frames", relays.frames);
    struct streamer_fanout_stats fanouts = streamer_fanout_stats();
    SET("followers", fanouts.readers);
    SET("followers_cut", fanouts.cut);
    SET("shared_bytes", fanouts.blocks.shared_bytes);
    const struct streamer_pool *pool = streamer_thread_running_pool();
    struct streamer_pool_stats stats = {0};
    if (pool != NULL) stats = streamer_pool_stats(pool);
    SET("upstreams", stats.open);
    SET("queued", stats.queued);
    SET("requests", stats.requests);
    SET("reused", stats.reused);
    SET("connections", stats.connections);
    SET("bytes", stats.bytes);
    SET("pauses", stats.pauses);
    SET("iterations", pool == NULL ? 0 : streamer_loop_iterations(pool->loop));
#undef SET
    return hash;
}

void streamer_init_relay(void) {
    VALUE class = rb_define_class_under(streamer_module, "Relay", rb_cObject);
    rb_define_alloc_func(class, allocate);
    rb_define_singleton_method(class, "take_notifications", take_notifications, 1);
    rb_define_singleton_method(class, "await_entries", await_entries, 1);
    rb_define_singleton_method(class, "counters", counters, 0);
    rb_define_private_method(class, "setup", initialize, 7);
    rb_define_method(class, "start", start, 0);
    rb_define_method(class, "wait", wait_for_end, 0);
    rb_define_method(class, "stop", stop, 0);
    rb_define_method(class, "raise_failure", raise_failure, 0);
    rb_define_method(class, "ended?", is_ended, 0);
    rb_define_method(class, "completed?", is_completed, 0);
    rb_define_method(class, "browser", browser_state, 0);
    rb_define_method(class, "id", id, 0);
    rb_define_method(class, "body", body, 0);
    rb_define_method(class, "take_text", take_text, 0);
    rb_define_method(class, "text_cut?", is_text_cut, 0);
    rb_define_method(class, "text", text, 0);
    rb_define_method(class, "kept_value", kept_value, 1);
    rb_define_method(class, "kept_too_large?", is_kept_too_large, 1);
    rb_define_method(class, "measures", measures, 0);
    rb_define_method(class, "take_entries", take_entries, 0);
    rb_define_method(class, "waiting", waiting, 0);
    rb_define_method(class, "abandon", abandon, 0);
    rb_define_method(class, "remind", remind, 0);
    rb_define_method(class, "tell_dispatcher", tell_dispatcher, 0);
}
