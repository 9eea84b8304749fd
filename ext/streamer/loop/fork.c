#include "fork.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

/* What each tracked descriptor is: its inode, 0 for those that are not tracked. A fixed table rather than a list: the
 * fork handler may find another thread halfway through a change, and may call nothing but what is async-signal-safe.
 * Descriptors beyond it are not tracked; pages of it that are never touched take no memory.
 *
 * The inode, because libcurl (7.88) closes the socket of a connect that is given up without a word: the number may be
 * anybody's since. */
enum { TRACKED_FDS = 1 << 20 };

static _Atomic uint64_t tracked[TRACKED_FDS];
static atomic_int highest;
static atomic_uint generation;

/* 0 when the descriptor is closed. */
static uint64_t inode(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 ? (uint64_t)status.st_ino : 0;
}

static void in_child(void) {
    atomic_fetch_add(&generation, 1);
    int last = atomic_load(&highest);
    for (int fd = 0; fd <= last; fd++) {
        uint64_t ours = atomic_exchange(&tracked[fd], 0);
        if (ours != 0 && inode(fd) == ours) close(fd);
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
    atomic_store(&tracked[fd], inode(fd));
}

int streamer_fork_close(int fd) {
    /* Forget first: between close and forget the number could already be another socket's. */
    if (fd >= 0 && fd < TRACKED_FDS) atomic_store(&tracked[fd], 0);
    return close(fd);
}
