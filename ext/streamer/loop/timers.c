#include "timers.h"

/* Makes the later of two roots the first child of the other. Either may be NULL. */
static struct streamer_timer *meld(struct streamer_timer *a, struct streamer_timer *b) {
    if (a == NULL) return b;
    if (b == NULL) return a;
    struct streamer_timer *root = b->due < a->due ? b : a, *child = root == a ? b : a;
    child->previous = root;
    child->next = root->child;
    if (child->next != NULL) child->next->previous = child;
    root->child = child;
    root->next = root->previous = NULL;
    return root;
}

/* Melds siblings in pairs from the left, then the pairs from the right: what makes removal logarithmic. */
static struct streamer_timer *meld_siblings(struct streamer_timer *sibling) {
    struct streamer_timer *pairs = NULL, *root = NULL;
    while (sibling != NULL) {
        struct streamer_timer *second = sibling->next, *rest = second != NULL ? second->next : NULL;
        struct streamer_timer *pair = meld(sibling, second);
        pair->next = pairs;
        pairs = pair;
        sibling = rest;
    }
    while (pairs != NULL) {
        struct streamer_timer *next = pairs->next;
        pairs->next = pairs->previous = NULL;
        root = meld(root, pairs);
        pairs = next;
    }
    return root;
}

void streamer_timers_cancel(struct streamer_timers *timers, struct streamer_timer *timer) {
    if (!timer->set) return;
    struct streamer_timer *children = meld_siblings(timer->child);
    if (timer == timers->first) {
        timers->first = children;
    } else {
        *(timer->previous->child == timer ? &timer->previous->child : &timer->previous->next) = timer->next;
        if (timer->next != NULL) timer->next->previous = timer->previous;
        timers->first = meld(timers->first, children);
    }
    timer->child = timer->next = timer->previous = NULL;
    timer->set = false;
    timers->count--;
}

void streamer_timers_set(struct streamer_timers *timers, struct streamer_timer *timer, int64_t due) {
    streamer_timers_cancel(timers, timer);
    timer->due = due;
    timer->set = true;
    timers->first = meld(timers->first, timer);
    timers->count++;
}

void streamer_timers_fire(struct streamer_timers *timers, int64_t now) {
    /* A bound, because libcurl may set its timer to "now" each time it fires: the sockets must be served too. */
    for (size_t most = timers->count; most > 0 && timers->first != NULL && timers->first->due <= now; most--) {
        struct streamer_timer *timer = timers->first;
        streamer_timers_cancel(timers, timer);
        timer->fire(timer, now);
    }
}

int64_t streamer_timers_next(const struct streamer_timers *timers) {
    return timers->first != NULL ? timers->first->due : -1;
}
