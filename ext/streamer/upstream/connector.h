/* connector: opens connections with libcurl: DNS, happy eyeballs, proxies, TLS, verification, all of it without
 * blocking.
 *
 * A connection is a transfer of libcurl's that stops when it is connected (CURLOPT_CONNECT_ONLY). Where there is no TLS
 * its socket is taken over and libcurl's part is freed; where there is, the handle stays in the multi, which would
 * close the connection otherwise, and carries the bytes.
 *
 * ALPN is set on OpenSSL's context here. If libcurl itself negotiated HTTP/2 it would put a filter for it between us
 * and the bytes; so with a libcurl on another TLS library only HTTP/1.1 is spoken.
 *
 * TLS handshakes are background work of the loop, and connections are opened within the same budget, so that streams
 * which are running are not delayed by those that begin.
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>

#include "../loop/loop.h"
#include "connection.h"

struct streamer_connector {
    struct streamer_loop *loop;
    CURLM *multi;
    CURLSH *sessions; /* TLS sessions: libcurl before 8.12 resumes only what is shared */
    struct streamer_timer timer;
    struct streamer_hook hook;
    struct streamer_connection *first, *last; /* to be opened */
    bool called_back;                         /* libcurl may have something to tell */
    bool kicked;                              /* a connection, in this iteration */

    /* In an iteration; how opening ended. `early` bytes of the peer's are in the pool's `read` already. */
    void (*opened)(struct streamer_connection *connection, bool http2, size_t early);
    void (*failed)(struct streamer_connection *connection, enum streamer_outcome outcome, const char *detail);
};

/* False when out of memory. */
bool streamer_connector_init(struct streamer_connector *connector, struct streamer_loop *loop);
void streamer_connector_release(struct streamer_connector *connector);

/* Opens a QUEUED connection as soon as those before it have been. It goes on until `opened`, `failed`, or
 * streamer_connection_close. */
void streamer_connector_open(struct streamer_connector *connector, struct streamer_connection *connection);

/* Lets go of libcurl's part, at whatever point it is. */
void streamer_connector_close(struct streamer_connection *connection);
