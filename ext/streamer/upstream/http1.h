/* http1: requests and responses on an HTTP/1.1 connection, one at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "connection.h"
#include "stream.h"

/* Bytes of a request on their way to the socket. */
#define STREAMER_HTTP1_OUTPUT ((size_t)512 << 10)

/* The connection is open. False when out of memory. */
bool streamer_http1_open(struct streamer_connection *connection);
void streamer_http1_free(struct streamer_http1 *http1);

/* Whether it is without a request. */
bool streamer_http1_is_free(const struct streamer_connection *connection);

/* The same, and whether it is silent. */
bool streamer_http1_is_usable(const struct streamer_connection *connection);

/* Sends the stream's request. */
void streamer_http1_request(struct streamer_connection *connection, struct streamer_stream *stream);

/* What streamer_stream_resume, _upload and _cancel come to. */
void streamer_http1_resume(struct streamer_connection *connection);
void streamer_http1_upload(struct streamer_connection *connection);
void streamer_http1_cancel(struct streamer_connection *connection);
