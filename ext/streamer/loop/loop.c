#include "loop.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "clock.h"
#include "waker.h"

enum { BATCH = 256 };

struct streamer_loop {
    struct streamer_poller *poller;
    struct streamer_waker waker;
    struct streamer_watch waker_watch;
    struct streamer_timers timers;
    struct streamer_hook *hooks;

    pthread_mutex_t lock; /* guards the queue */
    struct streamer_task *first, *last;
    bool woken;
    bool closed;

    struct streamer_ready *ready; /* of the iteration under way, so that unwatch can make one void */
    int ready_count;
    bool hurry; /* a hook has more to do */

    atomic_ullong iterations;
    atomic_int references;
};

/* The loop that this thread is in an iteration of. */
static _Thread_local const struct streamer_loop *running;

static void on_woken(struct streamer_watch *watch, int events) {
    (void)events;
    struct streamer_loop *loop = STREAMER_OWNER(watch, struct streamer_loop, waker_watch);
    streamer_waker_clear(&loop->waker);
    pthread_mutex_lock(&loop->lock);
    loop->woken = false;
    pthread_mutex_unlock(&loop->lock);
}

/* ---- lifecycle ---- */

struct streamer_loop *streamer_loop_new(void) {
    struct streamer_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) return NULL;
    loop->references = 1;
    loop->waker_watch.ready = on_woken;
    pthread_mutex_init(&loop->lock, NULL);
    bool complete = streamer_waker_open(&loop->waker) && (loop->poller = streamer_poller_new()) != NULL &&
                    streamer_poller_set(loop->poller, loop->waker.read_fd, STREAMER_READABLE, &loop->waker_watch);
    if (complete) return loop;

    int reason = errno;
    streamer_loop_release(loop);
    errno = reason;
    return NULL;
}

void streamer_loop_retain(struct streamer_loop *loop) {
    atomic_fetch_add(&loop->references, 1);
}

void streamer_loop_release(struct streamer_loop *loop) {
    if (atomic_fetch_sub(&loop->references, 1) != 1) return;
    streamer_poller_free(loop->poller);
    streamer_waker_close(&loop->waker);
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}

/* ---- tasks ---- */

bool streamer_loop_post(struct streamer_loop *loop, struct streamer_task *task) {
    pthread_mutex_lock(&loop->lock);
    bool queue = !loop->closed && !task->queued;
    if (queue) {
        task->queued = true;
        task->next = NULL;
        *(loop->last != NULL ? &loop->last->next : &loop->first) = task;
        loop->last = task;
    }
    bool wake = queue && !loop->woken && !streamer_loop_is_running_here(loop);
    if (wake) loop->woken = true;
    pthread_mutex_unlock(&loop->lock);
    if (wake) streamer_waker_wake(&loop->waker);
    return queue;
}

void streamer_loop_wake(struct streamer_loop *loop) {
    streamer_waker_wake(&loop->waker);
}

static void run_tasks(struct streamer_loop *loop) {
    pthread_mutex_lock(&loop->lock);
    struct streamer_task *task = loop->first;
    loop->first = loop->last = NULL;
    while (task != NULL) {
        struct streamer_task *next = task->next;
        task->queued = false; /* posted again while it runs, it is the next iteration's */
        pthread_mutex_unlock(&loop->lock);
        task->run(task);
        pthread_mutex_lock(&loop->lock);
        task = next;
    }
    pthread_mutex_unlock(&loop->lock);
}

static bool has_tasks(struct streamer_loop *loop) {
    pthread_mutex_lock(&loop->lock);
    bool any = loop->first != NULL;
    pthread_mutex_unlock(&loop->lock);
    return any;
}

void streamer_loop_close(struct streamer_loop *loop) {
    pthread_mutex_lock(&loop->lock);
    loop->closed = true;
    pthread_mutex_unlock(&loop->lock);
    streamer_loop_iterate(loop, 0);
}

/* ---- iterations ---- */

bool streamer_loop_is_running_here(const struct streamer_loop *loop) {
    return running == loop;
}

static void dispatch(struct streamer_ready *ready) {
    struct streamer_watch *watch = ready->tag;
    int events = ready->events;
    ready->tag = NULL;
    watch->ready(watch, events);
}

/* What is left over at the budget's end is ready at the next wait, too: polling is level-triggered. */
static void dispatch_background(struct streamer_loop *loop) {
    int64_t end = 0;
    for (int i = 0; i < loop->ready_count; i++) {
        if (loop->ready[i].tag == NULL) continue;
        if (end == 0) end = streamer_now_us() + STREAMER_BACKGROUND_BUDGET;
        dispatch(&loop->ready[i]);
        if (streamer_now_us() >= end) return;
    }
}

/* Milliseconds: 0 when a timer is due, -1 when there is none. */
static int until_next_timer(const struct streamer_loop *loop) {
    int64_t due = streamer_timers_next(&loop->timers);
    if (due < 0) return -1;
    int64_t left = due - streamer_now();
    return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static int wait_time(struct streamer_loop *loop, int timeout) {
    if (timeout == 0 || loop->hurry || has_tasks(loop)) return 0;
    int next = until_next_timer(loop);
    return timeout < 0 || (next >= 0 && next < timeout) ? next : timeout;
}

void streamer_loop_iterate(struct streamer_loop *loop, int timeout) {
    struct streamer_ready ready[BATCH];
    running = loop;
    atomic_fetch_add_explicit(&loop->iterations, 1, memory_order_relaxed);
    run_tasks(loop);

    loop->ready = ready;
    timeout = wait_time(loop, timeout);
    loop->ready_count = streamer_poller_wait(loop->poller, ready, BATCH, timeout);
    for (int i = 0; i < loop->ready_count; i++) {
        const struct streamer_watch *watch = ready[i].tag; /* NULL: void by now */
        if (watch != NULL && !watch->background) dispatch(&ready[i]);
    }
    dispatch_background(loop);
    loop->ready_count = 0;

    run_tasks(loop);
    streamer_timers_fire(&loop->timers, streamer_now());
    loop->hurry = false;
    for (struct streamer_hook *hook = loop->hooks; hook != NULL; hook = hook->next) hook->run(hook);
    running = NULL;
    if (loop->hurry || has_tasks(loop)) streamer_waker_wake(&loop->waker);
}

uint64_t streamer_loop_iterations(const struct streamer_loop *loop) {
    return loop->iterations;
}

void streamer_loop_arm(struct streamer_loop *loop) {
    int64_t due = streamer_timers_next(&loop->timers);
    if (due >= 0) streamer_poller_alarm(loop->poller, due);
}

int streamer_loop_fd(const struct streamer_loop *loop) {
    return streamer_poller_fd(loop->poller);
}

/* ---- in an iteration ---- */

bool streamer_loop_watch(struct streamer_loop *loop, int fd, int events, struct streamer_watch *watch) {
    return streamer_poller_set(loop->poller, fd, events, watch);
}

void streamer_loop_unwatch(struct streamer_loop *loop, int fd, struct streamer_watch *watch) {
    streamer_poller_remove(loop->poller, fd);
    for (int i = 0; i < loop->ready_count; i++) {
        if (loop->ready[i].tag == watch) loop->ready[i].tag = NULL;
    }
}

void streamer_loop_set_timer(struct streamer_loop *loop, struct streamer_timer *timer, int64_t due) {
    streamer_timers_set(&loop->timers, timer, due);
}

void streamer_loop_cancel_timer(struct streamer_loop *loop, struct streamer_timer *timer) {
    streamer_timers_cancel(&loop->timers, timer);
}

void streamer_loop_add_hook(struct streamer_loop *loop, struct streamer_hook *hook) {
    struct streamer_hook **last = &loop->hooks;
    while (*last != NULL) last = &(*last)->next;
    *last = hook;
}

void streamer_loop_hurry(struct streamer_loop *loop) {
    loop->hurry = true;
}
