#include "connector.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../loop/clock.h"
#include "../loop/fork.h"
#include "pool.h"

#ifdef HAVE_OPENSSL_SSL_H
#include <openssl/ssl.h>
#endif

/* How often libcurl is made to look at a connection that has no address yet: when one has had its time, libcurl 7.88
 * makes a socket for the next one and waits for an event before it connects it. One connection in an iteration, and
 * none during its TLS handshake: libcurl would take a step of each of them at once, in no budget. */
enum { KICK = 100 };

/* ---- libcurl's sockets and timer ---- */

/* A socket of libcurl's that the loop watches, by a descriptor of our own: libcurl closes one that is still connecting
 * before it says that it is to be watched no more, and what a poller holds of a closed descriptor cannot be taken out.
 */
struct socket_watch {
    struct streamer_watch watch;
    struct streamer_connector *connector;
    curl_socket_t fd; /* libcurl's */
    int own;          /* -1: none */
};

static void act(struct streamer_connector *connector, curl_socket_t fd, int selected) {
    int running;
    curl_multi_socket_action(connector->multi, fd, selected, &running);
    connector->called_back = true;
}

static void on_ready(struct streamer_watch *watch, int events) {
    const struct socket_watch *ready = (const struct socket_watch *)watch;
    int selected = (events & (STREAMER_READABLE | STREAMER_HANGUP) ? CURL_CSELECT_IN : 0) |
                   (events & STREAMER_WRITABLE ? CURL_CSELECT_OUT : 0);
    act(ready->connector, ready->fd, selected); /* `ready` may be gone */
}

static void on_timer(struct streamer_timer *timer, int64_t now) {
    (void)now;
    act(STREAMER_OWNER(timer, struct streamer_connector, timer), CURL_SOCKET_TIMEOUT, 0);
}

static void unwatch(struct socket_watch *watch) {
    if (watch->own < 0) return;
    streamer_loop_unwatch(watch->connector->loop, watch->own, &watch->watch);
    streamer_fork_close(watch->own);
    watch->own = -1;
}

/* Anew each time: behind the number may be another socket than before. Without a descriptor it is never ready, and the
 * connect timeout ends it. */
static void rewatch(struct socket_watch *watch, int events) {
    unwatch(watch);
    watch->own = fcntl(watch->fd, F_DUPFD_CLOEXEC, 0);
    if (watch->own < 0) return;
    streamer_fork_track(watch->own);
    streamer_loop_watch(watch->connector->loop, watch->own, events, &watch->watch);
}

/* Called by libcurl, as all down to on_context: these note, and do not enter libcurl but for curl_multi_assign, which
 * is made for it. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *assigned) {
    (void)easy;
    struct streamer_connector *connector = context;
    struct socket_watch *watch = assigned;
    if (what == CURL_POLL_REMOVE) {
        if (watch == NULL) return 0;
        unwatch(watch);
        curl_multi_assign(connector->multi, fd, NULL);
        free(watch);
        return 0;
    }
    if (watch == NULL) {
        watch = calloc(1, sizeof *watch);
        if (watch == NULL) return 0; /* never ready: the connect timeout ends it. -1 would end all of the multi */
        *watch = (struct socket_watch){
            .watch = {.ready = on_ready, .background = true}, .connector = connector, .fd = fd, .own = -1};
        curl_multi_assign(connector->multi, fd, watch);
    }
    rewatch(watch, (what & CURL_POLL_IN ? STREAMER_READABLE : 0) | (what & CURL_POLL_OUT ? STREAMER_WRITABLE : 0));
    return 0;
}

static int on_timeout(CURLM *multi, long milliseconds, void *context) {
    (void)multi;
    struct streamer_connector *connector = context;
    if (milliseconds < 0)
        streamer_loop_cancel_timer(connector->loop, &connector->timer);
    else
        streamer_loop_set_timer(connector->loop, &connector->timer, streamer_now() + milliseconds);
    return 0;
}

static curl_socket_t on_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)purpose;
    struct streamer_connection *connection = context;
    const struct streamer_guard *guard = connection->destination->route->guard;
    if (guard != NULL && !streamer_guard_allows(guard, &address->addr)) {
        connection->guarded = true;
        return CURL_SOCKET_BAD; /* libcurl tries the host's next address */
    }
    int type = address->socktype;
#ifdef SOCK_CLOEXEC
    type |= SOCK_CLOEXEC;
#endif
    curl_socket_t fd = socket(address->family, type, address->protocol);
    if (fd < 0) return CURL_SOCKET_BAD;
#ifndef SOCK_CLOEXEC /* macOS */
    fcntl(fd, F_SETFD, FD_CLOEXEC);
#endif
    streamer_fork_track(fd);
    return fd;
}

static int on_close_socket(void *context, curl_socket_t fd) {
    const struct streamer_connection *connection = context;
    return connection->adopted && fd == connection->fd ? 0 : streamer_fork_close(fd);
}

#ifdef HAVE_OPENSSL_SSL_H
/* The context of a TLS connection, before its handshake: to the host, or to an HTTPS proxy first. */
static CURLcode on_context(CURL *easy, void *context, void *argument) {
    (void)easy;
    static const unsigned char protocols[] = "\x02h2\x08http/1.1";
    struct streamer_connection *connection = argument;
    const struct streamer_route *route = connection->destination->route;
    bool to_proxy =
        connection->tls_contexts++ == 0 && route->proxy != NULL && strncasecmp(route->proxy, "https:", 6) == 0;
    if (to_proxy) return CURLE_OK;
    SSL_CTX_set_mode(context,
                     SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1); /* a record with one recv, not two */
    SSL_CTX_set_alpn_protos(context, protocols, sizeof protocols - 1);
    return CURLE_OK;
}

/* Whether libcurl's TLS is the OpenSSL that this is linked with. */
static bool is_our_openssl(void) {
    const char *version = curl_version_info(CURLVERSION_NOW)->ssl_version;
    char ours[32];
    snprintf(ours, sizeof ours, "OpenSSL/%lu.", OpenSSL_version_num() >> 28);
    return version != NULL && strncmp(version, ours, strlen(ours)) == 0;
}
#endif

/* ---- options ---- */

struct options {
    CURL *easy;
    CURLcode code; /* of the first option that was refused */
};

#define SET(options, option, value)                                                                          \
    do {                                                                                                     \
        if ((options)->code == CURLE_OK) (options)->code = curl_easy_setopt((options)->easy, option, value); \
    } while (0)

/* Whether libcurl's own file of authorities is there. */
static bool has_authorities(CURL *easy) {
    char *path = NULL;
    return curl_easy_getinfo(easy, CURLINFO_CAINFO, &path) == CURLE_OK && path != NULL && access(path, R_OK) == 0;
}

static void set_tls(struct options *options, const struct streamer_route *route) {
    SET(options, CURLOPT_SSL_VERIFYPEER, route->verify ? 1L : 0L);
    SET(options, CURLOPT_SSL_VERIFYHOST, route->verify ? 2L : 0L);
    if (route->ca_file != NULL) {
        SET(options, CURLOPT_CAINFO, route->ca_file);
        SET(options, CURLOPT_PROXY_CAINFO, route->ca_file);
    }
    /* What the caller names is all that is trusted. And libcurl keeps the authorities of a file, not those of a
     * directory: with Debian's it would read them for each connection, 30 ms against 2. */
    if (route->ca_file != NULL || has_authorities(options->easy)) {
        SET(options, CURLOPT_CAPATH, NULL);
        SET(options, CURLOPT_PROXY_CAPATH, NULL);
    }
    SET(options, CURLOPT_SSLCERT, route->certificate);
    SET(options, CURLOPT_SSLKEY, route->key);
    SET(options, CURLOPT_KEYPASSWD, route->key_password);
    SET(options, CURLOPT_SSL_ENABLE_ALPN, 0L);
}

static void set_route(struct options *options, const struct streamer_route *route) {
    SET(options, CURLOPT_CONNECT_ONLY, 1L);
    SET(options, CURLOPT_NOSIGNAL, 1L);
    SET(options, CURLOPT_QUICK_EXIT, 1L); /* removing a handle must not wait for its getaddrinfo */
    SET(options, CURLOPT_PROTOCOLS_STR, "http,https");
    SET(options, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(options, CURLOPT_BUFFERSIZE, 1024L); /* nothing is read through it */
    SET(options, CURLOPT_URL, route->url);
    SET(options, CURLOPT_PROXY, route->proxy != NULL ? route->proxy : "");
    SET(options, CURLOPT_NOPROXY, "");
    SET(options, CURLOPT_PROXYUSERNAME, route->proxy_user);
    SET(options, CURLOPT_PROXYPASSWORD, route->proxy_password);
    SET(options, CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC);
    SET(options, CURLOPT_HTTPPROXYTUNNEL, streamer_route_tunnels(route) ? 1L : 0L);
    SET(options, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(options, CURLOPT_UNIX_SOCKET_PATH, route->unix_path);
    SET(options, CURLOPT_TCP_NODELAY, 1L);
}

/* libcurl's own timeout, a little later than ours so that ours comes first, is what it divides among a host's
 * addresses, and has to be there at all: its default is 300 s. */
static long connect_timeout(int64_t milliseconds) {
    return milliseconds > 0 && milliseconds < INT_MAX - 100 ? (long)milliseconds + 100 : INT_MAX;
}

/* A list of a text's lines. False when out of memory. */
static bool append_lines(struct curl_slist **list, const char *text) {
    while (text != NULL && *text != '\0') {
        size_t length = strcspn(text, "\n");
        char *line = strndup(text, length);
        struct curl_slist *longer = line == NULL ? NULL : curl_slist_append(*list, line);
        free(line);
        if (longer == NULL) return false;
        *list = longer;
        text += length + (text[length] == '\n');
    }
    return true;
}

static CURLcode prepare(struct streamer_connector *connector, struct streamer_connection *connection) {
    const struct streamer_route *route = connection->destination->route;
    struct options options = {connection->easy, CURLE_OK};
    set_route(&options, route);
    set_tls(&options, route);
    /* CURLOPT_RESOLVE would change what all transfers of the multi resolve a host to; so the host is not what it names.
     */
    if (!append_lines(&connection->addresses, route->addresses) || !append_lines(&connection->names, route->names))
        return CURLE_OUT_OF_MEMORY;
    SET(&options, CURLOPT_CONNECT_TO, connection->addresses);
    SET(&options, CURLOPT_RESOLVE, connection->names);
    SET(&options, CURLOPT_CONNECTTIMEOUT_MS, connect_timeout(connection->destination->connect_timeout));
    SET(&options, CURLOPT_SHARE, connector->sessions);
    SET(&options, CURLOPT_PRIVATE, connection);
    SET(&options, CURLOPT_ERRORBUFFER, connection->detail);
    SET(&options, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(&options, CURLOPT_OPENSOCKETDATA, connection);
    SET(&options, CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    SET(&options, CURLOPT_CLOSESOCKETDATA, connection);
#ifdef HAVE_OPENSSL_SSL_H
    if (streamer_route_is_tls(route) && is_our_openssl()) {
        SET(&options, CURLOPT_SSL_CTX_FUNCTION, on_context);
        SET(&options, CURLOPT_SSL_CTX_DATA, connection);
    }
#endif
    return options.code;
}

/* ---- opening ---- */

static void on_kick(struct streamer_timer *timer, int64_t now) {
    struct streamer_connection *connection = STREAMER_OWNER(timer, struct streamer_connection, timer);
    struct streamer_connector *connector = &connection->pool->connector;
    if (connection->tls_contexts > 0) return;
    streamer_loop_set_timer(connector->loop, timer, now + (connector->kicked ? 1 : KICK));
    if (connector->kicked) return;
    connector->kicked = connector->called_back = true;
    curl_easy_pause(connection->easy, CURLPAUSE_RECV);
    curl_easy_pause(connection->easy, CURLPAUSE_CONT);
}

static void start(struct streamer_connector *connector, struct streamer_connection *connection) {
    connection->state = STREAMER_CONNECTION_OPENING;
    connection->started = streamer_now_us();
    connection->easy = curl_easy_init();
    CURLcode code = connection->easy == NULL ? CURLE_OUT_OF_MEMORY : prepare(connector, connection);
    if (code == CURLE_OK && curl_multi_add_handle(connector->multi, connection->easy) == CURLM_OK) {
        connection->timer.fire = on_kick;
        streamer_loop_set_timer(connector->loop, &connection->timer, streamer_now() + KICK);
        return;
    }
    bool memory = code == CURLE_OK || code == CURLE_OUT_OF_MEMORY;
    connector->failed(connection, memory ? STREAMER_OUTCOME_NO_MEMORY : STREAMER_OUTCOME_REQUEST_INVALID,
                      memory ? NULL : curl_easy_strerror(code));
}

void streamer_connector_open(struct streamer_connector *connector, struct streamer_connection *connection) {
    *(connector->last != NULL ? &connector->last->opening_next : &connector->first) = connection;
    connector->last = connection;
    connection->opening_next = NULL;
    streamer_connection_retain(connection); /* the queue's */
    streamer_loop_hurry(connector->loop);
}

static struct streamer_connection *next_to_open(struct streamer_connector *connector) {
    struct streamer_connection *connection = connector->first;
    if (connection == NULL) return NULL;
    connector->first = connection->opening_next;
    if (connector->first == NULL) connector->last = NULL;
    return connection;
}

/* The rest of libcurl's bookkeeping about a connection that is ours alone from now on. */
static void adopt(struct streamer_connection *connection) {
    connection->adopted = true;
    streamer_connector_close(connection);
}

#ifdef HAVE_OPENSSL_SSL_H
static bool negotiated_http2(const struct streamer_connection *connection) {
    const unsigned char *protocol = NULL;
    unsigned length = 0;
    if (connection->ssl == NULL) return false;
    SSL_get0_alpn_selected(connection->ssl, &protocol, &length);
    return length == 2 && memcmp(protocol, "h2", 2) == 0;
}
#endif

static int64_t info(CURL *easy, CURLINFO which) {
    curl_off_t microseconds = 0;
    curl_easy_getinfo(easy, which, &microseconds);
    return microseconds;
}

static void note_opened(struct streamer_connection *connection) {
    connection->opened = streamer_now_us();
    connection->dns = info(connection->easy, CURLINFO_NAMELOOKUP_TIME_T);
    connection->connect = info(connection->easy, CURLINFO_CONNECT_TIME_T);
    connection->tls = info(connection->easy, CURLINFO_APPCONNECT_TIME_T);
    char *address = NULL;
    curl_easy_getinfo(connection->easy, CURLINFO_PRIMARY_IP, &address);
    if (address != NULL) strncpy(connection->address, address, sizeof connection->address - 1);
}

static void on_opened(struct streamer_connector *connector, struct streamer_connection *connection) {
    streamer_loop_cancel_timer(connector->loop, &connection->timer);
    note_opened(connection);
    curl_socket_t fd = CURL_SOCKET_BAD;
    curl_easy_getinfo(connection->easy, CURLINFO_ACTIVESOCKET, &fd);
    if (fd == CURL_SOCKET_BAD) {
        connector->failed(connection, STREAMER_OUTCOME_CONNECT_FAILED, "the connection was closed at once");
        return;
    }
    connection->fd = fd;
    bool http2 = false;
    ptrdiff_t length = 0;
    if (streamer_route_is_plain(connection->destination->route)) {
        adopt(connection);
    } else {
        /* libcurl attaches a handle to its connection at its first read; a server may have spoken by then. */
        length = streamer_connection_read(connection, connection->pool->read, sizeof connection->pool->read);
        if (length == STREAMER_IO_CLOSED || length == STREAMER_IO_FAILED) {
            connector->failed(connection, STREAMER_OUTCOME_CONNECT_FAILED, "the connection was closed at once");
            return;
        }
#ifdef HAVE_OPENSSL_SSL_H
        struct curl_tlssessioninfo *tls = NULL;
        curl_easy_getinfo(connection->easy, CURLINFO_TLS_SSL_PTR, &tls);
        /* LibreSSL and others go by that name, too. */
        if (tls != NULL && tls->backend == CURLSSLBACKEND_OPENSSL && is_our_openssl()) connection->ssl = tls->internals;
        http2 = streamer_route_is_tls(connection->destination->route) && negotiated_http2(connection);
        if (connection->tls_contexts > 1) connection->ssl = NULL; /* an HTTPS proxy's has bytes, too */
#endif
    }
    connector->opened(connection, http2, length > 0 ? (size_t)length : 0);
}

static enum streamer_outcome outcome_of(const struct streamer_connection *connection, CURLcode code) {
    enum streamer_outcome outcome = streamer_outcome_of_connecting(code);
    /* The system's own timeout, by which libcurl calls a connect that nobody has answered, is not the one that was
     * asked for. */
    long error = 0;
    curl_easy_getinfo(connection->easy, CURLINFO_OS_ERRNO, &error);
    if (outcome == STREAMER_OUTCOME_CONNECT_TIMEOUT && error == ETIMEDOUT) outcome = STREAMER_OUTCOME_CONNECT_FAILED;
    if (connection->guarded && outcome == STREAMER_OUTCOME_CONNECT_FAILED) return STREAMER_OUTCOME_FORBIDDEN_ADDRESS;
    /* What goes wrong behind TCP's connect and has no name of its own is TLS's: a key with a wrong password, say, which
     * libcurl 8.23 calls a bad function argument. */
    bool connected = info(connection->easy, CURLINFO_CONNECT_TIME_T) > 0;
    if (outcome == STREAMER_OUTCOME_REQUEST_INVALID && connected &&
        streamer_route_is_tls(connection->destination->route))
        return STREAMER_OUTCOME_TLS_FAILED;
    return outcome;
}

/* After libcurl was entered, from outside of it. */
static void collect(struct streamer_connector *connector) {
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(connector->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE) continue;
        CURLcode code = message->data.result;
        struct streamer_connection *connection;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&connection);
        if (connection->state != STREAMER_CONNECTION_OPENING) continue;
        streamer_connection_retain(connection);
        if (code == CURLE_OK) {
            on_opened(connector, connection);
        } else {
            enum streamer_outcome outcome = outcome_of(connection, code);
            bool explain = outcome != STREAMER_OUTCOME_FORBIDDEN_ADDRESS && outcome != STREAMER_OUTCOME_NO_MEMORY;
            const char *detail = connection->detail[0] != '\0' ? connection->detail : curl_easy_strerror(code);
            connector->failed(connection, outcome, explain ? detail : NULL);
        }
        streamer_connection_release(connection);
    }
}

static void after_iteration(struct streamer_hook *hook) {
    struct streamer_connector *connector = STREAMER_OWNER(hook, struct streamer_connector, hook);
    connector->kicked = false;
    if (connector->called_back) {
        connector->called_back = false;
        collect(connector);
    }
    /* One, for libcurl takes the first step of all that are new at once. Where connect comes back at once, as it does
     * on loopback, that step is the TLS handshake's beginning too. */
    struct streamer_connection *connection;
    bool started = false;
    while (!started && (connection = next_to_open(connector)) != NULL) {
        started = connection->state == STREAMER_CONNECTION_QUEUED;
        if (started) start(connector, connection);
        streamer_connection_release(connection);
    }
    if (connector->first != NULL) streamer_loop_hurry(connector->loop);
}

void streamer_connector_close(struct streamer_connection *connection) {
    if (connection->easy != NULL) {
        curl_multi_remove_handle(connection->pool->connector.multi, connection->easy);
        curl_easy_cleanup(connection->easy);
        connection->easy = NULL;
    }
    curl_slist_free_all(connection->addresses);
    curl_slist_free_all(connection->names);
    connection->addresses = connection->names = NULL;
}

/* ---- lifecycle ---- */

bool streamer_connector_init(struct streamer_connector *connector, struct streamer_loop *loop) {
    *connector = (struct streamer_connector){.loop = loop,
                                             .timer = {.fire = on_timer},
                                             .hook = {.run = after_iteration},
                                             .multi = curl_multi_init(),
                                             .sessions = curl_share_init()};
    if (connector->multi == NULL || connector->sessions == NULL) return false;
    curl_share_setopt(connector->sessions, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    curl_multi_setopt(connector->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(connector->multi, CURLMOPT_SOCKETDATA, connector);
    curl_multi_setopt(connector->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(connector->multi, CURLMOPT_TIMERDATA, connector);
    streamer_loop_add_hook(loop, &connector->hook);
    return true;
}

void streamer_connector_release(struct streamer_connector *connector) {
    struct streamer_connection *connection;
    while ((connection = next_to_open(connector)) != NULL) streamer_connection_release(connection);
    if (connector->multi != NULL) {
        /* Cleaning up reports sockets that are long gone from the poller. */
        curl_multi_setopt(connector->multi, CURLMOPT_SOCKETFUNCTION, NULL);
        curl_multi_setopt(connector->multi, CURLMOPT_TIMERFUNCTION, NULL);
        curl_multi_cleanup(connector->multi);
    }
    if (connector->sessions != NULL) curl_share_cleanup(connector->sessions);
}
