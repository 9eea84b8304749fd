#include "mailbox.h"

#include <stddef.h>

#include "relay.h"

void streamer_mailbox_init(struct streamer_mailbox *mailbox) {
    streamer_monitor_init(&mailbox->monitor);
    mailbox->first = mailbox->last = NULL;
}

void streamer_mailbox_post(struct streamer_mailbox *mailbox, struct streamer_relay *relay, int notifications) {
    pthread_mutex_lock(&mailbox->monitor.lock);
    bool posted = relay->notifications != 0;
    relay->notifications |= notifications;
    if (!posted) {
        streamer_relay_retain(relay);
        relay->mailbox_next = NULL;
        if (mailbox->last != NULL) {
            mailbox->last->mailbox_next = relay;
        } else {
            mailbox->first = relay;
        }
        mailbox->last = relay;
        streamer_monitor_notify(&mailbox->monitor);
    }
    pthread_mutex_unlock(&mailbox->monitor.lock);
}

struct streamer_relay *streamer_mailbox_take(struct streamer_mailbox *mailbox, int *notifications) {
    pthread_mutex_lock(&mailbox->monitor.lock);
    struct streamer_relay *relay = mailbox->first;
    if (relay != NULL) {
        mailbox->first = relay->mailbox_next;
        if (mailbox->first == NULL) mailbox->last = NULL;
        *notifications = relay->notifications;
        relay->notifications = 0;
    }
    pthread_mutex_unlock(&mailbox->monitor.lock);
    return relay;
}
