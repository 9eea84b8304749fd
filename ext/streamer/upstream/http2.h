/* http2: the frames of one HTTP/2 connection (RFC 9113), client side, on nghttp2. Bytes in, bytes out: it knows no
 * socket, no loop and no clock.
 *
 *     connected over TLS with ALPN h2  -> streamer_http2_new
 *     bytes were read                  -> streamer_http2_receive, then streamer_http2_output until it has no more
 *     the socket is writable           -> streamer_http2_output, write, streamer_http2_sent
 *     anything else was called         -> streamer_http2_output: most functions queue frames
 *     end of file, or an error         -> streamer_http2_shutdown, streamer_http2_free
 *
 * Every stream gets `close` exactly once and nothing after it, unless streamer_http2_reset or streamer_http2_free was
 * quicker: then it gets nothing more. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/buffer.h"

struct streamer_http2;

/* Why a stream ended. */
enum streamer_http2_close {
    STREAMER_HTTP2_COMPLETE,  /* the response has come to its end */
    STREAMER_HTTP2_REFUSED,   /* the server did not process the request, or was never sent it: it may be repeated */
    STREAMER_HTTP2_RESET,     /* RST_STREAM from the server, with error_code */
    STREAMER_HTTP2_CUT,       /* the response ended before its end: the connection went away, RST_STREAM(NO_ERROR), a
                                 body that is not as long as its content-length, malformed trailers */
    STREAMER_HTTP2_TOO_LARGE, /* the response's heads are larger than limits.head */
    STREAMER_HTTP2_PROTOCOL,  /* the head is malformed, or the connection failed (streamer_http2_failed) */
    STREAMER_HTTP2_UPLOAD,    /* `upload` gave more or less than the request's content-length: our own fault */
    STREAMER_HTTP2_NO_MEMORY
};

/* Called from within streamer_http2_receive and streamer_http2_output, `close` from streamer_http2_shutdown too.
 * `stream` is what streamer_http2_submit was given.
 *
 * They may call everything but receive, output, sent, shutdown and free. */
struct streamer_http2_vtable {
    /* The final head; 1xx were passed over. Once, before any data. `fields`: "name: value\n" each, names in lower case,
     * no pseudo-header fields. The buffer is freed afterwards: to keep its memory, copy the struct and leave an
     * initialized one (streamer_buffer_init). */
    void (*head)(void *stream, int status, struct streamer_buffer *fields);

    /* Body bytes, never none. They must be taken: no more than limits.window are outstanding, that is, were given here
     * and not yet to streamer_http2_consume. */
    void (*data)(void *stream, const char *bytes, size_t length);

    /* The end. `error_code`: the RST_STREAM's that came or that is sent, 0 where there is none. */
    void (*close)(void *stream, enum streamer_http2_close reason, uint32_t error_code);

    /* Body bytes of the request, from within streamer_http2_output: at most `room` (never 0) into `into`; returns how
     * many. *last is false when called; true says that these were the last. 0 and not last: none for the time being,
     * streamer_http2_resume_upload asks again. Not called once the response is complete. */
    size_t (*upload)(void *stream, char *into, size_t room, bool *last);

    /* Something changed in streamer_http2_accepts, _draining or _failed. Not for what the owner's own calls change. */
    void (*change)(void *owner);
};

struct streamer_http2_limits {
    uint32_t streams; /* at a time, below what the server allows */
    uint32_t window;  /* bytes of one response that may be outstanding; at most 2^31-1 */
    uint32_t head; /* of a request, and of all heads of one response with 1xx and trailers; each field counts 32 more */
};

/* 100 streams, 256 KiB, 256 KiB. */
extern const struct streamer_http2_limits streamer_http2_default_limits;

/* Queues the connection preface and the settings. The vtable must outlive it; the limits are copied. NULL: out of
 * memory. */
struct streamer_http2 *streamer_http2_new(const struct streamer_http2_vtable *vtable, void *owner,
                                          const struct streamer_http2_limits *limits);

/* No callback is made, not even `close`. NULL is fine. */
void streamer_http2_free(struct streamer_http2 *http2);

/* Takes bytes from the server, all of them. false: the connection has failed (streamer_http2_failed). */
bool streamer_http2_receive(struct streamer_http2 *http2, const char *bytes, size_t length);

/* Bytes to send, in chunks of a size for one write; 0: none. They stay where they are until streamer_http2_sent has
 * been told of all of them; until then the same rest is returned again. */
size_t streamer_http2_output(struct streamer_http2 *http2, const char **bytes);
void streamer_http2_sent(struct streamer_http2 *http2, size_t length);

/* Ends everything: queues a GOAWAY for whoever can still send it, and closes every stream. Idempotent. */
void streamer_http2_shutdown(struct streamer_http2 *http2);

/* ---- requests ---- */

struct streamer_http2_field {
    const char *name;
    size_t name_length;
    const char *value;
    size_t value_length;
};

struct streamer_http2_request {
    const char *method, *scheme, *authority, *path;
    const struct streamer_http2_field *fields;
    size_t count;
    bool body; /* `upload` is going to be asked for one */
};

enum streamer_http2_submit_error {
    STREAMER_HTTP2_NOT_ACCEPTED = -1, /* streamer_http2_accepts is false */
    STREAMER_HTTP2_INVALID = -2,      /* something in it that HTTP does not allow, or it is larger than limits.head */
    STREAMER_HTTP2_NOT_SUBMITTED = -3 /* out of memory */
};

/* Queues a request. Returns the stream's id, which is positive, or an enum streamer_http2_submit_error.
 *
 * Everything is copied. Names may be in any case. What a connection's own fields are in HTTP/1.1 is left out
 * (Connection, Keep-Alive, Proxy-Connection, Transfer-Encoding, Upgrade, HTTP2-Settings, TE but for "trailers"), and so
 * is Host, which is `authority`. A Content-Length is enforced upon `upload`. */
int32_t streamer_http2_submit(struct streamer_http2 *http2, void *stream, const struct streamer_http2_request *request);

/* The functions below take the id of a stream; that of one that has been closed is fine and does nothing. */

/* So many bytes of the response have been delivered: the server may send as many more. */
void streamer_http2_consume(struct streamer_http2 *http2, int32_t id, size_t length);

/* Gives the stream up: RST_STREAM(error_code) is in the next output (nothing, if the request had not been sent), and
 * `stream` is not heard of again. What still arrives for it is dropped. */
void streamer_http2_reset(struct streamer_http2 *http2, int32_t id, uint32_t error_code);

/* `upload` has something again. Not from within it. */
void streamer_http2_resume_upload(struct streamer_http2 *http2, int32_t id);

/* Whether streamer_http2_submit would take a request now. */
bool streamer_http2_accepts(const struct streamer_http2 *http2);

/* How many streams are open: submitted, and neither closed nor reset. */
size_t streamer_http2_streams(const struct streamer_http2 *http2);

/* No new stream is possible any more: GOAWAY came, the ids are used up, it failed or was shut down. Those that are open
 * go on, unless it failed; with none of them left the connection is done with. */
bool streamer_http2_draining(const struct streamer_http2 *http2);

/* The server broke the protocol, flooded us, or there was no memory; or it was shut down. All streams are closed, a
 * GOAWAY says why in the next output, and what is received is ignored. */
bool streamer_http2_failed(const struct streamer_http2 *http2);
