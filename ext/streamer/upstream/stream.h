/* stream: one request on a connection, whatever the connection's protocol; what pool, http1 and http2 know of a
 * transfer.
 *
 * Everything here happens in an iteration of the pool's loop.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/buffer.h"
#include "outcome.h"

struct streamer_stream;

/* What is asked. Strings are the owner's, and live as long as the stream. */
struct streamer_message {
    const char *method;
    const char *scheme;              /* "http" or "https" */
    const char *authority;           /* "host" or "host:port" */
    const char *target;              /* "/path?query" */
    bool absolute;                   /* asked of an HTTP proxy: the target is the whole URL */
    const char *proxy_authorization; /* of such a request; NULL: none */
    struct streamer_buffer fields;   /* as core/fields.h has them */

    enum { STREAMER_BODY_ABSENT, STREAMER_BODY_SIZED, STREAMER_BODY_UNSIZED } body;
    uint64_t body_length; /* of a sized one */
};

struct streamer_stream_end {
    enum streamer_outcome outcome; /* COMPLETED: the response is complete */
    const char *detail;            /* for people; NULL: nothing to add */

    /* Whether the request may be sent once more (RFC 9110, section 9.2.2; RFC 9113, section 8.7): it was certainly not
     * processed, so any method; or the connection had been used before and closed without a byte in return, so only
     * idempotent ones. */
    bool unprocessed, unanswered;
};

/* None of these may wait. head, data and progress may end the stream (streamer_stream_cancel), and all may start
 * others.
 */
struct streamer_stream_vtable {
    /* It has a connection, and its request is being sent. */
    void (*begin)(struct streamer_stream *stream);

    /* Bytes that are no body have arrived for it. */
    void (*progress)(struct streamer_stream *stream, size_t bytes);

    /* The response's head; once. `fields` may be swapped for an empty buffer. version: 10, 11, 20. */
    void (*head)(struct streamer_stream *stream, int status, int version, struct streamer_buffer *fields);

    /* Bytes of its body, which must be taken. False when there is no room for more: nothing is read (HTTP/1) or the
     * window stays shut (HTTP/2, so that at most STREAMER_STREAM_WINDOW bytes still come) until streamer_stream_resume.
     */
    bool (*data)(struct streamer_stream *stream, const char *bytes, size_t length);

    /* Writes the request body's next bytes; returns how many, and sets *last at its end. 0 without *last: none yet;
     * streamer_stream_upload asks again. */
    size_t (*upload)(struct streamer_stream *stream, char *into, size_t room, bool *last);

    /* It has ended; once, and the last of all calls. */
    void (*close)(struct streamer_stream *stream, const struct streamer_stream_end *end);
};

struct streamer_connection;
struct streamer_destination;

/* Embed it in its owner; all zero but vtable and message. */
struct streamer_stream {
    const struct streamer_stream_vtable *vtable;
    struct streamer_message *message;

    /* The pool's. */
    struct streamer_destination *destination; /* while it waits for a connection */
    struct streamer_stream *previous, *next;
    struct streamer_connection *connection; /* once it has one; NULL again at its end */
    int32_t id;                             /* HTTP/2 */
    size_t held;                            /* HTTP/2: bytes for which the window has not been opened again */
    bool silent;                            /* HTTP/2: nothing of a response has come */
};

/* Bytes of an HTTP/2 response that may be on their way, or wait, without having been delivered. */
#define STREAMER_STREAM_WINDOW ((size_t)256 << 10)

/* There is room again, after vtable->data returned false. */
void streamer_stream_resume(struct streamer_stream *stream);

/* There are bytes of the request's body again, or its end. */
void streamer_stream_upload(struct streamer_stream *stream);
