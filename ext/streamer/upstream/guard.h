/* guard: keeps a request for a URL that a stranger has given away from addresses that are not the public Internet's.
 *
 * It looks at addresses, when the connection is made, and not at names: what a name resolves to is known only then, and
 * may be another thing than a moment before. Refused is what the IANA's registries of special-purpose addresses (RFC
 * 6890) do not call globally reachable, and multicast: "this network", loopback, private, shared (CGNAT), link-local
 * (with it the clouds' metadata services), documentation, benchmarking, reserved; of IPv6 all beyond 2000::/3 but what
 * embeds IPv4, and an embedded IPv4 address (mapped, NAT64, 6to4) is judged as itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* A network that is allowed all the same: of IPv4 as ::ffff:a.b.c.d with its prefix + 96. */
struct streamer_network {
    uint8_t address[16];
    uint8_t prefix;
};

/* `count` networks, copied. */
struct streamer_guard {
    size_t count;
    struct streamer_network networks[];
};

/* NULL when out of memory; to be freed with free. */
struct streamer_guard *streamer_guard_new(const struct streamer_network *networks, size_t count);

bool streamer_guard_allows(const struct streamer_guard *guard, const struct sockaddr *address);

/* The same for an address in text; false for what is none. */
bool streamer_guard_allows_text(const struct streamer_guard *guard, const char *address);
