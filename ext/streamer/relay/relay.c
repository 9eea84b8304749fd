#include "relay.h"

#include <stdlib.h>

/* The frames of one read. Relays run in the one native thread, one read at a time, so they share it. It grows to the
 * frames of one event at its ceiling, and gives back what is beyond KEEP. */
static struct streamer_output scratch;

enum { KEEP = 256 << 10 };

static bool make_room(size_t needed) {
    size_t capacity = scratch.capacity ? scratch.capacity : KEEP;
    while (capacity < scratch.length + needed) capacity *= 2;
    char *bytes = realloc(scratch.bytes, capacity);
    if (bytes == NULL) return false;
    scratch.bytes = bytes;
    scratch.capacity = capacity;
    return true;
}

/* Sends what is in the scratch buffer, a piece at a time. */
static bool send_scratch(struct streamer_client *client) {
    bool alive = true;
    for (size_t sent = 0; alive && sent < scratch.length;) {
        size_t piece = scratch.length - sent;
        if (piece > STREAMER_CLIENT_PIECE) piece = STREAMER_CLIENT_PIECE;
        alive = streamer_client_write(client, scratch.bytes + sent, piece);
        sent += piece;
    }
    scratch.length = 0;
    if (scratch.capacity > KEEP) {
        free(scratch.bytes);
        scratch = (struct streamer_output){NULL, 0, 0};
    }
    return alive;
}

static enum streamer_sink_answer take(struct streamer_sink *sink, const char *bytes, size_t length) {
    struct streamer_relay *relay = (struct streamer_relay *)sink;
    pthread_mutex_lock(&relay->client->signal.lock);
    bool gone = relay->client->gone;
    bool full = streamer_client_waiting(relay->client) >= STREAMER_CLIENT_HIGH;
    pthread_mutex_unlock(&relay->client->signal.lock);
    if (gone) return STREAMER_SINK_FAILED;
    if (full) return STREAMER_SINK_FULL;

    const char *cursor = bytes, *end = bytes + length;
    size_t needed = 0;
    enum streamer_status status;
    while ((status = streamer_pipeline_run(relay->pipeline, &cursor, end, &scratch, &needed)) == STREAMER_FULL) {
        if (!make_room(needed)) {
            status = STREAMER_NO_MEMORY;
            break;
        }
    }
    if (streamer_pipeline_events(relay->pipeline) > 0) streamer_transfer_note_event(relay->transfer);
    bool alive = send_scratch(relay->client);
    if (status != STREAMER_MORE) {
        relay->status = status;
        return STREAMER_SINK_FAILED;
    }
    return alive ? STREAMER_SINK_TOOK : STREAMER_SINK_FAILED;
}

static void end(struct streamer_sink *sink) {
    struct streamer_relay *relay = (struct streamer_relay *)sink;
    struct streamer_client *client = relay->client;
    client->on_change = NULL;
    pthread_mutex_lock(&client->signal.lock);
    relay->ended = true; /* the relay is its owner's again from the unlock on */
    streamer_signal_raise(&client->signal);
    pthread_mutex_unlock(&client->signal.lock);
}

static bool is_gone(struct streamer_client *client) {
    pthread_mutex_lock(&client->signal.lock);
    bool gone = client->gone;
    pthread_mutex_unlock(&client->signal.lock);
    return gone;
}

/* The client has room again, or is gone. */
static void on_change(struct streamer_client *client) {
    struct streamer_relay *relay = client->relay;
    if (is_gone(client))
        streamer_transfer_finish(relay->transfer, STREAMER_OUTCOME_SINK_FAILED, NULL);
    else
        streamer_transfer_resume(relay->transfer);
}

static void begin(struct streamer_task *task) {
    struct streamer_relay *relay = (struct streamer_relay *)((char *)task - offsetof(struct streamer_relay, task));
    relay->client->relay = relay;
    relay->client->on_change = on_change;
    if (is_gone(relay->client)) streamer_transfer_finish(relay->transfer, STREAMER_OUTCOME_SINK_FAILED, NULL);
    streamer_transfer_attach(relay->transfer, &relay->sink);
}

void streamer_relay_start(struct streamer_relay *relay, struct streamer_transfer *transfer,
                          struct streamer_client *client, struct streamer_pipeline *pipeline) {
    *relay = (struct streamer_relay){
        .sink = {.take = take, .end = end},
        .task = {.run = begin},
        .transfer = transfer,
        .client = client,
        .pipeline = pipeline,
        .status = STREAMER_OK,
    };
    if (!streamer_reactor_post(client->reactor, &relay->task)) relay->ended = true;
}
