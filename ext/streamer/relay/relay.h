/* relay: an upstream's bytes through a pipeline to a client, all of it in the native thread's turns.
 *
 * The frames of one read are encoded into a scratch buffer that all relays share, and leave as one chunk with one
 * system call. What the browser does not take waits in the client; at its high-water mark the upstream is paused.
 */
#pragma once

#include "../core/pipeline.h"
#include "../upstream/transfer.h"
#include "client.h"

struct streamer_relay {
    struct streamer_sink sink;
    struct streamer_task task;
    struct streamer_transfer *transfer;
    struct streamer_client *client;
    struct streamer_pipeline *pipeline;

    /* Guarded by client->signal.lock, whose signal tells of them. */
    bool ended;
    enum streamer_status status; /* of the pipeline; STREAMER_OK unless it failed */
};

/* Starts it. Everything pointed to stays the caller's, who keeps it, and leaves the pipeline alone, until `ended`; the
 * end always comes, at the latest after streamer_transfer_cancel. The transfer must belong to the client's reactor. */
void streamer_relay_start(struct streamer_relay *relay, struct streamer_transfer *transfer,
                          struct streamer_client *client, struct streamer_pipeline *pipeline);
