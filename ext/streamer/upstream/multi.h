/* What the files of the transfer and of the reactor share, and nobody else needs: the reactor's inside. */
#pragma once

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "reactor.h"
#include "admission.h"
#include "transfer.h"
#include "waker.h"

struct streamer_reactor {
    CURLM *multi;
    struct streamer_poller *poller;
    struct streamer_waker wake;
    struct streamer_timers timers;
    struct streamer_timer curl_timer; /* libcurl's one timeout, as a timer among ours */

    pthread_mutex_t lock; /* guards the queue */
    struct streamer_task *first, *last;
    bool woken;
    bool closed;

    atomic_int references;
    struct streamer_transfer *transfers; /* all that are open */
    struct streamer_admission slots;
    struct streamer_transfer *changed;
    struct streamer_group *called;
    bool tracks_changes;

    struct streamer_ready *ready; /* of the batch under way, so that unwatch can strike one out */
    int ready_count;

    char read[CURL_MAX_WRITE_SIZE]; /* the body's bytes, while they are delivered */

    struct {
        atomic_ullong turns, transfers, reused, bytes, pauses, open, queued;
    } stats;
};

enum streamer_delivery {
    STREAMER_DELIVERED,
    STREAMER_PAUSED, /* nothing was taken: receiving pauses, and the same bytes come again */
    STREAMER_STOPPED /* the transfer is to end as its `failure` */
};

static inline void streamer_transfer_lock(struct streamer_transfer *transfer) {
    pthread_mutex_lock(&transfer->monitor.lock);
}

static inline void streamer_transfer_unlock(struct streamer_transfer *transfer) {
    pthread_mutex_unlock(&transfer->monitor.lock);
}

/* Tells whoever waits of a change. The lock is held. */
void streamer_transfer_announce(struct streamer_transfer *transfer);

/* Makes libcurl call callbacks.c for it. NULL, or libcurl's reason to refuse, a constant. */
const char *streamer_transfer_set_callbacks(struct streamer_transfer *transfer, bool body_streamed);

/* Stops libcurl from within a callback, which returns this; streamer_transfer_completed then brings the transfer home.
 */
size_t streamer_transfer_stop(struct streamer_transfer *transfer, enum streamer_outcome failure);

/* In a turn: the sink has enough. It gets its end, and what still comes is thrown away. */
void streamer_transfer_drain(struct streamer_transfer *transfer);

/* In a turn: gives bytes of the body, one at least, to the sink or the inbox. */
enum streamer_delivery streamer_transfer_deliver(struct streamer_transfer *transfer, const char *bytes, size_t length);

/* In a turn, outside libcurl: tells it what of the transfer is paused. */
void streamer_transfer_apply_pause(struct streamer_transfer *transfer);

/* In a turn, outside libcurl: makes it look at a socket, CURL_CSELECT_. */
void streamer_reactor_act(struct streamer_reactor *reactor, curl_socket_t fd, int selected);

/* In a turn: a watch is gone, and what the batch under way says of it is void. */
void streamer_reactor_strike(struct streamer_reactor *reactor, const struct streamer_watch *watch);

/* In a turn, once it has a connection: whether that was there before. */
bool streamer_transfer_is_reused(struct streamer_transfer *transfer);

/* In a turn: what the transfer has taken up to now (timings.c). */
struct streamer_timings streamer_transfer_measure(struct streamer_transfer *transfer);

/* In a turn: pauses it and lets it go on, so that libcurl looks at it again. */
void streamer_transfer_stir(struct streamer_transfer *transfer);

/* A transfer's timer: ends it when one of its timeouts has run out, else is set to when one could (timeouts.c). */
void streamer_transfer_fire(struct streamer_timer *timer, int64_t now);

/* In a turn. */
void streamer_reactor_link(struct streamer_reactor *reactor, struct streamer_transfer *transfer);
void streamer_reactor_unlink(struct streamer_reactor *reactor, struct streamer_transfer *transfer);
void streamer_reactor_note_change(struct streamer_reactor *reactor, struct streamer_transfer *transfer);
