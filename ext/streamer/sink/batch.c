#include "batch.h"

#include <stdlib.h>
#include <string.h>

#include "../core/ceilings.h"
#include "../loop/fork.h"

/* On top of the high-water mark what one read may add: an event at its ceiling, with a field's name in front of each
 * of its lines. */
#define CEILING (STREAMER_BATCH_HIGH + 8 * STREAMER_MAX_EVENT)

/* Bytes of the frames of all batches. */
static atomic_size_t all_waiting;

static void lock(struct streamer_batch *batch) {
    pthread_mutex_lock(&batch->monitor.lock);
}

static void unlock(struct streamer_batch *batch) {
    pthread_mutex_unlock(&batch->monitor.lock);
}

static void post(struct streamer_batch *batch) {
    streamer_batch_retain(batch);
    if (!streamer_loop_post(batch->loop, &batch->task)) streamer_batch_release(batch);
}

/* In an iteration. A listener may leave when it is told. */
static void on_task(struct streamer_task *task) {
    struct streamer_batch *batch = STREAMER_OWNER(task, struct streamer_batch, task);
    for (struct streamer_listener *listener = batch->listeners, *next; listener != NULL; listener = next) {
        next = listener->next;
        listener->on_change(listener);
    }
    streamer_batch_release(batch); /* the queue's */
}

struct streamer_batch *streamer_batch_new(struct streamer_loop *loop) {
    struct streamer_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) return NULL;
    streamer_monitor_init(&batch->monitor);
    streamer_buffer_init(&batch->frames, CEILING);
    streamer_buffer_init(&batch->text, CEILING);
    streamer_buffer_init(&batch->others, CEILING);
    batch->generation = streamer_fork_generation();
    batch->task.run = on_task;
    batch->references = 1;
    streamer_loop_retain(loop);
    batch->loop = loop;
    return batch;
}

void streamer_batch_retain(struct streamer_batch *batch) {
    atomic_fetch_add(&batch->references, 1);
}

/* The lock is held, or nobody else has it any more. */
static void drop(struct streamer_batch *batch) {
    atomic_fetch_sub(&all_waiting, batch->frames.length);
    streamer_buffer_release(&batch->frames);
    streamer_buffer_release(&batch->text);
    streamer_buffer_release(&batch->others);
    batch->count = 0;
}

void streamer_batch_release(struct streamer_batch *batch) {
    if (atomic_fetch_sub(&batch->references, 1) != 1) return;
    drop(batch);
    streamer_monitor_destroy(&batch->monitor);
    streamer_loop_release(batch->loop);
    free(batch);
}

static bool reserve(struct streamer_batch *batch, const struct streamer_batch_content *content) {
    return streamer_buffer_reserve(&batch->frames, content->frames_length) == STREAMER_OK &&
           streamer_buffer_reserve(&batch->text, content->text_length) == STREAMER_OK &&
           streamer_buffer_reserve(&batch->others, content->others_length) == STREAMER_OK;
}

bool streamer_batch_add(struct streamer_batch *batch, const struct streamer_batch_content *content) {
    if (content->count == 0) return true;
    lock(batch);
    bool alive = !batch->gone && reserve(batch, content);
    if (alive) {
        streamer_buffer_append(&batch->frames, content->frames, content->frames_length);
        streamer_buffer_append(&batch->text, content->text, content->text_length);
        streamer_buffer_append(&batch->others, content->others, content->others_length);
        batch->count += content->count;
        batch->bytes += content->frames_length;
        atomic_fetch_add(&all_waiting, content->frames_length);
    }
    batch->gone = !alive;
    unlock(batch);
    return alive;
}

bool streamer_batch_full(struct streamer_batch *batch) {
    size_t waiting = batch->frames.length;
    bool full = !batch->gone && (waiting >= STREAMER_BATCH_HIGH ||
                                 (waiting > 0 && atomic_load(&all_waiting) >= STREAMER_ALL_BATCHES_HIGH));
    batch->refused |= full;
    return full;
}

bool streamer_batch_announce(struct streamer_batch *batch) {
    lock(batch);
    bool news = batch->count > 0 && !batch->announced;
    batch->announced |= news;
    unlock(batch);
    return news;
}

struct streamer_batch_taken streamer_batch_take(struct streamer_batch *batch) {
    lock(batch);
    struct streamer_batch_taken taken = {batch->frames, batch->text, batch->others, batch->count};
    streamer_buffer_init(&batch->frames, CEILING);
    streamer_buffer_init(&batch->text, CEILING);
    streamer_buffer_init(&batch->others, CEILING);
    atomic_fetch_sub(&all_waiting, taken.frames.length);
    batch->count = 0;
    batch->announced = false;
    bool waited = batch->refused;
    batch->refused = false;
    unlock(batch);
    if (waited) post(batch);
    return taken;
}

void streamer_batch_abandon(struct streamer_batch *batch) {
    lock(batch);
    bool news = !batch->gone;
    batch->gone = true;
    drop(batch);
    unlock(batch);
    if (news) post(batch);
}

size_t streamer_batch_size(struct streamer_batch *batch) {
    lock(batch);
    size_t size = sizeof *batch + batch->frames.capacity + batch->text.capacity + batch->others.capacity;
    unlock(batch);
    return size;
}

void streamer_batch_listen(struct streamer_batch *batch, struct streamer_listener *listener) {
    listener->next = batch->listeners;
    batch->listeners = listener;
    listener->listens = true;
}

void streamer_batch_unlisten(struct streamer_batch *batch, struct streamer_listener *listener) {
    struct streamer_listener **link = &batch->listeners;
    if (!listener->listens) return;
    while (*link != listener) link = &(*link)->next;
    *link = listener->next;
    listener->listens = false;
}
