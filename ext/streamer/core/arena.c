#include "arena.h"

#include <string.h>

#include "alloc.h"

/* In front of what yajl gets. */
struct streamer_allocation {
    alignas(max_align_t) size_t size; /* so that realloc knows what to copy */
    struct streamer_allocation *next; /* of those from the heap */
};

static void *arena_malloc(void *context, size_t size) {
    struct streamer_arena *arena = context;
    size_t taken = sizeof(struct streamer_allocation) +
                   (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    struct streamer_allocation *allocation;
    if (taken <= sizeof arena->block - arena->used) {
        allocation = (struct streamer_allocation *)(void *)(arena->block + arena->used);
        arena->used += taken;
    } else {
        allocation = streamer_malloc(taken);
        if (allocation == NULL) longjmp(arena->no_memory, 1);
        allocation->next = arena->heap;
        arena->heap = allocation;
    }
    allocation->size = taken - sizeof *allocation;
    return allocation + 1;
}

static void arena_free(void *context, void *memory) {
    struct streamer_arena *arena = context;
    struct streamer_allocation **link = &arena->heap;
    while (*link != NULL && (void *)(*link + 1) != memory) link = &(*link)->next;
    if (*link == NULL) return; /* it is in the block */
    struct streamer_allocation *allocation = *link;
    *link = allocation->next;
    streamer_free(allocation);
}

static void *arena_realloc(void *context, void *memory, size_t size) {
    if (memory == NULL) return arena_malloc(context, size);
    size_t held = ((struct streamer_allocation *)memory - 1)->size;
    if (size <= held) return memory;
    void *copy = arena_malloc(context, size);
    memcpy(copy, memory, held);
    arena_free(context, memory);
    return copy;
}

yajl_alloc_funcs streamer_arena_functions(struct streamer_arena *arena) {
    return (yajl_alloc_funcs){arena_malloc, arena_realloc, arena_free, arena};
}

void streamer_arena_clear(struct streamer_arena *arena) {
    while (arena->heap != NULL) arena_free(arena, arena->heap + 1);
    arena->used = 0;
}
