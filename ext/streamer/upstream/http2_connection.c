#include "http2_connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../core/fields.h"
#include "http2.h"
#include "pool.h"

/* RFC 9113, section 7. */
enum { CANCEL = 8 };

/* ---- sending ---- */

/* There are frames to send: they leave together at the end of the iteration. */
static void flush_later(struct streamer_connection *connection) {
    if (connection->flushing) return;
    connection->flushing = true;
    streamer_connection_retain(connection); /* the list's */
    connection->flush_next = connection->pool->flush;
    connection->pool->flush = connection;
    streamer_loop_hurry(connection->pool->loop);
}

static void lose(struct streamer_connection *connection);

/* Sends what there is to send, as far as the socket takes it. */
static void flush(struct streamer_connection *connection) {
    const char *bytes;
    size_t length;
    bool full = false;
    while (connection->state == STREAMER_CONNECTION_HTTP2 && !full &&
           (length = streamer_http2_output(connection->http2, &bytes)) > 0) {
        ptrdiff_t sent = streamer_connection_write(connection, bytes, length);
        if (sent > 0)
            streamer_http2_sent(connection->http2, (size_t)sent);
        else if (sent == STREAMER_IO_AGAIN)
            full = true;
        else
            lose(connection);
    }
    if (connection->state != STREAMER_CONNECTION_HTTP2) return;
    streamer_connection_watch(connection, STREAMER_READABLE | (full ? STREAMER_WRITABLE : 0));
    if (connection->changed) {
        connection->changed = false;
        streamer_pool_offer(connection);
    }
    if (connection->state != STREAMER_CONNECTION_HTTP2) return;
    /* Also where the socket is full: nobody may ever read what is left. */
    bool done = streamer_http2_draining(connection->http2) && streamer_http2_streams(connection->http2) == 0;
    if (done || streamer_http2_failed(connection->http2)) lose(connection);
}

static void after_iteration(struct streamer_hook *hook) {
    struct streamer_pool *pool = STREAMER_OWNER(hook, struct streamer_pool, flush_hook);
    struct streamer_connection *connection;
    while ((connection = pool->flush) != NULL) {
        pool->flush = connection->flush_next;
        connection->flushing = false;
        if (connection->state == STREAMER_CONNECTION_HTTP2) flush(connection);
        streamer_connection_release(connection);
    }
}

void streamer_http2_connection_init(struct streamer_pool *pool) {
    pool->flush_hook.run = after_iteration;
    streamer_loop_add_hook(pool->loop, &pool->flush_hook);
}

/* ---- the frames' callbacks ---- */

/* Calls out for a stream: false when it was ended by that, and must not be touched. */
#define CALL(connection, stream, call) \
    ((connection)->current = (stream), (void)(call), (connection)->current == (stream))

static void on_head(void *context, int status, struct streamer_buffer *fields) {
    struct streamer_stream *stream = context;
    struct streamer_connection *connection = stream->connection;
    stream->silent = false;
    if (CALL(connection, stream, stream->vtable->progress(stream, fields->length)))
        stream->vtable->head(stream, status, 20, fields);
}

static void on_data(void *context, const char *bytes, size_t length) {
    struct streamer_stream *stream = context;
    struct streamer_connection *connection = stream->connection;
    bool more = false;
    if (!CALL(connection, stream, more = stream->vtable->data(stream, bytes, length))) return;
    if (!more) {
        stream->held += length;
        return;
    }
    streamer_http2_consume(connection->http2, stream->id, length);
    flush_later(connection);
}

static const char *describe(uint32_t code, char *text, size_t size) {
    static const char *const names[] = {"NO_ERROR",
                                        "PROTOCOL_ERROR",
                                        "INTERNAL_ERROR",
                                        "FLOW_CONTROL_ERROR",
                                        "SETTINGS_TIMEOUT",
                                        "STREAM_CLOSED",
                                        "FRAME_SIZE_ERROR",
                                        "REFUSED_STREAM",
                                        "CANCEL",
                                        "COMPRESSION_ERROR",
                                        "CONNECT_ERROR",
                                        "ENHANCE_YOUR_CALM",
                                        "INADEQUATE_SECURITY",
                                        "HTTP_1_1_REQUIRED"};
    if (code < sizeof names / sizeof *names)
        snprintf(text, size, "the server reset the stream (%s)", names[code]);
    else
        snprintf(text, size, "the server reset the stream (0x%x)", (unsigned)code);
    return text;
}

/* The stream is the connection's no more. */
static void leave(struct streamer_stream *stream) {
    struct streamer_connection *connection = stream->connection;
    if (connection->current == stream) connection->current = NULL;
    connection->changed = true;
    stream->connection = NULL;
    flush_later(connection);
}

static void on_close(void *context, enum streamer_http2_close reason, uint32_t code) {
    struct streamer_stream *stream = context;
    char text[64];
    struct streamer_stream_end end = {.outcome = STREAMER_OUTCOME_CLOSED};
    switch (reason) {
        case STREAMER_HTTP2_COMPLETE: end.outcome = STREAMER_OUTCOME_COMPLETED; break;
        case STREAMER_HTTP2_REFUSED:
            end.unprocessed = true;
            end.detail = "the server did not process the request";
            break;
        case STREAMER_HTTP2_RESET: end.detail = describe(code, text, sizeof text); break;
        case STREAMER_HTTP2_CUT: break;
        case STREAMER_HTTP2_TOO_LARGE: end.outcome = STREAMER_OUTCOME_HEADERS_TOO_LARGE; break;
        case STREAMER_HTTP2_PROTOCOL: end.outcome = STREAMER_OUTCOME_PROTOCOL_ERROR; break;
        case STREAMER_HTTP2_UPLOAD: end.outcome = STREAMER_OUTCOME_UPLOAD_FAILED; break;
        case STREAMER_HTTP2_NO_MEMORY: end.outcome = STREAMER_OUTCOME_NO_MEMORY; break;
    }
    end.unanswered = reason == STREAMER_HTTP2_CUT && stream->silent && stream->connection->served > 1;
    leave(stream);
    stream->vtable->close(stream, &end);
}

static size_t on_upload(void *context, char *into, size_t room, bool *last) {
    struct streamer_stream *stream = context;
    return stream->vtable->upload(stream, into, room, last);
}

static void on_change(void *owner) {
    struct streamer_connection *connection = owner;
    connection->changed = true;
    flush_later(connection);
}

static const struct streamer_http2_vtable vtable = {
    .head = on_head, .data = on_data, .close = on_close, .upload = on_upload, .change = on_change};

/* ---- the connection ---- */

/* It is over: its streams are told, and it is closed. */
static void lose(struct streamer_connection *connection) {
    streamer_connection_retain(connection);
    streamer_http2_shutdown(connection->http2);
    const char *bytes;
    size_t length = streamer_http2_output(connection->http2, &bytes); /* a GOAWAY, for whoever is still there */
    if (length > 0) streamer_connection_write(connection, bytes, length);
    streamer_connection_close(connection);
    streamer_connection_release(connection);
}

void streamer_http2_connection_received(struct streamer_connection *connection, size_t length) {
    streamer_http2_receive(connection->http2, connection->pool->read, length);
    flush_later(connection); /* what came may want an acknowledgment, or let the rest of an upload go */
}

/* Reads what there is. */
static void read_input(struct streamer_connection *connection) {
    for (int reads = 0; connection->state == STREAMER_CONNECTION_HTTP2; reads++) {
        if (reads == STREAMER_READS) {
            streamer_connection_read_soon(connection);
            return;
        }
        ptrdiff_t length = streamer_connection_read(connection, connection->pool->read, STREAMER_READ_SIZE);
        if (length == STREAMER_IO_AGAIN) return;
        if (length < 0) {
            lose(connection);
            return;
        }
        streamer_http2_connection_received(connection, (size_t)length);
        if (length < STREAMER_READ_SIZE && !streamer_connection_may_have_pending(connection)) return;
    }
}

static void on_ready(struct streamer_watch *watch, int events) {
    struct streamer_connection *connection = STREAMER_OWNER(watch, struct streamer_connection, watch);
    streamer_connection_retain(connection);
    if (events & STREAMER_WRITABLE) flush(connection);
    if (events & (STREAMER_READABLE | STREAMER_HANGUP)) read_input(connection);
    streamer_connection_release(connection);
}

static void on_read_soon(struct streamer_task *task) {
    struct streamer_connection *connection = STREAMER_OWNER(task, struct streamer_connection, task);
    read_input(connection);
    streamer_connection_release(connection); /* the queue's */
}

bool streamer_http2_connection_open(struct streamer_connection *connection) {
    connection->http2 = streamer_http2_new(&vtable, connection, &streamer_http2_default_limits);
    if (connection->http2 == NULL) return false;
    connection->watch.ready = on_ready;
    connection->task.run = on_read_soon;
    streamer_connection_watch(connection, STREAMER_READABLE);
    flush_later(connection);
    return true;
}

bool streamer_http2_connection_is_usable(const struct streamer_connection *connection) {
    bool silent = streamer_http2_streams(connection->http2) > 0 || streamer_connection_is_silent(connection);
    return silent && streamer_http2_accepts(connection->http2);
}

void streamer_http2_connection_retire(struct streamer_connection *connection) {
    if (connection->idle) lose(connection); /* else this may be a callback of its own */
}

/* ---- requests ---- */

/* The message's fields, and the length of a body that is known; NULL when out of memory. */
static struct streamer_http2_field *fields_of(const struct streamer_message *message, char *length_text,
                                              size_t *count) {
    struct streamer_http2_field *list = malloc((streamer_fields_count(&message->fields) + 1) * sizeof *list);
    if (list == NULL) return NULL;
    struct streamer_span name, value;
    size_t cursor = 0;
    *count = 0;
    while (streamer_fields_each(&message->fields, &cursor, &name, &value))
        list[(*count)++] = (struct streamer_http2_field){name.bytes, name.length, value.bytes, value.length};
    if (message->body == STREAMER_BODY_SIZED) {
        size_t digits = (size_t)sprintf(length_text, "%llu", (unsigned long long)message->body_length);
        list[(*count)++] =
            (struct streamer_http2_field){"content-length", strlen("content-length"), length_text, digits};
    }
    return list;
}

void streamer_http2_connection_request(struct streamer_connection *connection, struct streamer_stream *stream) {
    const struct streamer_message *message = stream->message;
    char length_text[24];
    struct streamer_http2_request request = {.method = message->method,
                                             .scheme = message->scheme,
                                             .authority = message->authority,
                                             .path = message->target,
                                             .body = message->body != STREAMER_BODY_ABSENT};
    struct streamer_http2_field *fields = fields_of(message, length_text, &request.count);
    request.fields = fields;
    stream->held = 0;
    stream->silent = true;
    stream->id =
        fields == NULL ? STREAMER_HTTP2_NOT_SUBMITTED : streamer_http2_submit(connection->http2, stream, &request);
    free(fields);
    if (stream->id > 0) {
        flush_later(connection);
        stream->vtable->begin(stream);
        return;
    }
    struct streamer_stream_end end = {.outcome = stream->id == STREAMER_HTTP2_INVALID ? STREAMER_OUTCOME_REQUEST_INVALID
                                                                                      : STREAMER_OUTCOME_NO_MEMORY};
    leave(stream);
    stream->vtable->close(stream, &end);
}

void streamer_http2_connection_resume(struct streamer_stream *stream) {
    if (stream->held == 0) return;
    streamer_http2_consume(stream->connection->http2, stream->id, stream->held);
    stream->held = 0;
    flush_later(stream->connection);
}

void streamer_http2_connection_upload(struct streamer_stream *stream) {
    streamer_http2_resume_upload(stream->connection->http2, stream->id);
    flush_later(stream->connection);
}

void streamer_http2_connection_cancel(struct streamer_stream *stream) {
    streamer_http2_reset(stream->connection->http2, stream->id, CANCEL);
    leave(stream);
}
