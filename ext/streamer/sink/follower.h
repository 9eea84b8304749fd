/* follower: a reader of a fanout: a place in its chain, on the way to a browser or to whoever takes frames from it.
 *
 * It joins at a position. Where the chain still has what is behind that, the reader is live at once. Otherwise it
 * catches up: from then on the chain is held for it, from the position `through` on; the caller reads the store up to
 * there or beyond and gives the frames to streamer_follower_start. Should the chain grow beyond the limit meanwhile,
 * the hold moves on, and `through` with it, and the caller has to read on. Nothing is sent twice, and nothing is left
 * out.
 *
 * A reader without a browser is a pull reader: its owner takes frames when it likes, and is told when it is too slow.
 *
 * (A `struct streamer_reader` is the core's, of one read.)
 */
#pragma once

#include "browser.h"
#include "combined.h"
#include "fanout.h"

/* What one take gives at most, but for a larger block. */
#define STREAMER_FOLLOWER_TAKE ((size_t)64 << 10)

enum streamer_follower_state {
    STREAMER_FOLLOWER_CATCHING_UP,
    STREAMER_FOLLOWER_LIVE,
    STREAMER_FOLLOWER_CUT, /* a pull reader that was behind by more than the limit */
    STREAMER_FOLLOWER_OVER
};

struct streamer_follower {
    struct streamer_listener listener;
    struct streamer_timer timer; /* of the planned end */

    /* Constant; references of its own. */
    struct streamer_fanout *fanout;
    struct streamer_browser *browser; /* NULL: a pull reader */
    struct streamer_combined *combined;
    int index;     /* in combined */
    char *closing; /* frames for the planned end */
    size_t closing_length;
    int64_t rotate_at; /* streamer_now's clock; INT64_MAX: never */

    /* Guarded by the fanout's lock. */
    enum streamer_follower_state state;
    bool close;        /* asked to end */
    int64_t retry;     /* a pull reader's good-bye; -1: none */
    bool said_goodbye; /* a pull reader */
    struct streamer_follower *next_held, *previous_held, *next_arrived;
    bool is_held, has_arrived;

    /* Guarded by the fanout's lock while it catches up, and those of a pull reader always; otherwise in an iteration
     * only. */
    struct streamer_block *cursor; /* everything up to and including it is done */
    struct streamer_block *own;    /* goes before all that is behind the cursor */
    struct streamer_block *raw;    /* behind `own`: is still to be copied for combined, from `raw_at` on */
    size_t raw_at;
    int64_t skip;   /* entries up to this position are done */
    uint64_t since; /* the chain's end when it joined: notices before it are not for this reader */

    /* In an iteration only. */
    struct streamer_follower *next, *previous;
    bool listed, live;

    atomic_int references;
};

struct streamer_follower_options {
    int64_t rotate;      /* milliseconds until the planned end; 0: none */
    const char *closing; /* frames for it; copied */
    size_t closing_length;
    struct streamer_combined *combined; /* NULL: none */
    int index;
};

enum streamer_start {
    STREAMER_START_OK,
    STREAMER_START_BEHIND, /* `through` is farther by now: read on from what was read, and start again */
    STREAMER_START_FULL,   /* too much waits for all browsers of the process */
    STREAMER_START_OVER    /* the reader has ended, or is live already */
};

enum streamer_taken {
    STREAMER_TAKEN_NOTHING, /* there is nothing yet */
    STREAMER_TAKEN_FRAMES,
    STREAMER_TAKEN_CUT, /* resume from the store */
    STREAMER_TAKEN_END
};

/* A reader of everything behind `after`, on this browser (of the fanout's loop) or, for NULL, for its owner to take.
 * The browser is handed over: it is closed by the reader's end. From any thread. NULL when out of memory. The caller
 * owns one reference. */
struct streamer_follower *streamer_fanout_join(struct streamer_fanout *fanout, struct streamer_browser *browser,
                                               int64_t after, const struct streamer_follower_options *options);
void streamer_follower_retain(struct streamer_follower *reader);
void streamer_follower_release(struct streamer_follower *reader);

/* True while it catches up: the position through which the store has to be read at least. */
bool streamer_follower_through(struct streamer_follower *reader, int64_t *position);

/* Gives a reader that catches up the entries through `through`, and it is live. From any thread. */
enum streamer_start streamer_follower_start(struct streamer_follower *reader, const char *frames, size_t length,
                                            int64_t through);

/* Ends it, without the last chunk; its browser is closed. From any thread, any number of times. */
void streamer_follower_close(struct streamer_follower *reader);

/* Its owner lets go of it: what can go on without an owner goes on. Takes the caller's reference. */
void streamer_follower_forget(struct streamer_follower *reader);

size_t streamer_follower_size(struct streamer_follower *reader);

/* ---- pull readers: the fanout's lock is held ---- */

/* Whether take would give something else than NOTHING. */
bool streamer_follower_ready(struct streamer_follower *reader);

/* Bytes that take would give now; 0 when it has none to give, or no memory for them, in which case the reader is cut.
 */
size_t streamer_follower_pending(struct streamer_follower *reader);

/* Copies the next frames, at most `room` bytes: FRAMES, with the position behind them (-1: they have none), or none of
 * them when the first block alone needs more. */
enum streamer_taken streamer_follower_take(struct streamer_follower *reader, char *into, size_t room, size_t *length,
                                           int64_t *position);
