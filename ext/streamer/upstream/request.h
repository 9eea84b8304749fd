/* request: what to ask, by which way, and how long to wait for what. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../core/buffer.h"
#include "route.h"

/* Milliseconds; 0 for none. The time in the queue is in none of the others. */
struct streamer_timeouts {
    int64_t queue;       /* until there is a permit */
    int64_t connect;     /* from the permit until the request can be sent: DNS, TCP, TLS, a proxy's tunnel. Anew where
                            it has to be sent again */
    int64_t first_byte;  /* from then until the head's first byte */
    int64_t first_event; /* from the permit until streamer_transfer_note_event */
    int64_t idle;        /* between two reads, once connected */
    int64_t event_idle;  /* between two events, from the first one on */
    int64_t total;       /* from the permit to the end */
};

/* All pointers are read during streamer_transfer_new only. */
struct streamer_request {
    const char *method;
    const char *authority; /* "host" or "host:port", as Host says it */
    const char *target;    /* "/path?query" */
    const char *proxy_authorization; /* for a request that an HTTP proxy is asked for; NULL: none */
    struct streamer_buffer *fields;  /* as core/fields.h has them; becomes the transfer's */

    const char *body;    /* NULL: none, or a streamed one */
    bool body_streamed;  /* the body comes through streamer_transfer_upload */
    int64_t body_length; /* of body, or announced for a streamed one; -1: unknown */

    struct streamer_route route;
    struct streamer_timeouts timeouts;
};
