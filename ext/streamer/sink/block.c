#include "block.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"

static struct { atomic_ullong shared, shared_bytes, own_bytes; } stats;

/* An empty chunk would be the last one, so what is empty has no framing. */
struct streamer_block *streamer_block_new(enum streamer_block_kind kind, const char *frames, size_t length,
                                          int64_t first, int64_t last, bool own) {
    char prefix[20];
    size_t prefix_length = length == 0 ? 0 : (size_t)snprintf(prefix, sizeof prefix, "%zx\r\n", length);
    struct streamer_block *block = malloc(sizeof *block + prefix_length + length + 2);
    if (block == NULL) return NULL;
    atomic_init(&block->next, NULL);
    atomic_init(&block->references, 1);
    block->kind = kind;
    block->prefix = (uint8_t)prefix_length;
    block->own = own;
    block->length = length;
    block->first = first;
    block->last = last;
    block->end = 0;
    block->frames = streamer_frames_count(frames, length);
    memcpy(block->bytes, prefix, prefix_length);
    if (length > 0) memcpy(block->bytes + prefix_length, frames, length);
    memcpy(block->bytes + prefix_length + length, "\r\n", 2);
    if (own) {
        atomic_fetch_add_explicit(&stats.own_bytes, streamer_block_size(block), memory_order_relaxed);
    } else {
        atomic_fetch_add_explicit(&stats.shared, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&stats.shared_bytes, streamer_block_size(block), memory_order_relaxed);
    }
    return block;
}

size_t streamer_block_size(const struct streamer_block *block) {
    return sizeof *block + block->prefix + block->length + 2;
}

void streamer_block_retain(struct streamer_block *block) {
    atomic_fetch_add_explicit(&block->references, 1, memory_order_relaxed);
}

static void destroy(struct streamer_block *block) {
    if (block->own) {
        atomic_fetch_sub_explicit(&stats.own_bytes, streamer_block_size(block), memory_order_relaxed);
    } else {
        atomic_fetch_sub_explicit(&stats.shared, 1, memory_order_relaxed);
        atomic_fetch_sub_explicit(&stats.shared_bytes, streamer_block_size(block), memory_order_relaxed);
    }
    free(block);
}

/* A loop, for a chain may be long. */
void streamer_block_release(struct streamer_block *block) {
    while (block != NULL && atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) == 1) {
        struct streamer_block *next = streamer_block_next(block);
        destroy(block);
        block = next;
    }
}

void streamer_block_append(struct streamer_block *last, struct streamer_block *next) {
    next->end = last->end + streamer_block_size(next);
    atomic_store_explicit(&last->next, next, memory_order_release);
}

struct streamer_block_stats streamer_block_stats(void) {
    return (struct streamer_block_stats){stats.shared, stats.shared_bytes, stats.own_bytes};
}

void streamer_block_forget_parent(void) {
    atomic_store(&stats.shared, 0);
    atomic_store(&stats.shared_bytes, 0);
    atomic_store(&stats.own_bytes, 0);
}
