#include "extract.h"

#include <stdalign.h>
#include <stdint.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "alloc.h"
#include "json.h"
#include "limits.h"

/* yajl's memory: one block, handed out from the bottom up and never freed piece by piece.
 *
 * yajl (2.1.0) does not check what its allocator returns, so all that one parse can ask for is there before it starts.
 * For a JSON text of L bytes it asks for seven pieces:
 *
 * - The handle, two buffer heads and the lexer: four of less than 128 bytes each.
 * - The stack: a byte for each level of nesting and two more, in steps of 128 by realloc, the first from NULL. It is
 *   given all it can grow to at once (arena_realloc), so that it never moves.
 * - decodeBuf, for a string with escapes: the smallest 2,048 * 2^k above the longest such string, d bytes; at most
 *   max(2048, 2 d). Nothing else grows after it has begun, so it is on top and grows in place.
 * - The lexer's buffer, for a token that the text's end cuts, t bytes and the blank of yajl_complete_parse: at most
 *   max(2048, 2 (t + 1)). It begins when decodeBuf has grown for the last time, so it is on top as well.
 *
 * That string and that token lie one behind the other in the text: d + t <= L. Together at most
 * 4 * 128 + stack + 2 * 2048 + 2 L + 2 bytes, and a head and alignment for each piece.
 */
#define YAJL_PIECES 7
#define YAJL_SMALL (4 * 128)
#define YAJL_STACK_STEP 128
#define YAJL_FIRST_BUFFER 2048

/* In front of each piece, so that realloc knows what to copy. */
struct piece {
    alignas(max_align_t) size_t size;
};

struct arena {
    char *bytes;
    size_t used;
    size_t capacity;
    size_t stack; /* what yajl's stack can grow to in this parse */
};

struct segment {
    const char *text;
    size_t length;
    size_t index; /* SIZE_MAX: a key only */
};

struct path {
    struct segment *segments;
    size_t count;
};

/* A set of paths, a bit for each. */
typedef uint32_t path_set;
_Static_assert(STREAMER_MAX_PATHS < 32, "a path_set has a bit for each path");

/* One open object or array on the way to a wanted value. */
struct level {
    path_set active;  /* paths that go on in here and whose next segment was not met yet */
    path_set matched; /* an object's: those that the last key belongs to */
    path_set wanted;  /* those that end with this very container */
    size_t index;     /* an array's: of the next element */
    bool array;
};

struct streamer_extractor {
    struct path paths[STREAMER_MAX_PATHS];
    size_t count;
    size_t max_depth;
    size_t max_size;
    size_t heap; /* of the paths, for streamer_extractor_size */
    path_set all;
    struct arena arena;

    /* one read */
    yajl_handle yajl;
    const char *json;
    struct streamer_value *values;
    path_set found;
    bool too_deep;
    size_t depth; /* containers open */
    struct level levels[STREAMER_MAX_SEGMENTS + 2];
};

/* arena */

static size_t round_up(size_t size, size_t step) {
    return (size + step - 1) / step * step;
}

static void *arena_malloc(void *context, size_t size) {
    struct arena *arena = context;
    size_t taken = sizeof(struct piece) + round_up(size, alignof(max_align_t));
    /* Cannot happen by the sum above. If another yajl breaks it, stop here rather than write through NULL in there. */
    if (taken > arena->capacity - arena->used) abort();
    struct piece *piece = (struct piece *)(void *)(arena->bytes + arena->used);
    piece->size = taken - sizeof *piece;
    arena->used += taken;
    return piece + 1;
}

static void *arena_realloc(void *context, void *memory, size_t size) {
    struct arena *arena = context;
    /* Only the stack begins here. It would stop being on top, so it gets all it can ever need. */
    if (memory == NULL) return arena_malloc(context, size > arena->stack ? size : arena->stack);

    struct piece *piece = (struct piece *)memory - 1;
    if (size <= piece->size) return memory;
    size_t start = (size_t)((char *)memory - arena->bytes);
    if (start + piece->size == arena->used) {
        arena->used = start - sizeof *piece;
        return arena_malloc(context, size);
    }
    void *copy = arena_malloc(context, size);
    memcpy(copy, memory, piece->size);
    return copy;
}

static void arena_free(void *context, void *memory) {
    (void)context;
    (void)memory;
}

/* Empties the arena and makes it large enough for one JSON text. */
static enum streamer_status arena_prepare(struct arena *arena, size_t length, size_t max_depth) {
    arena->stack = round_up((length < max_depth ? length : max_depth) + 2, YAJL_STACK_STEP);
    size_t needed = YAJL_SMALL + arena->stack + 2 * YAJL_FIRST_BUFFER + 2 * length + 2 +
                    YAJL_PIECES * (sizeof(struct piece) + alignof(max_align_t));
    arena->used = 0;
    if (needed <= arena->capacity) return STREAMER_OK;
    streamer_free(arena->bytes);
    arena->bytes = streamer_malloc(needed);
    arena->capacity = arena->bytes != NULL ? needed : 0;
    return arena->bytes != NULL ? STREAMER_OK : STREAMER_NO_MEMORY;
}

static void arena_release(struct arena *arena) {
    streamer_free(arena->bytes);
    arena->bytes = NULL;
    arena->used = arena->capacity = 0;
}

/* paths */

/* An array index as a person writes it: digits without a leading zero. */
static size_t parse_index(const char *text, size_t length) {
    size_t index = 0;
    if (length > 18 || (length > 1 && text[0] == '0')) return SIZE_MAX;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') return SIZE_MAX;
        index = index * 10 + (size_t)(text[i] - '0');
    }
    return index;
}

static size_t count_segments(const char *path, size_t length) {
    size_t count = 1;
    for (size_t i = 0; i < length; i++) count += path[i] == '.';
    return count;
}

static bool path_valid(const char *path, size_t length) {
    if (length == 0 || path[0] == '.' || path[length - 1] == '.') return false;
    for (size_t i = 1; i < length; i++) {
        if (path[i] == '.' && path[i - 1] == '.') return false;
    }
    return count_segments(path, length) <= STREAMER_MAX_SEGMENTS;
}

/* Cuts text, which stays where it is, into path->segments, which has room. */
static void split(struct path *path, const char *text, size_t length) {
    const char *end = text + length;
    while (text <= end) {
        const char *dot = memchr(text, '.', (size_t)(end - text));
        size_t segment = (size_t)((dot != NULL ? dot : end) - text);
        path->segments[path->count++] = (struct segment){text, segment, parse_index(text, segment)};
        text += segment + 1;
    }
}

/* matching */

static const struct segment *segment_at(const struct streamer_extractor *extractor, int path, size_t depth) {
    return &extractor->paths[path].segments[depth - 1];
}

static int lowest(path_set set) {
    return __builtin_ctz(set);
}

/* The innermost open container, when a path goes on in it; NULL otherwise. */
static struct level *active_level(struct streamer_extractor *extractor) {
    if (extractor->depth == 0 || extractor->depth > STREAMER_MAX_SEGMENTS) return NULL;
    struct level *level = &extractor->levels[extractor->depth];
    return level->active | level->matched ? level : NULL;
}

/* The paths that the value beginning now belongs to. A segment met is not looked for again: the first occurrence
 * counts. */
static path_set match_value(struct streamer_extractor *extractor) {
    struct level *level = active_level(extractor);
    if (level == NULL) return 0;
    path_set matched = level->matched;
    level->matched = 0;
    if (!level->array) return matched;

    for (path_set rest = level->active; rest != 0; rest &= rest - 1) {
        if (segment_at(extractor, lowest(rest), extractor->depth)->index == level->index) matched |= rest & -rest;
    }
    level->index++;
    level->active &= ~matched;
    return matched;
}

/* Of a set, the paths that end at this depth. */
static path_set ending(const struct streamer_extractor *extractor, path_set set) {
    path_set ends = 0;
    for (path_set rest = set; rest != 0; rest &= rest - 1) {
        if (extractor->paths[lowest(rest)].count == extractor->depth) ends |= rest & -rest;
    }
    return ends;
}

/* Records a value. False, which stops yajl, when it was the last one wanted. */
static int found(struct streamer_extractor *extractor, path_set set, struct streamer_value value) {
    for (path_set rest = set; rest != 0; rest &= rest - 1) extractor->values[lowest(rest)] = value;
    extractor->found |= set;
    return extractor->found != extractor->all;
}

/* Where yajl is in the text: behind the token that it is calling about. */
static const char *position(const struct streamer_extractor *extractor) {
    return extractor->json + yajl_get_bytes_consumed(extractor->yajl);
}

/* yajl's callbacks. 0 stops it: when all is found, when the text is too deep, and at the end of the outermost value,
 * since what it makes of the rest is not to be trusted (it takes an unfinished string there for nothing). */

static int scalar(struct streamer_extractor *extractor, enum streamer_kind kind, size_t length) {
    path_set set = ending(extractor, match_value(extractor));
    if (set == 0) return extractor->depth > 0;
    return found(extractor, set, (struct streamer_value){kind, position(extractor) - length, length, false});
}

static int on_null(void *context) {
    return scalar(context, STREAMER_KIND_NULL, strlen("null"));
}

static int on_boolean(void *context, int value) {
    return value ? scalar(context, STREAMER_KIND_TRUE, strlen("true"))
                 : scalar(context, STREAMER_KIND_FALSE, strlen("false"));
}

static int on_number(void *context, const char *text, size_t length) {
    (void)text;
    return scalar(context, STREAMER_KIND_NUMBER, length);
}

static int on_string(void *context, const unsigned char *text, size_t length) {
    struct streamer_extractor *extractor = context;
    path_set set = ending(extractor, match_value(extractor));
    if (set == 0) return extractor->depth > 0;

    /* Without escapes yajl hands out the text itself; with them, a decoded copy that lies elsewhere. */
    const char *quote = position(extractor) - 1;
    const char *start = quote - length;
    bool escaped = start != (const char *)text;
    if (escaped) {
        /* A quote within is behind an odd number of backslashes, the opening one behind none. */
        start = quote;
        while (start[-1] != '"' || start[-2] == '\\') start--;
    }
    return found(extractor, set,
                 (struct streamer_value){STREAMER_KIND_STRING, start, (size_t)(quote - start), escaped});
}

static int on_key(void *context, const unsigned char *text, size_t length) {
    struct streamer_extractor *extractor = context;
    struct level *level = active_level(extractor);
    if (level == NULL) return 1;
    for (path_set rest = level->active; rest != 0; rest &= rest - 1) {
        const struct segment *segment = segment_at(extractor, lowest(rest), extractor->depth);
        if (segment->length == length && memcmp(segment->text, text, length) == 0) level->matched |= rest & -rest;
    }
    level->active &= ~level->matched;
    return 1;
}

static int open_container(struct streamer_extractor *extractor, bool array) {
    path_set inside = extractor->all, wanted = 0;
    if (extractor->depth > 0) {
        inside = match_value(extractor);
        wanted = ending(extractor, inside);
        inside &= ~wanted;
    }
    if (extractor->depth == extractor->max_depth) {
        extractor->too_deep = true;
        return 0;
    }
    extractor->depth++;
    if (extractor->depth <= STREAMER_MAX_SEGMENTS + 1) {
        extractor->levels[extractor->depth] = (struct level){.active = inside, .wanted = wanted, .array = array};
    }
    /* The length is filled in at its end. */
    for (path_set rest = wanted; rest != 0; rest &= rest - 1) {
        extractor->values[lowest(rest)].json = position(extractor) - 1;
    }
    return 1;
}

static int close_container(struct streamer_extractor *extractor) {
    size_t depth = extractor->depth--;
    path_set wanted = depth <= STREAMER_MAX_SEGMENTS + 1 ? extractor->levels[depth].wanted : 0;
    if (wanted == 0) return extractor->depth > 0;
    const char *start = extractor->values[lowest(wanted)].json;
    size_t length = (size_t)(position(extractor) - start);
    return found(extractor, wanted, (struct streamer_value){STREAMER_KIND_CONTAINER, start, length, false});
}

static int on_start_map(void *context) {
    return open_container(context, false);
}

static int on_start_array(void *context) {
    return open_container(context, true);
}

static int on_end(void *context) {
    return close_container(context);
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_key,
    .yajl_end_map = on_end,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end,
};

/* the face */

enum streamer_status streamer_extractor_new(struct streamer_extractor **extractor, const char *const *paths,
                                            const size_t *lengths, size_t count, size_t max_depth, size_t max_size) {
    if (count > STREAMER_MAX_PATHS) return STREAMER_PATH_INVALID;
    size_t segments = 0, text = 0;
    for (size_t i = 0; i < count; i++) {
        if (!path_valid(paths[i], lengths[i])) return STREAMER_PATH_INVALID;
        segments += count_segments(paths[i], lengths[i]);
        text += lengths[i];
    }
    /* One piece: the extractor, then the segments of all paths, then their text. */
    size_t heap = sizeof **extractor + segments * sizeof(struct segment) + text;
    struct streamer_extractor *created = streamer_malloc(heap);
    if (created == NULL) return STREAMER_NO_MEMORY;
    *created = (struct streamer_extractor){.count = count, .heap = heap};
    created->max_depth = max_depth > 0 ? max_depth : STREAMER_MAX_DEPTH;
    created->max_size = max_size > 0 ? max_size : STREAMER_MAX_EVENT;
    created->all = ((path_set)1 << count) - 1;

    struct segment *next_segment = (struct segment *)(created + 1);
    char *next_text = (char *)(next_segment + segments);
    for (size_t i = 0; i < count; i++) {
        created->paths[i].segments = next_segment;
        memcpy(next_text, paths[i], lengths[i]);
        split(&created->paths[i], next_text, lengths[i]);
        next_segment += created->paths[i].count;
        next_text += lengths[i];
    }
    *extractor = created;
    return STREAMER_OK;
}

void streamer_extractor_free(struct streamer_extractor *extractor) {
    if (extractor == NULL) return;
    arena_release(&extractor->arena);
    streamer_free(extractor);
}

static bool blank(const char *cursor, const char *end) {
    while (cursor < end && strchr(" \t\n\r", *cursor) != NULL && *cursor != '\0') cursor++;
    return cursor == end;
}

/* Runs yajl over the text: STREAMER_OK, STREAMER_MISSING, STREAMER_JSON_INVALID or STREAMER_JSON_TOO_DEEP. */
static enum streamer_status parse(struct streamer_extractor *extractor, size_t length) {
    yajl_alloc_funcs allocator = {arena_malloc, arena_realloc, arena_free, &extractor->arena};
    /* Never freed: all it holds is in the arena. */
    extractor->yajl = yajl_alloc(&callbacks, &allocator, extractor);

    yajl_status status = yajl_parse(extractor->yajl, (const unsigned char *)extractor->json, length);
    if (extractor->too_deep) return STREAMER_JSON_TOO_DEEP;
    if (status == yajl_status_client_canceled) {
        if (extractor->found == extractor->all && extractor->depth > 0) return STREAMER_OK;
        if (!blank(position(extractor), extractor->json + length)) return STREAMER_JSON_INVALID;
        return extractor->found != 0 ? STREAMER_OK : STREAMER_MISSING;
    }
    /* A number on its own is not complete before the text is. A container that is still open never will be. */
    if (status != yajl_status_ok || extractor->depth > 0) return STREAMER_JSON_INVALID;
    return yajl_complete_parse(extractor->yajl) == yajl_status_client_canceled ? STREAMER_MISSING
                                                                               : STREAMER_JSON_INVALID;
}

enum streamer_status streamer_extractor_read(struct streamer_extractor *extractor, const char *json, size_t length,
                                             struct streamer_value *values) {
    enum streamer_status status = STREAMER_JSON_TOO_LARGE;
    if (length <= extractor->max_size) status = arena_prepare(&extractor->arena, length, extractor->max_depth);
    memset(values, 0, extractor->count * sizeof *values);
    if (status == STREAMER_OK) {
        extractor->json = json;
        extractor->values = values;
        extractor->found = 0;
        extractor->too_deep = false;
        extractor->depth = 0;
        status = parse(extractor, length);
        if (extractor->arena.capacity > STREAMER_KEEP) arena_release(&extractor->arena);
    }
    for (size_t i = 0; i < extractor->count; i++) {
        /* A wanted container that was never closed, or values found before the text went wrong. */
        if (status != STREAMER_OK || values[i].kind == STREAMER_KIND_NONE) values[i] = (struct streamer_value){0};
    }
    return status;
}

enum streamer_status streamer_value_text(const struct streamer_value *value, struct streamer_buffer *buffer) {
    if (value->kind != STREAMER_KIND_STRING || !value->escaped) {
        return streamer_buffer_append(buffer, value->json, value->length);
    }
    enum streamer_status status = streamer_buffer_reserve(buffer, value->length);
    if (status != STREAMER_OK) return status;
    buffer->length += streamer_json_unescape(buffer->bytes + buffer->length, value->json, value->length);
    return STREAMER_OK;
}

size_t streamer_value_json(const struct streamer_value *value, char *out) {
    if (value->kind == STREAMER_KIND_CONTAINER) return streamer_json_compact(out, value->json, value->length);
    if (value->kind != STREAMER_KIND_STRING) {
        memcpy(out, value->json, value->length);
        return value->length;
    }
    size_t written = 0;
    out[written++] = '"';
    if (value->escaped) {
        written += streamer_json_respell(out + written, value->json, value->length);
    } else {
        memcpy(out + written, value->json, value->length);
        written += value->length;
    }
    out[written++] = '"';
    return written;
}

size_t streamer_extractor_count(const struct streamer_extractor *extractor) {
    return extractor->count;
}

size_t streamer_extractor_size(const struct streamer_extractor *extractor) {
    return extractor->heap + extractor->arena.capacity;
}
