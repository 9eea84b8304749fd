/* idle: whether a connection is still as its last answer left it.
 *
 * libcurl (7.88) takes an idle connection for a live one also when bytes wait on it, and would read them as the answer
 * to the next request: the 408 with which a server closes what was idle for too long, or whatever else it sent.
 *
 * From any reactor's turn. Connections are told by their local port, so those to Unix sockets are not known.
 */
#pragma once

#include <curl/curl.h>
#include <stdbool.h>

/* The connection's answer is complete. The socket may be CURL_SOCKET_BAD. */
void streamer_idle_note(int local_port, curl_socket_t fd);

/* Whether nothing has come since, not even the connection's end; true for one that is not known. */
bool streamer_idle_is_silent(int local_port);
