/* direct: an answer's chunks, taken off the socket before libcurl sees them.
 *
 * Where an answer comes in chunks over plain TCP, what libcurl does for each read (its tables of sockets and timers, in
 * 7.88 a poll(2) behind it) takes longer than all that is done with a token. So when the socket is readable and libcurl
 * stands between two chunks, the chunks that are here to their end are taken off the socket here. What libcurl sees is
 * the same body with fewer chunks: the head, a chunk that is not complete, the last chunk, the connection's end and
 * every error stay its own. The bytes are looked at first (MSG_PEEK) and taken off only once they turned out to be such
 * chunks and were delivered, so nothing ever has to be given back.
 *
 * For this, libcurl hands bodies over with their framing (CURLOPT_HTTP_TRANSFER_DECODING off).
 */
#pragma once

#include "request.h"
#include "transfer.h"

/* Whether the request's answer comes over a socket that carries nothing but HTTP/1.1: no TLS, no proxy. */
bool streamer_direct_suits(const struct streamer_request *request);

/* In a turn, from within libcurl: the answer's body has begun, and comes in chunks. */
void streamer_direct_begin(struct streamer_transfer *transfer);

/* In a turn, from within libcurl: what it waits for on one of the transfer's sockets, CURL_POLL_. True when the socket
 * is read here first: then its tag is the transfer's `direct`. */
bool streamer_direct_watches(struct streamer_transfer *transfer, curl_socket_t fd, int what);
