#define _GNU_SOURCE /* pthread_setname_np */
#include "thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

#include "../loop/fork.h"

static struct {
    struct streamer_pool *pool;
    unsigned generation;
    pthread_t thread;
    atomic_bool stopping;
} native;

/* What ps, top and a debugger show. */
static void name_thread(void) {
#if defined(__linux__)
    pthread_setname_np(pthread_self(), "streamer");
#elif defined(__APPLE__)
    pthread_setname_np("streamer");
#endif
}

static void *drive(void *pool) {
    name_thread();
    while (!atomic_load(&native.stopping)) streamer_loop_iterate(((struct streamer_pool *)pool)->loop, -1);
    streamer_pool_close(pool);
    return NULL;
}

static bool runs(void) {
    return native.pool != NULL && native.generation == streamer_fork_generation();
}

const struct streamer_pool *streamer_thread_running_pool(void) {
    return runs() ? native.pool : NULL;
}

struct streamer_pool *streamer_thread_pool(void) {
    if (runs()) return native.pool;

    /* After a fork the parent's pool is left as it is: its locks may be held by a thread that is not here. */
    struct streamer_pool *pool = streamer_pool_new();
    if (pool == NULL) return NULL;
    atomic_store(&native.stopping, false);

    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int reason = pthread_create(&native.thread, NULL, drive, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (reason != 0) {
        streamer_pool_release(pool);
        errno = reason;
        return NULL;
    }
    native.pool = pool;
    native.generation = streamer_fork_generation();
    return pool;
}

void streamer_thread_stop(void) {
    if (!runs()) return;
    atomic_store(&native.stopping, true);
    streamer_loop_wake(native.pool->loop);
    pthread_join(native.thread, NULL);
    streamer_pool_release(native.pool); /* transfers and browsers that outlive it hold references of their own */
    native.pool = NULL;
}
