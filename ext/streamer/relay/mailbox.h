/* mailbox: what relays have to tell Ruby: one mailbox for the Ruby thread that runs people's callbacks, and one for
 * that which takes entries to their logs, so that no token waits for a callback.
 *
 * The native thread posts and goes on; the Ruby thread takes the relays that have notifications, several for each time
 * it has the GVL. A relay is in a mailbox at most once, whatever it has to tell.
 */
#pragma once

#include "../loop/monitor.h"

enum streamer_notification {
    STREAMER_NOTIFICATION_FIRST = 1, /* the first event came */
    STREAMER_NOTIFICATION_TEXT = 2,  /* there is text to take */
    STREAMER_NOTIFICATION_ENDED = 4,
    STREAMER_NOTIFICATION_ENTRIES = 8 /* entries of a log wait to be taken, or have been since it ended */
};

struct streamer_relay;

/* A relay's place in one mailbox. Guarded by that mailbox's lock. */
struct streamer_letter {
    struct streamer_relay *relay;
    int notifications;
    struct streamer_letter *next;
};

struct streamer_mailbox {
    struct streamer_monitor monitor;
    struct streamer_letter *first, *last; /* guarded by monitor.lock */
};

void streamer_mailbox_init(struct streamer_mailbox *mailbox);

/* Adds notifications to the letter's, and the letter to the mailbox; holds a reference to its relay until it is taken.
 * From any thread. */
void streamer_mailbox_post(struct streamer_mailbox *mailbox, struct streamer_letter *letter, int notifications);

/* Takes the next relay, with the mailbox's reference, and its notifications; NULL when it is empty. From any thread. */
struct streamer_relay *streamer_mailbox_take(struct streamer_mailbox *mailbox, int *notifications);
