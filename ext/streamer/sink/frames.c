#include "frames.h"

#include <string.h>

size_t streamer_frames_first(const char *frames, size_t length) {
    const char *end = frames + length;
    for (const char *at = frames; end - at > 1 && (at = memchr(at, '\n', (size_t)(end - at) - 1)) != NULL; at++) {
        if (at[1] == '\n') return (size_t)(at - frames) + 2;
    }
    return length;
}

uint32_t streamer_frames_count(const char *frames, size_t length) {
    uint32_t count = 0;
    for (size_t at = 0; at < length; count++) at += streamer_frames_first(frames + at, length - at);
    return count;
}

/* Decimal digits below 2^31; moves the cursor behind them. */
static bool read_number(const char **cursor, const char *end, int64_t *number) {
    const char *start = *cursor;
    *number = 0;
    while (*cursor < end && **cursor >= '0' && **cursor <= '9' && *number < (INT64_C(1) << 31)) {
        *number = *number * 10 + (**cursor - '0');
        (*cursor)++;
    }
    return *cursor > start && *number < (INT64_C(1) << 31);
}

size_t streamer_frames_event(const char *frame, size_t length) {
    if (length < 7 || memcmp(frame, "event: ", 7) != 0) return 0;
    const char *end = memchr(frame, '\n', length);
    return end == NULL ? 0 : (size_t)(end - frame) + 1;
}

bool streamer_frames_position(const char *frame, size_t length, int64_t *position, size_t *lines) {
    size_t event = streamer_frames_event(frame, length);
    const char *cursor = frame + event + 4, *end = frame + length;
    int64_t epoch, sequence;
    if (length < event + 8 || memcmp(frame + event, "id: ", 4) != 0 || !read_number(&cursor, end, &epoch)) return false;
    if (cursor == end || *cursor++ != '-' || !read_number(&cursor, end, &sequence)) return false;
    if (cursor == end || *cursor != '\n') return false;
    *position = (epoch << 32) | sequence;
    *lines = (size_t)(cursor - frame) + 1;
    return true;
}

size_t streamer_frames_behind(const char *frames, size_t length, int64_t after) {
    size_t at = 0, lines;
    int64_t position;
    while (at < length) {
        size_t frame = streamer_frames_first(frames + at, length - at);
        if (streamer_frames_position(frames + at, frame, &position, &lines) && position > after) return at;
        at += frame;
    }
    return length;
}
