/* transfer: one HTTP request and its answer, from start to end.
 *
 * Made on any thread, then given to its reactor by streamer_transfer_start. From then on libcurl's handle belongs to
 * the reactor's turns. What others may look at lies behind `signal.lock`; they are told of every change through the
 * signal.
 *
 * The answer's bytes go to the inbox, from which the consumer takes all that has arrived at once, or to a sink
 * that takes them where they are, in libcurl's buffer. Either way a full destination pauses the transfer, and its
 * upstream with it.
 *
 * Nothing here calls Ruby, raises, or enters libcurl from one of libcurl's callbacks.
 */
#pragma once

#include <curl/curl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/buffer.h"
#include "chunks.h"
#include "gaps.h"
#include "group.h"
#include "guard.h"
#include "outcome.h"
#include "reactor.h"
#include "request.h"
#include "signal.h"
#include "slots.h"

/* The inbox pauses the transfer at this many bytes; taking them resumes it. */
#define STREAMER_INBOX_HIGH ((size_t)256 << 10)
#define STREAMER_INBOX_MAX (STREAMER_INBOX_HIGH + CURL_MAX_WRITE_SIZE)

/* A streamed request body is buffered up to here, in pieces of at most STREAMER_PIECE. */
#define STREAMER_OUTBOX_HIGH ((size_t)256 << 10)
#define STREAMER_PIECE ((size_t)64 << 10)
#define STREAMER_OUTBOX_MAX (STREAMER_OUTBOX_HIGH + STREAMER_PIECE)

/* What may come behind the bytes that a sink wanted, so that the connection is free for the next request; in bytes and
 * ms. */
#define STREAMER_DRAIN ((size_t)64 << 10)
#define STREAMER_DRAIN_TIME 1000

/* All headers of one answer, 1xx answers and trailers included. */
#define STREAMER_MAX_HEAD ((size_t)256 << 10)

/* What a sink says about a read. */
enum streamer_sink_answer {
    STREAMER_SINK_TOOK,
    STREAMER_SINK_FULL,   /* nothing was taken; the same bytes come again after streamer_transfer_resume */
    STREAMER_SINK_ENOUGH, /* taken, and no more is wanted: the rest is drained, within STREAMER_DRAIN, and thrown away
                           */
    STREAMER_SINK_FAILED  /* the transfer ends as SINK_FAILED */
};

struct streamer_sink {
    enum streamer_sink_answer (*take)(struct streamer_sink *sink, const char *bytes, size_t length); /* in a turn */
    void (*end)(
        struct streamer_sink *sink); /* in a turn, once: after ENOUGH, or after the last byte and the transfer's end */
};

/* Microseconds; 0 for what did not happen. All but `queue` count from the end of the queue. */
struct streamer_timings {
    int64_t queue;                         /* waited for a slot */
    int64_t dns, connect, tls, first_byte; /* as libcurl measures them */
    int64_t first_event, first_text;       /* the arrival of the read that held it */
    int64_t total;
    int64_t gap_p95, gap_max; /* between reads that brought events */
    int64_t bytes;
    bool reused;
    long http_version; /* 10, 11, 20, 30; 0 unknown */
    char address[46];  /* the other end's, as text; empty where there was no connection */
};

struct streamer_transfer {
    struct streamer_signal signal;

    /* Guarded by signal.lock. */
    enum streamer_outcome outcome; /* OPEN until the end */
    char detail[CURL_ERROR_SIZE];  /* libcurl's words on a failure; empty for none */
    bool head_ready;
    int status;
    struct streamer_buffer head; /* "Name: value" lines, LF between */
    struct streamer_buffer inbox;
    struct streamer_buffer outbox;
    size_t outbox_offset;
    bool upload_ended;
    int64_t upload_left;                         /* of the announced length; -1: none was announced */
    struct streamer_timings timings;             /* but for what events bring, final once outcome is not OPEN */
    int64_t arrived;                             /* the last byte in the inbox; streamer_now_us */
    int64_t first_event, first_text, last_event; /* streamer_now_us; 0 for none */
    struct streamer_gaps gaps;
    bool decoding; /* bytes were taken, and what they hold is not known yet */
    struct streamer_membership membership;

    /* From any thread. */
    atomic_int references;
    atomic_int wanted; /* what the next turn shall do; see transfer.c */
    atomic_bool sent_off;
    struct streamer_reactor *reactor;
    unsigned generation; /* streamer_fork_generation at its making */

    /* In a turn only. */
    CURL *easy;
    struct streamer_request_memory memory; /* what libcurl's options point to */
    struct streamer_guard *guard;
    char *origin;
    struct streamer_slot slot;
    struct streamer_task task;
    struct streamer_timer timer;
    struct streamer_timeouts timeouts;
    struct streamer_sink *sink;
    struct streamer_transfer *previous, *next; /* the reactor's open transfers */
    struct streamer_transfer *changed_next;
    bool changed;
    bool linked, added, completed; /* known to the reactor, to libcurl, and done by it */
    bool idempotent;
    bool starts_afresh; /* the connection that it got is not to be used */
    bool connected;
    int local_port; /* of the connection, which it tells from others to the same origin */
    bool guarded;   /* an address was refused */
    bool receive_paused, send_paused;
    bool draining;
    size_t drained;
    int64_t received;              /* bytes of the body */
    bool framed;                   /* a body in chunks comes with its framing (direct.h) */
    bool chunked;                  /* and it comes in chunks */
    struct streamer_chunks chunks; /* where libcurl stands in it */
    curl_socket_t socket;          /* that libcurl reads from, and waits for nothing else on it; -1: none */
    struct streamer_watch direct;  /* on that socket, once a body in chunks has begun */
    enum streamer_outcome failure; /* why a callback of ours stopped libcurl */
    int64_t queued, started;       /* streamer_now's clock; started: 0 while it waits for a slot */
    int64_t sent, last_activity, resumed;
    size_t head_bytes;
    bool status_line_next;

    /* The consumer's, or in a turn where there is a sink. */
    int64_t read_at; /* when the last of the bytes it got had arrived; streamer_now_us */

    /* The driver's: who waits in a fiber scheduler (binding/waiting.c). */
    void *waiter;
};

/* Prepares a request. The caller owns the one reference. NULL when out of memory, or when libcurl refuses an option:
 * then *problem is its reason, a constant; NULL for memory. Takes over the request's lists and its guard in every case.
 */
struct streamer_transfer *streamer_transfer_new(struct streamer_reactor *reactor,
                                                const struct streamer_request *request, const char **problem);
void streamer_transfer_retain(struct streamer_transfer *transfer);
void streamer_transfer_release(struct streamer_transfer *transfer);

/* Sends it off, once it has a slot; nothing when it was sent off before. */
void streamer_transfer_start(struct streamer_transfer *transfer);

/* Ends it as CANCELLED, at whatever point it is; nothing when it has ended. Idempotent. */
void streamer_transfer_cancel(struct streamer_transfer *transfer);

/* Goes on after STREAMER_SINK_FULL. */
void streamer_transfer_resume(struct streamer_transfer *transfer);

/* The last read held an event that is news (streamer_event_is_content), or, by streamer_transfer_note_text, text. By the
 * consumer, or in a turn where there is a sink. */
void streamer_transfer_note_event(struct streamer_transfer *transfer);
void streamer_transfer_note_text(struct streamer_transfer *transfer);

/* All that was taken is decoded, and its events are noted. By the consumer. */
void streamer_transfer_note_decoded(struct streamer_transfer *transfer);

/* How long it took. Complete once it has ended; the lock is held by the caller. */
struct streamer_timings streamer_transfer_timings(const struct streamer_transfer *transfer);

/* The first field of that name in the answer's head, which must be ready: it does not change any more. False when there
 * is none. */
bool streamer_transfer_header(struct streamer_transfer *transfer, const char *name, const char **value, size_t *length);

/* Moves all bytes that have arrived into `into`, which must be empty. The lock is held by the caller. */
void streamer_transfer_take(struct streamer_transfer *transfer, struct streamer_buffer *into);

/* Queues bytes of a streamed body. The lock is held by the caller, who checked that outbox.length is below
 * STREAMER_OUTBOX_HIGH. `last` ends the body. Answers as streamer_buffer_append. */
enum streamer_status streamer_transfer_upload(struct streamer_transfer *transfer, const char *bytes, size_t length,
                                              bool last);

/* Bytes of heap held. */
size_t streamer_transfer_size(struct streamer_transfer *transfer);

/* In a turn: from now on the bytes go to `sink`, first those already in the inbox. sink->end may be called within. */
void streamer_transfer_attach(struct streamer_transfer *transfer, struct streamer_sink *sink);

/* In a turn: ends it now. */
void streamer_transfer_finish(struct streamer_transfer *transfer, enum streamer_outcome outcome, const char *detail);

/* In a turn, by the reactor, from within libcurl: its socket cannot be watched. It ends in the next turn. */
void streamer_transfer_strand(struct streamer_transfer *transfer);

/* In a turn, by the reactor: libcurl is through with it. */
void streamer_transfer_completed(struct streamer_transfer *transfer, CURLcode code);
