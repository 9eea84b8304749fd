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
#include "group.h"
#include "outcome.h"
#include "reactor.h"
#include "signal.h"

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

/* Milliseconds; 0 for none. */
struct streamer_timeouts {
    int64_t connect;     /* from the start until the request can be sent: queue, DNS, TCP, TLS */
    int64_t first_event; /* from the start until streamer_transfer_note_event */
    int64_t idle;        /* between two reads, once connected */
    int64_t total;       /* from the start to the end */
};

/* All pointers are read during streamer_transfer_new only. */
struct streamer_request {
    const char *method;
    const char *url;
    struct curl_slist *headers; /* "Name: value"; becomes the transfer's */
    const char *body;           /* NULL: none */
    int64_t body_length;        /* of body, or announced for a streamed one; -1: unknown, sent chunked */
    bool body_streamed;         /* the body comes through streamer_transfer_upload */
    bool verify;                /* the server's certificate and name */
    const char *ca_file;        /* NULL: the system's */
    struct streamer_timeouts timeouts;
};

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

/* Microseconds from the start; 0 for what did not happen. */
struct streamer_timings {
    int64_t dns, connect, tls, first_byte, total;
    int64_t bytes;
    bool reused;
    long http_version; /* 10, 11, 20, 30; 0 unknown */
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
    int64_t upload_left;             /* of the announced length; -1: none was announced */
    struct streamer_timings timings; /* final once outcome is not OPEN */
    struct streamer_membership membership;

    /* From any thread. */
    atomic_int references;
    atomic_int wanted; /* what the next turn shall do; see transfer.c */
    atomic_bool event_seen;
    struct streamer_reactor *reactor;
    unsigned generation; /* streamer_fork_generation at its making */

    /* In a turn only. */
    CURL *easy;
    struct curl_slist *headers;
    struct streamer_task task;
    struct streamer_timer timer;
    struct streamer_timeouts timeouts;
    struct streamer_sink *sink;
    struct streamer_transfer *previous, *next; /* the reactor's open transfers */
    struct streamer_transfer *changed_next;
    bool changed;
    bool added;
    bool connected;
    bool receive_paused, send_paused;
    bool draining;
    size_t drained;
    enum streamer_outcome failure; /* why a callback of ours stopped libcurl */
    int64_t started, last_activity;
    size_t head_bytes;
    bool status_line_next;

    /* The driver's: who waits in a fiber scheduler (binding/waiting.c). */
    void *waiter;
};

/* Prepares a request. The caller owns the one reference. NULL when out of memory, or when libcurl refuses an option:
 * then *problem is its reason, a constant; NULL for memory. Takes over request->headers in every case. */
struct streamer_transfer *streamer_transfer_new(struct streamer_reactor *reactor,
                                                const struct streamer_request *request, const char **problem);
void streamer_transfer_retain(struct streamer_transfer *transfer);
void streamer_transfer_release(struct streamer_transfer *transfer);

/* Sends it off. Once. */
void streamer_transfer_start(struct streamer_transfer *transfer);

/* Ends it as CANCELLED, at whatever point it is; nothing when it has ended. Idempotent. */
void streamer_transfer_cancel(struct streamer_transfer *transfer);

/* Goes on after STREAMER_SINK_FULL. */
void streamer_transfer_resume(struct streamer_transfer *transfer);

/* An event was seen: the first_event timeout is met. */
void streamer_transfer_note_event(struct streamer_transfer *transfer);

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

/* In a turn, by the reactor: libcurl is through with it. */
void streamer_transfer_completed(struct streamer_transfer *transfer, CURLcode code);
