#include "idle.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/socket.h>

/* The descriptor and 1, by local port; pages of it that are never touched take no memory. Two connections to different
 * places may have the same port, and a descriptor may be closed and somebody else's: each is asked for its port. */
static atomic_int sockets[UINT16_MAX + 1];

static int port_of(int fd) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t length = sizeof address;
    if (getsockname(fd, &address.any, &length) != 0) return 0;
    if (address.any.sa_family == AF_INET) return ntohs(address.v4.sin_port);
    return address.any.sa_family == AF_INET6 ? ntohs(address.v6.sin6_port) : 0;
}

static bool is_port(int port) {
    return port > 0 && port <= UINT16_MAX;
}

void streamer_idle_note(int local_port, curl_socket_t fd) {
    if (is_port(local_port)) atomic_store(&sockets[local_port], fd + 1);
}

bool streamer_idle_is_silent(int local_port) {
    int fd = is_port(local_port) ? atomic_load(&sockets[local_port]) - 1 : -1;
    char byte;
    if (fd < 0 || port_of(fd) != local_port) return true;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}
