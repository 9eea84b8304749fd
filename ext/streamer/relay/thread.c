#define _GNU_SOURCE /* pthread_setname_np */
#include "thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

#include "../loop/fork.h"

static struct {
    struct streamer_loop *loop;
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

static void *drive(void *reactor) {
    name_thread();
    while (!atomic_load(&native.stopping)) streamer_reactor_turn(reactor, -1);
    streamer_reactor_close(loop);
    return NULL;
}

struct streamer_reactor *streamer_thread_reactor(void) {
    if (native.reactor != NULL && native.generation == streamer_fork_generation()) return native.reactor;

    /* After a fork the parent's reactor is left as it is: its locks may be held by a thread that is not here. */
    struct streamer_loop *loop = streamer_reactor_new();
    if (reactor == NULL) return NULL;
    atomic_store(&native.stopping, false);

    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int reason = pthread_create(&native.thread, NULL, drive, reactor);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (reason != 0) {
        streamer_loop_release(loop);
        errno = reason;
        return NULL;
    }
    native.reactor = reactor;
    native.generation = streamer_fork_generation();
    return reactor;
}

static void wake_up(struct streamer_task *task) {
    (void)task;
}

void streamer_thread_stop(void) {
    if (native.reactor == NULL || native.generation != streamer_fork_generation()) return;
    static struct streamer_task nudge = {.run = wake_up};
    atomic_store(&native.stopping, true);
    streamer_loop_post(native.reactor, &nudge);
    pthread_join(native.thread, NULL);
    streamer_loop_release(native.reactor); /* transfers and browsers that outlive it hold references of their own */
    native.reactor = NULL;
}
