/* connection: one connection to an upstream. libcurl opens it (connector.h) and, where there is TLS, carries its bytes;
 * what is said on it is http1's or http2's.
 *
 * Everything here happens in an iteration of the loop.
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../loop/loop.h"
#include "route.h"
#include "stream.h"

struct streamer_pool;
struct streamer_destination;
struct streamer_http1;
struct streamer_http2;

enum streamer_connection_state {
    STREAMER_CONNECTION_QUEUED,  /* to be opened */
    STREAMER_CONNECTION_OPENING, /* by libcurl */
    STREAMER_CONNECTION_HTTP1,
    STREAMER_CONNECTION_HTTP2,
    STREAMER_CONNECTION_CLOSED
};

/* Read by the files of upstream/; each part is written where its comment says. */
struct streamer_connection {
    enum streamer_connection_state state;
    int references;

    /* pool.c */
    struct streamer_pool *pool;
    struct streamer_destination *destination;
    struct streamer_connection *previous, *next;           /* of its destination */
    struct streamer_connection *idle_previous, *idle_next; /* of the pool's idle ones */
    bool idle;
    bool draining;   /* HTTP/1: about to be free */
    uint64_t served; /* requests that it was given */
    struct streamer_timer timer;

    /* connector.c */
    struct streamer_connection *opening_next;
    CURL *easy; /* NULL before, and where the socket is ours (`plain`) */
    struct curl_slist *addresses, *names;
    void *ssl; /* SSL of the OpenSSL that this is linked with; NULL: no TLS, of another library, or two in each other */
    int tls_contexts;
    bool guarded;              /* an address was refused */
    bool adopted;              /* libcurl has let go of the socket */
    int64_t started, opened;   /* streamer_now_us */
    int64_t dns, connect, tls; /* microseconds from `started`; 0: did not happen */
    char address[46];
    char detail[CURL_ERROR_SIZE];

    /* connection.c */
    int fd; /* -1: none */
    struct streamer_watch watch;
    struct streamer_task task; /* goes on reading what OpenSSL has decrypted already */
    int watched;               /* events */

    /* http1.c, http2_connection.c */
    struct streamer_http1 *http1;
    struct streamer_http2 *http2;
    bool reads;    /* HTTP/1: nothing is read while a response is paused */
    bool changed;  /* HTTP/2: it may have room for another stream, or be done with */
    bool flushing; /* HTTP/2: in the pool's list of those with output */
    struct streamer_connection *flush_next;
    const struct streamer_stream *current; /* HTTP/2: that is called; NULL once it was ended */
};

/* Reads in a row before other connections are served. */
enum { STREAMER_READS = 8 };

/* What a read or a write came to, where it was not a number of bytes. */
enum { STREAMER_IO_AGAIN = -1, STREAMER_IO_CLOSED = -2, STREAMER_IO_FAILED = -3 };

/* Bytes read (at least 1), or AGAIN; CLOSED: the peer ended the connection in good order; FAILED. */
ptrdiff_t streamer_connection_read(struct streamer_connection *connection, char *bytes, size_t room);

/* Bytes written (at least 1), AGAIN, or FAILED. After AGAIN the same bytes come first again. */
ptrdiff_t streamer_connection_write(struct streamer_connection *connection, const char *bytes, size_t length);

/* Whether there may be bytes to read that the poller does not see: TLS has them already. Where it cannot be asked,
 * there may be until a read comes to AGAIN. */
bool streamer_connection_may_have_pending(const struct streamer_connection *connection);

/* Whether the server has said nothing that was not read, not even the connection's end: what an idle connection has to
 * be for the next request, or bytes that nobody has asked for are taken for its response. */
bool streamer_connection_is_silent(const struct streamer_connection *connection);

/* Sets what is waited for. */
void streamer_connection_watch(struct streamer_connection *connection, int events);

/* Reads again at the end of this iteration, whatever the poller says. */
void streamer_connection_read_soon(struct streamer_connection *connection);

/* Ends it at once. Its streams are told first by who calls. The memory goes with the last reference. */
void streamer_connection_close(struct streamer_connection *connection);

/* References: the pool's until it is closed, and one of whoever calls out while it works on it. */
void streamer_connection_retain(struct streamer_connection *connection);
void streamer_connection_release(struct streamer_connection *connection);
