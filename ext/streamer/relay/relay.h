/* relay: an upstream's bytes through a pipeline to an outlet, a browser or a log's batch, all of it in iterations of
 * the native thread's loop.
 *
 * The frames of one read are encoded into a scratch buffer that all relays share, and leave as one chunk with one
 * system call; or they are held back for a while where the owner asked for fewer, larger writes. What the outlet does
 * not take waits in it; at its high-water mark the upstream is paused. Of a batch the owner is told when there is
 * something to take, once until he has taken it.
 *
 * A relay ends when the upstream's end marker came (the rest is drained, so that the connection can be used again),
 * when the upstream ended or failed, when the outlet is gone, or when its transfer is cancelled. A response that is no
 * success, or of no format that the pipeline reads, is not relayed: its body is kept for the owner.
 */
#pragma once

#include <stdatomic.h>

#include "../core/pipeline.h"
#include "../sink/outlet.h"
#include "../upstream/transfer.h"
#include "mailbox.h"

/* Of the body of a response that is no success, and of text that nobody has taken yet. */
#define STREAMER_RELAY_BODY ((size_t)64 << 10)
#define STREAMER_RELAY_FRESH ((size_t)1 << 20)

struct streamer_relay_options {
    struct streamer_mailbox *mailbox;         /* NULL: nobody is notified */
    struct streamer_mailbox *entries_mailbox; /* of a batch: where ENTRIES go; NULL: nowhere */
    int wanted_notifications;                 /* of FIRST and TEXT; ENDED always comes */
    int64_t flush_after;  /* milliseconds that frames for a browser may be held back; 0: they are not */
    size_t flush_at;      /* bytes held back at which they leave all the same */
    bool outlives_outlet; /* the upstream is read to its end, whoever has left */
    const char *terminal; /* frames after a complete response; with the last chunk. NULL: the owner closes the outlet */
    size_t terminal_length;
};

struct streamer_relay {
    struct streamer_sink sink;
    struct streamer_task task;
    struct streamer_timer timer; /* of what is held back */
    struct streamer_listener listener;

    /* Constant; references of its own. */
    struct streamer_transfer *transfer;
    struct streamer_outlet outlet;
    struct streamer_batch *batch;       /* the outlet's target; NULL for a browser */
    struct streamer_pipeline *pipeline; /* the relay's alone until it has ended */
    struct streamer_relay_options options;
    char *terminal;
    uint64_t id; /* unique in the process */

    /* Guarded by outlet.monitor->lock, which is notified of `ended`. */
    bool ended;
    bool completed;              /* by the end marker or the response's end */
    enum streamer_status status; /* of the pipeline; STREAMER_OK unless it failed */
    struct streamer_buffer body; /* of a response that is no success */
    struct streamer_buffer fresh;
    int64_t started, first_event, over; /* streamer_now's clock; 0 for what did not happen */

    struct streamer_letter letter, entries_letter;

    /* In an iteration only. */
    enum {
        STREAMER_RELAY_UNKNOWN,
        STREAMER_RELAY_STREAM,
        STREAMER_RELAY_BODY_KEPT
    } response; /* decided at its first bytes */
    struct streamer_buffer held;
    size_t collected; /* of the pipeline's text, what went into fresh */

    atomic_int references;
};

/* Counters of all relays since the start, each true by itself. */
struct streamer_relay_stats {
    uint64_t open, relays, frames;
};

/* Takes ownership of the pipeline, and references to the others; the transfer belongs to the outlet's loop. A batch's
 * frames are entries. The caller owns one reference. NULL when out of memory: the pipeline is still the caller's. */
struct streamer_relay *streamer_relay_new(struct streamer_transfer *transfer, struct streamer_outlet outlet,
                                          struct streamer_pipeline *pipeline,
                                          const struct streamer_relay_options *options);
void streamer_relay_retain(struct streamer_relay *relay);
void streamer_relay_release(struct streamer_relay *relay);

/* Starts it, once, and the transfer with it where that was not sent off before. From then on the end always comes, at
 * the latest after streamer_transfer_cancel. */
void streamer_relay_start(struct streamer_relay *relay);

struct streamer_relay_stats streamer_relay_stats(void);
