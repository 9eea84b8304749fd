#include "reactor.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "clock.h"
#include "direct.h"
#include "multi.h"

enum { BATCH = 256 };

/* A poller's tag is a watch, or a socket of libcurl's: its number, made odd so that it cannot be an address. */
static void *tag_socket(curl_socket_t fd) {
    return (void *)(((uintptr_t)(unsigned)fd << 1) | 1);
}

static bool is_socket(const void *tag) {
    return ((uintptr_t)tag & 1) != 0;
}

static curl_socket_t tagged_socket(const void *tag) {
    return (curl_socket_t)((uintptr_t)tag >> 1);
}

/* ---- libcurl's callbacks: they note, and do nothing else ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *unused) {
    (void)unused;
    struct streamer_reactor *reactor = context;
    struct streamer_transfer *transfer = NULL; /* none for a connection that libcurl closes for itself */
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer);
    bool direct = transfer != NULL && streamer_direct_watches(transfer, fd, what);
    if (what == CURL_POLL_REMOVE) {
        streamer_poller_remove(reactor->poller, fd);
        return 0;
    }
    int events = (what & CURL_POLL_IN ? STREAMER_READABLE : 0) | (what & CURL_POLL_OUT ? STREAMER_WRITABLE : 0);
    if (!streamer_poller_set(reactor->poller, fd, events, direct ? &transfer->direct : tag_socket(fd))) {
        /* Answering -1 would make libcurl give up the multi handle, and all other transfers with it. */
        if (transfer != NULL) streamer_transfer_strand(transfer);
    }
    return 0;
}

static int on_timeout(CURLM *multi, long milliseconds, void *context) {
    (void)multi;
    struct streamer_reactor *reactor = context;
    if (milliseconds < 0) {
        streamer_timers_cancel(&reactor->timers, &reactor->curl_timer);
        return 0;
    }
    return streamer_timers_set(&reactor->timers, &reactor->curl_timer, streamer_now() + milliseconds) ? 0 : -1;
}

void streamer_reactor_act(struct streamer_reactor *reactor, curl_socket_t fd, int selected) {
    int running;
    curl_multi_socket_action(reactor->multi, fd, selected, &running);
}

static void fire_curl(struct streamer_timer *timer, int64_t now) {
    (void)now;
    struct streamer_reactor *reactor =
        (struct streamer_reactor *)((char *)timer - offsetof(struct streamer_reactor, curl_timer));
    streamer_reactor_act(reactor, CURL_SOCKET_TIMEOUT, 0);
}

/* ---- life ---- */

struct streamer_reactor *streamer_reactor_new(void) {
    struct streamer_reactor *reactor = calloc(1, sizeof *reactor);
    if (reactor == NULL) return NULL;
    reactor->references = 1;
    reactor->curl_timer.fire = fire_curl;
    streamer_timers_init(&reactor->timers);
    pthread_mutex_init(&reactor->lock, NULL);
    if (!streamer_waker_open(&reactor->wake)) goto failed;
    if ((reactor->poller = streamer_poller_new()) == NULL) goto failed;
    if (!streamer_poller_set(reactor->poller, reactor->wake.read_fd, STREAMER_READABLE, &reactor->wake)) goto failed;
    if ((reactor->multi = curl_multi_init()) == NULL) goto failed;
    curl_multi_setopt(reactor->multi, CURLMOPT_MAXCONNECTS, (long)STREAMER_IDLE_CONNECTIONS);
    curl_multi_setopt(reactor->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(reactor->multi, CURLMOPT_SOCKETDATA, reactor);
    curl_multi_setopt(reactor->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(reactor->multi, CURLMOPT_TIMERDATA, reactor);
    return reactor;

failed:;
    int reason = errno;
    streamer_reactor_release(reactor);
    errno = reason;
    return NULL;
}

void streamer_reactor_retain(struct streamer_reactor *reactor) {
    atomic_fetch_add(&reactor->references, 1);
}

void streamer_reactor_release(struct streamer_reactor *reactor) {
    if (atomic_fetch_sub(&reactor->references, 1) != 1) return;
    if (reactor->multi != NULL) {
        /* Cleaning up reports sockets that are long gone from the poller. */
        curl_multi_setopt(reactor->multi, CURLMOPT_SOCKETFUNCTION, NULL);
        curl_multi_setopt(reactor->multi, CURLMOPT_TIMERFUNCTION, NULL);
        curl_multi_cleanup(reactor->multi);
    }
    streamer_admission_release(&reactor->slots);
    streamer_timers_release(&reactor->timers);
    streamer_poller_free(reactor->poller);
    streamer_waker_close(&reactor->wake);
    pthread_mutex_destroy(&reactor->lock);
    free(reactor);
}

void streamer_reactor_close(struct streamer_reactor *reactor) {
    pthread_mutex_lock(&reactor->lock);
    reactor->closed = true;
    pthread_mutex_unlock(&reactor->lock);
    streamer_reactor_turn(reactor, 0); /* the tasks already taken on */
    while (reactor->transfers != NULL) {
        streamer_transfer_finish(reactor->transfers, STREAMER_OUTCOME_CANCELLED, "the reactor was shut down");
    }
}

/* ---- tasks ---- */

bool streamer_reactor_post(struct streamer_reactor *reactor, struct streamer_task *task) {
    pthread_mutex_lock(&reactor->lock);
    bool queue = !reactor->closed && !task->queued;
    if (queue) {
        task->queued = true;
        task->next = NULL;
        if (reactor->last != NULL)
            reactor->last->next = task;
        else
            reactor->first = task;
        reactor->last = task;
    }
    bool wake = queue && !reactor->woken;
    if (wake) reactor->woken = true;
    pthread_mutex_unlock(&reactor->lock);
    if (wake) streamer_waker_wake(&reactor->wake);
    return queue;
}

void streamer_reactor_wake(struct streamer_reactor *reactor) {
    streamer_waker_wake(&reactor->wake);
}

static void run_tasks(struct streamer_reactor *reactor) {
    pthread_mutex_lock(&reactor->lock);
    struct streamer_task *task = reactor->first;
    reactor->first = reactor->last = NULL;
    while (task != NULL) {
        struct streamer_task *next = task->next;
        task->queued = false; /* it may be posted again while it runs: that is a new turn's work */
        pthread_mutex_unlock(&reactor->lock);
        task->run(task);
        pthread_mutex_lock(&reactor->lock);
        task = next;
    }
    pthread_mutex_unlock(&reactor->lock);
}

static void drain_wake(struct streamer_reactor *reactor) {
    streamer_waker_clear(&reactor->wake);
    pthread_mutex_lock(&reactor->lock);
    reactor->woken = false;
    pthread_mutex_unlock(&reactor->lock);
}

/* ---- turns ---- */

static void dispatch(struct streamer_reactor *reactor, const struct streamer_ready *ready) {
    if (ready->tag == NULL) return; /* struck out */
    if (ready->tag == &reactor->wake) {
        drain_wake(reactor);
    } else if (is_socket(ready->tag)) {
        int selected = (ready->events & STREAMER_READABLE ? CURL_CSELECT_IN : 0) |
                       (ready->events & STREAMER_WRITABLE ? CURL_CSELECT_OUT : 0) |
                       (ready->events & STREAMER_HANGUP ? CURL_CSELECT_IN : 0);
        streamer_reactor_act(reactor, tagged_socket(ready->tag), selected);
    } else {
        struct streamer_watch *watch = ready->tag;
        watch->ready(watch, ready->events);
    }
}

static void collect_completed(struct streamer_reactor *reactor) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(reactor->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) continue;
        struct streamer_transfer *transfer;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        streamer_transfer_completed(transfer, message->data.result); /* the message dies in here */
    }
}

/* Milliseconds: 0 when a timer is due, -1 when there is none. */
static int until_next_timer(const struct streamer_reactor *reactor) {
    int64_t due = streamer_timers_next(&reactor->timers);
    if (due < 0) return -1;
    int64_t left = due - streamer_now();
    return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

void streamer_reactor_turn(struct streamer_reactor *reactor, int timeout) {
    struct streamer_ready ready[BATCH];
    atomic_fetch_add_explicit(&reactor->stats.turns, 1, memory_order_relaxed);
    run_tasks(reactor);

    if (timeout != 0) {
        int next = until_next_timer(reactor);
        if (timeout < 0 || (next >= 0 && next < timeout)) timeout = next;
    }
    reactor->ready = ready;
    reactor->ready_count = streamer_poller_wait(reactor->poller, ready, BATCH, timeout);
    for (int i = 0; i < reactor->ready_count; i++) dispatch(reactor, &ready[i]);
    reactor->ready_count = 0;

    run_tasks(reactor);
    streamer_timers_fire(&reactor->timers, streamer_now());
    collect_completed(reactor);
}

void streamer_reactor_arm(struct streamer_reactor *reactor) {
    int64_t due = streamer_timers_next(&reactor->timers);
    if (due >= 0) streamer_poller_alarm(reactor->poller, due);
}

int streamer_reactor_fd(const struct streamer_reactor *reactor) {
    return streamer_poller_fd(reactor->poller);
}

/* ---- in a turn ---- */

bool streamer_reactor_watch(struct streamer_reactor *reactor, int fd, int events, struct streamer_watch *watch) {
    return streamer_poller_set(reactor->poller, fd, events, watch);
}

void streamer_reactor_unwatch(struct streamer_reactor *reactor, int fd, struct streamer_watch *watch) {
    streamer_poller_remove(reactor->poller, fd);
    streamer_reactor_strike(reactor, watch);
}

void streamer_reactor_strike(struct streamer_reactor *reactor, const struct streamer_watch *watch) {
    for (int i = 0; i < reactor->ready_count; i++) {
        if (reactor->ready[i].tag == watch) reactor->ready[i].tag = NULL;
    }
}

struct streamer_timers *streamer_reactor_timers(struct streamer_reactor *reactor) {
    return &reactor->timers;
}

void streamer_reactor_link(struct streamer_reactor *reactor, struct streamer_transfer *transfer) {
    transfer->previous = NULL;
    transfer->next = reactor->transfers;
    if (transfer->next != NULL) transfer->next->previous = transfer;
    reactor->transfers = transfer;
    atomic_fetch_add_explicit(&reactor->stats.transfers, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&reactor->stats.open, 1, memory_order_relaxed);
}

void streamer_reactor_unlink(struct streamer_reactor *reactor, struct streamer_transfer *transfer) {
    if (transfer->previous != NULL)
        transfer->previous->next = transfer->next;
    else
        reactor->transfers = transfer->next;
    if (transfer->next != NULL) transfer->next->previous = transfer->previous;
    atomic_fetch_sub_explicit(&reactor->stats.open, 1, memory_order_relaxed);
}

/* ---- news for a driver of fibers ---- */

void streamer_reactor_track_changes(struct streamer_reactor *reactor) {
    reactor->tracks_changes = true;
}

void streamer_reactor_note_change(struct streamer_reactor *reactor, struct streamer_transfer *transfer) {
    if (!reactor->tracks_changes || transfer->changed) return;
    transfer->changed = true;
    streamer_transfer_retain(transfer);
    transfer->changed_next = reactor->changed;
    reactor->changed = transfer;
}

struct streamer_transfer *streamer_reactor_next_changed(struct streamer_reactor *reactor) {
    struct streamer_transfer *transfer = reactor->changed;
    if (transfer == NULL) return NULL;
    reactor->changed = transfer->changed_next;
    transfer->changed = false;
    return transfer;
}

struct streamer_reactor_stats streamer_reactor_stats(const struct streamer_reactor *reactor) {
    return (struct streamer_reactor_stats){
        .turns = reactor->stats.turns,
        .transfers = reactor->stats.transfers,
        .reused = reactor->stats.reused,
        .bytes = reactor->stats.bytes,
        .pauses = reactor->stats.pauses,
        .open = reactor->stats.open,
        .queued = reactor->stats.queued,
    };
}
