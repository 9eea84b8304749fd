/* block: a run of whole frames, copied once and sent to any number of browsers.
 *
 * Immutable and counted. The chunk framing of HTTP/1.1 stands around the bytes already, so a block is sent as it is; a
 * browser without chunks gets the inside. Blocks form a chain: each holds its successor, so whoever holds a block
 * can walk on from it, and what nobody can reach frees itself.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum streamer_block_kind {
    STREAMER_BLOCK_ENTRIES, /* frames with positions */
    STREAMER_BLOCK_NOTICE,  /* frames without */
    STREAMER_BLOCK_MARK     /* empty: a place in the chain */
};

struct streamer_block {
    _Atomic(struct streamer_block *) next; /* holds a reference; set once, when the chain's owner appends */
    atomic_int references;
    uint32_t frames;
    uint8_t kind;
    uint8_t prefix;      /* bytes of the chunk's size in front */
    bool own;            /* one browser's alone */
    size_t length;       /* of the frames */
    int64_t first, last; /* of ENTRIES; of the others `last` is the position behind which they stand */
    uint64_t end;        /* memory of the chain up to and including this one: the owner's */
    char bytes[];        /* prefix, frames, CR LF */
};

/* The memory of all blocks of the process. */
struct streamer_block_stats {
    uint64_t shared, shared_bytes, own_bytes;
};

/* Copies the frames. `own`: for one browser alone, and counted with what waits for browsers. NULL when out of memory.
 * The caller owns one reference. */
struct streamer_block *streamer_block_new(enum streamer_block_kind kind, const char *frames, size_t length,
                                          int64_t first, int64_t last, bool own);
void streamer_block_retain(struct streamer_block *block);

/* Also of NULL. */
void streamer_block_release(struct streamer_block *block);

/* The successor, NULL at the chain's end. From any thread that holds the block. */
static inline struct streamer_block *streamer_block_next(struct streamer_block *block) {
    return atomic_load_explicit(&block->next, memory_order_acquire);
}

/* Appends `next` behind the chain's last block, and takes over the caller's reference. */
void streamer_block_append(struct streamer_block *last, struct streamer_block *next);

static inline const char *streamer_block_frames(const struct streamer_block *block) {
    return block->bytes + block->prefix;
}

/* What a browser is sent. */
static inline const char *streamer_block_wire(const struct streamer_block *block, bool chunked, size_t *length) {
    *length = chunked ? block->prefix + block->length + 2 : block->length;
    return chunked ? block->bytes : block->bytes + block->prefix;
}

size_t streamer_block_size(const struct streamer_block *block);

struct streamer_block_stats streamer_block_stats(void);

/* In a forked child, before its first block: its parent's are not counted. */
void streamer_block_forget_parent(void);
