/* frames: a log's entries as they are stored and sent, one SSE frame each, concatenated.
 *
 * A frame's first line is `id: EPOCH-SEQUENCE`, an empty line ends it, and there is none within it: cutting needs no
 * decoder. A position is epoch << 32 | sequence.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint32_t streamer_frames_count(const char *frames, size_t length);

/* Bytes of the first frame, its empty line included; all of them when none ends. */
size_t streamer_frames_first(const char *frames, size_t length);

/* The position in a frame's first line, and the line's length with its LF; false when it has none. */
bool streamer_frames_position(const char *frame, size_t length, int64_t *position, size_t *line);

/* Where the first frame behind `after` begins; `length` when there is none. A frame without a position goes with the
 * one before it. */
size_t streamer_frames_behind(const char *frames, size_t length, int64_t after);
