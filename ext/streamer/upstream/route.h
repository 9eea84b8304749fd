/* route: how a connection is made: to which host, by which way, trusting whom. Connections are shared by those whose
 * routes are equal, and by nobody else. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guard.h"

/* Strings are NULL where there are none. */
struct streamer_route {
    const char *url;    /* "https://host:port": what libcurl connects to */
    const char *origin; /* what limits per origin go by */

    const char *proxy; /* its URL without credentials; NULL: none. libcurl never looks at the environment itself: it
                          would do so beside Ruby, which may be changing it */
    const char *proxy_user, *proxy_password;
    const char *unix_path;              /* a Unix socket instead of the host */
    const char *addresses;              /* "HOST:PORT:ADDRESS OR NAME:PORT" lines, LF between */
    const char *names;                  /* "+NAME:PORT:ADDRESS,ADDRESS" lines: known to all requests */
    const struct streamer_guard *guard; /* NULL: every address is allowed */

    bool verify;         /* the server's certificate and name */
    const char *ca_file; /* NULL: the system's */
    const char *certificate, *key, *key_password;
};

/* A copy in one block, to be freed with free; NULL when out of memory. */
struct streamer_route *streamer_route_copy(const struct streamer_route *route);

uint64_t streamer_route_hash(const struct streamer_route *route);
bool streamer_route_equal(const struct streamer_route *a, const struct streamer_route *b);

/* Whether TLS is spoken to the host. */
bool streamer_route_is_tls(const struct streamer_route *route);

/* Whether the connection's bytes are the socket's, without TLS to host or proxy. */
bool streamer_route_is_plain(const struct streamer_route *route);

/* Whether an HTTP proxy opens a tunnel to the host, rather than being asked for the URL: where there is TLS inside, or
 * where libcurl is told another address, for which it needs one. */
bool streamer_route_tunnels(const struct streamer_route *route);

/* Whether requests are asked of an HTTP proxy in absolute-form. */
bool streamer_route_asks_proxy(const struct streamer_route *route);
