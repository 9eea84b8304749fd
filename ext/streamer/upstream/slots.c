#include "slots.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static struct { atomic_size_t per_origin, total; } limits;

static struct streamer_origin **bucket_of(struct streamer_slots *slots, const char *name) {
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *byte = name; *byte != '\0'; byte++) hash = (hash ^ (unsigned char)*byte) * 16777619u;
    return &slots->buckets[hash % STREAMER_ORIGIN_BUCKETS];
}

static bool idle(const struct streamer_origin *origin) {
    return origin->held == 0 && origin->first == NULL;
}

/* The origin of that name, made where there is none; NULL when out of memory. */
static struct streamer_origin *find(struct streamer_slots *slots, const char *name) {
    struct streamer_origin **bucket = bucket_of(slots, name), *origin = *bucket;
    while (origin != NULL && strcmp(origin->name, name) != 0) origin = origin->next;
    if (origin != NULL) {
        if (idle(origin)) slots->remembered--;
        return origin;
    }
    size_t length = strlen(name) + 1;
    origin = calloc(1, sizeof *origin + length);
    if (origin == NULL) return NULL;
    memcpy(origin->name, name, length);
    origin->next = *bucket;
    *bucket = origin;
    return origin;
}

/* Forgets an origin where nothing goes on any more, unless there is something to remember, and room for it. */
static void forget(struct streamer_slots *slots, struct streamer_origin *origin) {
    if (!idle(origin)) return;
    if (origin->multiplexes && slots->remembered < STREAMER_REMEMBERED_ORIGINS) {
        slots->remembered++;
        return;
    }
    struct streamer_origin **link = bucket_of(slots, origin->name);
    while (*link != origin) link = &(*link)->next;
    *link = origin->next;
    free(origin);
}

static void enqueue(struct streamer_slots *slots, struct streamer_slot *slot) {
    struct streamer_origin *origin = slot->origin;
    if (origin->first == NULL) {
        origin->waiting_previous = NULL;
        origin->waiting_next = slots->waiting;
        if (slots->waiting != NULL) slots->waiting->waiting_previous = origin;
        slots->waiting = origin;
    }
    slot->next = NULL;
    slot->previous = origin->last;
    if (origin->last != NULL)
        origin->last->next = slot;
    else
        origin->first = slot;
    origin->last = slot;
    slots->waiters++;
}

static void dequeue(struct streamer_slots *slots, struct streamer_slot *slot) {
    struct streamer_origin *origin = slot->origin;
    if (slot->previous != NULL)
        slot->previous->next = slot->next;
    else
        origin->first = slot->next;
    if (slot->next != NULL)
        slot->next->previous = slot->previous;
    else
        origin->last = slot->previous;
    slots->waiters--;
    if (origin->first != NULL) return;
    if (origin->waiting_previous != NULL)
        origin->waiting_previous->waiting_next = origin->waiting_next;
    else
        slots->waiting = origin->waiting_next;
    if (origin->waiting_next != NULL) origin->waiting_next->waiting_previous = origin->waiting_previous;
}

/* Who has waited longest of those that may go; NULL for nobody. */
static struct streamer_slot *next_in_line(const struct streamer_slots *slots) {
    size_t per_origin = atomic_load_explicit(&limits.per_origin, memory_order_relaxed);
    size_t total = atomic_load_explicit(&limits.total, memory_order_relaxed);
    if (total > 0 && slots->held >= total) return NULL;
    struct streamer_slot *chosen = NULL;
    for (struct streamer_origin *origin = slots->waiting; origin != NULL; origin = origin->waiting_next) {
        if (per_origin > 0 && origin->held >= per_origin) continue;
        if (chosen == NULL || origin->first->ticket < chosen->ticket) chosen = origin->first;
    }
    return chosen;
}

static void grant(struct streamer_slots *slots) {
    if (slots->granting) return; /* the loop further out goes on */
    slots->granting = true;
    struct streamer_slot *slot;
    while ((slot = next_in_line(slots)) != NULL) {
        dequeue(slots, slot);
        slot->held = true;
        slot->origin->held++;
        slots->held++;
        slot->granted(slot);
    }
    slots->granting = false;
}

void streamer_slots_release(struct streamer_slots *slots) {
    for (size_t i = 0; i < STREAMER_ORIGIN_BUCKETS; i++) {
        while (slots->buckets[i] != NULL) {
            struct streamer_origin *origin = slots->buckets[i];
            slots->buckets[i] = origin->next;
            free(origin);
        }
    }
}

void streamer_slots_limit(size_t per_origin, size_t total) {
    atomic_store_explicit(&limits.per_origin, per_origin, memory_order_relaxed);
    atomic_store_explicit(&limits.total, total, memory_order_relaxed);
}

bool streamer_slots_ask(struct streamer_slots *slots, struct streamer_slot *slot, const char *origin) {
    slot->origin = find(slots, origin);
    if (slot->origin == NULL) return false;
    slot->ticket = slots->tickets++;
    slot->held = false;
    enqueue(slots, slot);
    grant(slots);
    return true;
}

void streamer_slots_give_back(struct streamer_slots *slots, struct streamer_slot *slot) {
    struct streamer_origin *origin = slot->origin;
    if (origin == NULL) return;
    if (slot->held) {
        origin->held--;
        slots->held--;
    } else {
        dequeue(slots, slot);
    }
    slot->origin = NULL;
    forget(slots, origin);
    grant(slots);
}
