/* board: what relays have to tell Ruby, for the one Ruby thread that runs people's callbacks.
 *
 * The native thread posts and goes on; the Ruby thread takes the relays that have notifications, several at a turn of the GVL. A
 * relay stands on the board at most once, whatever it has to tell, so the board is as long as there are relays.
 */
#pragma once

#include "../upstream/signal.h"

enum streamer_notification {
    STREAMER_NOTIFICATION_FIRST = 1, /* the first event came */
    STREAMER_NOTIFICATION_TEXT = 2,  /* there is text to take */
    STREAMER_NOTIFICATION_ENDED = 4
};

struct streamer_relay;

struct streamer_mailbox {
    struct streamer_monitor monitor;
    struct streamer_relay *first, *last; /* guarded by monitor.lock, as relay->notifications and relay->mailbox_next are */
};

void streamer_mailbox_init(struct streamer_mailbox *mailbox);

/* Puts up notifications, and the relay with them; holds a reference to it until it is taken. From any thread. */
void streamer_mailbox_post(struct streamer_mailbox *mailbox, struct streamer_relay *relay, int notifications);

/* Takes the next relay, with the board's reference, and its notifications; NULL when the board is empty. From any thread. */
struct streamer_relay *streamer_mailbox_take(struct streamer_mailbox *mailbox, int *notifications);
