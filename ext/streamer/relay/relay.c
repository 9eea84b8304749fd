#include "relay.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../upstream/clock.h"
#include "../upstream/fork.h"

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
    pthread_mutex_lock(&relay->client->signal.lock);
}

static void unlock(struct streamer_relay *relay) {
    pthread_mutex_unlock(&relay->client->signal.lock);
}

static void tell(struct streamer_relay *relay, int news) {
    if (relay->options.board != NULL) streamer_board_post(relay->options.board, relay, news);
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

static bool send_held(struct streamer_relay *relay) {
    streamer_timers_cancel(streamer_reactor_timers(relay->client->reactor), &relay->timer);
    bool alive = streamer_client_write(relay->client, relay->held.bytes, relay->held.length);
    streamer_buffer_clear(&relay->held);
    return alive;
}

/* Sends the scratch buffer, or holds it back. False when the browser has left. */
static bool pass_on(struct streamer_relay *relay) {
    if (relay->options.flush_after == 0) return streamer_client_write(relay->client, scratch.bytes, scratch.length);
    bool kept = streamer_buffer_append(&relay->held, scratch.bytes, scratch.length) == STREAMER_OK;
    if (kept && relay->held.length < relay->options.flush_at) {
        if (relay->held.length > 0 && relay->timer.position == 0) {
            streamer_timers_set(streamer_reactor_timers(relay->client->reactor), &relay->timer,
                                streamer_now() + relay->options.flush_after);
        }
        return true;
    }
    bool alive = send_held(relay);
    return kept ? alive : alive && streamer_client_write(relay->client, scratch.bytes, scratch.length);
}

static void on_timer(struct streamer_timer *timer, int64_t now) {
    (void)now;
    send_held((struct streamer_relay *)((char *)timer - offsetof(struct streamer_relay, timer)));
}

/* ---- the sink ---- */

static enum streamer_sink_answer keep_body(struct streamer_relay *relay, const char *bytes, size_t length) {
    lock(relay);
    size_t room = relay->body.limit - relay->body.length;
    bool enough = length >= room;
    if (streamer_buffer_append(&relay->body, bytes, enough ? room : length) != STREAMER_OK) enough = true;
    unlock(relay);
    return enough ? STREAMER_SINK_ENOUGH : STREAMER_SINK_TOOK;
}

static void note_progress(struct streamer_relay *relay, uint64_t frames_before, uint64_t news_before) {
    atomic_fetch_add_explicit(&stats.frames, streamer_pipeline_frames(relay->pipeline) - frames_before,
                              memory_order_relaxed);
    if (streamer_pipeline_content_events(relay->pipeline) > news_before) streamer_transfer_note_event(relay->transfer);
    if (streamer_pipeline_texts(relay->pipeline) > 0) streamer_transfer_note_text(relay->transfer);
    int news = 0;
    if (relay->first_event == 0 && streamer_pipeline_content_events(relay->pipeline) > 0) {
        lock(relay);
        relay->first_event = streamer_now();
        unlock(relay);
        news |= STREAMER_NEWS_FIRST;
    }
    if (relay->options.wanted_news & STREAMER_NEWS_TEXT) {
        size_t length;
        bool cut;
        const char *text = streamer_pipeline_text(relay->pipeline, &length, &cut);
        if (length > relay->collected) {
            lock(relay);
            /* What nobody takes in time is left out of the batches; it is still in the whole text. */
            streamer_buffer_append(&relay->fresh, text + relay->collected, length - relay->collected);
            unlock(relay);
            relay->collected = length;
            news |= STREAMER_NEWS_TEXT;
        }
    }
    if (news & relay->options.wanted_news) tell(relay, news & relay->options.wanted_news);
}

static bool is_success(struct streamer_transfer *transfer) {
    pthread_mutex_lock(&transfer->signal.lock);
    bool success = transfer->head_ready && transfer->status >= 200 && transfer->status <= 299;
    pthread_mutex_unlock(&transfer->signal.lock);
    return success;
}

static bool is_encoded(struct streamer_transfer *transfer) {
    static const char identity[] = "identity";
    const char *value;
    size_t length;
    if (!streamer_transfer_header(transfer, "content-encoding", &value, &length)) return false;
    return length < strlen(identity) || strncasecmp(value, identity, strlen(identity)) != 0;
}

/* A success, in a format that the pipeline reads, and in no encoding that we would pass on as garbage; the same rule as
 * Response.refusal. The head does not change any more, so it is looked at once. */
static bool is_stream(struct streamer_relay *relay) {
    if (relay->answer != STREAMER_RELAY_UNKNOWN) return relay->answer == STREAMER_RELAY_STREAM;
    const char *type;
    size_t length;
    enum streamer_format format;
    bool known = streamer_transfer_header(relay->transfer, "content-type", &type, &length)
                     ? streamer_format_of_type(type, length, &format)
                     : streamer_format_of_type("", 0, &format);
    bool stream = is_success(relay->transfer) && !is_encoded(relay->transfer) &&
                  streamer_pipeline_accepts(relay->pipeline, known ? &format : NULL);
    if (stream && known) relay->status = streamer_pipeline_expect(relay->pipeline, format);
    relay->answer = stream ? STREAMER_RELAY_STREAM : STREAMER_RELAY_BODY_KEPT;
    return stream;
}

/* Passes on the frames of these bytes, or of the body's end when bytes is NULL. False when the browser has left and
 * takes the upstream with it. */
static bool run_pipeline(struct streamer_relay *relay, const char *bytes, size_t length, bool gone) {
    const char *cursor = bytes, *end = bytes == NULL ? NULL : bytes + length;
    size_t needed = 0;
    uint64_t frames = streamer_pipeline_frames(relay->pipeline), news = streamer_pipeline_content_events(relay->pipeline);
    enum streamer_status status;
    do {
        status = bytes == NULL ? streamer_pipeline_finish(relay->pipeline, &scratch, &needed)
                               : streamer_pipeline_run(relay->pipeline, &cursor, end, &scratch, &needed);
    } while (status == STREAMER_FULL && make_room(needed));
    if (status != STREAMER_MORE) relay->status = status == STREAMER_FULL ? STREAMER_NO_MEMORY : status;
    bool alive = gone || pass_on(relay) || relay->options.outlives_browser;
    empty_scratch();
    note_progress(relay, frames, news);
    return alive;
}

static enum streamer_sink_answer take(struct streamer_sink *sink, const char *bytes, size_t length) {
    struct streamer_relay *relay = (struct streamer_relay *)sink;
    if (!is_stream(relay)) return keep_body(relay, bytes, length);
    if (relay->status != STREAMER_OK) return STREAMER_SINK_FAILED;
    lock(relay);
    bool gone = relay->client->gone;
    bool full = !gone && streamer_client_full(relay->client);
    unlock(relay);
    if (gone && !relay->options.outlives_browser) return STREAMER_SINK_FAILED;
    if (full) return STREAMER_SINK_FULL;

    bool alive = run_pipeline(relay, bytes, length, gone);
    if (relay->status != STREAMER_OK || !alive) return STREAMER_SINK_FAILED;
    return streamer_pipeline_done(relay->pipeline) ? STREAMER_SINK_ENOUGH : STREAMER_SINK_TOOK;
}

static bool is_gone(struct streamer_client *client) {
    pthread_mutex_lock(&client->signal.lock);
    bool gone = client->gone;
    pthread_mutex_unlock(&client->signal.lock);
    return gone;
}

static bool answer_complete(struct streamer_relay *relay) {
    if (!is_stream(relay) || relay->status != STREAMER_OK) return false;
    if (streamer_pipeline_done(relay->pipeline)) return true;
    pthread_mutex_lock(&relay->transfer->signal.lock);
    bool complete = relay->transfer->outcome == STREAMER_OUTCOME_COMPLETED;
    pthread_mutex_unlock(&relay->transfer->signal.lock);
    if (!complete) return false;
    run_pipeline(relay, NULL, 0, is_gone(relay->client));
    return relay->status == STREAMER_OK;
}

static void end(struct streamer_sink *sink) {
    struct streamer_relay *relay = (struct streamer_relay *)sink;
    relay->client->on_change = NULL;
    bool completed = answer_complete(relay);
    send_held(relay);
    if (completed && relay->terminal != NULL) {
        streamer_client_write(relay->client, relay->terminal, relay->options.terminal_length);
        streamer_client_close(relay->client, true);
    }
    atomic_fetch_sub_explicit(&stats.open, 1, memory_order_relaxed);
    lock(relay);
    relay->completed = completed;
    relay->over = streamer_now();
    relay->ended = true;
    streamer_signal_raise(&relay->client->signal);
    unlock(relay);
    tell(relay, STREAMER_NEWS_ENDED);
    streamer_relay_release(relay); /* the transfer's */
}

/* ---- the client ---- */

/* The client has room again, or is gone. */
static void on_change(struct streamer_client *client) {
    struct streamer_relay *relay = client->relay;
    if (is_gone(client) && !relay->options.outlives_browser) {
        streamer_transfer_finish(relay->transfer, STREAMER_OUTCOME_SINK_FAILED, NULL);
    } else {
        streamer_transfer_resume(relay->transfer);
    }
}

static void begin(struct streamer_task *task) {
    struct streamer_relay *relay = (struct streamer_relay *)((char *)task - offsetof(struct streamer_relay, task));
    relay->client->relay = relay;
    relay->client->on_change = on_change;
    if (is_gone(relay->client)) on_change(relay->client);
    streamer_transfer_attach(relay->transfer, &relay->sink);
}

/* ---- life ---- */

struct streamer_relay *streamer_relay_new(struct streamer_transfer *transfer, struct streamer_client *client,
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
    streamer_client_retain(client);
    relay->sink = (struct streamer_sink){.take = take, .end = end};
    relay->task.run = begin;
    relay->timer.fire = on_timer;
    relay->transfer = transfer;
    relay->client = client;
    relay->pipeline = pipeline;
    relay->options = *options;
    relay->terminal = terminal;
    relay->id = atomic_fetch_add(&last_id, 1) + 1;
    relay->status = STREAMER_OK;
    relay->references = 1;
    streamer_buffer_init(&relay->body, STREAMER_RELAY_BODY);
    streamer_buffer_init(&relay->fresh, STREAMER_RELAY_FRESH);
    streamer_buffer_init(&relay->held, options->flush_at + STREAMER_CLIENT_HIGH);
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
    streamer_client_release(relay->client);
    free(relay->terminal);
    free(relay);
}

void streamer_relay_start(struct streamer_relay *relay) {
    atomic_fetch_add_explicit(&stats.open, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&stats.relays, 1, memory_order_relaxed);
    relay->started = streamer_now();
    streamer_relay_retain(relay); /* the transfer's, until the end */
    if (!streamer_reactor_post(relay->client->reactor, &relay->task)) {
        end(&relay->sink); /* the process is about to exit */
        return;
    }
    streamer_transfer_start(relay->transfer); /* behind the task, so that no byte comes before the relay is there */
}

struct streamer_relay_stats streamer_relay_stats(void) {
    forget_parent();
    return (struct streamer_relay_stats){stats.open, stats.relays, stats.frames};
}
