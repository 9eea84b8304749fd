#include "fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

/* A fixed bitmap rather than a list: the fork handler may find another thread halfway through a change, and may
 * call nothing but what is async-signal-safe. Descriptors beyond it are not tracked; no system hands them out by
 * default. */
enum { TRACKED_FDS = 1 << 20, BITS = 8 * sizeof(unsigned) };

static atomic_uint tracked[TRACKED_FDS / BITS];
static atomic_int highest;
static atomic_uint generation;

static void in_child(void) {
    atomic_fetch_add(&generation, 1);
    int last = atomic_load(&highest);
    for (int word = 0; word <= last / (int)BITS; word++) {
        unsigned bits = atomic_exchange(&tracked[word], 0);
        for (int bit = 0; bits != 0; bit++, bits >>= 1) {
            if (bits & 1) close(word * (int)BITS + bit);
        }
    }
}

void streamer_fork_watch(void) {
    pthread_atfork(NULL, NULL, in_child);
}

unsigned streamer_fork_generation(void) {
    return atomic_load_explicit(&generation, memory_order_relaxed);
}

void streamer_fork_track(int fd) {
    if (fd < 0 || fd >= TRACKED_FDS) return;
    int seen = atomic_load(&highest);
    while (fd > seen && !atomic_compare_exchange_weak(&highest, &seen, fd)) {
    }
    atomic_fetch_or(&tracked[fd / (int)BITS], 1u << (fd % (int)BITS));
}

int streamer_fork_close(int fd) {
    /* Forget first: between close and forget the number could already be another socket's. */
    if (fd >= 0 && fd < TRACKED_FDS) atomic_fetch_and(&tracked[fd / (int)BITS], ~(1u << (fd % (int)BITS)));
    return close(fd);
}
