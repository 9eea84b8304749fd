/* arena: yajl's memory during one read. Internal.
 *
 * One block, handed out from the bottom up and given back as a whole. What does not fit is allocated on the heap: a
 * string with escapes, or a token that the text's end cuts, of some kilobytes. yajl (2.1.0) does not check what its
 * allocator returns, so when the heap has nothing left the parse is left by longjmp: all that yajl holds is in here.
 */
#pragma once

#include <setjmp.h>
#include <stdalign.h>
#include <stddef.h>
#include <yajl/yajl_common.h>

#define STREAMER_ARENA_BLOCK ((size_t)16 << 10)

struct streamer_arena {
    alignas(max_align_t) char block[STREAMER_ARENA_BLOCK];
    size_t used;
    struct streamer_allocation *heap;
    jmp_buf no_memory; /* set by whoever runs yajl */
};

/* For yajl_alloc. */
yajl_alloc_funcs streamer_arena_functions(struct streamer_arena *arena);

/* Takes everything back. */
void streamer_arena_clear(struct streamer_arena *arena);
