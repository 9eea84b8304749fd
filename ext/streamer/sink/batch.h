/* batch: entries of one log that wait until somebody takes them to the log's store.
 *
 * The native thread adds the frames of each read; another thread takes all there is at once. A batch that nobody takes
 * from is full at its high-water mark, and its upstream is paused until it was taken from.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/buffer.h"
#include "../loop/loop.h"
#include "../loop/monitor.h"
#include "browser.h"

/* Bytes of frames at which a batch is full; and the same for all batches of the process together, for those in which
 * something waits. */
#define STREAMER_BATCH_HIGH ((size_t)1 << 20)
#define STREAMER_ALL_BATCHES_HIGH ((size_t)256 << 20)

/* Frames of entries with consecutive ids; the text that they add to the log; the frames of those that add none. */
struct streamer_batch_content {
    const char *frames;
    size_t frames_length;
    uint64_t count;
    const char *text;
    size_t text_length;
    const char *others;
    size_t others_length;
};

struct streamer_batch {
    struct streamer_monitor monitor;

    /* Guarded by monitor.lock. */
    struct streamer_buffer frames, text, others;
    uint64_t count;
    uint64_t bytes; /* of all frames so far */
    bool announced; /* somebody was told that there is something, and has not taken it yet */
    bool refused;   /* somebody found it full */
    bool gone;      /* nobody takes any more, or there was no memory */

    /* Constant. */
    struct streamer_loop *loop;
    unsigned generation;

    /* In an iteration only. */
    struct streamer_task task;
    struct streamer_listener *listeners;

    atomic_int references;
};

/* The caller owns one reference. NULL when out of memory. */
struct streamer_batch *streamer_batch_new(struct streamer_loop *loop);
void streamer_batch_retain(struct streamer_batch *batch);
void streamer_batch_release(struct streamer_batch *batch);

/* Adds a copy, all or nothing. False when it is gone, which it is when memory is out. From any thread. */
bool streamer_batch_add(struct streamer_batch *batch, const struct streamer_batch_content *content);

/* Whether whoever adds has to wait; he is told when he need not. The lock is held by the caller. */
bool streamer_batch_full(struct streamer_batch *batch);

/* Whether there is something of which nobody was told yet; it counts as told from then on. From any thread. */
bool streamer_batch_announce(struct streamer_batch *batch);

/* What is taken: the receiver owns the buffers. */
struct streamer_batch_taken {
    struct streamer_buffer frames, text, others;
    uint64_t count;
};

/* Takes all there is, and lets those go on who wait for room. From any thread. */
struct streamer_batch_taken streamer_batch_take(struct streamer_batch *batch);

/* Nobody takes any more: what is there is dropped, and so is the upstream. From any thread. */
void streamer_batch_abandon(struct streamer_batch *batch);

size_t streamer_batch_size(struct streamer_batch *batch);

/* In an iteration. */
void streamer_batch_listen(struct streamer_batch *batch, struct streamer_listener *listener);
void streamer_batch_unlisten(struct streamer_batch *batch, struct streamer_listener *listener);
