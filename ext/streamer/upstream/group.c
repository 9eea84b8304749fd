#include "group.h"

#include <stdlib.h>

#include "../loop/fork.h"
#include "transfer.h"

static void lock(struct streamer_group *group) {
    streamer_monitor_lock(&group->monitor);
}

static void unlock(struct streamer_group *group) {
    streamer_monitor_unlock(&group->monitor);
}

/* ---- lifecycle ---- */

struct streamer_group *streamer_group_new(void) {
    struct streamer_group *group = calloc(1, sizeof *group);
    if (group == NULL) return NULL;
    streamer_monitor_init(&group->monitor);
    group->references = 1;
    group->generation = streamer_fork_generation();
    return group;
}

void streamer_group_retain(struct streamer_group *group) {
    atomic_fetch_add(&group->references, 1);
}

void streamer_group_release(struct streamer_group *group) {
    if (atomic_fetch_sub(&group->references, 1) != 1) return;
    streamer_monitor_destroy(&group->monitor);
    free(group);
}

void streamer_group_close(struct streamer_group *group) {
    lock(group);
    group->closed = true;
    unlock(group);
    long key;
    while (streamer_group_take(group, &key)) continue;
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
    streamer_monitor_lock(&transfer->monitor);
    bool joins = transfer->membership.group == NULL;
    if (joins) {
        streamer_group_retain(group);
        transfer->membership.key = key;
        transfer->membership.group = group;
    }
    streamer_monitor_unlock(&transfer->monitor);
    return joins;
}

void streamer_group_leave(struct streamer_transfer *transfer) {
    streamer_monitor_lock(&transfer->monitor);
    struct streamer_group *group = transfer->membership.group;
    bool queued = false;
    if (group != NULL) {
        lock(group);
        queued = transfer->membership.queued;
        if (queued) unqueue(group, &transfer->membership);
        unlock(group);
        transfer->membership.group = NULL;
    }
    streamer_monitor_unlock(&transfer->monitor);
    if (queued) streamer_transfer_release(transfer);
    if (group != NULL) streamer_group_release(group);
}

/* ---- changes ---- */

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
        if (empty) streamer_monitor_notify(&group->monitor);
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
    streamer_monitor_notify(&group->monitor);
    unlock(group);
}

bool streamer_group_has_changes(const struct streamer_group *group) {
    return group->first != NULL || group->interrupted;
}
