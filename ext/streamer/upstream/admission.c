#include "admission.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static struct { atomic_size_t per_origin, total; } limits;

static struct streamer_origin **bucket_of(struct streamer_admission *admission, const char *name) {
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *byte = name; *byte != '\0'; byte++) hash = (hash ^ (unsigned char)*byte) * 16777619u;
    return &admission->buckets[hash % STREAMER_ORIGIN_BUCKETS];
}

static bool idle(const struct streamer_origin *origin) {
    return origin->held == 0 && origin->first == NULL;
}

/* The origin of that name, made where there is none; NULL when out of memory. */
static struct streamer_origin *find(struct streamer_admission *admission, const char *name) {
    struct streamer_origin **bucket = bucket_of(admission, name), *origin = *bucket;
    while (origin != NULL && strcmp(origin->name, name) != 0) origin = origin->next;
    if (origin != NULL) return origin;
    size_t length = strlen(name) + 1;
    origin = calloc(1, sizeof *origin + length);
    if (origin == NULL) return NULL;
    memcpy(origin->name, name, length);
    origin->next = *bucket;
    *bucket = origin;
    return origin;
}

/* Forgets an origin where nothing goes on any more. */
static void forget(struct streamer_admission *admission, struct streamer_origin *origin) {
    if (!idle(origin)) return;
    struct streamer_origin **link = bucket_of(admission, origin->name);
    while (*link != origin) link = &(*link)->next;
    *link = origin->next;
    free(origin);
}

static void enqueue(struct streamer_admission *admission, struct streamer_permit *permit) {
    struct streamer_origin *origin = permit->origin;
    if (origin->first == NULL) {
        origin->waiting_previous = NULL;
        origin->waiting_next = admission->waiting;
        if (admission->waiting != NULL) admission->waiting->waiting_previous = origin;
        admission->waiting = origin;
    }
    permit->next = NULL;
    permit->previous = origin->last;
    if (origin->last != NULL)
        origin->last->next = permit;
    else
        origin->first = permit;
    origin->last = permit;
    admission->waiters++;
}

static void dequeue(struct streamer_admission *admission, struct streamer_permit *permit) {
    struct streamer_origin *origin = permit->origin;
    if (permit->previous != NULL)
        permit->previous->next = permit->next;
    else
        origin->first = permit->next;
    if (permit->next != NULL)
        permit->next->previous = permit->previous;
    else
        origin->last = permit->previous;
    admission->waiters--;
    if (origin->first != NULL) return;
    if (origin->waiting_previous != NULL)
        origin->waiting_previous->waiting_next = origin->waiting_next;
    else
        admission->waiting = origin->waiting_next;
    if (origin->waiting_next != NULL) origin->waiting_next->waiting_previous = origin->waiting_previous;
}

/* Who has waited longest of those that may go; NULL for nobody. */
static struct streamer_permit *next_in_line(const struct streamer_admission *admission) {
    size_t per_origin = atomic_load_explicit(&limits.per_origin, memory_order_relaxed);
    size_t total = atomic_load_explicit(&limits.total, memory_order_relaxed);
    if (total > 0 && admission->held >= total) return NULL;
    struct streamer_permit *chosen = NULL;
    for (struct streamer_origin *origin = admission->waiting; origin != NULL; origin = origin->waiting_next) {
        if (per_origin > 0 && origin->held >= per_origin) continue;
        if (chosen == NULL || origin->first->ticket < chosen->ticket) chosen = origin->first;
    }
    return chosen;
}

static void grant(struct streamer_admission *admission) {
    if (admission->granting) return; /* the loop further out goes on */
    admission->granting = true;
    struct streamer_permit *permit;
    while ((permit = next_in_line(admission)) != NULL) {
        dequeue(admission, permit);
        permit->held = true;
        permit->origin->held++;
        admission->held++;
        permit->granted(permit);
    }
    admission->granting = false;
}

void streamer_admission_release(struct streamer_admission *admission) {
    for (size_t i = 0; i < STREAMER_ORIGIN_BUCKETS; i++) {
        while (admission->buckets[i] != NULL) {
            struct streamer_origin *origin = admission->buckets[i];
            admission->buckets[i] = origin->next;
            free(origin);
        }
    }
}

void streamer_admission_limit(size_t per_origin, size_t total) {
    atomic_store_explicit(&limits.per_origin, per_origin, memory_order_relaxed);
    atomic_store_explicit(&limits.total, total, memory_order_relaxed);
}

bool streamer_admission_ask(struct streamer_admission *admission, struct streamer_permit *permit, const char *origin) {
    permit->origin = find(admission, origin);
    if (permit->origin == NULL) return false;
    permit->ticket = admission->tickets++;
    permit->held = false;
    enqueue(admission, permit);
    grant(admission);
    return true;
}

void streamer_admission_give_back(struct streamer_admission *admission, struct streamer_permit *permit) {
    struct streamer_origin *origin = permit->origin;
    if (origin == NULL) return;
    if (permit->held) {
        origin->held--;
        admission->held--;
    } else {
        dequeue(admission, permit);
    }
    permit->origin = NULL;
    forget(admission, origin);
    grant(admission);
}
