/* request: what to ask, by which way, and how long to wait for what; and libcurl's options for it. */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guard.h"

/* Milliseconds; 0 for none. The queue's time is in none of the others. */
struct streamer_timeouts {
    int64_t queue;       /* until there is a slot */
    int64_t connect;     /* from the slot until the request can be sent: DNS, TCP, TLS, a proxy's tunnel */
    int64_t first_byte;  /* from then until the head's first byte */
    int64_t first_event; /* from the slot until streamer_transfer_note_event */
    int64_t idle;        /* between two reads, once connected */
    int64_t event_idle;  /* between two events, from the first one on */
    int64_t total;       /* from the slot to the end */
};

/* All pointers are read during streamer_transfer_new only. NULL for what is not wanted. */
struct streamer_request {
    const char *method;
    const char *url;
    struct curl_slist *headers; /* "Name: value"; becomes the transfer's */
    const char *body;
    int64_t body_length; /* of body, or announced for a streamed one; -1: unknown, sent chunked */
    bool body_streamed;  /* the body comes through streamer_transfer_upload */
    struct streamer_timeouts timeouts;

    const char *origin; /* what limits per origin go by */
    const char *proxy;  /* without credentials; "": none. libcurl never looks at the environment itself: it would do so
                           beside Ruby, which may be changing it */
    const char *proxy_user, *proxy_password;
    const char *no_proxy;         /* hosts that are reached without it */
    const char *unix_path;        /* a Unix socket instead of the host */
    struct curl_slist *addresses; /* "HOST:PORT:ADDRESS OR NAME:PORT"; becomes the transfer's */
    struct curl_slist *names;     /* "+NAME:PORT:ADDRESS,ADDRESS": known to all transfers; becomes the transfer's */
    struct streamer_guard *guard; /* becomes the transfer's */
    long idle_age, age;           /* seconds after which a connection is not used again; 0: no matter */

    bool verify;         /* the server's certificate and name */
    const char *ca_file; /* NULL: the system's */
    const char *certificate, *key, *key_password;
};

/* What options point to while the handle lives. */
struct streamer_request_memory {
    struct curl_slist *headers, *addresses, *names;
};

/* Sets all options but the callbacks. NULL, or libcurl's reason to refuse one, a constant. Takes nothing over. */
const char *streamer_request_apply(const struct streamer_request *request, CURL *easy);
