#include "combined.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../loop/fork.h"
#include "frames.h"

/* "2147483647-2147483647," */
enum { POSITION = 22 };

struct streamer_combined *streamer_combined_new(const int64_t *positions, int count) {
    struct streamer_combined *combined = calloc(1, sizeof *combined + (size_t)count * sizeof *combined->logs);
    if (combined == NULL) return NULL;
    pthread_mutex_init(&combined->lock, NULL);
    combined->count = combined->open = count;
    combined->references = 1;
    combined->generation = streamer_fork_generation();
    for (int i = 0; i < count; i++) combined->logs[i].position = positions[i];
    return combined;
}

void streamer_combined_retain(struct streamer_combined *combined) {
    atomic_fetch_add(&combined->references, 1);
}

void streamer_combined_release(struct streamer_combined *combined) {
    if (combined == NULL || atomic_fetch_sub(&combined->references, 1) != 1) return;
    pthread_mutex_destroy(&combined->lock);
    free(combined);
}

static char *write_position(char *out, int64_t position) {
    return out + sprintf(out, "%" PRId64 "-%" PRId64, position >> 32, position & INT64_C(0xffffffff));
}

/* The id line of a frame of the index-th log, at `position`. */
static char *write_id(char *out, const struct streamer_combined *combined, int index, int64_t position) {
    out += sprintf(out, "id: %d:", index);
    for (int i = 0; i < combined->count; i++) {
        if (i > 0) *out++ = ',';
        out = write_position(out, i == index ? position : combined->logs[i].position);
    }
    *out++ = '\n';
    return out;
}

/* As many frames as make a piece. */
static size_t piece_of(const char *frames, size_t length) {
    size_t piece = 0;
    while (piece < length && piece < STREAMER_COMBINED_PIECE)
        piece += streamer_frames_first(frames + piece, length - piece);
    return piece;
}

struct streamer_block *streamer_combined_copy(struct streamer_combined *combined, int index,
                                              enum streamer_block_kind kind, const char *frames, size_t *length) {
    size_t piece = piece_of(frames, *length), id = (size_t)combined->count * POSITION + 12;
    char *copy = malloc(piece + streamer_frames_count(frames, piece) * id + 1), *out = copy;
    if (copy == NULL) return NULL;

    pthread_mutex_lock(&combined->lock);
    int64_t position = combined->logs[index].position;
    for (size_t at = 0; at < piece;) {
        size_t frame = streamer_frames_first(frames + at, piece - at), lines = 0;
        size_t event = streamer_frames_event(frames + at, frame);
        if (!streamer_frames_position(frames + at, frame, &position, &lines)) lines = event;
        memcpy(out, frames + at, event);
        out = write_id(out + event, combined, index, position);
        memcpy(out, frames + at + lines, frame - lines);
        out += frame - lines;
        at += frame;
    }
    struct streamer_block *made = streamer_block_new(kind, copy, (size_t)(out - copy), 0, position, true);
    if (made != NULL) combined->logs[index].position = position;
    pthread_mutex_unlock(&combined->lock);
    free(copy);
    *length = piece;
    return made;
}

bool streamer_combined_leave(struct streamer_combined *combined, int index) {
    pthread_mutex_lock(&combined->lock);
    bool ends = !combined->logs[index].ended;
    combined->logs[index].ended = true;
    bool last = ends && --combined->open == 0;
    pthread_mutex_unlock(&combined->lock);
    return last;
}
