#include "extract.h"

#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "alloc.h"
#include "arena.h"
#include "ceilings.h"
#include "list.h"
#include "path.h"

/* A set of alternatives, a bit for each. */
typedef uint32_t path_set;
_Static_assert(STREAMER_MAX_ALTERNATIVES < 32, "a path_set has a bit for each alternative");

/* What is looked for: one alternative of a path. */
struct target {
    struct streamer_path path;
    struct streamer_list *list; /* of a path with "*"; NULL: a single value */
    bool alternative;           /* its path has others */
    uint8_t value;              /* the number of its path */
    path_set settled;           /* once it has a value: itself, and those behind it that then do not matter */
};

/* One open object or array on the way to a wanted value. */
struct level {
    path_set active;   /* those that go on in here and whose next segment was not met yet */
    path_set matched;  /* an object's: those that the last key belongs to */
    path_set wanted;   /* those that end with this very container */
    path_set elements; /* those for which it is an array of elements, or an element: see struct elements */
    size_t index;      /* an array's: of the next element */
    bool array;
};

/* What paths with "*" know of a level; of most levels nothing. */
struct elements {
    path_set starred;  /* an array's: those that go on with every element */
    path_set filtered; /* those that take this container, an element, only if their filter lets it pass */
    path_set passed;   /* and of these, those whose filter does so */
    path_set unmet;    /* those whose filter's key was not met yet */
    path_set judging;  /* those whose filter's key is the last key */
    struct streamer_list_mark marks[STREAMER_MAX_ALTERNATIVES]; /* of those that are filtered, in front of it */
};

struct streamer_extractor {
    size_t count;
    size_t max_depth;
    size_t max_size;
    size_t heap; /* bytes, all of it in one block */
    struct streamer_list *lists;
    size_t list_count;
    path_set all;     /* targets */
    path_set special; /* those of which not everything is a value, or that have a list */
    path_set starred; /* those that have a list */
    bool something;
    size_t target_count;
    struct target targets[];
};

/* One read. It calls nothing that could begin another, so a thread needs one, however many extractors it has: an idle
 * stream holds no memory of yajl's. */
struct reading {
    const struct streamer_extractor *extractor;
    const struct target *targets; /* the extractor's, as are the next two */
    path_set all, starred;
    yajl_handle yajl;
    const char *json;
    struct streamer_value *values; /* of the targets */
    path_set settled;
    enum streamer_status failure; /* why yajl was stopped; STREAMER_OK: it was not, or all is found */
    const void *text;             /* the characters of the String that was met last */
    size_t text_length;
    size_t depth;                                   /* containers open */
    struct level levels[STREAMER_MAX_SEGMENTS + 2]; /* by depth; around the outermost value nothing matters */
    struct elements elements[STREAMER_MAX_SEGMENTS + 2];
    struct streamer_value own_values[STREAMER_MAX_ALTERNATIVES];
    struct streamer_arena arena;
};

static _Thread_local struct reading this_reading;

static int lowest(path_set set) {
    return __builtin_ctz(set);
}

/* matching */

static const struct target *target_at(const struct reading *reading, path_set set) {
    return &reading->targets[lowest(set)];
}

/* The segment that leads from the container at this depth, the outermost being 1, to what is in it. */
static const struct streamer_segment *segment_at(const struct reading *reading, path_set set, size_t depth) {
    return &target_at(reading, set)->path.segments[depth - 1];
}

/* The innermost open container, when something in it matters; NULL otherwise. */
static struct level *active_level(struct reading *reading) {
    if (reading->depth > STREAMER_MAX_SEGMENTS + 1) return NULL;
    struct level *level = &reading->levels[reading->depth];
    return level->active | level->matched | level->elements ? level : NULL;
}

/* A value of any kind, before it is matched. Where it is that of a filter's key: whether it lets the element pass.
 * `text` is a string's. */
static void judge(struct reading *reading, enum streamer_kind kind, const void *text, size_t length) {
    const struct level *level = active_level(reading);
    if (level == NULL || level->elements == 0) return;
    struct elements *elements = &reading->elements[reading->depth];
    for (path_set rest = elements->judging; rest != 0; rest &= rest - 1) {
        const struct streamer_filter *filter = segment_at(reading, rest, reading->depth - 1)->filter;
        bool passes = filter->text == NULL ? kind == STREAMER_KIND_NULL || kind == STREAMER_KIND_FALSE
                                           : kind == STREAMER_KIND_STRING && length == filter->text_length &&
                                                 memcmp(text, filter->text, length) == 0;
        if (passes) {
            elements->passed |= rest & -rest;
        } else {
            elements->passed &= ~(rest & -rest);
        }
    }
    elements->judging = 0;
}

/* The targets that the value beginning now belongs to. A segment met is not looked for again: the first occurrence
 * counts. */
static path_set match_value(struct reading *reading) {
    struct level *level = active_level(reading);
    if (level == NULL) return 0;
    path_set matched = level->matched;
    level->matched = 0;
    if (!level->array) return matched;

    for (path_set rest = level->active; rest != 0; rest &= rest - 1) {
        if (segment_at(reading, rest, reading->depth)->index == level->index) matched |= rest & -rest;
    }
    level->index++;
    level->active &= ~matched;
    return level->elements == 0 ? matched : matched | reading->elements[reading->depth].starred;
}

/* Of a set, those that end at this depth. */
static path_set ending(const struct reading *reading, path_set set) {
    path_set ends = 0;
    for (path_set rest = set; rest != 0; rest &= rest - 1) {
        if (target_at(reading, rest)->path.count == reading->depth) ends |= rest & -rest;
    }
    return ends;
}

/* Of a set that matches an element of the array at this depth, those that have a filter for it. */
static path_set filtering(const struct reading *reading, path_set set, size_t depth) {
    path_set filters = 0;
    for (path_set rest = set & reading->starred; rest != 0; rest &= rest - 1) {
        const struct streamer_filter *filter = segment_at(reading, rest, depth)->filter;
        if (filter != NULL && filter->key != NULL) filters |= rest & -rest;
    }
    return filters;
}

/* Of these filters, those that let an element pass in which their key does not occur. */
static path_set passing(const struct reading *reading, path_set filters, size_t depth) {
    path_set passed = 0;
    for (path_set rest = filters; rest != 0; rest &= rest - 1) {
        if (segment_at(reading, rest, depth)->filter->text == NULL) passed |= rest & -rest;
    }
    return passed;
}

/* values found; 0, which stops yajl, when the last one that matters is there, or there is no memory */

static bool is_complete(const struct reading *reading) {
    return reading->settled == reading->all;
}

static bool is_something(const struct streamer_value *value) {
    if (value->kind == STREAMER_KIND_STRING) return value->length > 0;
    return value->kind != STREAMER_KIND_NULL && value->kind != STREAMER_KIND_FALSE;
}

/* Whether it counts as a value of the target. */
static bool counts(const struct reading *reading, const struct target *target, const struct streamer_value *value) {
    const struct streamer_filter *filter = streamer_path_value_filter(&target->path);
    if (filter != NULL) {
        return value->kind == STREAMER_KIND_STRING && reading->text_length == filter->text_length &&
               memcmp(reading->text, filter->text, filter->text_length) == 0;
    }
    if (reading->extractor->something) return is_something(value);
    if (target->list != NULL || !target->alternative) return true;
    return value->kind != STREAMER_KIND_NULL && value->kind != STREAMER_KIND_CONTAINER;
}

static int found_special(struct reading *reading, path_set set, struct streamer_value value) {
    for (path_set rest = set; rest != 0; rest &= rest - 1) {
        const struct target *target = target_at(reading, rest);
        bool is_value = counts(reading, target, &value);
        if (target->list != NULL) {
            if (is_value) reading->failure = streamer_list_append(target->list, &value);
            if (reading->failure != STREAMER_OK) return 0;
        } else if (is_value) {
            reading->values[lowest(rest)] = value;
            reading->settled |= target->settled;
        } else {
            reading->values[lowest(rest)] = (struct streamer_value){0};
        }
    }
    return !is_complete(reading);
}

static int found(struct reading *reading, path_set set, struct streamer_value value) {
    if (set & reading->extractor->special) return found_special(reading, set, value);
    for (path_set rest = set; rest != 0; rest &= rest - 1) reading->values[lowest(rest)] = value;
    reading->settled |= set;
    return !is_complete(reading);
}

/* Where yajl is in the text: behind the token that it is calling about. */
static const char *position(const struct reading *reading) {
    return reading->json + yajl_get_bytes_consumed(reading->yajl);
}

/* yajl's callbacks. 0 stops it: when all is found, when the text is too deep, and at the end of the outermost value,
 * since what it makes of the rest is not to be trusted (it takes an unfinished string there for nothing). */

/* Of what matches a value that is neither object nor array, what ends with it. */
static path_set ending_scalar(struct reading *reading, path_set matched) {
    path_set set = ending(reading, matched);
    if ((set & reading->starred) == 0) return set;
    path_set filters = filtering(reading, set, reading->depth);
    return set & ~(filters & ~passing(reading, filters, reading->depth));
}

static int scalar(struct reading *reading, enum streamer_kind kind, size_t length) {
    if (reading->starred != 0) judge(reading, kind, NULL, 0);
    path_set set = match_value(reading);
    if (set != 0) set = ending_scalar(reading, set);
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
    if (reading->starred != 0) judge(reading, STREAMER_KIND_STRING, text, length);
    path_set set = match_value(reading);
    if (set != 0) set = ending_scalar(reading, set);
    if (set == 0) return reading->depth > 0;

    reading->text = text;
    reading->text_length = length;
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

static bool same(const char *bytes, size_t bytes_length, const unsigned char *text, size_t length) {
    return bytes_length == length && memcmp(bytes, text, length) == 0;
}

static void meet_filters(struct reading *reading, const unsigned char *key, size_t length) {
    struct elements *elements = &reading->elements[reading->depth];
    for (path_set rest = elements->unmet; rest != 0; rest &= rest - 1) {
        const struct streamer_filter *filter = segment_at(reading, rest, reading->depth - 1)->filter;
        if (same(filter->key, filter->key_length, key, length)) elements->judging |= rest & -rest;
    }
    elements->unmet &= ~elements->judging;
}

static int on_key(void *context, const unsigned char *text, size_t length) {
    struct reading *reading = context;
    struct level *level = active_level(reading);
    if (level == NULL) return 1;
    for (path_set rest = level->active; rest != 0; rest &= rest - 1) {
        const struct streamer_segment *segment = segment_at(reading, rest, reading->depth);
        if (same(segment->text, segment->length, text, length)) level->matched |= rest & -rest;
    }
    level->active &= ~level->matched;
    if (level->elements != 0) meet_filters(reading, text, length);
    return 1;
}

/* A container on the way of a path with "*": the array itself, or an element that a filter may reject. */
static void open_starred(struct reading *reading, struct level *level, path_set filters) {
    size_t depth = reading->depth;
    struct elements *elements = &reading->elements[depth];
    path_set starred = 0;
    for (path_set rest = level->array ? level->active & reading->starred : 0; rest != 0; rest &= rest - 1) {
        if (segment_at(reading, rest, depth)->length == SIZE_MAX) starred |= rest & -rest;
    }
    level->active &= ~starred;
    level->elements = starred | filters;
    elements->starred = starred;
    elements->filtered = filters;
    elements->passed = passing(reading, filters, depth - 1);
    elements->unmet = level->array ? 0 : filters;
    elements->judging = 0;
    for (path_set rest = filters; rest != 0; rest &= rest - 1) {
        elements->marks[lowest(rest)] = streamer_list_mark(target_at(reading, rest)->list);
    }
}

static int open_container(struct reading *reading, bool array) {
    path_set inside = reading->all, wanted = 0, filters = 0;
    if (reading->depth > 0) {
        if (reading->starred != 0) judge(reading, STREAMER_KIND_CONTAINER, NULL, 0);
        inside = match_value(reading);
        wanted = ending(reading, inside);
        if (inside & reading->starred) filters = filtering(reading, inside, reading->depth);
        inside &= ~wanted;
    }
    if (reading->depth == reading->extractor->max_depth) {
        reading->failure = STREAMER_JSON_TOO_DEEP;
        return 0;
    }
    reading->depth++;
    if (reading->depth <= STREAMER_MAX_SEGMENTS + 1) {
        struct level *level = &reading->levels[reading->depth];
        *level = (struct level){.active = inside, .wanted = wanted, .array = array};
        if ((inside | filters) & reading->starred) open_starred(reading, level, filters);
    }
    /* The length is filled in at its end. */
    for (path_set rest = wanted; rest != 0; rest &= rest - 1) {
        reading->values[lowest(rest)].json = position(reading) - 1;
    }
    return 1;
}

/* What a filter has rejected is forgotten; a list is complete with the outermost array that it is from. */
static void close_starred(struct reading *reading, size_t depth) {
    const struct elements *elements = &reading->elements[depth];
    for (path_set rest = elements->filtered & ~elements->passed; rest != 0; rest &= rest - 1) {
        streamer_list_cut(target_at(reading, rest)->list, elements->marks[lowest(rest)]);
    }
    for (path_set rest = elements->starred; rest != 0; rest &= rest - 1) {
        const struct target *target = target_at(reading, rest);
        if (target->path.first_star == depth && target->list->count > 0) reading->settled |= target->settled;
    }
}

static int close_container(struct reading *reading) {
    size_t depth = reading->depth--;
    if (depth > STREAMER_MAX_SEGMENTS + 1) return 1;
    const struct level *level = &reading->levels[depth];
    int more = 1;
    if (level->wanted != 0) {
        const char *start = reading->values[lowest(level->wanted)].json;
        size_t length = (size_t)(position(reading) - start);
        more = found(reading, level->wanted, (struct streamer_value){STREAMER_KIND_CONTAINER, start, length, false});
    }
    if (level->elements != 0) {
        close_starred(reading, depth);
        more = more && !is_complete(reading);
    }
    return more && reading->depth > 0;
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

/* compiling */

/* Where each part of the extractor's block begins. */
struct parts {
    struct streamer_list *lists;
    struct streamer_segment *segments;
    struct streamer_filter *filters;
    char *texts;
};

static void compile_path(struct streamer_extractor *extractor, struct parts *parts, const char *text, size_t length,
                         size_t value, bool joined) {
    struct streamer_path alternatives[STREAMER_MAX_ALTERNATIVES], *end = alternatives;
    streamer_path_compile(text, length, &end, &parts->segments, &parts->filters);
    size_t first = extractor->target_count, number = (size_t)(end - alternatives);
    extractor->target_count += number;
    path_set settled = 0;
    for (size_t n = number; n-- > 0;) {
        path_set own = (path_set)1 << (first + n);
        settled |= own;
        struct target *target = &extractor->targets[first + n];
        *target = (struct target){.path = alternatives[n], .alternative = number > 1, .value = (uint8_t)value};
        target->settled = n == 0 ? settled : own;
        if (target->path.first_star > 0) {
            target->list = &parts->lists[extractor->list_count++];
            streamer_list_init(target->list, joined, extractor->max_size);
            extractor->starred |= own;
        }
        bool anything = streamer_path_value_filter(&target->path) == NULL && !extractor->something;
        if (target->alternative || target->list != NULL || !anything) extractor->special |= own;
    }
}

static void compile(struct streamer_extractor *extractor, const struct streamer_extractor_options *options,
                    struct parts parts) {
    for (size_t i = 0; i < options->count; i++) {
        memcpy(parts.texts, options->paths[i], options->lengths[i]);
        compile_path(extractor, &parts, parts.texts, options->lengths[i], i, i < options->joined);
        parts.texts += options->lengths[i];
    }
    extractor->all = ((path_set)1 << extractor->target_count) - 1;
}

enum streamer_status streamer_extractor_new(struct streamer_extractor **extractor,
                                            const struct streamer_extractor_options *options) {
    if (options->count > STREAMER_MAX_PATHS) return STREAMER_PATH_INVALID;
    struct streamer_path_counts counts = {0};
    size_t text = 0;
    for (size_t i = 0; i < options->count; i++) {
        if (!streamer_path_count(options->paths[i], options->lengths[i], &counts)) return STREAMER_PATH_INVALID;
        text += options->lengths[i];
    }
    if (counts.alternatives > STREAMER_MAX_ALTERNATIVES) return STREAMER_PATH_INVALID;
    size_t heap = sizeof **extractor + counts.alternatives * sizeof(struct target) +
                  counts.starred * sizeof(struct streamer_list) + counts.segments * sizeof(struct streamer_segment) +
                  counts.filters * sizeof(struct streamer_filter) + text;
    struct streamer_extractor *created = streamer_malloc(heap);
    if (created == NULL) return STREAMER_NO_MEMORY;
    *created = (struct streamer_extractor){
        .count = options->count,
        .something = options->something,
        .max_depth = options->max_depth > 0 ? options->max_depth : STREAMER_MAX_DEPTH,
        .max_size = options->max_size > 0 ? options->max_size : STREAMER_MAX_EVENT,
        .heap = heap,
    };
    struct parts parts = {.lists = (struct streamer_list *)(created->targets + counts.alternatives)};
    parts.segments = (struct streamer_segment *)(parts.lists + counts.starred);
    parts.filters = (struct streamer_filter *)(parts.segments + counts.segments);
    created->lists = parts.lists;
    parts.texts = (char *)(parts.filters + counts.filters);
    compile(created, options, parts);
    *extractor = created;
    return STREAMER_OK;
}

void streamer_extractor_free(struct streamer_extractor *extractor) {
    if (extractor == NULL) return;
    for (size_t i = 0; i < extractor->list_count; i++) streamer_list_release(&extractor->lists[i]);
    streamer_free(extractor);
}

/* reading */

static bool blank(const char *cursor, const char *end) {
    while (cursor < end && strchr(" \t\n\r", *cursor) != NULL && *cursor != '\0') cursor++;
    return cursor == end;
}

/* Runs yajl over the text: STREAMER_OK, STREAMER_JSON_INVALID, STREAMER_JSON_TOO_DEEP or STREAMER_NO_MEMORY. */
static enum streamer_status parse(struct reading *reading, size_t length) {
    if (setjmp(reading->arena.no_memory) != 0) return STREAMER_NO_MEMORY;
    yajl_alloc_funcs allocator = streamer_arena_functions(&reading->arena);
    /* Never freed: all it holds is in the arena. */
    reading->yajl = yajl_alloc(&callbacks, &allocator, reading);

    yajl_status status = yajl_parse(reading->yajl, (const unsigned char *)reading->json, length);
    if (reading->failure != STREAMER_OK) return reading->failure;
    if (status == yajl_status_client_canceled) {
        if (is_complete(reading) && reading->depth > 0) return STREAMER_OK;
        return blank(position(reading), reading->json + length) ? STREAMER_OK : STREAMER_JSON_INVALID;
    }
    /* A number on its own is not complete before the text is. A container that is still open never will be. */
    if (status != yajl_status_ok || reading->depth > 0) return STREAMER_JSON_INVALID;
    return yajl_complete_parse(reading->yajl) == yajl_status_client_canceled ? STREAMER_OK : STREAMER_JSON_INVALID;
}

/* A target's value; one that was begun and never ended does not count. */
static struct streamer_value value_of(const struct reading *reading, size_t n) {
    struct streamer_list *list = reading->extractor->targets[n].list;
    if (list != NULL) return streamer_list_value(list);
    struct streamer_value value = reading->values[n];
    return value.kind == STREAMER_KIND_NONE ? (struct streamer_value){0} : value;
}

/* Of each path, the first alternative that has a value. Whether any path has one. */
static bool choose(const struct reading *reading, struct streamer_value *values) {
    const struct streamer_extractor *extractor = reading->extractor;
    bool any = false;
    for (size_t n = 0; n < extractor->target_count; n++) {
        struct streamer_value *value = &values[extractor->targets[n].value];
        if (value->kind == STREAMER_KIND_NONE) *value = value_of(reading, n);
        any |= value->kind != STREAMER_KIND_NONE;
    }
    return any;
}

enum streamer_status streamer_extractor_read(struct streamer_extractor *extractor, const char *json, size_t length,
                                             struct streamer_value *values) {
    memset(values, 0, extractor->count * sizeof *values);
    if (length > extractor->max_size) return STREAMER_JSON_TOO_LARGE;
    struct reading *reading = &this_reading;
    reading->extractor = extractor;
    reading->targets = extractor->targets;
    reading->all = extractor->all;
    reading->starred = extractor->starred;
    reading->json = json;
    reading->values = reading->own_values;
    memset(reading->own_values, 0, extractor->target_count * sizeof *reading->own_values);
    reading->settled = 0;
    reading->failure = STREAMER_OK;
    reading->depth = 0;
    for (size_t i = 0; i < extractor->list_count; i++) streamer_list_clear(&extractor->lists[i]);
    enum streamer_status status = parse(reading, length);
    streamer_arena_clear(&reading->arena);
    if (status != STREAMER_OK) return status;
    return choose(reading, values) ? STREAMER_OK : STREAMER_MISSING;
}

bool streamer_extractor_token(const struct streamer_extractor *extractor, size_t n, const char **token,
                              size_t *length) {
    if (n >= extractor->target_count) return false;
    if (!streamer_path_token(&extractor->targets[n].path, token, length)) *length = 0;
    return true;
}

size_t streamer_extractor_count(const struct streamer_extractor *extractor) {
    return extractor->count;
}

size_t streamer_extractor_size(const struct streamer_extractor *extractor) {
    size_t size = extractor->heap;
    for (size_t i = 0; i < extractor->list_count; i++) size += extractor->lists[i].text.capacity;
    return size;
}
