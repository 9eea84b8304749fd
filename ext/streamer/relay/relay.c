#include "relay.h"

#include <stdlib.h>
#include <string.h>

#include "../core/fields.h"
#include "../loop/clock.h"
#include "../loop/fork.h"

/* The frames of one read. Relays run in the one native thread, one read at a time, so they share it. It grows to the
 * frames of one event at its ceiling, and gives back what is beyond KEEP. */
static struct streamer_output scratch;

enum { KEEP = 256 << 10 };

static struct { atomic_ullong open, relays, frames; } stats;

/* In a forked child: its parent's relays are not its own, nor is what the parent's thread was writing at that moment.
 * Before the child's first relay. */
static void forget_parent(void) {
    static atomic_uint generation;
    unsigned ours = streamer_fork_generation();
    if (atomic_exchange(&generation, ours) == ours) return;
    scratch = (struct streamer_output){NULL, 0, 0};
    atomic_store(&stats.open, 0);
    atomic_store(&stats.relays, 0);
    atomic_store(&stats.frames, 0);
}

static void lock(struct streamer_relay *relay) {
    pthread_mutex_lock(&relay->outlet.monitor->lock);
}

static void unlock(struct streamer_relay *relay) {
    pthread_mutex_unlock(&relay->outlet.monitor->lock);
}

static void tell(struct streamer_relay *relay, int notifications) {
    if (relay->options.mailbox != NULL) streamer_mailbox_post(relay->options.mailbox, &relay->letter, notifications);
}

/* ---- frames ---- */

static bool make_room(size_t needed) {
    size_t capacity = scratch.capacity ? scratch.capacity : KEEP;
    while (capacity < scratch.length + needed) capacity *= 2;
    char *bytes = realloc(scratch.bytes, capacity);
    if (bytes == NULL) return false;
    scratch.bytes = bytes;
    scratch.capacity = capacity;
    return true;
}

static void empty_scratch(void) {
    scratch.length = 0;
    if (scratch.capacity > KEEP) {
        free(scratch.bytes);
        scratch = (struct streamer_output){NULL, 0, 0};
    }
}

static bool write_out(struct streamer_relay *relay, const struct streamer_frames *frames) {
    return relay->outlet.type->write(relay->outlet.target, frames);
}

static bool send_held(struct streamer_relay *relay) {
    if (relay->options.flush_after == 0) return true;
    streamer_loop_cancel_timer(relay->outlet.loop, &relay->timer);
    bool alive = write_out(relay, &(struct streamer_frames){.bytes = relay->held.bytes, .length = relay->held.length});
    streamer_buffer_clear(&relay->held);
    return alive;
}

/* Sends the scratch buffer with so many frames, or holds it back. False when the outlet is gone. */
static bool pass_on(struct streamer_relay *relay, uint64_t count) {
    const struct streamer_frames frames = {.bytes = scratch.bytes,
                                           .length = scratch.length,
                                           .count = count,
                                           .added = streamer_pipeline_added(relay->pipeline)};
    if (relay->options.flush_after == 0) return write_out(relay, &frames);
    bool kept = streamer_buffer_append(&relay->held, scratch.bytes, scratch.length) == STREAMER_OK;
    if (kept && relay->held.length < relay->options.flush_at) {
        if (relay->held.length > 0 && !relay->timer.set) {
            streamer_loop_set_timer(relay->outlet.loop, &relay->timer, streamer_now() + relay->options.flush_after);
        }
        return true;
    }
    bool alive = send_held(relay);
    return kept ? alive : alive && write_out(relay, &frames);
}

static void on_timer(struct streamer_timer *timer, int64_t now) {
    (void)now;
    send_held(STREAMER_OWNER(timer, struct streamer_relay, timer));
}

/* ---- the sink ---- */

static enum streamer_sink_result keep_body(struct streamer_relay *relay, const char *bytes, size_t length) {
    lock(relay);
    size_t room = relay->body.limit - relay->body.length;
    bool enough = length >= room;
    if (streamer_buffer_append(&relay->body, bytes, enough ? room : length) != STREAMER_OK) enough = true;
    unlock(relay);
    return enough ? STREAMER_SINK_ENOUGH : STREAMER_SINK_TOOK;
}

static void note_progress(struct streamer_relay *relay, uint64_t frames_before, uint64_t content_before) {
    atomic_fetch_add_explicit(&stats.frames, streamer_pipeline_frames(relay->pipeline) - frames_before,
                              memory_order_relaxed);
    if (streamer_pipeline_content_events(relay->pipeline) > content_before)
        streamer_transfer_note_event(relay->transfer);
    if (streamer_pipeline_texts(relay->pipeline) > 0) streamer_transfer_note_text(relay->transfer);
    int notifications = 0;
    if (relay->first_event == 0 && streamer_pipeline_content_events(relay->pipeline) > 0) {
        lock(relay);
        relay->first_event = streamer_now();
        unlock(relay);
        notifications |= STREAMER_NOTIFICATION_FIRST;
    }
    if (relay->options.wanted_notifications & STREAMER_NOTIFICATION_TEXT) {
        size_t length;
        bool cut;
        const char *text = streamer_pipeline_text(relay->pipeline, &length, &cut);
        if (length > relay->collected) {
            lock(relay);
            /* What nobody takes in time is left out of the batches; it is still in the whole text. */
            streamer_buffer_append(&relay->fresh, text + relay->collected, length - relay->collected);
            unlock(relay);
            relay->collected = length;
            notifications |= STREAMER_NOTIFICATION_TEXT;
        }
    }
    notifications &= relay->options.wanted_notifications;
    if (notifications != 0) tell(relay, notifications);
    if (relay->options.entries_mailbox == NULL || relay->batch == NULL || !streamer_batch_announce(relay->batch))
        return;
    streamer_mailbox_post(relay->options.entries_mailbox, &relay->entries_letter, STREAMER_NOTIFICATION_ENTRIES);
}

static bool is_success(struct streamer_transfer *transfer) {
    pthread_mutex_lock(&transfer->monitor.lock);
    bool success = transfer->head_ready && transfer->status >= 200 && transfer->status <= 299;
    pthread_mutex_unlock(&transfer->monitor.lock);
    return success;
}

/* A success, in a format that the pipeline reads, and in no encoding that we would pass on as garbage; the same rule as
 * Response.refusal. The head does not change any more, so it is looked at once. */
static bool is_stream(struct streamer_relay *relay) {
    if (relay->response != STREAMER_RELAY_UNKNOWN) return relay->response == STREAMER_RELAY_STREAM;
    const struct streamer_buffer *fields = &relay->transfer->head;
    enum streamer_format format;
    bool known = streamer_format_of_fields(fields, &format);
    bool stream = is_success(relay->transfer) && streamer_fields_is_identity(fields) &&
                  streamer_pipeline_accepts(relay->pipeline, known ? &format : NULL);
    if (stream && known) relay->status = streamer_pipeline_expect(relay->pipeline, format);
    relay->response = stream ? STREAMER_RELAY_STREAM : STREAMER_RELAY_BODY_KEPT;
    return stream;
}

/* Passes on the frames of these bytes, or of the body's end when bytes is NULL. False when the outlet is gone and
 * takes the upstream with it. */
static bool run_pipeline(struct streamer_relay *relay, const char *bytes, size_t length, bool gone) {
    const char *cursor = bytes, *end = bytes == NULL ? NULL : bytes + length;
    size_t needed = 0;
    uint64_t frames = streamer_pipeline_frames(relay->pipeline),
             content_before = streamer_pipeline_content_events(relay->pipeline);
    enum streamer_status status;
    do {
        status = bytes == NULL ? streamer_pipeline_finish(relay->pipeline, &scratch, &needed)
                               : streamer_pipeline_run(relay->pipeline, &cursor, end, &scratch, &needed);
    } while (status == STREAMER_FULL && make_room(needed));
    if (status != STREAMER_MORE) relay->status = status == STREAMER_FULL ? STREAMER_NO_MEMORY : status;
    bool alive =
        gone || pass_on(relay, streamer_pipeline_frames(relay->pipeline) - frames) || relay->options.outlives_outlet;
    empty_scratch();
    streamer_pipeline_forget_added(relay->pipeline);
    note_progress(relay, frames, content_before);
    return alive;
}

static struct streamer_outlet_state outlet_state(struct streamer_relay *relay) {
    lock(relay);
    struct streamer_outlet_state state = relay->outlet.type->state(relay->outlet.target);
    unlock(relay);
    return state;
}

static enum streamer_sink_result take(struct streamer_sink *sink, const char *bytes, size_t length) {
    struct streamer_relay *relay = (struct streamer_relay *)sink;
    if (!is_stream(relay)) return keep_body(relay, bytes, length);
    if (relay->status != STREAMER_OK) return STREAMER_SINK_FAILED;
    struct streamer_outlet_state state = outlet_state(relay);
    if (state.gone && !relay->options.outlives_outlet) return STREAMER_SINK_FAILED;
    if (state.full) return STREAMER_SINK_FULL;

    bool alive = run_pipeline(relay, bytes, length, state.gone);
    if (relay->status != STREAMER_OK || !alive) return STREAMER_SINK_FAILED;
    return streamer_pipeline_done(relay->pipeline) ? STREAMER_SINK_ENOUGH : STREAMER_SINK_TOOK;
}

static bool response_complete(struct streamer_relay *relay) {
    if (!is_stream(relay) || relay->status != STREAMER_OK) return false;
    if (streamer_pipeline_done(relay->pipeline)) return true;
    pthread_mutex_lock(&relay->transfer->monitor.lock);
    bool complete = relay->transfer->outcome == STREAMER_OUTCOME_COMPLETED;
    pthread_mutex_unlock(&relay->transfer->monitor.lock);
    if (!complete) return false;
    run_pipeline(relay, NULL, 0, outlet_state(relay).gone);
    return relay->status == STREAMER_OK;
}

static void end(struct streamer_sink *sink) {
    struct streamer_relay *relay = (struct streamer_relay *)sink;
    relay->outlet.type->unlisten(relay->outlet.target, &relay->listener);
    bool completed = response_complete(relay);
    send_held(relay);
    if (completed && relay->terminal != NULL) {
        write_out(relay, &(struct streamer_frames){.bytes = relay->terminal, .length = relay->options.terminal_length});
        relay->outlet.type->close(relay->outlet.target);
    }
    atomic_fetch_sub_explicit(&stats.open, 1, memory_order_relaxed);
    lock(relay);
    relay->completed = completed;
    relay->over = streamer_now();
    relay->ended = true;
    streamer_monitor_notify(relay->outlet.monitor);
    unlock(relay);
    tell(relay, STREAMER_NOTIFICATION_ENDED);
    streamer_relay_release(relay); /* the transfer's */
}

/* ---- the outlet ---- */

/* It has room again, or is gone. */
static void on_change(struct streamer_listener *listener) {
    struct streamer_relay *relay = STREAMER_OWNER(listener, struct streamer_relay, listener);
    if (outlet_state(relay).gone && !relay->options.outlives_outlet) {
        streamer_transfer_finish(relay->transfer, STREAMER_OUTCOME_SINK_FAILED, NULL);
    } else {
        streamer_transfer_resume(relay->transfer);
    }
}

static void begin(struct streamer_task *task) {
    struct streamer_relay *relay = STREAMER_OWNER(task, struct streamer_relay, task);
    relay->outlet.type->listen(relay->outlet.target, &relay->listener);
    if (outlet_state(relay).gone) on_change(&relay->listener);
    streamer_transfer_attach(relay->transfer, &relay->sink);
}

/* ---- lifecycle ---- */

struct streamer_relay *streamer_relay_new(struct streamer_transfer *transfer, struct streamer_outlet outlet,
                                          struct streamer_pipeline *pipeline,
                                          const struct streamer_relay_options *options) {
    static atomic_ullong last_id;
    forget_parent();
    struct streamer_relay *relay = calloc(1, sizeof *relay);
    char *terminal = options->terminal == NULL ? NULL : malloc(options->terminal_length + 1);
    if (relay == NULL || (terminal == NULL && options->terminal != NULL)) {
        free(relay);
        free(terminal);
        return NULL;
    }
    if (terminal != NULL) memcpy(terminal, options->terminal, options->terminal_length);
    streamer_transfer_retain(transfer);
    outlet.type->retain(outlet.target);
    relay->sink = (struct streamer_sink){.take = take, .end = end};
    relay->listener.on_change = on_change;
    relay->task.run = begin;
    relay->timer.fire = on_timer;
    relay->transfer = transfer;
    relay->letter.relay = relay->entries_letter.relay = relay;
    relay->outlet = outlet;
    relay->batch = streamer_outlet_batch(&outlet);
    relay->pipeline = pipeline;
    relay->options = *options;
    if (relay->batch != NULL) relay->options.flush_after = 0; /* it is taken from when its taker is ready */
    relay->terminal = terminal;
    relay->id = atomic_fetch_add(&last_id, 1) + 1;
    relay->status = STREAMER_OK;
    relay->references = 1;
    streamer_buffer_init(&relay->body, STREAMER_RELAY_BODY);
    streamer_buffer_init(&relay->fresh, STREAMER_RELAY_FRESH);
    streamer_buffer_init(&relay->held, options->flush_at + STREAMER_BROWSER_HIGH);
    return relay;
}

void streamer_relay_retain(struct streamer_relay *relay) {
    atomic_fetch_add(&relay->references, 1);
}

void streamer_relay_release(struct streamer_relay *relay) {
    if (atomic_fetch_sub(&relay->references, 1) != 1) return;
    streamer_pipeline_free(relay->pipeline);
    streamer_buffer_release(&relay->body);
    streamer_buffer_release(&relay->fresh);
    streamer_buffer_release(&relay->held);
    streamer_transfer_release(relay->transfer);
    relay->outlet.type->release(relay->outlet.target);
    free(relay->terminal);
    free(relay);
}

void streamer_relay_start(struct streamer_relay *relay) {
    atomic_fetch_add_explicit(&stats.open, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&stats.relays, 1, memory_order_relaxed);
    relay->started = streamer_now();
    streamer_relay_retain(relay); /* the transfer's, until the end */
    if (!streamer_loop_post(relay->outlet.loop, &relay->task)) {
        end(&relay->sink); /* the process is about to exit */
        return;
    }
    streamer_transfer_start(relay->transfer); /* behind the task, so that no byte comes before the relay is there */
}

struct streamer_relay_stats streamer_relay_stats(void) {
    forget_parent();
    return (struct streamer_relay_stats){stats.open, stats.relays, stats.frames};
}
