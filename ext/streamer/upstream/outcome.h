/* How a transfer ended. One table, as core/status.h has; binding/errors.c gives each its exception. */
#pragma once

#include <curl/curl.h>

/* Words on a failure, with the NUL. */
enum { STREAMER_DETAIL_SIZE = CURL_ERROR_SIZE };

/*  code, message for people */
#define STREAMER_OUTCOME_MAP(X)                                                                                     \
    X(OPEN, "still going on")                                                                                       \
    X(COMPLETED, "completed")                                                                                       \
    X(CANCELLED, "cancelled")                                                                                       \
    X(RESOLVE_FAILED, "the host name does not resolve")                                                             \
    X(CONNECT_FAILED, "no connection could be made")                                                                \
    X(TLS_FAILED, "no trusted TLS connection could be made")                                                        \
    X(CLOSED, "the connection was closed or reset before the response was complete")                                \
    X(PROTOCOL_ERROR, "the response is not valid HTTP")                                                             \
    X(REQUEST_INVALID, "the request cannot be sent")                                                                \
    X(HEADERS_TOO_LARGE, "the response head is larger than allowed")                                                \
    X(FORBIDDEN_ADDRESS, "the guard refuses every address of the host (guard:)")                                    \
    X(QUEUE_TIMEOUT, "not sent within the queue timeout: as many requests as Streamer.limits allows are under way") \
    X(CONNECT_TIMEOUT, "no connection within the connect timeout")                                                  \
    X(FIRST_BYTE_TIMEOUT, "no byte of a response within the first_byte timeout")                                    \
    X(FIRST_EVENT_TIMEOUT, "no event within the first_event timeout")                                               \
    X(IDLE_TIMEOUT, "no byte within the idle timeout")                                                              \
    X(EVENT_IDLE_TIMEOUT, "no event within the event_idle timeout")                                                 \
    X(TOTAL_TIMEOUT, "not complete within the total timeout")                                                       \
    X(UPLOAD_FAILED, "the request body ended before its announced length")                                          \
    X(SINK_FAILED, "what the response was written to failed")                                                       \
    X(NO_MEMORY, "out of memory")

enum streamer_outcome {
#define X(code, message) STREAMER_OUTCOME_##code,
    STREAMER_OUTCOME_MAP(X)
#undef X
};

/* The code's own name, e.g. "IDLE_TIMEOUT". Never NULL. */
const char *streamer_outcome_name(enum streamer_outcome outcome);

/* Of what libcurl says of a connection that it could not make. */
enum streamer_outcome streamer_outcome_of_connecting(CURLcode code);

/* One clause for people, without a full stop. Never NULL. */
const char *streamer_outcome_message(enum streamer_outcome outcome);
