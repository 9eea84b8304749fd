/* admission: FIFO limits per origin and in total. So many requests may be under way at once, to one origin and
 * altogether; a request beyond that waits here, before it asks for a connection, so that its timeouts do not run.
 *
 * First come, first served, within an origin; and where the total is what they wait for, across origins. An origin that
 * is full holds up nobody who goes elsewhere. What is counted are requests, not connections: over HTTP/2 many share
 * one.
 *
 * Used in iterations of one loop; but the limits are the process's, and may be set from any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct streamer_origin {
    struct streamer_origin *next; /* of its bucket */
    struct streamer_origin *waiting_previous, *waiting_next;
    struct streamer_permit *first, *last; /* who waits */
    size_t held;
    char name[];
};

/* Embedded in what wants one. */
struct streamer_permit {
    struct streamer_origin *origin; /* NULL: neither waits nor holds one */
    struct streamer_permit *previous, *next;
    uint64_t ticket;
    bool held;
    void (*granted)(struct streamer_permit *permit); /* may give it back, and ask for others */
};

enum { STREAMER_ORIGIN_BUCKETS = 256 };

struct streamer_admission {
    struct streamer_origin *buckets[STREAMER_ORIGIN_BUCKETS];
    struct streamer_origin *waiting; /* origins that somebody waits for */
    size_t held, waiters;
    uint64_t tickets;
    bool granting;
};

void streamer_admission_release(struct streamer_admission *admission);

/* Requests under way at once in each pool; 0 for no limit. They hold from the next request on. From any thread. */
void streamer_admission_limit(size_t per_origin, size_t total);

/* Asks for a permit; `granted` is called within where there is one. False when out of memory. */
bool streamer_admission_ask(struct streamer_admission *admission, struct streamer_permit *permit, const char *origin);

/* Gives it back, or gives up waiting; fine when it does neither. Grants to those who are next. */
void streamer_admission_give_back(struct streamer_admission *admission, struct streamer_permit *permit);
