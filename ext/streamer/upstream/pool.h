/* pool: the upstream connections of one loop: those that are kept, those that are being opened, and the streams that wait
 * for one.
 *
 * A stream gets an HTTP/2 connection that has room for another stream, or an idle HTTP/1 connection, or waits. For those
 * that wait connections are opened: one for each over HTTP/1, one at a time where many can share it, and one alone where
 * it is not known yet which protocol the server speaks.
 *
 * Everything here happens in an iteration of the loop, unless it says otherwise.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../loop/loop.h"
#include "admission.h"
#include "connection.h"
#include "connector.h"
#include "http1.h"
#include "http2.h"
#include "http2_connection.h"
#include "route.h"
#include "stream.h"

/* Idle connections that are kept, of all destinations together. */
enum { STREAMER_IDLE_CONNECTIONS = 1024 };

/* Destinations whose protocol is remembered while nothing goes on there. */
enum { STREAMER_REMEMBERED_DESTINATIONS = 256 };

enum { STREAMER_DRAIN_GRACE = 60 };

enum { STREAMER_DESTINATION_BUCKETS = 256, STREAMER_READ_SIZE = 64 << 10 };

/* Where connections of one route lead. */
struct streamer_destination {
    struct streamer_destination *next; /* of its bucket */
    struct streamer_pool *pool;
    struct streamer_route *route;
    uint64_t hash;
    struct streamer_connection *connections;
    struct streamer_stream *first, *last; /* that wait, in their order */
    size_t waiting, opening;
    size_t draining; /* HTTP/1 connections that are about to be free */
    int64_t connect_timeout; /* ms; the longest of those who wait; 0: none */
    enum { STREAMER_PROTOCOL_UNKNOWN, STREAMER_PROTOCOL_HTTP1, STREAMER_PROTOCOL_HTTP2 } protocol;
};

/* What is ended when the pool is closed; embed it in its owner. */
struct streamer_member {
    struct streamer_member *previous, *next;
    void (*shut_down)(struct streamer_member *member); /* leaves the pool */
};

/* Counters since the start; read without a lock, each true by itself. */
struct streamer_pool_stats {
    uint64_t requests;
    uint64_t reused; /* of those, on a connection that had served before */
    uint64_t bytes;
    uint64_t pauses;
    uint64_t open;
    uint64_t queued; /* of those that are open, who wait for a permit */
    uint64_t connections;
};

/* Read by the files of upstream/; each part is written where its comment says. */
struct streamer_pool {
    struct streamer_loop *loop;
    struct streamer_connector connector;
    struct streamer_admission admission;

    /* pool.c */
    struct streamer_destination *buckets[STREAMER_DESTINATION_BUCKETS];
    size_t remembered;
    struct streamer_connection *idle_first, *idle_last; /* the one that was used last comes first */
    size_t idle;
    struct streamer_member *members;
    bool closing;
    atomic_int references;

    /* http2_connection.c */
    struct streamer_connection *flush;
    struct streamer_hook flush_hook;

    char read[STREAMER_READ_SIZE]; /* what is read, while it is delivered */

    struct {
        atomic_ullong requests, reused, bytes, pauses, open, queued, connections;
    } stats;
};

/* NULL when out of descriptors or memory; errno says which. The caller owns one reference. From any thread. */
struct streamer_pool *streamer_pool_new(void);

/* References: the driver's, and one for each transfer. The last one frees it. From any thread. */
void streamer_pool_retain(struct streamer_pool *pool);
void streamer_pool_release(struct streamer_pool *pool);

/* Shuts down all members, closes all connections and the loop. By the driver, outside an iteration, once. */
void streamer_pool_close(struct streamer_pool *pool);

void streamer_pool_join(struct streamer_pool *pool, struct streamer_member *member);
void streamer_pool_leave(struct streamer_pool *pool, struct streamer_member *member);

/* Gets the stream a connection; the rest happens through its vtable, possibly within. route: read only. connect_timeout,
 * in ms, 0 for none: what libcurl is told; the clock is the stream's owner's. False when out of memory: no call comes. */
bool streamer_pool_request(struct streamer_pool *pool, struct streamer_stream *stream, const struct streamer_route *route,
                           int64_t connect_timeout);

/* What still comes for the stream is dropped, and it is expected to end soon: for STREAMER_DRAIN_GRACE ms a request waits
 * for its connection rather than opening one. */
void streamer_stream_drain(struct streamer_stream *stream);

/* Nobody wants the stream any more, at whatever point it is; no call comes. Nothing when it has ended. */
void streamer_stream_cancel(struct streamer_stream *stream);

/* Seconds after which a connection is not used again, since its last use and since it was opened; 0: never mind. From any
 * thread. */
void streamer_pool_limit_age(int64_t idle, int64_t total);

struct streamer_pool_stats streamer_pool_stats(const struct streamer_pool *pool);

/* ---- for http1 and http2_connection ---- */

/* It can take another stream: HTTP/1 without one, HTTP/2 with room for more. */
void streamer_pool_offer(struct streamer_connection *connection);

/* Ends the stream. It is in no list any more. */
void streamer_stream_close(struct streamer_stream *stream, enum streamer_outcome outcome, const char *detail);

/* ---- for connection ---- */

/* The connection is closed. */
void streamer_pool_forget(struct streamer_connection *connection);
