#include "extract.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdint.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "alloc.h"
#include "ceilings.h"
#include "json.h"

/* yajl's memory: one block, handed out from the bottom up and given back as a whole. What does not fit is asked of the
 * heap allocation by allocation: a string with escapes, or a token that the text's end cuts, of some kilobytes. yajl
 * (2.1.0) does not check what its allocator returns, so when the heap has nothing left the parse is left by longjmp:
 * all that yajl holds is in here. */
#define BLOCK ((size_t)16 << 10)

/* In front of what yajl gets. */
struct allocation {
    alignas(max_align_t) size_t size; /* so that realloc knows what to copy */
    struct allocation *next;          /* of those from the heap */
};

struct arena {
    alignas(max_align_t) char block[BLOCK];
    size_t used;
    struct allocation *heap;
    jmp_buf no_memory;
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
    size_t count;
    size_t max_depth;
    size_t max_size;
    size_t heap; /* bytes, all of it in one allocation */
    path_set all;
    struct path paths[];
};

/* One read. It calls nothing that could begin another, so a thread needs one, however many extractors it has: an idle
 * stream holds no memory of yajl's. */
struct reading {
    const struct streamer_extractor *extractor;
    yajl_handle yajl;
    const char *json;
    struct streamer_value *values;
    path_set found;
    bool too_deep;
    size_t depth; /* containers open */
    struct level levels[STREAMER_MAX_SEGMENTS + 2];
    struct arena arena;
};

static _Thread_local struct reading this_reading;

/* arena */

static void *arena_malloc(void *context, size_t size) {
    struct arena *arena = context;
    size_t taken =
        sizeof(struct allocation) + (size + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t);
    struct allocation *allocation;
    if (taken <= sizeof arena->block - arena->used) {
        allocation = (struct allocation *)(void *)(arena->block + arena->used);
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
    struct arena *arena = context;
    struct allocation **link = &arena->heap;
    while (*link != NULL && (void *)(*link + 1) != memory) link = &(*link)->next;
    if (*link == NULL) return; /* it is in the block */
    struct allocation *allocation = *link;
    *link = allocation->next;
    streamer_free(allocation);
}

static void *arena_realloc(void *context, void *memory, size_t size) {
    if (memory == NULL) return arena_malloc(context, size);
    size_t held = ((struct allocation *)memory - 1)->size;
    if (size <= held) return memory;
    void *copy = arena_malloc(context, size);
    memcpy(copy, memory, held);
    arena_free(context, memory);
    return copy;
}

static void arena_clear(struct arena *arena) {
    while (arena->heap != NULL) arena_free(arena, arena->heap + 1);
    arena->used = 0;
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

static const struct segment *segment_at(const struct reading *reading, int path, size_t depth) {
    return &reading->extractor->paths[path].segments[depth - 1];
}

static int lowest(path_set set) {
    return __builtin_ctz(set);
}

/* The innermost open container, when a path goes on in it; NULL otherwise. */
static struct level *active_level(struct reading *reading) {
    if (reading->depth == 0 || reading->depth > STREAMER_MAX_SEGMENTS) return NULL;
    struct level *level = &reading->levels[reading->depth];
    return level->active | level->matched ? level : NULL;
}

/* The paths that the value beginning now belongs to. A segment met is not looked for again: the first occurrence
 * counts. */
static path_set match_value(struct reading *reading) {
    struct level *level = active_level(reading);
    if (level == NULL) return 0;
    path_set matched = level->matched;
    level->matched = 0;
    if (!level->array) return matched;

    for (path_set rest = level->active; rest != 0; rest &= rest - 1) {
        if (segment_at(reading, lowest(rest), reading->depth)->index == level->index) matched |= rest & -rest;
    }
    level->index++;
    level->active &= ~matched;
    return matched;
}

/* Of a set, the paths that end at this depth. */
static path_set ending(const struct reading *reading, path_set set) {
    path_set ends = 0;
    for (path_set rest = set; rest != 0; rest &= rest - 1) {
        if (reading->extractor->paths[lowest(rest)].count == reading->depth) ends |= rest & -rest;
    }
    return ends;
}

/* Records a value. False, which stops yajl, when it was the last one wanted. */
static int found(struct reading *reading, path_set set, struct streamer_value value) {
    for (path_set rest = set; rest != 0; rest &= rest - 1) reading->values[lowest(rest)] = value;
    reading->found |= set;
    return reading->found != reading->extractor->all;
}

/* Where yajl is in the text: behind the token that it is calling about. */
static const char *position(const struct reading *reading) {
    return reading->json + yajl_get_bytes_consumed(reading->yajl);
}

/* yajl's callbacks. 0 stops it: when all is found, when the text is too deep, and at the end of the outermost value,
 * since what it makes of the rest is not to be trusted (it takes an unfinished string there for nothing). */

static int scalar(struct reading *reading, enum streamer_kind kind, size_t length) {
    path_set set = ending(reading, match_value(reading));
    if (set == 0) return reading->depth > 0;
    return found(reading, set, (struct streamer_value){kind, position(reading) - length, length, false});
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
    struct reading *reading = context;
    path_set set = ending(reading, match_value(reading));
    if (set == 0) return reading->depth > 0;

    /* Without escapes yajl hands out the text itself; with them, a decoded copy that lies elsewhere. */
    const char *quote = position(reading) - 1;
    const char *start = quote - length;
    bool escaped = start != (const char *)text;
    if (escaped) {
        /* A quote within is behind an odd number of backslashes, the opening one behind none. */
        start = quote;
        while (start[-1] != '"' || start[-2] == '\\') start--;
    }
    return found(reading, set, (struct streamer_value){STREAMER_KIND_STRING, start, (size_t)(quote - start), escaped});
}

static int on_key(void *context, const unsigned char *text, size_t length) {
    struct reading *reading = context;
    struct level *level = active_level(reading);
    if (level == NULL) return 1;
    for (path_set rest = level->active; rest != 0; rest &= rest - 1) {
        const struct segment *segment = segment_at(reading, lowest(rest), reading->depth);
        if (segment->length == length && memcmp(segment->text, text, length) == 0) level->matched |= rest & -rest;
    }
    level->active &= ~level->matched;
    return 1;
}

static int open_container(struct reading *reading, bool array) {
    path_set inside = reading->extractor->all, wanted = 0;
    if (reading->depth > 0) {
        inside = match_value(reading);
        wanted = ending(reading, inside);
        inside &= ~wanted;
    }
    if (reading->depth == reading->extractor->max_depth) {
        reading->too_deep = true;
        return 0;
    }
    reading->depth++;
    if (reading->depth <= STREAMER_MAX_SEGMENTS + 1) {
        reading->levels[reading->depth] = (struct level){.active = inside, .wanted = wanted, .array = array};
    }
    /* The length is filled in at its end. */
    for (path_set rest = wanted; rest != 0; rest &= rest - 1) {
        reading->values[lowest(rest)].json = position(reading) - 1;
    }
    return 1;
}

static int close_container(struct reading *reading) {
    size_t depth = reading->depth--;
    path_set wanted = depth <= STREAMER_MAX_SEGMENTS + 1 ? reading->levels[depth].wanted : 0;
    if (wanted == 0) return reading->depth > 0;
    const char *start = reading->values[lowest(wanted)].json;
    size_t length = (size_t)(position(reading) - start);
    return found(reading, wanted, (struct streamer_value){STREAMER_KIND_CONTAINER, start, length, false});
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

/* public functions */

enum streamer_status streamer_extractor_new(struct streamer_extractor **extractor, const char *const *paths,
                                            const size_t *lengths, size_t count, size_t max_depth, size_t max_size) {
    if (count > STREAMER_MAX_PATHS) return STREAMER_PATH_INVALID;
    size_t segments = 0, text = 0;
    for (size_t i = 0; i < count; i++) {
        if (!path_valid(paths[i], lengths[i])) return STREAMER_PATH_INVALID;
        segments += count_segments(paths[i], lengths[i]);
        text += lengths[i];
    }
    /* One allocation: the extractor with its paths, then the segments of all paths, then their text. */
    size_t heap = sizeof **extractor + count * sizeof(struct path) + segments * sizeof(struct segment) + text;
    struct streamer_extractor *created = streamer_malloc(heap);
    if (created == NULL) return STREAMER_NO_MEMORY;
    *created = (struct streamer_extractor){.count = count, .heap = heap};
    created->max_depth = max_depth > 0 ? max_depth : STREAMER_MAX_DEPTH;
    created->max_size = max_size > 0 ? max_size : STREAMER_MAX_EVENT;
    created->all = ((path_set)1 << count) - 1;

    struct segment *next_segment = (struct segment *)(created->paths + count);
    char *next_text = (char *)(next_segment + segments);
    for (size_t i = 0; i < count; i++) {
        created->paths[i] = (struct path){.segments = next_segment};
        memcpy(next_text, paths[i], lengths[i]);
        split(&created->paths[i], next_text, lengths[i]);
        next_segment += created->paths[i].count;
        next_text += lengths[i];
    }
    *extractor = created;
    return STREAMER_OK;
}

void streamer_extractor_free(struct streamer_extractor *extractor) {
    streamer_free(extractor);
}

static bool blank(const char *cursor, const char *end) {
    while (cursor < end && strchr(" \t\n\r", *cursor) != NULL && *cursor != '\0') cursor++;
    return cursor == end;
}

/* Runs yajl over the text: STREAMER_OK, STREAMER_MISSING, STREAMER_JSON_INVALID, STREAMER_JSON_TOO_DEEP or
 * STREAMER_NO_MEMORY. */
static enum streamer_status parse(struct reading *reading, size_t length) {
    if (setjmp(reading->arena.no_memory) != 0) return STREAMER_NO_MEMORY;
    yajl_alloc_funcs allocator = {arena_malloc, arena_realloc, arena_free, &reading->arena};
    /* Never freed: all it holds is in the arena. */
    reading->yajl = yajl_alloc(&callbacks, &allocator, reading);

    yajl_status status = yajl_parse(reading->yajl, (const unsigned char *)reading->json, length);
    if (reading->too_deep) return STREAMER_JSON_TOO_DEEP;
    if (status == yajl_status_client_canceled) {
        if (reading->found == reading->extractor->all && reading->depth > 0) return STREAMER_OK;
        if (!blank(position(reading), reading->json + length)) return STREAMER_JSON_INVALID;
        return reading->found != 0 ? STREAMER_OK : STREAMER_MISSING;
    }
    /* A number on its own is not complete before the text is. A container that is still open never will be. */
    if (status != yajl_status_ok || reading->depth > 0) return STREAMER_JSON_INVALID;
    return yajl_complete_parse(reading->yajl) == yajl_status_client_canceled ? STREAMER_MISSING : STREAMER_JSON_INVALID;
}

enum streamer_status streamer_extractor_read(struct streamer_extractor *extractor, const char *json, size_t length,
                                             struct streamer_value *values) {
    memset(values, 0, extractor->count * sizeof *values);
    if (length > extractor->max_size) return STREAMER_JSON_TOO_LARGE;
    struct reading *reading = &this_reading;
    reading->extractor = extractor;
    reading->json = json;
    reading->values = values;
    reading->found = 0;
    reading->too_deep = false;
    reading->depth = 0;
    enum streamer_status status = parse(reading, length);
    arena_clear(&reading->arena);
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
        written += streamer_json_normalize(out + written, value->json, value->length);
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
    return extractor->heap;
}
