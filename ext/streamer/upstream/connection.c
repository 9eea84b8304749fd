#include "connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "../loop/fork.h"
#include "connector.h"
#include "pool.h"

#ifdef HAVE_OPENSSL_SSL_H
#include <openssl/ssl.h>
#endif

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* Ruby ignores SIGPIPE, and the native thread blocks it */
#endif

static ptrdiff_t of_errno(void) {
    return errno == EAGAIN || errno == EWOULDBLOCK ? STREAMER_IO_AGAIN : STREAMER_IO_FAILED;
}

/* libcurl takes an end without TLS's close_notify for one in good order. But then a body that ends with its connection
 * could be cut by anybody, and look complete (RFC 9112, section 9.8). */
static ptrdiff_t end_of_tls(const struct streamer_connection *connection) {
#ifdef HAVE_OPENSSL_SSL_H
    if (connection->ssl != NULL && !(SSL_get_shutdown(connection->ssl) & SSL_RECEIVED_SHUTDOWN))
        return STREAMER_IO_FAILED;
#else
    (void)connection;
#endif
    return STREAMER_IO_CLOSED;
}

ptrdiff_t streamer_connection_read(struct streamer_connection *connection, char *bytes, size_t room) {
    if (connection->easy == NULL) {
        ssize_t length;
        do {
            length = recv(connection->fd, bytes, room, MSG_DONTWAIT);
        } while (length < 0 && errno == EINTR);
        return length > 0 ? length : length == 0 ? STREAMER_IO_CLOSED : of_errno();
    }
    size_t length = 0;
    switch (curl_easy_recv(connection->easy, bytes, room, &length)) {
        case CURLE_OK: return length > 0 ? (ptrdiff_t)length : end_of_tls(connection);
        case CURLE_AGAIN: return STREAMER_IO_AGAIN;
        default: return STREAMER_IO_FAILED;
    }
}

ptrdiff_t streamer_connection_write(struct streamer_connection *connection, const char *bytes, size_t length) {
    if (connection->easy == NULL) {
        ssize_t sent;
        do {
            sent = send(connection->fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        } while (sent < 0 && errno == EINTR);
        return sent >= 0 ? sent : of_errno();
    }
    size_t sent = 0;
    CURLcode code = curl_easy_send(connection->easy, bytes, length, &sent);
    if (code == CURLE_AGAIN || (code == CURLE_OK && sent == 0)) return STREAMER_IO_AGAIN;
    return code == CURLE_OK ? (ptrdiff_t)sent : STREAMER_IO_FAILED;
}

bool streamer_connection_may_have_pending(const struct streamer_connection *connection) {
    if (connection->easy == NULL) return false;
#ifdef HAVE_OPENSSL_SSL_H
    if (connection->ssl != NULL) return SSL_has_pending(connection->ssl);
#endif
    return true;
}

bool streamer_connection_is_silent(const struct streamer_connection *connection) {
    char byte;
    bool pending = connection->ssl != NULL && streamer_connection_may_have_pending(connection);
    return !pending && recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && of_errno() == STREAMER_IO_AGAIN;
}

void streamer_connection_watch(struct streamer_connection *connection, int events) {
    if (connection->watched == events || connection->fd < 0) return;
    connection->watched = events;
    struct streamer_loop *loop = connection->pool->loop;
    if (events == 0)
        streamer_loop_unwatch(loop, connection->fd, &connection->watch);
    else
        streamer_loop_watch(loop, connection->fd, events, &connection->watch);
}

void streamer_connection_read_soon(struct streamer_connection *connection) {
    streamer_connection_retain(connection);
    if (!streamer_loop_post(connection->pool->loop, &connection->task)) streamer_connection_release(connection);
}

void streamer_connection_close(struct streamer_connection *connection) {
    if (connection->state == STREAMER_CONNECTION_CLOSED) return;
    connection->state = STREAMER_CONNECTION_CLOSED;
    if (connection->watched != 0) streamer_connection_watch(connection, 0);
    streamer_loop_cancel_timer(connection->pool->loop, &connection->timer);
    streamer_connector_close(connection);
    if (connection->adopted && connection->fd >= 0) streamer_fork_close(connection->fd);
    connection->fd = -1;
    connection->ssl = NULL;
    streamer_pool_forget(connection);
}

void streamer_connection_retain(struct streamer_connection *connection) {
    connection->references++;
}

void streamer_connection_release(struct streamer_connection *connection) {
    if (--connection->references > 0) return;
    streamer_http1_free(connection->http1);
    streamer_http2_free(connection->http2);
    free(connection);
}
