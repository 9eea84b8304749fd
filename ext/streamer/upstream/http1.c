#include "http1.h"

#include <stdlib.h>
#include <string.h>

#include "../core/fields.h"
#include "../core/http1_body.h"
#include "../core/http1_head.h"
#include "../core/http1_request.h"
#include "pool.h"

/* The request body's next bytes at a time. */
enum { UPLOAD = 32 << 10 };

struct streamer_http1 {
    struct streamer_stream *stream; /* under way; NULL: none */
    struct streamer_http1_head head;
    struct streamer_http1_body body;
    bool head_complete;
    size_t received; /* bytes of the response */

    struct streamer_buffer output;
    size_t sent;       /* of output */
    uint64_t accepted; /* bytes of the request that the system has taken */
    bool uploads;      /* there is more of the request's body to ask for */
    bool upload_waits; /* and none yet */
    bool write_failed; /* what the server had to say may still be read */
};

static void fail(struct streamer_connection *connection, enum streamer_outcome outcome, const char *detail);

/* ---- sending ---- */

/* Puts the body's next bytes behind the output, framed where they have to be. */
static enum streamer_status fill_output(struct streamer_http1 *http1) {
    bool framed = http1->stream->message->body == STREAMER_BODY_UNSIZED, last = false;
    size_t before = framed ? STREAMER_MAX_CHUNK_HEAD : 0;
    enum streamer_status status = streamer_buffer_reserve(&http1->output, before + UPLOAD + 8);
    if (status != STREAMER_OK) return status;

    struct streamer_buffer *output = &http1->output;
    char *start = output->bytes + output->length;
    size_t length = http1->stream->vtable->upload(http1->stream, start + before, UPLOAD, &last);
    http1->upload_waits = length == 0 && !last;
    http1->uploads = !last;
    size_t head = framed ? streamer_http1_chunk_head(start, length) : 0;
    if (head < before) memmove(start + head, start + before, length);
    output->length += head + length;
    if (head > 0) streamer_buffer_append(output, STREAMER_CHUNK_END, strlen(STREAMER_CHUNK_END));
    if (framed && last) streamer_buffer_append(output, STREAMER_LAST_CHUNK, strlen(STREAMER_LAST_CHUNK));
    return STREAMER_OK;
}

static void watch(struct streamer_connection *connection) {
    const struct streamer_http1 *http1 = connection->http1;
    bool writes = !http1->write_failed && http1->sent < http1->output.length;
    streamer_connection_watch(connection,
                              (connection->reads ? STREAMER_READABLE : 0) | (writes ? STREAMER_WRITABLE : 0));
}

/* Sends what there is to send, as far as the socket takes it. */
static void send_output(struct streamer_connection *connection) {
    struct streamer_http1 *http1 = connection->http1;
    while (connection->state == STREAMER_CONNECTION_HTTP1 && http1->stream != NULL && !http1->write_failed) {
        if (http1->sent == http1->output.length) {
            streamer_buffer_clear(&http1->output);
            http1->sent = 0;
            if (!http1->uploads || http1->upload_waits) break;
            struct streamer_stream *stream = http1->stream;
            if (fill_output(http1) != STREAMER_OK) {
                fail(connection, STREAMER_OUTCOME_NO_MEMORY, NULL);
                return;
            }
            if (http1->stream != stream) return; /* it was ended by its owner */
            continue;
        }
        ptrdiff_t sent = streamer_connection_write(connection, http1->output.bytes + http1->sent,
                                                   http1->output.length - http1->sent);
        if (sent == STREAMER_IO_AGAIN) break;
        if (sent < 0) {
            http1->write_failed = true; /* a response may have come before it; the end will, too */
            connection->reads = true;
            break;
        }
        http1->sent += (size_t)sent;
        http1->accepted += (uint64_t)sent;
    }
    if (connection->state == STREAMER_CONNECTION_HTTP1) watch(connection);
}

static struct streamer_span span(const char *text) {
    return (struct streamer_span){text, text == NULL ? 0 : strlen(text)};
}

/* The fields of a message as the writer takes them; NULL when out of memory. */
static struct streamer_http1_field *fields_of(const struct streamer_buffer *fields, size_t *count) {
    struct streamer_http1_field *list = malloc((streamer_fields_count(fields) + 1) * sizeof *list);
    struct streamer_http1_field field;
    size_t cursor = 0;
    *count = 0;
    while (list != NULL && streamer_fields_each(fields, &cursor, &field.name, &field.value)) list[(*count)++] = field;
    return list;
}

static enum streamer_status write_head(struct streamer_buffer *output, const struct streamer_message *message) {
    struct streamer_http1_request request = {
        .method = span(message->method),
        .target = span(message->target),
        .host = span(message->authority),
        .absolute = message->absolute,
        .proxy_authorization = span(message->proxy_authorization),
        .upload = message->body == STREAMER_BODY_ABSENT  ? STREAMER_UPLOAD_NONE
                  : message->body == STREAMER_BODY_SIZED ? STREAMER_UPLOAD_LENGTH
                                                         : STREAMER_UPLOAD_CHUNKED,
        .content_length = message->body_length,
    };
    struct streamer_http1_field *fields = fields_of(&message->fields, &request.count);
    if (fields == NULL) return STREAMER_NO_MEMORY;
    request.fields = fields;
    enum streamer_status status = streamer_http1_request_write(output, &request);
    free(fields);
    return status;
}

void streamer_http1_request(struct streamer_connection *connection, struct streamer_stream *stream) {
    struct streamer_http1 *http1 = connection->http1;
    http1->stream = stream;
    streamer_http1_head_init(&http1->head, stream->message->method);
    http1->head_complete = false;
    http1->received = 0;
    http1->accepted = 0;
    http1->sent = 0;
    http1->uploads = stream->message->body != STREAMER_BODY_ABSENT;
    http1->upload_waits = http1->write_failed = false;
    connection->reads = true;
    enum streamer_status status = write_head(&http1->output, stream->message);
    if (status != STREAMER_OK) {
        fail(connection, status == STREAMER_NO_MEMORY ? STREAMER_OUTCOME_NO_MEMORY : STREAMER_OUTCOME_REQUEST_INVALID,
             streamer_status_message(status));
        return;
    }
    stream->vtable->begin(stream);
    /* The beginning of the body goes with the head, in one packet where it can. */
    if (http1->stream == stream && http1->uploads && fill_output(http1) != STREAMER_OK)
        fail(connection, STREAMER_OUTCOME_NO_MEMORY, NULL);
    if (http1->stream == stream) send_output(connection);
}

void streamer_http1_upload(struct streamer_connection *connection) {
    connection->http1->upload_waits = false;
    send_output(connection);
}

/* ---- the end ---- */

/* Ends the stream, and the connection with it. */
static void fail(struct streamer_connection *connection, enum streamer_outcome outcome, const char *detail) {
    struct streamer_stream *stream = connection->http1->stream;
    connection->http1->stream = NULL;
    streamer_connection_close(connection);
    streamer_stream_close(stream, outcome, detail);
}

/* The connection ended before the response did. */
static void fail_closed(struct streamer_connection *connection, const char *detail) {
    struct streamer_http1 *http1 = connection->http1;
    struct streamer_stream *stream = http1->stream;
    struct streamer_stream_end end = {.outcome = STREAMER_OUTCOME_CLOSED,
                                      .detail = detail,
                                      .unprocessed = http1->received == 0 && http1->accepted == 0,
                                      .unanswered = http1->received == 0 && connection->served > 1};
    http1->stream = NULL;
    streamer_connection_close(connection);
    stream->connection = NULL;
    stream->vtable->close(stream, &end);
}

static void complete(struct streamer_connection *connection, bool reusable) {
    struct streamer_http1 *http1 = connection->http1;
    struct streamer_stream *stream = http1->stream;
    bool persists = reusable && http1->head.persists;
    bool sent = !http1->uploads && !http1->write_failed && http1->sent == http1->output.length;
    http1->stream = NULL;
    streamer_http1_head_release(&http1->head);
    streamer_buffer_clear(&http1->output);
    stream->connection = NULL;
    if (persists && sent) {
        connection->reads = true;
        watch(connection);
        streamer_pool_offer(connection);
    } else {
        streamer_connection_close(connection);
    }
    streamer_stream_close(stream, STREAMER_OUTCOME_COMPLETED, NULL);
}

void streamer_http1_cancel(struct streamer_connection *connection) {
    connection->http1->stream->connection = NULL;
    connection->http1->stream = NULL;
    streamer_connection_close(connection);
}

/* ---- receiving ---- */

static void fail_with(struct streamer_connection *connection, enum streamer_status status) {
    switch (status) {
        case STREAMER_INCOMPLETE: fail_closed(connection, NULL); return;
        case STREAMER_NO_MEMORY: fail(connection, STREAMER_OUTCOME_NO_MEMORY, NULL); return;
        case STREAMER_HEADERS_TOO_LARGE:
        case STREAMER_TRAILERS_TOO_LARGE:
            fail(connection, STREAMER_OUTCOME_HEADERS_TOO_LARGE, streamer_status_message(status));
            return;
        default: fail(connection, STREAMER_OUTCOME_PROTOCOL_ERROR, streamer_status_message(status)); return;
    }
}

/* Reads on in the head. False when what is left of the bytes is not the body's: there is none, or it failed. */
static bool take_head(struct streamer_connection *connection, const char **cursor, const char *end) {
    struct streamer_http1 *http1 = connection->http1;
    struct streamer_stream *stream = http1->stream;
    const char *from = *cursor;
    enum streamer_status status = streamer_http1_head_read(&http1->head, cursor, end);
    stream->vtable->progress(stream, (size_t)(*cursor - from));
    if (http1->stream != stream || status == STREAMER_MORE) return false;
    if (status != STREAMER_OK) {
        fail_with(connection, status);
        return false;
    }
    http1->head_complete = true;
    streamer_http1_body_init(&http1->body, http1->head.framing, http1->head.content_length);
    stream->vtable->head(stream, http1->head.status, http1->head.version, &http1->head.fields);
    return http1->stream == stream;
}

/* Takes what was read: the head's bytes, the body's, which are decoded where they are, and what nobody has asked for.
 */
static void take(struct streamer_connection *connection, char *bytes, size_t length) {
    struct streamer_http1 *http1 = connection->http1;
    struct streamer_stream *stream = http1->stream;
    if (stream == NULL) {
        streamer_connection_close(connection);
        return;
    }
    const char *cursor = bytes, *end = bytes + length;
    http1->received += length;
    if (!http1->head_complete && !take_head(connection, &cursor, end)) return;

    size_t used, data;
    char *rest = bytes + (cursor - bytes);
    enum streamer_status status = streamer_http1_body_read(&http1->body, rest, (size_t)(end - cursor), &used, &data);
    if (data > 0 && !stream->vtable->data(stream, rest, data)) connection->reads = false;
    if (http1->stream != stream || status == STREAMER_MORE) return;
    if (status == STREAMER_OK)
        complete(connection, cursor + used == end);
    else
        fail_with(connection, status);
}

static void take_end(struct streamer_connection *connection, bool in_order) {
    struct streamer_http1 *http1 = connection->http1;
    if (http1->stream == NULL)
        streamer_connection_close(connection);
    else if (in_order && http1->head_complete && streamer_http1_body_close(&http1->body) == STREAMER_OK)
        complete(connection, false);
    else
        fail_closed(connection, in_order ? NULL : "the connection was reset");
}

/* Keeps the memory of a connection that closes while it is read. */
static void read_input(struct streamer_connection *connection) {
    char *bytes = connection->pool->read;
    streamer_connection_retain(connection);
    for (int reads = 0; connection->state == STREAMER_CONNECTION_HTTP1 && connection->reads; reads++) {
        if (reads == STREAMER_READS) {
            streamer_connection_read_soon(connection);
            break;
        }
        ptrdiff_t length = streamer_connection_read(connection, bytes, STREAMER_READ_SIZE);
        if (length == STREAMER_IO_AGAIN) break;
        if (length < 0) {
            take_end(connection, length == STREAMER_IO_CLOSED);
            break;
        }
        take(connection, bytes, (size_t)length);
        if (length < STREAMER_READ_SIZE && !streamer_connection_may_have_pending(connection)) break;
    }
    if (connection->state == STREAMER_CONNECTION_HTTP1) watch(connection);
    streamer_connection_release(connection);
}

void streamer_http1_resume(struct streamer_connection *connection) {
    if (connection->reads) return;
    connection->reads = true;
    watch(connection);
    if (streamer_connection_may_have_pending(connection)) streamer_connection_read_soon(connection);
}

/* ---- the socket ---- */

static void on_ready(struct streamer_watch *watch, int events) {
    struct streamer_connection *connection = STREAMER_OWNER(watch, struct streamer_connection, watch);
    streamer_connection_retain(connection);
    if (events & STREAMER_WRITABLE) send_output(connection);
    if (events & (STREAMER_READABLE | STREAMER_HANGUP)) read_input(connection);
    streamer_connection_release(connection);
}

static void on_read_soon(struct streamer_task *task) {
    struct streamer_connection *connection = STREAMER_OWNER(task, struct streamer_connection, task);
    if (connection->state == STREAMER_CONNECTION_HTTP1) read_input(connection);
    streamer_connection_release(connection); /* the queue's */
}

bool streamer_http1_open(struct streamer_connection *connection) {
    struct streamer_http1 *http1 = calloc(1, sizeof *http1);
    if (http1 == NULL) return false;
    streamer_buffer_init(&http1->output, STREAMER_HTTP1_OUTPUT);
    connection->http1 = http1;
    connection->watch.ready = on_ready;
    connection->task.run = on_read_soon;
    connection->reads = true;
    streamer_connection_watch(connection, STREAMER_READABLE);
    return true;
}

void streamer_http1_free(struct streamer_http1 *http1) {
    if (http1 == NULL) return;
    streamer_http1_head_release(&http1->head);
    streamer_buffer_release(&http1->output);
    free(http1);
}

bool streamer_http1_is_free(const struct streamer_connection *connection) {
    return connection->http1->stream == NULL;
}

bool streamer_http1_is_usable(const struct streamer_connection *connection) {
    return streamer_http1_is_free(connection) && streamer_connection_is_silent(connection);
}
