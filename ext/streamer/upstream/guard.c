#include "guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

struct range {
    uint32_t address;
    uint8_t prefix;
};

#define IPV4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

static const struct range forbidden[] = {
    {IPV4(0, 0, 0, 0), 8},       /* this network */
    {IPV4(10, 0, 0, 0), 8},      /* private */
    {IPV4(100, 64, 0, 0), 10},   /* shared: CGNAT */
    {IPV4(127, 0, 0, 0), 8},     /* loopback */
    {IPV4(169, 254, 0, 0), 16},  /* link-local, metadata services */
    {IPV4(172, 16, 0, 0), 12},   /* private */
    {IPV4(192, 0, 0, 0), 24},    /* protocol assignments */
    {IPV4(192, 0, 2, 0), 24},    /* documentation */
    {IPV4(192, 88, 99, 0), 24},  /* 6to4 relays */
    {IPV4(192, 168, 0, 0), 16},  /* private */
    {IPV4(198, 18, 0, 0), 15},   /* benchmarking */
    {IPV4(198, 51, 100, 0), 24}, /* documentation */
    {IPV4(203, 0, 113, 0), 24},  /* documentation */
    {IPV4(224, 0, 0, 0), 3},     /* multicast, reserved, broadcast */
};

static bool public_ipv4(uint32_t address) {
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++) {
        if ((address ^ forbidden[i].address) >> (32 - forbidden[i].prefix) == 0) return false;
    }
    return true;
}

static bool begins(const uint8_t *address, const uint8_t *with, unsigned prefix) {
    if (memcmp(address, with, prefix / 8) != 0) return false;
    unsigned rest = prefix % 8;
    return rest == 0 || (address[prefix / 8] ^ with[prefix / 8]) >> (8 - rest) == 0;
}

static uint32_t embedded(const uint8_t *at) {
    return IPV4(at[0], at[1], at[2], at[3]);
}

static bool public_ipv6(const uint8_t *address) {
    static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff}, nat64[16] = {0, 0x64, 0xff, 0x9b};
    static const uint8_t global[16] = {0x20}, assigned[16] = {0x20, 0x01}, documentation[16] = {0x20, 0x01, 0x0d, 0xb8};
    static const uint8_t six_to_four[16] = {0x20, 0x02}, documentation20[16] = {0x3f, 0xff};
    if (begins(address, mapped, 96) || begins(address, nat64, 96)) return public_ipv4(embedded(address + 12));
    if (begins(address, six_to_four, 16)) return public_ipv4(embedded(address + 2));
    return begins(address, global, 3) && !begins(address, assigned, 23) && !begins(address, documentation, 32) &&
           !begins(address, documentation20, 20);
}

static bool allows(const struct streamer_guard *guard, const uint8_t *address) {
    for (size_t i = 0; i < guard->count; i++) {
        if (begins(address, guard->networks[i].address, guard->networks[i].prefix)) return true;
    }
    return public_ipv6(address);
}

static bool allows_ipv4(const struct streamer_guard *guard, const void *address) {
    uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff};
    memcpy(mapped + 12, address, 4);
    return allows(guard, mapped);
}

struct streamer_guard *streamer_guard_new(const struct streamer_network *networks, size_t count) {
    struct streamer_guard *guard = malloc(sizeof *guard + count * sizeof *networks);
    if (guard == NULL) return NULL;
    guard->count = count;
    if (count > 0) memcpy(guard->networks, networks, count * sizeof *networks);
    return guard;
}

bool streamer_guard_allows(const struct streamer_guard *guard, const struct sockaddr *address) {
    switch (address->sa_family) {
        case AF_INET: return allows_ipv4(guard, &((const struct sockaddr_in *)address)->sin_addr);
        case AF_INET6: return allows(guard, ((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr);
        default: return false;
    }
}

bool streamer_guard_allows_text(const struct streamer_guard *guard, const char *address) {
    uint8_t bytes[16];
    if (inet_pton(AF_INET, address, bytes) == 1) return allows_ipv4(guard, bytes);
    return inet_pton(AF_INET6, address, bytes) == 1 && allows(guard, bytes);
}
