/* What fanout.c and follower.c have together. Internal. */
#pragma once

#include "follower.h"

/* `event: closing` with a retry: room for it. */
enum { STREAMER_GOODBYE = 96 };

extern struct streamer_fanout_counters { atomic_ullong readers, delivered, cut; } streamer_fanout_counters;

static inline void streamer_fanout_lock(struct streamer_fanout *fanout) {
    streamer_monitor_lock(&fanout->monitor);
}

static inline void streamer_fanout_unlock(struct streamer_fanout *fanout) {
    streamer_monitor_unlock(&fanout->monitor);
}

void streamer_fanout_retain(struct streamer_fanout *fanout);
void streamer_fanout_release(struct streamer_fanout *fanout);

/* The next iteration looks at what has arrived, and at what is new. From any thread. */
void streamer_fanout_post(struct streamer_fanout *fanout);

/* The frames of a good-bye, with a retry between the two; returns their length. */
size_t streamer_fanout_goodbye(char out[STREAMER_GOODBYE], int64_t retry);
int64_t streamer_fanout_jitter(int64_t low, int64_t high);

/* ---- the fanout's lock is held ---- */

/* Of a reader that is held: behind by more than the limit, what it would get next left out. */
bool streamer_follower_is_behind(const struct streamer_follower *reader);

/* Catching up: the hold moves on to the chain's end. A pull reader that is live: it is cut. */
void streamer_follower_give_up_hold(struct streamer_follower *reader);

/* A pull reader: its fanout is no more. */
void streamer_follower_abandon(struct streamer_follower *reader);

/* ---- in an iteration ---- */

/* Looks at a reader that has arrived, and takes over the reference. */
void streamer_follower_admit(struct streamer_follower *reader, bool live, bool close);

/* Sends what there is for a reader, if it is live. True when there was something. */
bool streamer_follower_visit(struct streamer_follower *reader);

/* Closing frames and a complete end. */
void streamer_follower_say_goodbye(struct streamer_follower *reader, const char *frames, size_t length);

/* Its browser is closed without the last chunk. */
void streamer_follower_cut_off(struct streamer_follower *reader);
