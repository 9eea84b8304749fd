#include "group.h"

#include <stddef.h>
#include <stdlib.h>

#include "fork.h"
#include "multi.h"
#include "transfer.h"

static void lock(struct streamer_group *group) {
    pthread_mutex_lock(&group->signal.lock);
}

static void unlock(struct streamer_group *group) {
    pthread_mutex_unlock(&group->signal.lock);
}

/* ---- telling the driver ---- */

/* In a turn of its reactor. */
static void call(struct streamer_group *group) {
    if (group->called) return;
    group->called = true;
    streamer_group_retain(group);
    group->called_next = group->reactor->called;
    group->reactor->called = group;
}

static void run(struct streamer_task *task) {
    struct streamer_group *group = (struct streamer_group *)((char *)task - offsetof(struct streamer_group, task));
    call(group);
    streamer_group_release(group); /* the queue's */
}

/* The lock is held. A turn of its own reactor is a turn of the driver's; anyone else asks for one. */
static void announce(struct streamer_group *group, const struct streamer_reactor *turning) {
    streamer_signal_raise(&group->signal);
    if (group->reactor == NULL) return;
    if (turning == group->reactor) {
        call(group);
        return;
    }
    streamer_group_retain(group);
    if (!streamer_reactor_post(group->reactor, &group->task)) atomic_fetch_sub(&group->references, 1);
}

static void on_timer(struct streamer_timer *timer, int64_t now) {
    (void)now;
    struct streamer_group *group = (struct streamer_group *)((char *)timer - offsetof(struct streamer_group, timer));
    lock(group);
    group->interrupted = true;
    announce(group, group->reactor);
    unlock(group);
}

/* ---- life ---- */

struct streamer_group *streamer_group_new(void) {
    struct streamer_group *group = calloc(1, sizeof *group);
    if (group == NULL) return NULL;
    streamer_signal_init(&group->signal);
    group->references = 1;
    group->generation = streamer_fork_generation();
    group->task.run = run;
    group->timer.fire = on_timer;
    return group;
}

void streamer_group_retain(struct streamer_group *group) {
    atomic_fetch_add(&group->references, 1);
}

void streamer_group_release(struct streamer_group *group) {
    if (atomic_fetch_sub(&group->references, 1) != 1) return;
    if (group->reactor != NULL) streamer_reactor_release(group->reactor);
    streamer_signal_destroy(&group->signal);
    free(group);
}

void streamer_group_close(struct streamer_group *group) {
    lock(group);
    group->closed = true;
    unlock(group);
    long key;
    while (streamer_group_take(group, &key)) continue;
}

void streamer_group_use_reactor(struct streamer_group *group, struct streamer_reactor *reactor) {
    streamer_reactor_retain(reactor);
    lock(group);
    group->reactor = reactor;
    unlock(group);
}

/* ---- members ---- */

/* The lock is held. */
static void unqueue(struct streamer_group *group, struct streamer_membership *membership) {
    struct streamer_transfer *previous = membership->previous, *next = membership->next;
    *(previous != NULL ? &previous->membership.next : &group->first) = next;
    *(next != NULL ? &next->membership.previous : &group->last) = previous;
    membership->queued = false;
}

bool streamer_group_join(struct streamer_group *group, struct streamer_transfer *transfer, long key) {
    streamer_transfer_lock(transfer);
    bool joins = transfer->membership.group == NULL;
    if (joins) {
        streamer_group_retain(group);
        transfer->membership.key = key;
        transfer->membership.group = group;
    }
    streamer_transfer_unlock(transfer);
    return joins;
}

void streamer_group_leave(struct streamer_transfer *transfer) {
    streamer_transfer_lock(transfer);
    struct streamer_group *group = transfer->membership.group;
    bool queued = false;
    if (group != NULL) {
        lock(group);
        queued = transfer->membership.queued;
        if (queued) unqueue(group, &transfer->membership);
        unlock(group);
        transfer->membership.group = NULL;
    }
    streamer_transfer_unlock(transfer);
    if (queued) streamer_transfer_release(transfer);
    if (group != NULL) streamer_group_release(group);
}

/* ---- news ---- */

void streamer_group_post(struct streamer_group *group, struct streamer_transfer *transfer) {
    lock(group);
    if (!transfer->membership.queued && !group->closed) {
        streamer_transfer_retain(transfer);
        bool empty = group->last == NULL;
        transfer->membership.queued = true;
        transfer->membership.previous = group->last;
        transfer->membership.next = NULL;
        *(empty ? &group->first : &group->last->membership.next) = transfer;
        group->last = transfer;
        if (empty) announce(group, transfer->reactor);
    }
    unlock(group);
}

bool streamer_group_take(struct streamer_group *group, long *key) {
    lock(group);
    struct streamer_transfer *transfer = group->first;
    if (transfer != NULL) {
        *key = transfer->membership.key;
        unqueue(group, &transfer->membership);
    }
    unlock(group);
    if (transfer != NULL) streamer_transfer_release(transfer);
    return transfer != NULL;
}

void streamer_group_interrupt(struct streamer_group *group) {
    lock(group);
    group->interrupted = true;
    announce(group, NULL);
    unlock(group);
}

bool streamer_group_has_news(const struct streamer_group *group) {
    return group->first != NULL || group->interrupted;
}

void streamer_group_set_timer(struct streamer_group *group, int64_t due) {
    struct streamer_timers *timers = streamer_reactor_timers(group->reactor);
    if (due < 0)
        streamer_timers_cancel(timers, &group->timer);
    else
        streamer_timers_set(timers, &group->timer, due);
}

struct streamer_group *streamer_group_next_called(struct streamer_reactor *reactor) {
    struct streamer_group *group = reactor->called;
    if (group == NULL) return NULL;
    reactor->called = group->called_next;
    group->called = false;
    return group;
}
