/* combined: what the readers of several logs on one browser have together: a cursor for all of them.
 *
 * The browser remembers one id only, so each frame's is replaced by one that says where it is in every log:
 * `id: INDEX:E-S,E-S,...`, INDEX being the place of the log that the frame is from. Such frames are this browser's
 * alone, and are copied for it; a frame without an id gets one, so that the page knows whose it is.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "block.h"

#define STREAMER_COMBINED_MOST 64

struct streamer_combined {
    pthread_mutex_t lock;
    int count; /* constant */
    int open;  /* guarded by lock: logs that have not ended */
    atomic_int references;
    unsigned generation;
    struct {
        int64_t position; /* guarded by lock: what was handed to the browser */
        bool ended;
    } logs[];
};

/* At most STREAMER_COMBINED_MOST positions. NULL when out of memory. The caller owns one reference. */
struct streamer_combined *streamer_combined_new(const int64_t *positions, int count);
void streamer_combined_retain(struct streamer_combined *combined);

/* Also of NULL. */
void streamer_combined_release(struct streamer_combined *combined);

/* Bytes of frames that are copied at once, but for a larger frame. */
#define STREAMER_COMBINED_PIECE ((size_t)32 << 10)

/* A copy of the first frames of the index-th log, and the positions move on; `*length` becomes the bytes that were
 * copied. NULL when out of memory: nothing has changed. */
struct streamer_block *streamer_combined_copy(struct streamer_combined *combined, int index,
                                              enum streamer_block_kind kind, const char *frames, size_t *length);

/* The index-th log has ended. True when it was the last one that had not. */
bool streamer_combined_leave(struct streamer_combined *combined, int index);
