#include "pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../loop/clock.h"
#include "../loop/fork.h"

static struct { atomic_llong idle, total; } ages; /* milliseconds; 0: none */

void streamer_pool_limit_age(int64_t idle, int64_t total) {
    atomic_store_explicit(&ages.idle, idle * 1000, memory_order_relaxed);
    atomic_store_explicit(&ages.total, total * 1000, memory_order_relaxed);
}

/* ---- destinations ---- */

/* Where the route leads; made where it is new. NULL when out of memory. */
static struct streamer_destination *find(struct streamer_pool *pool, const struct streamer_route *route) {
    uint64_t hash = streamer_route_hash(route);
    struct streamer_destination **bucket = &pool->buckets[hash % STREAMER_DESTINATION_BUCKETS], *found = *bucket;
    while (found != NULL && (found->hash != hash || !streamer_route_equal(found->route, route))) found = found->next;
    if (found != NULL) {
        if (found->connections == NULL && found->first == NULL) pool->remembered--;
        return found;
    }
    found = calloc(1, sizeof *found);
    struct streamer_route *copy = found == NULL ? NULL : streamer_route_copy(route);
    if (copy == NULL) {
        free(found);
        return NULL;
    }
    found->pool = pool;
    found->route = copy;
    found->hash = hash;
    if (!streamer_route_is_tls(route)) found->protocol = STREAMER_PROTOCOL_HTTP1;
    found->next = *bucket;
    *bucket = found;
    return found;
}

/* Forgets a destination where nothing goes on any more, unless there is something to remember, and room for it. */
static void forget_if_unused(struct streamer_destination *destination) {
    struct streamer_pool *pool = destination->pool;
    if (destination->connections != NULL || destination->first != NULL) return;
    bool known = destination->protocol != STREAMER_PROTOCOL_UNKNOWN && streamer_route_is_tls(destination->route);
    if (known && pool->remembered < STREAMER_REMEMBERED_DESTINATIONS && !pool->closing) {
        pool->remembered++;
        return;
    }
    struct streamer_destination **link = &pool->buckets[destination->hash % STREAMER_DESTINATION_BUCKETS];
    while (*link != destination) link = &(*link)->next;
    *link = destination->next;
    free(destination->route);
    free(destination);
}

static void enqueue(struct streamer_destination *destination, struct streamer_stream *stream) {
    stream->destination = destination;
    stream->next = NULL;
    stream->previous = destination->last;
    *(destination->last != NULL ? &destination->last->next : &destination->first) = stream;
    destination->last = stream;
    destination->waiting++;
}

static void dequeue(struct streamer_stream *stream) {
    struct streamer_destination *destination = stream->destination;
    *(stream->previous != NULL ? &stream->previous->next : &destination->first) = stream->next;
    *(stream->next != NULL ? &stream->next->previous : &destination->last) = stream->previous;
    stream->destination = NULL;
    stream->previous = stream->next = NULL;
    destination->waiting--;
}

/* ---- connections ---- */

static bool is_opening(const struct streamer_connection *connection) {
    return connection->state == STREAMER_CONNECTION_QUEUED || connection->state == STREAMER_CONNECTION_OPENING;
}

static void set_idle(struct streamer_connection *connection, bool idle) {
    struct streamer_pool *pool = connection->pool;
    if (connection->idle == idle) return;
    connection->idle = idle;
    if (idle) {
        connection->idle_previous = NULL;
        connection->idle_next = pool->idle_first;
        *(pool->idle_first != NULL ? &pool->idle_first->idle_previous : &pool->idle_last) = connection;
        pool->idle_first = connection;
        pool->idle++;
    } else {
        struct streamer_connection *previous = connection->idle_previous, *next = connection->idle_next;
        *(previous != NULL ? &previous->idle_next : &pool->idle_first) = next;
        *(next != NULL ? &next->idle_previous : &pool->idle_last) = previous;
        pool->idle--;
    }
}

static void on_idle_too_long(struct streamer_timer *timer, int64_t now) {
    (void)now;
    struct streamer_connection *connection = STREAMER_OWNER(timer, struct streamer_connection, timer);
    if (connection->idle) streamer_connection_close(connection);
}

static bool is_too_old(const struct streamer_connection *connection) {
    int64_t limit = atomic_load_explicit(&ages.total, memory_order_relaxed);
    return limit > 0 && streamer_now() - connection->opened / 1000 >= limit;
}

/* Keeps a connection for later, or closes one that has had its time. */
static void keep(struct streamer_connection *connection) {
    struct streamer_pool *pool = connection->pool;
    if (is_too_old(connection) || pool->closing) {
        streamer_connection_close(connection);
        return;
    }
    set_idle(connection, true);
    int64_t limit = atomic_load_explicit(&ages.idle, memory_order_relaxed);
    if (limit > 0) {
        connection->timer.fire = on_idle_too_long;
        streamer_loop_set_timer(pool->loop, &connection->timer, streamer_now() + limit);
    }
    if (pool->idle > STREAMER_IDLE_CONNECTIONS) streamer_connection_close(pool->idle_last);
}

static void on_watch_before_open(struct streamer_watch *watch, int events) {
    (void)watch, (void)events; /* http1 and http2_connection set theirs when it is open */
}

static struct streamer_connection *add_connection(struct streamer_pool *pool,
                                                  struct streamer_destination *destination) {
    struct streamer_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) return NULL;
    connection->state = STREAMER_CONNECTION_QUEUED;
    connection->references = 1;
    connection->pool = pool;
    connection->destination = destination;
    connection->fd = -1;
    connection->watch.ready = on_watch_before_open;
    connection->next = destination->connections;
    if (connection->next != NULL) connection->next->previous = connection;
    destination->connections = connection;
    destination->opening++;
    atomic_fetch_add_explicit(&pool->stats.connections, 1, memory_order_relaxed);
    return connection;
}

/* Whether it has no stream. */
static bool is_unused(const struct streamer_connection *connection) {
    if (connection->state == STREAMER_CONNECTION_HTTP1) return streamer_http1_is_free(connection);
    return connection->state == STREAMER_CONNECTION_HTTP2 && streamer_http2_streams(connection->http2) == 0;
}

/* Whether the server allows a connection no stream at all. It would say so to the next one, too: what waits waits for
 * it to think better of it. */
static bool allows_no_stream(const struct streamer_destination *destination) {
    for (const struct streamer_connection *connection = destination->connections; connection != NULL;
         connection = connection->next) {
        if (connection->state == STREAMER_CONNECTION_HTTP2 && is_unused(connection) &&
            !streamer_http2_accepts(connection->http2) && !streamer_http2_draining(connection->http2))
            return true;
    }
    return false;
}

/* How many connections may be under way for those that wait. */
static size_t wanted(const struct streamer_destination *destination) {
    if (destination->protocol == STREAMER_PROTOCOL_HTTP1)
        return destination->waiting > destination->draining ? destination->waiting - destination->draining : 0;
    return destination->waiting > 0 && !allows_no_stream(destination) ? 1 : 0;
}

/* Opens connections for those that wait. False when none could be. */
static bool open_more(struct streamer_destination *destination) {
    while (destination->opening < wanted(destination)) {
        struct streamer_connection *connection = add_connection(destination->pool, destination);
        if (connection == NULL) return destination->opening > 0;
        streamer_connector_open(&destination->pool->connector, connection);
    }
    return true;
}

static void set_draining(struct streamer_connection *connection, bool draining) {
    if (connection->draining == draining) return;
    connection->draining = draining;
    if (draining)
        connection->destination->draining++;
    else
        connection->destination->draining--;
}

static void on_drained_too_long(struct streamer_timer *timer, int64_t now) {
    (void)now;
    struct streamer_connection *connection = STREAMER_OWNER(timer, struct streamer_connection, timer);
    set_draining(connection, false);
    open_more(connection->destination);
}

void streamer_pool_forget(struct streamer_connection *connection) {
    struct streamer_destination *destination = connection->destination;
    set_idle(connection, false);
    set_draining(connection, false);
    *(connection->previous != NULL ? &connection->previous->next : &destination->connections) = connection->next;
    if (connection->next != NULL) connection->next->previous = connection->previous;
    atomic_fetch_sub_explicit(&connection->pool->stats.connections, 1, memory_order_relaxed);
    if (destination->first == NULL)
        forget_if_unused(destination);
    else if (!connection->pool->closing)
        open_more(destination);
    streamer_connection_release(connection); /* the pool's */
}

static void close_opening(struct streamer_connection *connection) {
    connection->destination->opening--;
    streamer_connection_close(connection);
}

/* Gives up a connection that nobody waits for any more; the last one may take the destination along. */
static void give_up_surplus(struct streamer_destination *destination) {
    while (destination->opening > wanted(destination)) {
        bool last = destination->opening == 1;
        struct streamer_connection *connection = destination->connections;
        while (!is_opening(connection)) connection = connection->next;
        close_opening(connection);
        if (last) return;
    }
}

/* ---- streams ---- */

static void give(struct streamer_connection *connection, struct streamer_stream *stream) {
    struct streamer_pool *pool = connection->pool;
    streamer_connection_retain(connection); /* the request may fail, and close it */
    set_idle(connection, false);
    streamer_loop_cancel_timer(pool->loop, &connection->timer);
    if (connection->served++ > 0) atomic_fetch_add_explicit(&pool->stats.reused, 1, memory_order_relaxed);
    stream->connection = connection;
    if (connection->state == STREAMER_CONNECTION_HTTP1)
        streamer_http1_request(connection, stream);
    else
        streamer_http2_connection_request(connection, stream);
    streamer_connection_release(connection);
}

/* A connection that takes a stream now; NULL when there is none. */
static struct streamer_connection *find_connection(struct streamer_destination *destination) {
    for (struct streamer_connection *connection = destination->connections, *next; connection != NULL;
         connection = next) {
        next = connection->next;
        switch (connection->state) {
            case STREAMER_CONNECTION_HTTP2:
                if (is_too_old(connection))
                    streamer_http2_connection_retire(connection);
                else if (streamer_http2_connection_is_usable(connection))
                    return connection;
                break;
            case STREAMER_CONNECTION_HTTP1:
                if (!connection->idle) break;
                if (!is_too_old(connection) && streamer_http1_is_usable(connection)) return connection;
                streamer_connection_close(connection);
                break;
            default: break;
        }
    }
    return NULL;
}

/* Whether it takes a stream of those that wait. A new connection need not be silent: a server that speaks first is none
 * of HTTP, and whoever asks it is to hear of that. */
static bool has_room(const struct streamer_connection *connection) {
    if (is_too_old(connection)) return false;
    if (connection->state == STREAMER_CONNECTION_HTTP1)
        return connection->served == 0 ? streamer_http1_is_free(connection) : streamer_http1_is_usable(connection);
    return connection->state == STREAMER_CONNECTION_HTTP2 && streamer_http2_accepts(connection->http2);
}

void streamer_pool_offer(struct streamer_connection *connection) {
    streamer_connection_retain(connection);
    set_draining(connection, false);
    while (connection->state != STREAMER_CONNECTION_CLOSED && connection->destination->first != NULL &&
           has_room(connection)) {
        struct streamer_stream *stream = connection->destination->first;
        dequeue(stream);
        give(connection, stream);
    }
    if (is_unused(connection) && !connection->idle) keep(connection);
    if (connection->state != STREAMER_CONNECTION_CLOSED) {
        open_more(connection->destination);
        give_up_surplus(connection->destination);
    }
    streamer_connection_release(connection);
}

/* The longest of those who wait: a connection is for any of them. */
static void note_connect_timeout(struct streamer_destination *destination, int64_t timeout) {
    int64_t *longest = &destination->connect_timeout;
    if (destination->first == NULL || timeout == 0 || (*longest > 0 && timeout > *longest)) *longest = timeout;
}

bool streamer_pool_request(struct streamer_pool *pool, struct streamer_stream *stream,
                           const struct streamer_route *route, int64_t connect_timeout) {
    struct streamer_destination *destination = find(pool, route);
    if (destination == NULL) return false;
    note_connect_timeout(destination, connect_timeout);
    enqueue(destination, stream); /* keeps the destination, whatever is closed */
    struct streamer_connection *connection = destination->waiting == 1 ? find_connection(destination) : NULL;
    if (connection != NULL) {
        dequeue(stream);
        give_up_surplus(destination); /* what the closing of others began to open for it */
        give(connection, stream);
        return true;
    }
    if (open_more(destination)) return true;
    dequeue(stream);
    forget_if_unused(destination);
    return false;
}

void streamer_stream_close(struct streamer_stream *stream, enum streamer_outcome outcome, const char *detail) {
    stream->connection = NULL;
    struct streamer_stream_end end = {.outcome = outcome, .detail = detail};
    stream->vtable->close(stream, &end);
}

void streamer_stream_cancel(struct streamer_stream *stream) {
    if (stream->destination != NULL) {
        struct streamer_destination *destination = stream->destination;
        dequeue(stream);
        if (destination->connections == NULL)
            forget_if_unused(destination);
        else
            give_up_surplus(destination);
    } else if (stream->connection != NULL) {
        if (stream->connection->state == STREAMER_CONNECTION_HTTP1)
            streamer_http1_cancel(stream->connection);
        else
            streamer_http2_connection_cancel(stream);
    }
}

void streamer_stream_drain(struct streamer_stream *stream) {
    struct streamer_connection *connection = stream->connection;
    if (connection == NULL || connection->state != STREAMER_CONNECTION_HTTP1) return;
    set_draining(connection, true);
    connection->timer.fire = on_drained_too_long;
    streamer_loop_set_timer(connection->pool->loop, &connection->timer, streamer_now() + STREAMER_DRAIN_GRACE);
}

void streamer_stream_resume(struct streamer_stream *stream) {
    if (stream->connection == NULL) return;
    if (stream->connection->state == STREAMER_CONNECTION_HTTP1)
        streamer_http1_resume(stream->connection);
    else
        streamer_http2_connection_resume(stream);
}

void streamer_stream_upload(struct streamer_stream *stream) {
    if (stream->connection == NULL) return;
    if (stream->connection->state == STREAMER_CONNECTION_HTTP1)
        streamer_http1_upload(stream->connection);
    else
        streamer_http2_connection_upload(stream);
}

/* ---- what the connector says ---- */

/* Ends those who wait: over HTTP/1 the one that has waited longest; where a connection is shared, all that waited for
 * it. The connection goes last: it keeps the destination. */
static void fail_opening(struct streamer_connection *connection, const struct streamer_stream_end *end) {
    struct streamer_destination *destination = connection->destination;
    size_t concerned = destination->protocol == STREAMER_PROTOCOL_HTTP1 ? 1 : destination->waiting;
    for (; concerned > 0 && destination->first != NULL; concerned--) {
        struct streamer_stream *stream = destination->first;
        dequeue(stream);
        stream->vtable->close(stream, end);
    }
    if (connection->state != STREAMER_CONNECTION_CLOSED) close_opening(connection);
}

static void on_failed(struct streamer_connection *connection, enum streamer_outcome outcome, const char *detail) {
    /* It may be another's that this connection was opened for: who waits has a clock of its own, and the next
     * connection. */
    if (outcome == STREAMER_OUTCOME_CONNECT_TIMEOUT) {
        close_opening(connection);
        return;
    }
    fail_opening(connection, &(struct streamer_stream_end){.outcome = outcome, .detail = detail});
}

/* The server's first frames came with the end of the handshake. False when they were its last ones: a server that goes
 * away has processed nothing. */
static bool take_early(struct streamer_connection *connection, size_t length) {
    streamer_http2_connection_received(connection, length);
    if (!streamer_http2_draining(connection->http2)) return true;
    struct streamer_stream_end end = {
        .outcome = STREAMER_OUTCOME_CLOSED, .detail = "the server went away", .unprocessed = true};
    if (streamer_http2_failed(connection->http2))
        end = (struct streamer_stream_end){.outcome = STREAMER_OUTCOME_PROTOCOL_ERROR};
    fail_opening(connection, &end);
    return false;
}

static void on_opened(struct streamer_connection *connection, bool http2, size_t early) {
    struct streamer_destination *destination = connection->destination;
    destination->protocol = http2 ? STREAMER_PROTOCOL_HTTP2 : STREAMER_PROTOCOL_HTTP1;
    if (!http2 && early > 0) {
        on_failed(connection, STREAMER_OUTCOME_PROTOCOL_ERROR, "the server spoke before it was asked");
        return;
    }
    if (!(http2 ? streamer_http2_connection_open(connection) : streamer_http1_open(connection))) {
        on_failed(connection, STREAMER_OUTCOME_NO_MEMORY, NULL);
        return;
    }
    if (early > 0 && !take_early(connection, early)) return;
    destination->opening--;
    connection->state = http2 ? STREAMER_CONNECTION_HTTP2 : STREAMER_CONNECTION_HTTP1;
    if (streamer_connection_may_have_pending(connection)) streamer_connection_read_soon(connection);
    streamer_pool_offer(connection);
}

/* ---- lifecycle ---- */

struct streamer_pool *streamer_pool_new(void) {
    struct streamer_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) return NULL;
    pool->references = 1;
    pool->loop = streamer_loop_new();
    if (pool->loop != NULL && streamer_connector_init(&pool->connector, pool->loop)) {
        pool->connector.opened = on_opened;
        pool->connector.failed = on_failed;
        streamer_http2_connection_init(pool);
        return pool;
    }
    int reason = errno;
    streamer_pool_release(pool);
    errno = reason;
    return NULL;
}

void streamer_pool_retain(struct streamer_pool *pool) {
    atomic_fetch_add(&pool->references, 1);
}

void streamer_pool_release(struct streamer_pool *pool) {
    if (atomic_fetch_sub(&pool->references, 1) != 1) return;
    streamer_connector_release(&pool->connector);
    streamer_admission_release(&pool->admission);
    for (size_t i = 0; i < STREAMER_DESTINATION_BUCKETS; i++) {
        while (pool->buckets[i] != NULL) {
            struct streamer_destination *destination = pool->buckets[i];
            pool->buckets[i] = destination->next;
            free(destination->route);
            free(destination);
        }
    }
    if (pool->loop != NULL) streamer_loop_release(pool->loop);
    free(pool);
}

static void close_connections(struct streamer_pool *pool) {
    for (size_t i = 0; i < STREAMER_DESTINATION_BUCKETS; i++) {
        for (struct streamer_destination *destination = pool->buckets[i], *next; destination != NULL;
             destination = next) {
            next = destination->next;
            for (struct streamer_connection *connection = destination->connections, *other; connection != NULL;
                 connection = other) {
                other = connection->next;
                streamer_connection_close(connection); /* with the last one the destination goes */
            }
        }
    }
}

void streamer_pool_close(struct streamer_pool *pool) {
    streamer_loop_close(pool->loop); /* runs the tasks that it has taken on */
    pool->closing = true;
    while (pool->members != NULL) pool->members->shut_down(pool->members);
    close_connections(pool);
    pool->flush_hook.run(&pool->flush_hook); /* lets go of those that it was to flush */
}

void streamer_pool_join(struct streamer_pool *pool, struct streamer_member *member) {
    member->previous = NULL;
    member->next = pool->members;
    if (member->next != NULL) member->next->previous = member;
    pool->members = member;
    atomic_fetch_add_explicit(&pool->stats.requests, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&pool->stats.open, 1, memory_order_relaxed);
}

void streamer_pool_leave(struct streamer_pool *pool, struct streamer_member *member) {
    *(member->previous != NULL ? &member->previous->next : &pool->members) = member->next;
    if (member->next != NULL) member->next->previous = member->previous;
    atomic_fetch_sub_explicit(&pool->stats.open, 1, memory_order_relaxed);
}

struct streamer_pool_stats streamer_pool_stats(const struct streamer_pool *pool) {
    return (struct streamer_pool_stats){
        .requests = pool->stats.requests,
        .reused = pool->stats.reused,
        .bytes = pool->stats.bytes,
        .pauses = pool->stats.pauses,
        .open = pool->stats.open,
        .queued = pool->stats.queued,
        .connections = pool->stats.connections,
    };
}
