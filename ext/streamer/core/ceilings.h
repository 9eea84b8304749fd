/* Every ceiling of the core, in one list. A buffer without a ceiling does not exist here. */
#pragma once

/* One line of an event stream. A model that returns an image puts megabytes on one line. */
#define STREAMER_MAX_LINE ((size_t)16 << 20)

/* The data of one event, all its lines together. */
#define STREAMER_MAX_EVENT ((size_t)64 << 20)

/* An event's name or an id: what a header or a log line can still carry. */
#define STREAMER_MAX_FIELD ((size_t)64 << 10)

/* Nesting of one event's JSON. Known APIs stay below 20. */
#define STREAMER_MAX_DEPTH 128

/* Paths looked for in one pass, the alternatives of them all, and segments in one alternative. */
#define STREAMER_MAX_PATHS 16
#define STREAMER_MAX_ALTERNATIVES 30
#define STREAMER_MAX_SEGMENTS 32

/* Types of events that mark a stream's end, and of those that have the values. */
#define STREAMER_MAX_MARKERS 8

/* A value that a pipeline keeps until somebody asks for it. */
#define STREAMER_MAX_KEPT ((size_t)1 << 20)

/* A buffer that grew beyond this for one large event gives the memory back after it. */
#define STREAMER_KEEP ((size_t)64 << 10)
