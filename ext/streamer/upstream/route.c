#include "route.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const size_t strings[] = {
    offsetof(struct streamer_route, url),
    offsetof(struct streamer_route, origin),
    offsetof(struct streamer_route, proxy),
    offsetof(struct streamer_route, proxy_user),
    offsetof(struct streamer_route, proxy_password),
    offsetof(struct streamer_route, unix_path),
    offsetof(struct streamer_route, addresses),
    offsetof(struct streamer_route, names),
    offsetof(struct streamer_route, ca_file),
    offsetof(struct streamer_route, certificate),
    offsetof(struct streamer_route, key),
    offsetof(struct streamer_route, key_password),
};

enum { STRINGS = sizeof strings / sizeof *strings };

static const char *string(const struct streamer_route *route, int i) {
    return *(const char *const *)((const char *)route + strings[i]);
}

static size_t guard_size(const struct streamer_guard *guard) {
    return guard == NULL ? 0 : sizeof *guard + guard->count * sizeof *guard->networks;
}

struct streamer_route *streamer_route_copy(const struct streamer_route *route) {
    size_t size = sizeof *route + guard_size(route->guard);
    for (int i = 0; i < STRINGS; i++) size += string(route, i) == NULL ? 0 : strlen(string(route, i)) + 1;
    struct streamer_route *copy = malloc(size);
    if (copy == NULL) return NULL;
    *copy = *route;
    char *free_space = (char *)(copy + 1);
    if (route->guard != NULL) {
        copy->guard = memcpy(free_space, route->guard, guard_size(route->guard));
        free_space += guard_size(route->guard);
    }
    for (int i = 0; i < STRINGS; i++) {
        if (string(route, i) == NULL) continue;
        size_t length = strlen(string(route, i)) + 1;
        *(const char **)((char *)copy + strings[i]) = memcpy(free_space, string(route, i), length);
        free_space += length;
    }
    return copy;
}

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * 1099511628211u; /* FNV-1a */
    return hash;
}

uint64_t streamer_route_hash(const struct streamer_route *route) {
    uint64_t hash = hash_bytes(14695981039346656037u, &route->verify, sizeof route->verify);
    for (int i = 0; i < STRINGS; i++) {
        const char *text = string(route, i);
        if (text != NULL) hash = hash_bytes(hash, text, strlen(text));
        hash = hash_bytes(hash, &i, sizeof i);
    }
    return hash;
}

bool streamer_route_equal(const struct streamer_route *a, const struct streamer_route *b) {
    if (a->verify != b->verify || (a->guard == NULL) != (b->guard == NULL)) return false;
    if (a->guard != NULL &&
        (a->guard->count != b->guard->count || memcmp(a->guard, b->guard, guard_size(a->guard)) != 0))
        return false;
    for (int i = 0; i < STRINGS; i++) {
        const char *one = string(a, i), *other = string(b, i);
        if (one != other && (one == NULL || other == NULL || strcmp(one, other) != 0)) return false;
    }
    return true;
}

bool streamer_route_is_tls(const struct streamer_route *route) {
    return strncasecmp(route->url, "https:", 6) == 0;
}

bool streamer_route_is_plain(const struct streamer_route *route) {
    return !streamer_route_is_tls(route) && (route->proxy == NULL || strncasecmp(route->proxy, "https:", 6) != 0);
}

static bool has_http_proxy(const struct streamer_route *route) {
    return route->proxy != NULL && strncasecmp(route->proxy, "http", 4) == 0;
}

bool streamer_route_tunnels(const struct streamer_route *route) {
    return has_http_proxy(route) && (streamer_route_is_tls(route) || route->addresses != NULL);
}

bool streamer_route_asks_proxy(const struct streamer_route *route) {
    return has_http_proxy(route) && !streamer_route_tunnels(route);
}
