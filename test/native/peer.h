/* A server without a thread of its own, for tests that say what arrives in which order: plain or TLS, HTTP/1.1 or
 * HTTP/2 by ALPN. The test accepts, reads and writes between the iterations of the loop that it tests. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http2_frames.h"

enum peer_protocol { PLAIN, TLS_HTTP1, TLS_HTTP2 };

enum { MOST_ENDS = 4096 };

/* The server's side of one connection. */
struct end {
    int fd; /* -1: closed, by us or because the client did */
    SSL *ssl;
    bool open; /* the handshake is through */
    bool left; /* the client has closed it */
    struct wire in;
    size_t frames;   /* HTTP/2: bytes of `in` that were looked at */
    size_t requests; /* HTTP/1.1: so many heads were looked at */
    void *script;
};

struct peer {
    enum peer_protocol protocol;
    int listener, port;
    SSL_CTX *tls;
    struct end ends[MOST_ENDS];
    int count;
    bool accepts;                    /* connections; else they stay in the backlog */
    bool handshakes;                 /* goes on with them */
    void (*opened)(struct end *end); /* at the end of the handshake; may say something at once */
};

static inline int peer_alpn(SSL *ssl, const unsigned char **chosen, unsigned char *length, const unsigned char *offered,
                            unsigned offered_length, void *peer) {
    (void)ssl;
    static const unsigned char http1[] = "\x08http/1.1", http2[] = "\x02h2";
    bool two = ((struct peer *)peer)->protocol == TLS_HTTP2;
    int result = SSL_select_next_proto((unsigned char **)(uintptr_t)chosen, length, two ? http2 : http1,
                                       two ? sizeof http2 - 1 : sizeof http1 - 1, offered, offered_length);
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* With a key and a certificate of its own that nobody trusts. */
static inline SSL_CTX *peer_context(struct peer *peer) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_sign(certificate, key, EVP_sha256());
    if (SSL_CTX_use_certificate(tls, certificate) != 1 || SSL_CTX_use_PrivateKey(tls, key) != 1) abort();
    SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF); /* with a session TLS 1.2 has another order */
    SSL_CTX_set_options(tls, SSL_OP_NO_TICKET);
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_alpn_select_cb(tls, peer_alpn, peer);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return tls;
}

static inline void peer_open(struct peer *peer, enum peer_protocol protocol) {
    *peer = (struct peer){.protocol = protocol, .accepts = true, .handshakes = true};
    peer->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(peer->listener, (void *)&address, sizeof address) != 0 || listen(peer->listener, 128) != 0) abort();
    getsockname(peer->listener, (void *)&address, &length);
    peer->port = ntohs(address.sin_port);
    if (protocol != PLAIN) peer->tls = peer_context(peer);
}

static inline void end_close(struct end *end) {
    if (end->fd < 0) return;
    SSL_free(end->ssl); /* without close_notify */
    end->ssl = NULL;
    close(end->fd);
    end->fd = -1;
    end->open = false;
}

static inline void peer_close(struct peer *peer) {
    for (int i = 0; i < peer->count; i++) {
        end_close(&peer->ends[i]);
        wire_free(&peer->ends[i].in);
    }
    close(peer->listener);
    SSL_CTX_free(peer->tls);
}

/* All of it at once: tests say little. False when the client has gone. */
static inline bool end_say(struct end *end, const void *bytes, size_t length) {
    if (!end->open) return false;
    if (end->ssl != NULL) return SSL_write(end->ssl, bytes, (int)length) == (int)length;
    return send(end->fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length;
}

/* As much as the client takes at the moment; the rest is to be given again, the same bytes. */
static inline size_t end_say_some(struct end *end, const char *bytes, size_t length) {
    if (!end->open) return 0;
    ssize_t said =
        end->ssl != NULL ? SSL_write(end->ssl, bytes, (int)length) : send(end->fd, bytes, length, MSG_NOSIGNAL);
    return said > 0 ? (size_t)said : 0;
}

static inline bool end_say_text(struct end *end, const char *text) {
    return end_say(end, text, strlen(text));
}

/* Sends frames that were put together, and frees them. */
static inline bool end_say_wire(struct end *end, struct wire *wire) {
    bool said = end_say(end, wire->bytes, wire->length);
    wire_free(wire);
    return said;
}

static inline void end_read(struct end *end) {
    char bytes[16384];
    for (;;) {
        ssize_t got =
            end->ssl != NULL ? SSL_read(end->ssl, bytes, sizeof bytes) : recv(end->fd, bytes, sizeof bytes, 0);
        if (got > 0) {
            wire_bytes(&end->in, bytes, (size_t)got);
            continue;
        }
        bool more = end->ssl != NULL ? SSL_get_error(end->ssl, (int)got) == SSL_ERROR_WANT_READ
                                     : got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
        if (more) return;
        end->left = true;
        end_close(end);
        return;
    }
}

static inline void end_handshake(struct peer *peer, struct end *end) {
    int result = end->ssl == NULL ? 1 : SSL_accept(end->ssl);
    end->open = result == 1;
    if (end->open && peer->opened != NULL) peer->opened(end);
    if (end->open || SSL_get_error(end->ssl, result) == SSL_ERROR_WANT_READ) return;
    end->left = true;
    end_close(end);
}

/* What can be done without waiting. */
static inline void peer_step(struct peer *peer) {
    int fd;
    while (peer->accepts && (fd = accept4(peer->listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (peer->count == MOST_ENDS) abort();
        struct end *end = &peer->ends[peer->count++];
        *end = (struct end){.fd = fd};
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        if (peer->tls == NULL) continue;
        end->ssl = SSL_new(peer->tls);
        SSL_set_fd(end->ssl, fd);
    }
    for (int i = 0; i < peer->count; i++) {
        struct end *end = &peer->ends[i];
        if (end->fd >= 0 && !end->open && peer->handshakes) end_handshake(peer, end);
        if (end->open) end_read(end);
    }
}

/* ---- HTTP/1.1 ---- */

/* How many requests' heads have come. */
static inline size_t end_requests(const struct end *end) {
    size_t count = 0;
    for (size_t i = 0; i + 4 <= end->in.length; i++) count += memcmp(end->in.bytes + i, "\r\n\r\n", 4) == 0;
    return count;
}

/* ---- HTTP/2 ---- */

struct frame {
    int type, flags;
    uint32_t id;
    const char *payload;
    size_t length;
};

/* The next frame that has come in whole. */
static inline bool end_frame(struct end *end, struct frame *frame) {
    static const size_t preface = 24;
    if (end->frames < preface) {
        if (end->in.length < preface) return false;
        end->frames = preface;
    }
    const unsigned char *head = (const unsigned char *)end->in.bytes + end->frames;
    size_t left = end->in.length - end->frames;
    if (left < 9) return false;
    size_t length = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    if (left < 9 + length) return false;
    *frame = (struct frame){.type = head[3],
                            .flags = head[4],
                            .id = (uint32_t)head[5] << 24 | (uint32_t)head[6] << 16 | (uint32_t)head[7] << 8 | head[8],
                            .payload = (const char *)head + 9,
                            .length = length};
    end->frames += 9 + length;
    return true;
}

/* How many frames of that type have come; `flags` must be in them. */
static inline size_t end_frames(struct end *end, int type, int flags) {
    struct frame frame;
    size_t count = 0, before = end->frames;
    end->frames = 0;
    while (end_frame(end, &frame)) count += frame.type == type && (frame.flags & flags) == flags;
    end->frames = before;
    return count;
}
