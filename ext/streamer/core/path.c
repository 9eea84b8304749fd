#include "path.h"

#include <stdint.h>
#include <string.h>

#include "ceilings.h"

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

static bool parse_filter(const char *text, const char *end, struct streamer_filter *filter) {
    if (text < end && *text == '!') {
        *filter = (struct streamer_filter){.key = text + 1, .key_length = (size_t)(end - text - 1)};
        return filter->key_length > 0;
    }
    const char *equals = memchr(text, '=', (size_t)(end - text));
    if (equals == NULL) return false;
    *filter = (struct streamer_filter){text, (size_t)(equals - text), equals + 1, (size_t)(end - equals - 1)};
    return filter->key_length > 0;
}

static bool begins_equals(const char *at, const char *end) {
    return end - at > 1 && at[0] == '{' && at[1] == '=';
}

static bool ends_segment(const char *at, const char *end) {
    return at == end || *at == '.' || *at == '|';
}

static bool begins_filtered(const char *at, const char *end) {
    return end - at > 1 && at[0] == '*' && at[1] == '{' && !begins_equals(at + 1, end);
}

/* Reads "{=text}" where it is, which must end the alternative. False when it does not. */
static bool read_equals(const char **cursor, const char *end, struct streamer_segment *segment,
                        struct streamer_filter *filter) {
    if (!begins_equals(*cursor, end)) return true;
    const char *start = *cursor + 2, *brace = memchr(start, '}', (size_t)(end - start));
    if (brace == NULL || (brace + 1 < end && brace[1] != '|')) return false;
    *filter = (struct streamer_filter){.text = start, .text_length = (size_t)(brace - start)};
    segment->filter = filter;
    *cursor = brace + 1;
    return true;
}

/* Reads the segment at *cursor and moves *cursor to what ends it. Its filter, if it has one, is put into *filter. False
 * when there is none. */
static bool read_segment(const char **cursor, const char *end, struct streamer_segment *segment,
                         struct streamer_filter *filter) {
    const char *start = *cursor, *at = start;
    *segment = (struct streamer_segment){.length = SIZE_MAX, .index = SIZE_MAX};
    if (at < end && *at == '*' && (ends_segment(at + 1, end) || begins_equals(at + 1, end))) {
        *cursor = at + 1;
        return read_equals(cursor, end, segment, filter);
    }
    if (begins_filtered(at, end)) {
        const char *brace = memchr(at, '}', (size_t)(end - at));
        if (brace == NULL || !ends_segment(brace + 1, end)) return false;
        *cursor = brace + 1;
        segment->filter = filter;
        return parse_filter(at + 2, brace, filter);
    }
    while (!ends_segment(at, end) && !begins_equals(at, end)) at++;
    *cursor = at;
    segment->text = start;
    segment->length = (size_t)(at - start);
    segment->index = parse_index(start, segment->length);
    return segment->length > 0 && read_equals(cursor, end, segment, filter);
}

bool streamer_path_count(const char *text, size_t length, struct streamer_path_counts *counts) {
    const char *cursor = text, *end = text + length;
    for (;; cursor++) {
        bool starred = false;
        counts->alternatives++;
        for (size_t segments = 1;; cursor++, segments++) {
            struct streamer_segment segment;
            struct streamer_filter filter;
            if (!read_segment(&cursor, end, &segment, &filter) || segments > STREAMER_MAX_SEGMENTS) return false;
            counts->segments++;
            counts->filters += segment.filter != NULL;
            starred |= segment.length == SIZE_MAX;
            if (cursor == end || *cursor == '|') break;
        }
        counts->starred += starred;
        if (cursor == end) return true;
    }
}

void streamer_path_compile(const char *text, size_t length, struct streamer_path **paths,
                           struct streamer_segment **segments, struct streamer_filter **filters) {
    const char *cursor = text, *end = text + length;
    for (;; cursor++) {
        struct streamer_path *path = (*paths)++;
        *path = (struct streamer_path){.segments = *segments};
        for (;; cursor++) {
            struct streamer_segment *segment = (*segments)++;
            struct streamer_filter filter;
            read_segment(&cursor, end, segment, &filter);
            if (segment->filter != NULL) {
                **filters = filter;
                segment->filter = (*filters)++;
            }
            path->count++;
            if (segment->length == SIZE_MAX && path->first_star == 0) path->first_star = path->count;
            if (cursor == end || *cursor == '|') break;
        }
        if (cursor == end) return;
    }
}

const struct streamer_filter *streamer_path_value_filter(const struct streamer_path *path) {
    const struct streamer_filter *filter = path->segments[path->count - 1].filter;
    return filter != NULL && filter->key == NULL ? filter : NULL;
}

bool streamer_path_token(const struct streamer_path *path, const char **token, size_t *length) {
    const struct streamer_filter *filter = streamer_path_value_filter(path);
    if (filter != NULL) {
        *token = filter->text;
        *length = filter->text_length;
        return true;
    }
    for (size_t i = path->count; i > 0; i--) {
        const struct streamer_segment *segment = &path->segments[i - 1];
        if (segment->length == SIZE_MAX || segment->index != SIZE_MAX) continue;
        *token = segment->text;
        *length = segment->length;
        return true;
    }
    return false;
}
