/* transfer: one HTTP request and its response, from start to end.
 *
 * Made on any thread, then given to its pool by streamer_transfer_start. From then on it belongs to the iterations of the
 * pool's loop. What others may look at lies behind `monitor.lock`; they are told of every change through the monitor.
 *
 * The response's bytes go to the inbox, from which the consumer takes all that has arrived at once, or to a sink that
 * takes them where they are, in the pool's read buffer. Either way a full destination pauses the transfer, and its
 * upstream with it.
 *
 * Nothing here calls Ruby or raises.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/buffer.h"
#include "../loop/loop.h"
#include "../loop/monitor.h"
#include "admission.h"
#include "group.h"
#include "histogram.h"
#include "outcome.h"
#include "pool.h"
#include "request.h"
#include "stream.h"

/* The inbox pauses the transfer at this many bytes; taking them resumes it. What is on its way by then still comes. */
#define STREAMER_INBOX_HIGH ((size_t)256 << 10)
#define STREAMER_INBOX_MAX (STREAMER_INBOX_HIGH + STREAMER_STREAM_WINDOW + STREAMER_READ_SIZE)

/* A streamed request body is buffered up to here, in spans of at most STREAMER_UPLOAD_SPAN. */
#define STREAMER_OUTBOX_HIGH ((size_t)256 << 10)
#define STREAMER_UPLOAD_SPAN ((size_t)64 << 10)
#define STREAMER_OUTBOX_MAX (STREAMER_OUTBOX_HIGH + STREAMER_UPLOAD_SPAN)

/* What may come behind the bytes that were wanted, so that the connection is free for the next request; in bytes and ms. */
#define STREAMER_DRAIN ((size_t)64 << 10)
#define STREAMER_DRAIN_TIME 1000

/* What a sink says about a read. */
enum streamer_sink_result {
    STREAMER_SINK_TOOK,
    STREAMER_SINK_FULL,   /* nothing was taken; the same bytes come again after streamer_transfer_resume */
    STREAMER_SINK_ENOUGH, /* taken, and no more is wanted: the rest is drained, within STREAMER_DRAIN, and dropped */
    STREAMER_SINK_FAILED  /* the transfer ends as SINK_FAILED */
};

struct streamer_sink {
    enum streamer_sink_result (*take)(struct streamer_sink *sink, const char *bytes, size_t length); /* in an iteration */
    void (*end)(struct streamer_sink *sink); /* in an iteration, once: after ENOUGH, or after the last byte and the
                                                transfer's end */
};

/* Microseconds; 0 for what did not happen. All but `queue` count from the end of the queue. */
struct streamer_timings {
    int64_t queue;                         /* waited for a permit */
    int64_t dns, connect, tls, first_byte;
    int64_t first_event, first_text;       /* the arrival of the read that held it */
    int64_t total;
    int64_t gap_p95, gap_max; /* between reads that brought events */
    int64_t bytes;
    bool reused;
    int http_version; /* 10, 11, 20; 0 unknown */
    char address[46]; /* the other end's, as text; empty where there was no connection */
};

struct streamer_transfer {
    struct streamer_monitor monitor;

    /* Guarded by monitor.lock. */
    enum streamer_outcome outcome;         /* OPEN until the end */
    char detail[STREAMER_DETAIL_SIZE];     /* more words on a failure; empty for none */
    bool head_ready;
    bool answered;                         /* a byte of a response has come */
    int status;
    struct streamer_buffer head; /* as core/fields.h has them */
    struct streamer_buffer inbox;
    struct streamer_buffer outbox;
    size_t outbox_offset;
    bool upload_ended;
    int64_t upload_left;                         /* of the announced length; -1: none was announced */
    struct streamer_timings timings;             /* but for what events bring, final once outcome is not OPEN */
    int64_t arrived;                             /* the last byte in the inbox; streamer_now_us */
    int64_t first_event, first_text, last_event; /* streamer_now_us; 0 for none */
    struct streamer_histogram gaps;
    bool decoding; /* bytes were taken, and what they hold is not known yet */
    struct streamer_membership membership;

    /* From any thread. */
    atomic_int references;
    atomic_int wanted; /* what the next iteration shall do; see transfer.c */
    atomic_bool sent_off;
    struct streamer_pool *pool;
    unsigned generation; /* streamer_fork_generation when it was made */

    /* In an iteration only. */
    struct streamer_stream stream;
    struct streamer_message message;
    struct streamer_route *route;
    char *texts; /* the message's */
    char *body;  /* NULL: none, or a streamed one */
    size_t body_offset;
    bool idempotent;
    int restarts; /* how often it was sent again, because it had certainly not been processed */
    struct streamer_member member;
    struct streamer_permit permit;
    struct streamer_task task;
    struct streamer_timer timer;
    struct streamer_timeouts timeouts;
    struct streamer_sink *sink;
    bool linked; /* known to the pool */
    bool ended;
    bool connected;
    bool paused;
    bool uploaded; /* bytes of a streamed body are gone */
    bool draining;
    size_t drained;
    int64_t received;        /* bytes of the body */
    int64_t queued, started; /* streamer_now_us; started: 0 while it waits for a permit */
    int64_t first_byte;      /* streamer_now_us */
    int64_t asked; /* for a connection, the last time; streamer_now's clock, as the next three */
    int64_t sent, last_activity, resumed;

    /* The consumer's, or in an iteration where there is a sink. */
    int64_t read_at; /* when the last of the bytes it got had arrived; streamer_now_us */
};

/* Prepares a request. The caller owns the one reference. NULL when out of memory. Takes the request's fields in every
 * case. */
struct streamer_transfer *streamer_transfer_new(struct streamer_pool *pool, const struct streamer_request *request);
void streamer_transfer_retain(struct streamer_transfer *transfer);
void streamer_transfer_release(struct streamer_transfer *transfer);

/* Sends it off, once it has a permit; nothing when it was sent off before. */
void streamer_transfer_start(struct streamer_transfer *transfer);

/* Ends it as CANCELLED, at whatever point it is; nothing when it has ended. Idempotent. */
void streamer_transfer_cancel(struct streamer_transfer *transfer);

/* Goes on after STREAMER_SINK_FULL. */
void streamer_transfer_resume(struct streamer_transfer *transfer);

/* The consumer has what it wanted: what is in the inbox is dropped, and the rest drained as after
 * STREAMER_SINK_ENOUGH. */
void streamer_transfer_drain(struct streamer_transfer *transfer);

/* The last read held an event that is content (streamer_event_is_content), or, by streamer_transfer_note_text, text. By
 * the consumer, or in an iteration where there is a sink. */
void streamer_transfer_note_event(struct streamer_transfer *transfer);
void streamer_transfer_note_text(struct streamer_transfer *transfer);

/* All that was taken is decoded, and its events are noted. By the consumer. */
void streamer_transfer_note_decoded(struct streamer_transfer *transfer);

/* How long it took. Complete once it has ended; the lock is held by the caller. */
struct streamer_timings streamer_transfer_timings(const struct streamer_transfer *transfer);

/* Moves all bytes that have arrived into `into`, which must be empty. The lock is held by the caller. */
void streamer_transfer_take(struct streamer_transfer *transfer, struct streamer_buffer *into);

/* Queues bytes of a streamed body. The lock is held by the caller, who checked that outbox.length is below
 * STREAMER_OUTBOX_HIGH. `last` ends the body. Returns as streamer_buffer_append. */
enum streamer_status streamer_transfer_upload(struct streamer_transfer *transfer, const char *bytes, size_t length,
                                              bool last);

/* Bytes of heap held. */
size_t streamer_transfer_size(struct streamer_transfer *transfer);

/* ---- in an iteration ---- */

/* From now on the bytes go to `sink`, first those already in the inbox. sink->end may be called within. */
void streamer_transfer_attach(struct streamer_transfer *transfer, struct streamer_sink *sink);

/* Ends it now. */
void streamer_transfer_finish(struct streamer_transfer *transfer, enum streamer_outcome outcome, const char *detail);

/* ---- between the files of the transfer ---- */

static inline void streamer_transfer_lock(struct streamer_transfer *transfer) {
    streamer_monitor_lock(&transfer->monitor);
}

static inline void streamer_transfer_unlock(struct streamer_transfer *transfer) {
    streamer_monitor_unlock(&transfer->monitor);
}

/* Tells whoever waits of a change. The lock is held. */
void streamer_transfer_announce(struct streamer_transfer *transfer);

/* What its stream calls (delivery.c). */
extern const struct streamer_stream_vtable streamer_transfer_vtable;

/* Gives the sink what is in the inbox, all or nothing, and after the transfer's end and the last byte the end
 * (delivery.c). */
void streamer_transfer_feed_sink(struct streamer_transfer *transfer);

/* Nobody wants what still comes (delivery.c). The sink has had its end, or there is none. */
void streamer_transfer_begin_draining(struct streamer_transfer *transfer);

/* Its stream has ended (transfer.c). */
void streamer_transfer_stream_ended(struct streamer_transfer *transfer, const struct streamer_stream_end *end);

/* A streamed body has ended before its announced length: it ends so in the next run of its task (transfer.c). */
void streamer_transfer_fail_upload(struct streamer_transfer *transfer);

/* What it has taken up to now, without its connection (timings.c). */
void streamer_transfer_measure(struct streamer_transfer *transfer, struct streamer_timings *timings);

/* What its connection took, for as long as it has one (timings.c). The lock is held. */
void streamer_transfer_note_connection(struct streamer_transfer *transfer);

/* Its timer: ends it when one of its timeouts has run out, else is set to when one could (timeouts.c). */
void streamer_transfer_check_timeouts(struct streamer_timer *timer, int64_t now);
