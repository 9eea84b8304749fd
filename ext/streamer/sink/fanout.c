#include "fanout.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../loop/clock.h"
#include "../loop/fork.h"
#include "fanout_internal.h"
#include "frames.h"

/* Readers that are sent to before the loop's others have their turn: about half a millisecond. */
enum { SLICE = 128 };

/* A round's pause is so many times its processor time. */
enum { PAUSES = 3 };

struct streamer_fanout_counters streamer_fanout_counters;

/* The fanouts that are not abandoned. */
static struct {
    pthread_mutex_t lock;
    struct streamer_fanout *newest;
} all = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* In a forked child: its parent's fanouts are not its own. Before the child's first, by a thread that holds the GVL. */
static void forget_parent(void) {
    static atomic_uint generation;
    unsigned ours = streamer_fork_generation();
    if (atomic_exchange(&generation, ours) == ours) return;
    pthread_mutex_init(&all.lock, NULL);
    all.newest = NULL;
    atomic_store(&streamer_fanout_counters.readers, 0);
    atomic_store(&streamer_fanout_counters.delivered, 0);
    atomic_store(&streamer_fanout_counters.cut, 0);
    streamer_block_forget_parent();
}

void streamer_fanout_post(struct streamer_fanout *fanout) {
    streamer_fanout_retain(fanout);
    if (!streamer_loop_post(fanout->loop, &fanout->task)) streamer_fanout_release(fanout);
}

/* ---- the chain: the lock is held ---- */

static void set_anchor(struct streamer_fanout *fanout, struct streamer_block *block) {
    streamer_block_retain(block);
    streamer_block_release(fanout->anchor);
    fanout->anchor = block;
}

/* Takes over the reference. */
static void append(struct streamer_fanout *fanout, struct streamer_block *block) {
    struct streamer_block *last = fanout->tail;
    streamer_block_append(last, block);
    streamer_block_retain(block);
    fanout->tail = block;
    streamer_block_release(last);
    atomic_store(&fanout->end, block->end);
    while (block->end - fanout->anchor->end > STREAMER_FANOUT_RETAINED)
        set_anchor(fanout, streamer_block_next(fanout->anchor));
}

static struct streamer_block *behind(const struct streamer_block *block, int64_t position) {
    const char *frames = streamer_block_frames(block);
    size_t from = streamer_frames_behind(frames, block->length, position);
    return streamer_block_new(STREAMER_BLOCK_ENTRIES, frames + from, block->length - from, position + 1, block->last,
                              false);
}

/* What lies behind a large block holds it no longer than its readers do, once there is a mark to stand on. */
static void append_mark(struct streamer_fanout *fanout) {
    struct streamer_block *mark = streamer_block_new(STREAMER_BLOCK_MARK, NULL, 0, 0, fanout->tail->last, false);
    if (mark != NULL) append(fanout, mark);
}

/* A reader that gives up its hold may leave the list. */
static void bound_held(struct streamer_fanout *fanout) {
    for (struct streamer_follower *reader = fanout->held, *next; reader != NULL; reader = next) {
        next = reader->next_held;
        if (streamer_follower_is_behind(reader)) streamer_follower_give_up_hold(reader);
    }
    if (fanout->held != NULL) streamer_monitor_notify(&fanout->monitor);
}

/* ---- publishing ---- */

bool streamer_fanout_publish(struct streamer_fanout *fanout, const char *frames, size_t length, int64_t first,
                             int64_t last) {
    struct streamer_block *block = streamer_block_new(STREAMER_BLOCK_ENTRIES, frames, length, first, last, false);
    if (block == NULL) return false;
    streamer_fanout_lock(fanout);
    int64_t position = fanout->tail->last;
    if (first <= position && last > position) {
        struct streamer_block *rest = behind(block, position);
        streamer_block_release(block);
        block = rest;
    }
    bool wanted = block != NULL && last > position && block->length > 0 && !atomic_load(&fanout->finished);
    if (wanted) {
        append(fanout, block);
        if (streamer_block_size(block) > STREAMER_FANOUT_RETAINED) append_mark(fanout);
        bound_held(fanout);
    }
    streamer_fanout_unlock(fanout);
    if (wanted) {
        streamer_fanout_post(fanout);
    } else {
        streamer_block_release(block);
    }
    return block != NULL;
}

static bool publish_notice(struct streamer_fanout *fanout, const char *frames, size_t length, bool finish) {
    enum streamer_block_kind kind = length > 0 ? STREAMER_BLOCK_NOTICE : STREAMER_BLOCK_MARK;
    struct streamer_block *block = streamer_block_new(kind, frames, length, 0, 0, false);
    if (block == NULL) return false;
    streamer_fanout_lock(fanout);
    bool wanted = !atomic_load(&fanout->finished);
    if (wanted) {
        block->last = fanout->tail->last;
        append(fanout, block);
        if (finish) atomic_store(&fanout->finished, true);
        bound_held(fanout);
    }
    streamer_fanout_unlock(fanout);
    if (wanted) {
        streamer_fanout_post(fanout);
    } else {
        streamer_block_release(block);
    }
    return true;
}

bool streamer_fanout_notice(struct streamer_fanout *fanout, const char *frames, size_t length) {
    return length == 0 || publish_notice(fanout, frames, length, false);
}

bool streamer_fanout_finish(struct streamer_fanout *fanout, const char *frames, size_t length) {
    return publish_notice(fanout, frames, length, true);
}

int64_t streamer_fanout_position(struct streamer_fanout *fanout) {
    streamer_fanout_lock(fanout);
    int64_t position = fanout->tail->last;
    streamer_fanout_unlock(fanout);
    return position;
}

size_t streamer_fanout_readers(struct streamer_fanout *fanout) {
    streamer_fanout_lock(fanout);
    size_t readers = fanout->readers;
    streamer_fanout_unlock(fanout);
    return readers;
}

/* ---- rounds: in an iteration ---- */

/* One at a time, since who comes back meanwhile is in the list again. */
static struct streamer_follower *next_arrived(struct streamer_fanout *fanout, bool *live, bool *close) {
    streamer_fanout_lock(fanout);
    struct streamer_follower *reader = fanout->arrived;
    if (reader != NULL) {
        fanout->arrived = reader->next_arrived;
        reader->has_arrived = false;
        *live = reader->state == STREAMER_FOLLOWER_LIVE;
        *close = reader->close;
    }
    streamer_fanout_unlock(fanout);
    return reader;
}

/* As many as are sent to before the loop's others have their turn. */
static int admit_some(struct streamer_fanout *fanout) {
    struct streamer_follower *reader;
    bool live, close;
    int count = 0;
    while (count < SLICE && (reader = next_arrived(fanout, &live, &close)) != NULL) {
        streamer_follower_admit(reader, live, close);
        count++;
    }
    return count;
}

/* The lock is held. */
static bool is_due(const struct streamer_fanout *fanout) {
    return fanout->round_end != fanout->tail->end || fanout->drain || fanout->abandoned;
}

/* The pause is not over. What is urgent is not held up. */
static bool pauses(struct streamer_fanout *fanout) {
    if (fanout->drain || fanout->abandoned || streamer_now() >= fanout->next_round) return false;
    if (!fanout->timer.set) streamer_fanout_retain(fanout); /* the timer's */
    streamer_loop_set_timer(fanout->loop, &fanout->timer, fanout->next_round);
    return true;
}

static void begin_round(struct streamer_fanout *fanout) {
    streamer_fanout_lock(fanout);
    bool begins = fanout->first != NULL && is_due(fanout) && !pauses(fanout);
    if (begins || fanout->first == NULL) {
        fanout->round_end = fanout->tail->end;
        fanout->says_goodbye = fanout->drain;
        fanout->retry_low = fanout->drain_low;
        fanout->retry_high = fanout->drain_high;
        fanout->drain = false;
        fanout->ends_all = fanout->abandoned;
    }
    streamer_fanout_unlock(fanout);
    if (begins) fanout->at = fanout->first;
    fanout->spent = 0;
}

static bool visit(struct streamer_fanout *fanout, struct streamer_follower *reader) {
    if (fanout->says_goodbye) {
        char frames[STREAMER_GOODBYE];
        int64_t retry = streamer_fanout_jitter(fanout->retry_low, fanout->retry_high);
        streamer_follower_say_goodbye(reader, frames, streamer_fanout_goodbye(frames, retry));
    } else if (fanout->ends_all) {
        streamer_follower_cut_off(reader);
    } else {
        return streamer_follower_visit(reader);
    }
    return true;
}

/* As far as this slice goes. */
static void go_round(struct streamer_fanout *fanout, int served) {
    if (fanout->at == NULL) begin_round(fanout);
    if (fanout->at == NULL) return;
    int64_t start = streamer_thread_time_us();
    while (fanout->at != NULL && served < SLICE) {
        struct streamer_follower *reader = fanout->at;
        fanout->at = reader->next;
        if (visit(fanout, reader)) served++;
    }
    fanout->spent += streamer_thread_time_us() - start;
    if (fanout->at != NULL) return;
    int64_t pause = fanout->spent * PAUSES / 1000;
    fanout->next_round = streamer_now() + (pause < STREAMER_FANOUT_PAUSE ? pause : STREAMER_FANOUT_PAUSE);
}

static void on_task(struct streamer_task *task) {
    struct streamer_fanout *fanout = STREAMER_OWNER(task, struct streamer_fanout, task);
    go_round(fanout, admit_some(fanout));
    streamer_fanout_lock(fanout);
    bool more = fanout->at != NULL || fanout->arrived != NULL ||
                (fanout->first != NULL && is_due(fanout) && !fanout->timer.set);
    streamer_fanout_unlock(fanout);
    if (more) streamer_fanout_post(fanout);
    streamer_fanout_release(fanout); /* the queue's */
}

/* The pause is over. */
static void on_timer(struct streamer_timer *timer, int64_t now) {
    (void)now;
    struct streamer_fanout *fanout = STREAMER_OWNER(timer, struct streamer_fanout, timer);
    streamer_fanout_post(fanout);
    streamer_fanout_release(fanout); /* the timer's */
}

/* ---- good-byes ---- */

/* Uniform enough, and without a lock (splitmix64). */
int64_t streamer_fanout_jitter(int64_t low, int64_t high) {
    static atomic_ullong state;
    if (atomic_load(&state) == 0) atomic_store(&state, (unsigned long long)streamer_now_us());
    uint64_t value = atomic_fetch_add(&state, 0x9e3779b97f4a7c15u);
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    value ^= value >> 31;
    return high <= low ? low : low + (int64_t)(value % (uint64_t)(high - low + 1));
}

size_t streamer_fanout_goodbye(char out[STREAMER_GOODBYE], int64_t retry) {
    return (size_t)snprintf(out, STREAMER_GOODBYE,
                            "event: closing\ndata: {\"reason\":\"shutdown\"}\nretry: %" PRId64 "\n\n", retry);
}

void streamer_fanout_drain(int64_t low, int64_t high) {
    forget_parent();
    pthread_mutex_lock(&all.lock);
    for (struct streamer_fanout *fanout = all.newest; fanout != NULL; fanout = fanout->older) {
        streamer_fanout_lock(fanout);
        fanout->drain = true;
        fanout->drain_low = low;
        fanout->drain_high = high;
        for (struct streamer_follower *reader = fanout->held; reader != NULL; reader = reader->next_held) {
            if (reader->browser == NULL && reader->retry < 0) reader->retry = streamer_fanout_jitter(low, high);
        }
        streamer_monitor_notify(&fanout->monitor);
        streamer_fanout_unlock(fanout);
        streamer_fanout_post(fanout);
    }
    pthread_mutex_unlock(&all.lock);
}

/* ---- lifecycle ---- */

struct streamer_fanout *streamer_fanout_new(struct streamer_loop *loop, int64_t position, size_t limit) {
    forget_parent();
    struct streamer_fanout *fanout = calloc(1, sizeof *fanout);
    struct streamer_block *mark = streamer_block_new(STREAMER_BLOCK_MARK, NULL, 0, 0, position, false);
    if (fanout == NULL || mark == NULL) {
        free(fanout);
        streamer_block_release(mark);
        return NULL;
    }
    streamer_monitor_init(&fanout->monitor);
    streamer_block_retain(mark);
    fanout->tail = fanout->anchor = mark;
    fanout->limit = limit == 0 ? STREAMER_FANOUT_LIMIT : limit;
    fanout->generation = streamer_fork_generation();
    fanout->task.run = on_task;
    fanout->timer.fire = on_timer;
    fanout->references = 1;
    streamer_loop_retain(loop);
    fanout->loop = loop;

    pthread_mutex_lock(&all.lock);
    fanout->older = all.newest;
    if (all.newest != NULL) all.newest->newer = fanout;
    all.newest = fanout;
    pthread_mutex_unlock(&all.lock);
    return fanout;
}

void streamer_fanout_abandon(struct streamer_fanout *fanout) {
    pthread_mutex_lock(&all.lock);
    *(fanout->newer != NULL ? &fanout->newer->older : &all.newest) = fanout->older;
    if (fanout->older != NULL) fanout->older->newer = fanout->newer;
    pthread_mutex_unlock(&all.lock);

    streamer_fanout_lock(fanout);
    fanout->abandoned = !atomic_load(&fanout->finished);
    for (struct streamer_follower *reader = fanout->abandoned ? fanout->held : NULL, *next; reader != NULL;
         reader = next) {
        next = reader->next_held;
        if (reader->browser == NULL) streamer_follower_abandon(reader);
    }
    streamer_monitor_notify(&fanout->monitor);
    bool ends = fanout->abandoned && fanout->readers > 0;
    streamer_fanout_unlock(fanout);
    if (ends) streamer_fanout_post(fanout);
    streamer_fanout_release(fanout);
}

void streamer_fanout_retain(struct streamer_fanout *fanout) {
    atomic_fetch_add(&fanout->references, 1);
}

void streamer_fanout_release(struct streamer_fanout *fanout) {
    if (atomic_fetch_sub(&fanout->references, 1) != 1) return;
    streamer_block_release(fanout->anchor);
    streamer_block_release(fanout->tail);
    streamer_monitor_destroy(&fanout->monitor);
    streamer_loop_release(fanout->loop);
    free(fanout);
}

struct streamer_fanout_stats streamer_fanout_stats(void) {
    forget_parent();
    return (struct streamer_fanout_stats){streamer_fanout_counters.readers, streamer_fanout_counters.delivered,
                                          streamer_fanout_counters.cut, streamer_block_stats()};
}
