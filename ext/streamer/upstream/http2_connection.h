/* http2_connection: an HTTP/2 connection's frames (http2.h) between its socket and its streams. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "connection.h"
#include "stream.h"

struct streamer_pool;

/* Once for each pool. */
void streamer_http2_connection_init(struct streamer_pool *pool);

/* The connection is open. False when out of memory. */
bool streamer_http2_connection_open(struct streamer_connection *connection);

/* `length` bytes in the pool's `read` were read from it. */
void streamer_http2_connection_received(struct streamer_connection *connection, size_t length);

/* Whether it takes another stream, and, where it has none, is silent. */
bool streamer_http2_connection_is_usable(const struct streamer_connection *connection);

/* Sends the stream's request. */
void streamer_http2_connection_request(struct streamer_connection *connection, struct streamer_stream *stream);

/* What streamer_stream_resume, _upload and _cancel come to. */
void streamer_http2_connection_resume(struct streamer_stream *stream);
void streamer_http2_connection_upload(struct streamer_stream *stream);
void streamer_http2_connection_cancel(struct streamer_stream *stream);

/* It is too old for new streams: closed where it is idle. Else the pool does so when it has its last stream behind it.
 */
void streamer_http2_connection_retire(struct streamer_connection *connection);
