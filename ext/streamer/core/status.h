/* What every function of the core and of the upstream says about its outcome.
 *
 * One table, so that the codes, their names (for test failures) and their messages (for people)
 * cannot drift apart. The binding turns a code into a Ruby exception in one place, binding/errors.c.
 */
#pragma once

/*  code, message for people */
#define STREAMER_STATUS_MAP(X)                                                                            \
    X(OK, "done")                                                                                         \
    X(MORE, "all input was read; more is needed")                                                         \
    X(EVENT, "an event is ready")                                                                         \
    X(FULL, "the output has no room for the next frame")                                                  \
    X(MISSING, "no wanted value in this event")                                                           \
    X(NO_MEMORY, "out of memory")                                                                         \
    X(LINE_TOO_LONG, "a line of the event stream is longer than max_line")                                \
    X(EVENT_TOO_LARGE, "an event is larger than max_event")                                               \
    X(JSON_INVALID, "the event's data is not valid JSON")                                                 \
    X(TRUNCATED, "the response ended cleanly but was incomplete")                                         \
    X(UPSTREAM_ERROR, "the upstream reported an error")                                                   \
    X(UNWANTED, "the response is one JSON document without any of the wanted values")                     \
    X(JSON_TOO_DEEP, "the event's JSON is nested deeper than allowed")                                    \
    X(JSON_TOO_LARGE, "the event's JSON is larger than allowed")                                          \
    X(PATH_INVALID, "a JSON path is malformed or too long, or there are too many of them")                \
    X(FIELD_INVALID,                                                                                      \
      "an event name, id or marker is too long or contains CR, LF or NUL, or there are too many of them") \
    X(NOT_HTTP, "what came is not an HTTP response")                                                      \
    X(HEADER_INVALID, "a header field of the response breaks HTTP's grammar")                             \
    X(HEADERS_TOO_LARGE, "the head of the response is larger than allowed")                               \
    X(FRAMING_INVALID, "the response's Content-Length or Transfer-Encoding is invalid")                   \
    X(SWITCHED_PROTOCOLS, "the upstream switched protocols unasked")                                      \
    X(CHUNK_INVALID, "the framing of the response's chunks is invalid")                                   \
    X(CHUNK_LINE_TOO_LONG, "the extensions of a chunk are longer than allowed")                           \
    X(TRAILERS_TOO_LARGE, "the trailers of the response are larger than allowed")                         \
    X(INCOMPLETE, "the connection closed before the response was complete")                               \
    X(REQUEST_INVALID, "a part of the request contains what HTTP cannot carry there")

enum streamer_status {
#define X(code, message) STREAMER_##code,
    STREAMER_STATUS_MAP(X)
#undef X
};

/* The code's own name, e.g. "LINE_TOO_LONG". Never NULL. */
const char *streamer_status_name(enum streamer_status status);

/* One clause for people, without a full stop. Never NULL. */
const char *streamer_status_message(enum streamer_status status);
