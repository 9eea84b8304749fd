/* fanout: one log's new entries to all its readers in this process.
 *
 * What is published is copied once, into a block of a chain (block.h). A reader that has everything holds the chain's
 * last block and nothing else. In an iteration of the native thread's loop each reader's browser gets what is new with
 * one system call for all of it; what the socket does not take stays as a place in the chain, and the reader goes on
 * along the chain when it can. So a slow reader costs the others nothing; one that is behind by more than the limit
 * while its socket takes nothing, or that takes nothing within its browser's write timeout, is cut: closed without the
 * last chunk, so that the browser comes back with its cursor. The fanout's memory is bounded by limit and
 * STREAMER_FANOUT_RETAINED, and one block.
 *
 * A reader joins at a position. Where the chain still has what is behind it, the reader is live at once. Otherwise it
 * catches up: from then on the chain is held for it, from the position `through` on; the caller reads the store up to
 * there or beyond and gives the frames to streamer_follower_start. Should the chain grow beyond the limit meanwhile,
 * the hold moves on, and `through` with it, and the caller has to read on. Nothing is sent twice, and nothing is left
 * out.
 *
 * A reader without a browser is a pull reader: its owner takes frames when it likes.
 */
#pragma once

#include <stdatomic.h>

#include "../loop/loop.h"
#include "../loop/monitor.h"
#include "block.h"

struct streamer_follower; /* body in follower.h */

/* Bytes of the chain's end that are kept for readers that join. */
#define STREAMER_FANOUT_RETAINED ((size_t)64 << 10)

/* Milliseconds between two rounds at most. */
#define STREAMER_FANOUT_PAUSE 100

/* The default limit, of bytes that a reader may be behind. */
#define STREAMER_FANOUT_LIMIT ((size_t)1 << 20)

struct streamer_fanout {
    struct streamer_monitor monitor; /* notified of what pull readers wait for */

    /* Guarded by monitor.lock. */
    struct streamer_block *tail;       /* the chain's last block */
    struct streamer_block *anchor;     /* what is behind it is retained */
    struct streamer_follower *held;    /* pull readers, and those that catch up */
    struct streamer_follower *arrived; /* for the next iteration to look at */
    size_t readers;
    bool abandoned, drain;
    int64_t drain_low, drain_high;

    atomic_bool finished; /* set under the lock, behind the last block */
    atomic_ullong end;    /* the tail's, for whoever does not hold the lock */

    /* Constant. */
    struct streamer_loop *loop;
    size_t limit;
    unsigned generation;

    /* In an iteration only. */
    struct streamer_task task;
    struct streamer_timer timer;            /* of the pause between two rounds */
    int64_t next_round;                     /* streamer_now's clock: not before */
    int64_t spent;                          /* us, in the round under way */
    struct streamer_follower *first, *last; /* those with browsers */
    struct streamer_follower *at;           /* where the round under way goes on; NULL between two */
    uint64_t round_end;                     /* the chain's end when it began */
    bool ends_all, says_goodbye;            /* what it does */
    int64_t retry_low, retry_high;          /* of its good-byes */

    atomic_int references;

    /* Guarded by the list's lock: all of the process that are not abandoned. */
    struct streamer_fanout *newer, *older;
};

/* Of all fanouts of this process; counts since the start, each true by itself. */
struct streamer_fanout_stats {
    uint64_t readers;   /* open */
    uint64_t delivered; /* entries times the readers that they were sent to */
    uint64_t cut;       /* readers that were too slow */
    struct streamer_block_stats blocks;
};

/* `position`: what the store was read through. `limit`: 0 for the default. NULL when out of memory. The caller owns
 * one reference, which streamer_fanout_abandon takes. */
struct streamer_fanout *streamer_fanout_new(struct streamer_loop *loop, int64_t position, size_t limit);

/* Nothing will be published any more, and nobody else joins: readers are cut, unless the fanout is finished. Takes the
 * reference. */
void streamer_fanout_abandon(struct streamer_fanout *fanout);

/* Entries (whole frames) of these positions. What is not behind the fanout's position was published before, and is left
 * out. From any thread. False when out of memory: nothing has changed. */
bool streamer_fanout_publish(struct streamer_fanout *fanout, const char *frames, size_t length, int64_t first,
                             int64_t last);

/* Frames without a position, for those who read now. False when out of memory. From any thread. */
bool streamer_fanout_notice(struct streamer_fanout *fanout, const char *frames, size_t length);

/* The log is closed: a reader that has got everything, and these last frames (length 0: none), is closed with the last
 * chunk. Nothing is published from then on. From any thread; once. False when out of memory: it is not closed. */
bool streamer_fanout_finish(struct streamer_fanout *fanout, const char *frames, size_t length);

int64_t streamer_fanout_position(struct streamer_fanout *fanout);
size_t streamer_fanout_readers(struct streamer_fanout *fanout);

/* Each reader of every fanout of this process gets `event: closing` with a retry of its own between the two (ms), and a
 * complete end. For those that are here now. From any thread. */
void streamer_fanout_drain(int64_t low, int64_t high);

struct streamer_fanout_stats streamer_fanout_stats(void);
