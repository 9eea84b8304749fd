/* frames: a log's entries as they are stored and sent, one SSE frame each, concatenated.
 *
 * A frame's first line is `id: EPOCH-SEQUENCE`, or the second behind `event: NAME`; an empty line ends it, and there is
 * none within it: cutting needs no decoder. A position is epoch << 32 | sequence.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

uint32_t streamer_frames_count(const char *frames, size_t length);

/* Bytes of the first frame, its empty line included; all of them when none ends. */
size_t streamer_frames_first(const char *frames, size_t length);

/* Bytes of the line `event: NAME` that a frame begins with, with its LF; 0 when it begins with none. */
size_t streamer_frames_event(const char *frame, size_t length);

/* The position of a frame, and what its lines through the id's are long; false when it has none. */
bool streamer_frames_position(const char *frame, size_t length, int64_t *position, size_t *lines);

/* Where the first frame behind `after` begins; `length` when there is none. A frame without a position goes with the
 * one before it. */
size_t streamer_frames_behind(const char *frames, size_t length, int64_t after);
