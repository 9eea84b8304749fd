/* outlet: where the frames of a relay go: a browser, or a batch that waits for a store.
 *
 * Constant, and copied at will; it holds a reference to nobody. What `state` tells is guarded by the monitor's lock.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/pipeline.h"
#include "batch.h"
#include "browser.h"

/* Whole frames, and what they are to a log. */
struct streamer_frames {
    const char *bytes;
    size_t length;
    uint64_t count;
    struct streamer_added added;
};

struct streamer_outlet_state {
    bool full;      /* whoever writes has to wait */
    bool gone;      /* nothing more is taken */
    bool slow;      /* since nothing was taken for too long */
    uint64_t bytes; /* sent, or handed over */
};

struct streamer_outlet_type {
    void (*retain)(void *target);
    void (*release)(void *target);
    bool (*write)(void *target, const struct streamer_frames *frames); /* false when it is gone; never blocks */
    struct streamer_outlet_state (*state)(void *target);               /* the lock is held */
    void (*close)(void *target);                                       /* completely */
    void (*listen)(void *target, struct streamer_listener *listener);  /* in an iteration, as the next */
    void (*unlisten)(void *target, struct streamer_listener *listener);
};

struct streamer_outlet {
    const struct streamer_outlet_type *type;
    void *target;
    struct streamer_monitor *monitor;
    struct streamer_loop *loop;
    unsigned generation; /* streamer_fork_generation when the target was made */
};

struct streamer_outlet streamer_outlet_to_browser(struct streamer_browser *browser);
struct streamer_outlet streamer_outlet_to_batch(struct streamer_batch *batch);

/* The target where it is a batch; NULL where it is none. */
struct streamer_batch *streamer_outlet_batch(const struct streamer_outlet *outlet);
