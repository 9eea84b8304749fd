#include "request.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

struct options {
    CURL *easy;
    CURLcode code; /* of the first option that was refused */
};

#define SET(options, option, value)                                                                          \
    do {                                                                                                     \
        if ((options)->code == CURLE_OK) (options)->code = curl_easy_setopt((options)->easy, option, value); \
    } while (0)

static void set_message(struct options *options, const struct streamer_request *request) {
    SET(options, CURLOPT_URL, request->url);
    SET(options, CURLOPT_HTTPHEADER, request->headers);
    SET(options, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    if (request->body_streamed) {
        SET(options, CURLOPT_UPLOAD, 1L);
        SET(options, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_length);
    } else if (request->body != NULL) {
        SET(options, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
        SET(options, CURLOPT_COPYPOSTFIELDS, request->body);
    }
    if (strcmp(request->method, "HEAD") == 0) {
        SET(options, CURLOPT_NOBODY, 1L);
    } else {
        SET(options, CURLOPT_CUSTOMREQUEST, request->method);
    }
}

/* Ours ends the attempt. libcurl's, a little later so that ours comes first, is what it divides among a host's
 * addresses, and has to be there at all: its default is 300 s. It stays among libcurl's timers until it is over, which
 * costs each read a splay; so no longer than needed. */
static long connect_timeout(const struct streamer_request *request) {
    int64_t milliseconds = request->timeouts.connect + 100;
    return request->timeouts.connect > 0 && milliseconds < INT_MAX ? (long)milliseconds : INT_MAX;
}

static void set_route(struct options *options, const struct streamer_request *request) {
#if LIBCURL_VERSION_NUM >= 0x075500
    SET(options, CURLOPT_PROTOCOLS_STR, "http,https");
#endif
    SET(options, CURLOPT_PROXY, request->proxy);
    SET(options, CURLOPT_NOPROXY, request->no_proxy);
    SET(options, CURLOPT_PROXYUSERNAME, request->proxy_user);
    SET(options, CURLOPT_PROXYPASSWORD, request->proxy_password);
    SET(options, CURLOPT_PROXYAUTH, (long)CURLAUTH_BASIC);
    SET(options, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE); /* what is for the upstream is not for the proxy */
    SET(options, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    SET(options, CURLOPT_UNIX_SOCKET_PATH, request->unix_path);
    /* CURLOPT_RESOLVE would change what all transfers of the multi resolve a host to; so the host is not what it names.
     */
    SET(options, CURLOPT_CONNECT_TO, request->addresses);
    SET(options, CURLOPT_RESOLVE, request->names);
    SET(options, CURLOPT_MAXAGE_CONN, request->idle_age > 0 ? request->idle_age : 0x7fffffffL);
    SET(options, CURLOPT_MAXLIFETIME_CONN, request->age);
    SET(options, CURLOPT_TCP_NODELAY, 1L);
    SET(options, CURLOPT_CONNECTTIMEOUT_MS, connect_timeout(request));
}

/* Whether libcurl's own file of authorities is there. */
static bool has_authorities(CURL *easy) {
#if LIBCURL_VERSION_NUM >= 0x075400
    char *path = NULL;
    return curl_easy_getinfo(easy, CURLINFO_CAINFO, &path) == CURLE_OK && path != NULL && access(path, R_OK) == 0;
#else
    return false;
#endif
}

static void set_tls(struct options *options, const struct streamer_request *request) {
    SET(options, CURLOPT_SSL_VERIFYPEER, request->verify ? 1L : 0L);
    SET(options, CURLOPT_SSL_VERIFYHOST, request->verify ? 2L : 0L);
    if (request->ca_file != NULL) {
        SET(options, CURLOPT_CAINFO, request->ca_file);
        SET(options, CURLOPT_PROXY_CAINFO, request->ca_file);
    }
    /* What the caller names is all that is trusted. And libcurl keeps the authorities of a file, not those of a
     * directory: with Debian's it would read them anew for each connection, 30 ms of a turn against 2. */
    if (request->ca_file != NULL || has_authorities(options->easy)) {
        SET(options, CURLOPT_CAPATH, NULL);
        SET(options, CURLOPT_PROXY_CAPATH, NULL);
    }
    SET(options, CURLOPT_SSLCERT, request->certificate);
    SET(options, CURLOPT_SSLKEY, request->key);
    SET(options, CURLOPT_KEYPASSWD, request->key_password);
}

const char *streamer_request_apply(const struct streamer_request *request, CURL *easy) {
    struct options options = {easy, CURLE_OK};
    SET(&options, CURLOPT_NOSIGNAL, 1L);
    SET(&options, CURLOPT_QUICK_EXIT, 1L); /* removing a handle must not wait for its getaddrinfo */
    set_message(&options, request);
    set_route(&options, request);
    set_tls(&options, request);
    return options.code == CURLE_OK ? NULL : curl_easy_strerror(options.code);
}
