#include "follower.h"

#include <stdlib.h>
#include <string.h>

#include "../loop/clock.h"
#include "../loop/fork.h"
#include "fanout_internal.h"
#include "frames.h"

/* ---- along the chain: who owns the cursor (fanout.h) ---- */

static void move_to(struct streamer_follower *reader, struct streamer_block *block) {
    streamer_block_retain(block);
    streamer_block_release(reader->cursor);
    reader->cursor = block;
}

/* Nothing of it is for this reader. */
static bool is_done(const struct streamer_follower *reader, const struct streamer_block *block) {
    switch ((enum streamer_block_kind)block->kind) {
        case STREAMER_BLOCK_ENTRIES: return block->last <= reader->skip;
        case STREAMER_BLOCK_NOTICE: return block->end <= reader->since || block->last < reader->skip;
        default: return true;
    }
}

/* Only a part of it is, or it is in other words. */
static bool needs_copy(const struct streamer_follower *reader, const struct streamer_block *block) {
    return reader->combined != NULL || (block->kind == STREAMER_BLOCK_ENTRIES && block->first <= reader->skip);
}

/* Puts the part of a block that is for this reader in front, if any is. False when out of memory. */
static bool take_apart(struct streamer_follower *reader, struct streamer_block *block) {
    size_t from = 0;
    const char *frames = streamer_block_frames(block);
    if (block->kind == STREAMER_BLOCK_ENTRIES && block->first <= reader->skip)
        from = streamer_frames_behind(frames, block->length, reader->skip);
    if (from == block->length) return true;
    if (reader->combined == NULL) {
        reader->own =
            streamer_block_new(block->kind, frames + from, block->length - from, block->first, block->last, true);
        return reader->own != NULL;
    }
    streamer_block_retain(block);
    reader->raw = block;
    reader->raw_at = from;
    return true;
}

/* The next piece of what is to be copied, if any. False when out of memory. */
static bool copy_piece(struct streamer_follower *reader) {
    if (reader->own != NULL || reader->raw == NULL) return true;
    struct streamer_block *raw = reader->raw;
    size_t length = raw->length - reader->raw_at;
    reader->own = streamer_combined_copy(reader->combined, reader->index, raw->kind,
                                         streamer_block_frames(raw) + reader->raw_at, &length);
    if (reader->own == NULL) return false;
    reader->raw_at += length;
    if (reader->raw_at == raw->length) {
        streamer_block_release(raw);
        reader->raw = NULL;
    }
    return true;
}

/* What the reader gets next: its own block, or as many of the chain's as are sent at once. Returns their number, -1
 * when out of memory. */
static int collect(struct streamer_follower *reader, struct streamer_block *blocks[STREAMER_BROWSER_BLOCKS]) {
    int count = 0;
    size_t bytes = 0;
    struct streamer_block *block = reader->cursor, *next;
    while (reader->own == NULL && reader->raw == NULL && count < STREAMER_BROWSER_BLOCKS &&
           bytes < STREAMER_FOLLOWER_TAKE && (next = streamer_block_next(block)) != NULL) {
        bool done = is_done(reader, next);
        if (!done && !needs_copy(reader, next)) {
            blocks[count++] = block = next;
            bytes += next->length;
            continue;
        }
        if (count > 0) return count;
        if (!done && !take_apart(reader, next)) return -1;
        move_to(reader, next);
        block = next;
    }
    if (!copy_piece(reader)) return -1;
    if (reader->own == NULL) return count;
    blocks[0] = reader->own;
    return 1;
}

/* The first `count` of the collected blocks are on their way. */
static void advance(struct streamer_follower *reader, struct streamer_block *const *blocks, int count) {
    uint64_t frames = 0;
    for (int i = 0; i < count; i++) frames += blocks[i]->frames;
    atomic_fetch_add_explicit(&streamer_fanout_counters.delivered, frames, memory_order_relaxed);
    if (reader->own == NULL) {
        move_to(reader, blocks[count - 1]);
    } else {
        streamer_block_release(reader->own);
        reader->own = NULL;
    }
}

bool streamer_follower_is_behind(const struct streamer_follower *reader) {
    const struct streamer_block *next = streamer_block_next(reader->cursor);
    return next != NULL && atomic_load(&reader->fanout->end) - next->end > reader->fanout->limit;
}

/* ---- the fanout's lock is held ---- */

static void hold(struct streamer_follower *reader) {
    struct streamer_fanout *fanout = reader->fanout;
    reader->is_held = true;
    reader->previous_held = NULL;
    reader->next_held = fanout->held;
    if (fanout->held != NULL) fanout->held->previous_held = reader;
    fanout->held = reader;
}

static void unhold(struct streamer_follower *reader) {
    if (!reader->is_held) return;
    reader->is_held = false;
    *(reader->previous_held != NULL ? &reader->previous_held->next_held : &reader->fanout->held) = reader->next_held;
    if (reader->next_held != NULL) reader->next_held->previous_held = reader->previous_held;
}

static bool is_over(const struct streamer_follower *reader) {
    return reader->state == STREAMER_FOLLOWER_OVER || reader->state == STREAMER_FOLLOWER_CUT;
}

/* The next iteration looks at it. */
static void arrive(struct streamer_follower *reader) {
    if (reader->has_arrived) return;
    streamer_follower_retain(reader);
    reader->has_arrived = true;
    reader->next_arrived = reader->fanout->arrived;
    reader->fanout->arrived = reader;
}

static void count_cut(void) {
    atomic_fetch_add_explicit(&streamer_fanout_counters.cut, 1, memory_order_relaxed);
}

static void let_go_of_blocks(struct streamer_follower *reader) {
    streamer_block_release(reader->own);
    streamer_block_release(reader->raw);
    streamer_block_release(reader->cursor);
    reader->own = reader->raw = reader->cursor = NULL;
}

/* Its place in the chain is given up. */
static void set_over(struct streamer_follower *reader, enum streamer_follower_state state) {
    if (is_over(reader)) return;
    reader->state = state;
    unhold(reader);
    reader->fanout->readers--;
    atomic_fetch_sub_explicit(&streamer_fanout_counters.readers, 1, memory_order_relaxed);
    let_go_of_blocks(reader);
}

void streamer_follower_give_up_hold(struct streamer_follower *reader) {
    if (reader->state == STREAMER_FOLLOWER_CATCHING_UP) {
        move_to(reader, reader->fanout->tail);
        reader->since = reader->fanout->tail->end;
    } else {
        set_over(reader, STREAMER_FOLLOWER_CUT);
        count_cut();
    }
}

void streamer_follower_abandon(struct streamer_follower *reader) {
    set_over(reader, STREAMER_FOLLOWER_CUT);
}

/* ---- in an iteration ---- */

static void list(struct streamer_follower *reader) {
    struct streamer_fanout *fanout = reader->fanout;
    streamer_follower_retain(reader);
    reader->listed = true;
    reader->next = NULL;
    reader->previous = fanout->last;
    *(fanout->last != NULL ? &fanout->last->next : &fanout->first) = reader;
    fanout->last = reader;
    streamer_browser_listen(reader->browser, &reader->listener);
    if (reader->rotate_at != INT64_MAX) streamer_loop_set_timer(fanout->loop, &reader->timer, reader->rotate_at);
}

/* It is no longer in the fanout; what becomes of the browser is the caller's. */
static void leave(struct streamer_follower *reader) {
    struct streamer_fanout *fanout = reader->fanout;
    streamer_browser_unlisten(reader->browser, &reader->listener);
    streamer_loop_cancel_timer(fanout->loop, &reader->timer);
    if (fanout->at == reader) fanout->at = reader->next;
    *(reader->previous != NULL ? &reader->previous->next : &fanout->first) = reader->next;
    *(reader->next != NULL ? &reader->next->previous : &fanout->last) = reader->previous;
    reader->listed = reader->live = false;
    streamer_fanout_lock(fanout);
    set_over(reader, STREAMER_FOLLOWER_OVER);
    streamer_fanout_unlock(fanout);
    streamer_follower_release(reader); /* the list's */
}

/* The reader may be freed with this. */
static void end(struct streamer_follower *reader, bool complete) {
    struct streamer_browser *browser = reader->browser;
    struct streamer_combined *combined = reader->combined;
    streamer_browser_retain(browser);
    bool last = !complete || combined == NULL || streamer_combined_leave(combined, reader->index);
    leave(reader);
    if (last) streamer_browser_close(browser, complete);
    streamer_browser_release(browser);
}

static void cut(struct streamer_follower *reader) {
    struct streamer_browser *browser = reader->browser;
    streamer_browser_retain(browser);
    streamer_monitor_lock(&browser->monitor);
    browser->slow = true;
    streamer_monitor_unlock(&browser->monitor);
    count_cut();
    leave(reader);
    streamer_browser_drop(browser);
    streamer_browser_release(browser);
}

/* Sends what there is, as far as the socket takes it. True when there was something. The reader may be freed. */
static bool deliver(struct streamer_follower *reader) {
    struct streamer_block *blocks[STREAMER_BROWSER_BLOCKS];
    for (bool any = false;; any = true) {
        bool finished = atomic_load(&reader->fanout->finished); /* before the chain's end is looked for */
        int count = collect(reader, blocks);
        int taken = count > 0 ? streamer_browser_send(reader->browser, blocks, count) : count;
        if (count == 0 && finished) {
            end(reader, true);
        } else if (count == 0) {
            return any;
        } else if (taken < 0) {
            end(reader, false);
        } else if (taken > 0) {
            advance(reader, blocks, taken);
            continue;
        } else if (streamer_follower_is_behind(reader)) {
            cut(reader);
        }
        return true;
    }
}

bool streamer_follower_visit(struct streamer_follower *reader) {
    return reader->live && deliver(reader);
}

void streamer_follower_say_goodbye(struct streamer_follower *reader, const char *frames, size_t length) {
    streamer_browser_write(reader->browser, frames, length);
    streamer_browser_close(reader->browser, true);
    leave(reader);
}

void streamer_follower_cut_off(struct streamer_follower *reader) {
    end(reader, false);
}

/* A browser's readers take turns: one whose block is under way is told last when there is room again. */
static void give_way(struct streamer_browser *browser, struct streamer_listener *listener) {
    if (browser->listeners == listener && listener->next == NULL) return;
    streamer_monitor_lock(&browser->monitor);
    bool waits = streamer_browser_waiting(browser) > 0;
    streamer_monitor_unlock(&browser->monitor);
    if (waits) streamer_browser_requeue(browser, listener);
}

/* The browser has room again, is gone, or was closed by somebody. */
static void on_change(struct streamer_listener *listener) {
    struct streamer_follower *reader = STREAMER_OWNER(listener, struct streamer_follower, listener);
    struct streamer_browser *browser = reader->browser;
    streamer_monitor_lock(&browser->monitor);
    bool gone = browser->gone, closed = browser->ending || browser->fd < 0, slow = browser->slow;
    bool waits = streamer_browser_waiting(browser) > 0;
    streamer_monitor_unlock(&browser->monitor);
    streamer_follower_retain(reader);
    if (gone && slow) count_cut();
    if (gone || closed) {
        end(reader, false);
    } else if (!waits && reader->live) {
        deliver(reader);
        if (reader->listed) give_way(browser, listener);
    }
    streamer_follower_release(reader);
}

static void on_timer(struct streamer_timer *timer, int64_t now) {
    (void)now;
    struct streamer_follower *reader = STREAMER_OWNER(timer, struct streamer_follower, timer);
    streamer_follower_say_goodbye(reader, reader->closing, reader->closing_length);
}

void streamer_follower_admit(struct streamer_follower *reader, bool live, bool close) {
    streamer_fanout_lock(reader->fanout);
    bool over = is_over(reader);
    streamer_fanout_unlock(reader->fanout);
    if (!over) {
        if (!reader->listed) list(reader);
        reader->live = live;
        if (close) {
            end(reader, false);
        } else {
            on_change(&reader->listener);
        }
    }
    streamer_follower_release(reader); /* the list of those that have arrived had one */
}

/* ---- joining ---- */

/* The block behind which `after` goes on; NULL when the chain no longer reaches so far back. The lock is held. */
static struct streamer_block *place_of(struct streamer_fanout *fanout, int64_t after) {
    if (after >= fanout->tail->last) return fanout->tail;
    if (after < fanout->anchor->last) return NULL;
    struct streamer_block *block = fanout->anchor, *next;
    while ((next = streamer_block_next(block)) != NULL && next->last <= after) block = next;
    return block;
}

static void enter(struct streamer_follower *reader, int64_t after) {
    struct streamer_fanout *fanout = reader->fanout;
    streamer_fanout_lock(fanout);
    struct streamer_block *place = place_of(fanout, after);
    reader->state = place != NULL ? STREAMER_FOLLOWER_LIVE : STREAMER_FOLLOWER_CATCHING_UP;
    reader->cursor = place != NULL ? place : fanout->tail;
    streamer_block_retain(reader->cursor);
    reader->skip = after;
    reader->since = fanout->tail->end;
    fanout->readers++;
    atomic_fetch_add_explicit(&streamer_fanout_counters.readers, 1, memory_order_relaxed);
    if (reader->browser == NULL || place == NULL) hold(reader);
    if (reader->browser != NULL) arrive(reader);
    streamer_fanout_unlock(fanout);
    if (reader->browser != NULL) streamer_fanout_post(fanout);
}

struct streamer_follower *streamer_fanout_join(struct streamer_fanout *fanout, struct streamer_browser *browser,
                                               int64_t after, const struct streamer_follower_options *options) {
    struct streamer_follower *reader = calloc(1, sizeof *reader);
    if (reader != NULL && options->rotate > 0) reader->closing = malloc(options->closing_length + 1);
    if (reader == NULL || (options->rotate > 0 && reader->closing == NULL)) {
        free(reader);
        return NULL;
    }
    if (options->rotate > 0 && options->closing_length > 0)
        memcpy(reader->closing, options->closing, options->closing_length);
    reader->closing_length = options->closing_length;
    reader->rotate_at = options->rotate > 0 ? streamer_now() + options->rotate : INT64_MAX;
    reader->listener.on_change = on_change;
    reader->timer.fire = on_timer;
    reader->retry = -1;
    reader->references = 1;
    streamer_fanout_retain(fanout);
    reader->fanout = fanout;
    if (browser != NULL) {
        streamer_browser_retain(browser);
        streamer_monitor_lock(&browser->monitor);
        browser->handed_over = true;
        streamer_monitor_unlock(&browser->monitor);
    }
    reader->browser = browser;
    if (options->combined != NULL) streamer_combined_retain(options->combined);
    reader->combined = options->combined;
    reader->index = options->index;
    enter(reader, after);
    return reader;
}

bool streamer_follower_through(struct streamer_follower *reader, int64_t *position) {
    streamer_fanout_lock(reader->fanout);
    bool catches_up = reader->state == STREAMER_FOLLOWER_CATCHING_UP;
    if (catches_up) *position = reader->cursor->last;
    streamer_fanout_unlock(reader->fanout);
    return catches_up;
}

/* The lock is held. */
static enum streamer_start go_live(struct streamer_follower *reader, struct streamer_block *own, int64_t through) {
    if (reader->state != STREAMER_FOLLOWER_CATCHING_UP || reader->close) return STREAMER_START_OVER;
    if (through < reader->cursor->last) return STREAMER_START_BEHIND;
    *(reader->combined == NULL ? &reader->own : &reader->raw) = own;
    if (through > reader->skip) reader->skip = through;
    reader->state = STREAMER_FOLLOWER_LIVE;
    if (reader->browser == NULL) {
        streamer_monitor_notify(&reader->fanout->monitor);
    } else {
        unhold(reader);
        arrive(reader);
    }
    return STREAMER_START_OK;
}

enum streamer_start streamer_follower_start(struct streamer_follower *reader, const char *frames, size_t length,
                                            int64_t through) {
    struct streamer_block *own = NULL;
    if (length > 0) {
        if (streamer_browsers_waiting() + length > STREAMER_ALL_BROWSERS_HIGH) return STREAMER_START_FULL;
        own = streamer_block_new(STREAMER_BLOCK_ENTRIES, frames, length, 0, through, true);
        if (own == NULL) return STREAMER_START_FULL;
    }
    streamer_fanout_lock(reader->fanout);
    enum streamer_start result = go_live(reader, own, through);
    streamer_fanout_unlock(reader->fanout);
    if (result != STREAMER_START_OK) {
        streamer_block_release(own);
    } else if (reader->browser != NULL) {
        streamer_fanout_post(reader->fanout);
    }
    return result;
}

void streamer_follower_close(struct streamer_follower *reader) {
    streamer_fanout_lock(reader->fanout);
    bool asks = !is_over(reader) && reader->browser != NULL;
    reader->close = true;
    if (asks) {
        arrive(reader);
    } else if (reader->browser == NULL) {
        set_over(reader, STREAMER_FOLLOWER_OVER);
        streamer_monitor_notify(&reader->fanout->monitor);
    }
    streamer_fanout_unlock(reader->fanout);
    if (asks) streamer_fanout_post(reader->fanout);
}

void streamer_follower_forget(struct streamer_follower *reader) {
    int64_t position;
    if (reader->browser == NULL || streamer_follower_through(reader, &position)) streamer_follower_close(reader);
    streamer_follower_release(reader);
}

void streamer_follower_retain(struct streamer_follower *reader) {
    atomic_fetch_add(&reader->references, 1);
}

void streamer_follower_release(struct streamer_follower *reader) {
    if (atomic_fetch_sub(&reader->references, 1) != 1) return;
    let_go_of_blocks(reader);
    if (reader->browser != NULL) streamer_browser_release(reader->browser);
    streamer_combined_release(reader->combined);
    streamer_fanout_release(reader->fanout);
    free(reader->closing);
    free(reader);
}

size_t streamer_follower_size(struct streamer_follower *reader) {
    streamer_fanout_lock(reader->fanout);
    size_t size = sizeof *reader + (reader->closing == NULL ? 0 : reader->closing_length + 1);
    if (reader->browser == NULL && reader->own != NULL) size += streamer_block_size(reader->own);
    streamer_fanout_unlock(reader->fanout);
    return size;
}

/* ---- pull readers: the fanout's lock is held ---- */

static bool wants_goodbye(const struct streamer_follower *reader) {
    return reader->retry >= 0 || reader->said_goodbye || streamer_now() >= reader->rotate_at;
}

bool streamer_follower_ready(struct streamer_follower *reader) {
    if (reader->state != STREAMER_FOLLOWER_LIVE) return is_over(reader);
    return reader->own != NULL || reader->raw != NULL || streamer_block_next(reader->cursor) != NULL ||
           atomic_load(&reader->fanout->finished) || wants_goodbye(reader);
}

static enum streamer_taken take_goodbye(struct streamer_follower *reader, char *into, size_t room, size_t *length) {
    if (reader->said_goodbye) {
        set_over(reader, STREAMER_FOLLOWER_OVER);
        return STREAMER_TAKEN_END;
    }
    char frames[STREAMER_GOODBYE];
    const char *from = reader->retry >= 0 ? frames : reader->closing;
    size_t needed = reader->retry >= 0 ? streamer_fanout_goodbye(frames, reader->retry) : reader->closing_length;
    if (needed > room) return STREAMER_TAKEN_NOTHING;
    if (needed > 0) memcpy(into, from, needed);
    *length = needed;
    reader->said_goodbye = true;
    return STREAMER_TAKEN_FRAMES;
}

/* How many of the blocks are taken at once in `room` bytes, and the sum of theirs. */
static int fitting(struct streamer_block *const *blocks, int count, size_t room, size_t *length) {
    *length = 0;
    for (int i = 0; i < count; i++) {
        if (blocks[i]->length > room - *length) return i;
        *length += blocks[i]->length;
    }
    return count;
}

size_t streamer_follower_pending(struct streamer_follower *reader) {
    struct streamer_block *blocks[STREAMER_BROWSER_BLOCKS];
    if (reader->state != STREAMER_FOLLOWER_LIVE) return 0;
    if (wants_goodbye(reader)) return reader->closing_length + STREAMER_GOODBYE;
    int count = collect(reader, blocks);
    if (count < 0) set_over(reader, STREAMER_FOLLOWER_CUT);
    size_t room = count <= 0 || blocks[0]->length < STREAMER_FOLLOWER_TAKE ? STREAMER_FOLLOWER_TAKE : blocks[0]->length;
    size_t length;
    fitting(blocks, count, room, &length);
    return length;
}

enum streamer_taken streamer_follower_take(struct streamer_follower *reader, char *into, size_t room, size_t *length,
                                           int64_t *position) {
    struct streamer_block *blocks[STREAMER_BROWSER_BLOCKS];
    *length = 0;
    *position = -1;
    if (reader->state == STREAMER_FOLLOWER_CATCHING_UP) return STREAMER_TAKEN_NOTHING;
    if (reader->state == STREAMER_FOLLOWER_CUT) return STREAMER_TAKEN_CUT;
    if (reader->state == STREAMER_FOLLOWER_OVER) return STREAMER_TAKEN_END;
    if (wants_goodbye(reader)) return take_goodbye(reader, into, room, length);

    int count = collect(reader, blocks);
    if (count < 0) {
        set_over(reader, STREAMER_FOLLOWER_CUT);
        return STREAMER_TAKEN_CUT;
    }
    if (count == 0) {
        if (!atomic_load(&reader->fanout->finished)) return STREAMER_TAKEN_NOTHING;
        set_over(reader, STREAMER_FOLLOWER_OVER);
        return STREAMER_TAKEN_END;
    }
    int taken = fitting(blocks, count, room, length);
    if (taken == 0) return STREAMER_TAKEN_NOTHING;
    for (int i = 0; i < taken; i++) {
        memcpy(into, streamer_block_frames(blocks[i]), blocks[i]->length);
        into += blocks[i]->length;
    }
    *position = blocks[taken - 1]->last;
    advance(reader, blocks, taken);
    return STREAMER_TAKEN_FRAMES;
}
