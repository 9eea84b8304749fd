#include "mailbox.h"

#include <stddef.h>

#include "relay.h"

void streamer_mailbox_init(struct streamer_mailbox *mailbox) {
    streamer_monitor_init(&mailbox->monitor);
    mailbox->first = mailbox->last = NULL;
}

void streamer_mailbox_post(struct streamer_mailbox *mailbox, struct streamer_letter *letter, int notifications) {
    pthread_mutex_lock(&mailbox->monitor.lock);
    bool posted = letter->notifications != 0;
    letter->notifications |= notifications;
    if (!posted) {
        streamer_relay_retain(letter->relay);
        letter->next = NULL;
        if (mailbox->last != NULL) {
            mailbox->last->next = letter;
        } else {
            mailbox->first = letter;
        }
        mailbox->last = letter;
        streamer_monitor_notify(&mailbox->monitor);
    }
    pthread_mutex_unlock(&mailbox->monitor.lock);
}

struct streamer_relay *streamer_mailbox_take(struct streamer_mailbox *mailbox, int *notifications) {
    pthread_mutex_lock(&mailbox->monitor.lock);
    struct streamer_letter *letter = mailbox->first;
    if (letter != NULL) {
        mailbox->first = letter->next;
        if (mailbox->first == NULL) mailbox->last = NULL;
        *notifications = letter->notifications;
        letter->notifications = 0;
    }
    pthread_mutex_unlock(&mailbox->monitor.lock);
    return letter == NULL ? NULL : letter->relay;
}
