#include "direct.h"

#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "multi.h"

bool streamer_direct_suits(const struct streamer_request *request) {
    return strncasecmp(request->url, "http:", 5) == 0 && request->proxy != NULL && *request->proxy == '\0';
}

/* How many bytes of the socket's next ones are whole chunks. They are in the reactor's `read`, of which `*length` bytes
 * were filled. */
static size_t look(struct streamer_transfer *transfer, size_t *length) {
    struct streamer_reactor *reactor = transfer->reactor;
    *length = 0;
    if (transfer->draining || transfer->receive_paused || !streamer_chunks_between(&transfer->chunks)) return 0;
    ssize_t here = recv(transfer->socket, reactor->read, sizeof reactor->read, MSG_PEEK | MSG_DONTWAIT);
    if (here <= 0) return 0;
    *length = (size_t)here;
    return streamer_chunks_whole(reactor->read, *length);
}

static void on_readable(struct streamer_watch *watch, int events) {
    (void)events;
    struct streamer_transfer *transfer =
        (struct streamer_transfer *)((char *)watch - offsetof(struct streamer_transfer, direct));
    struct streamer_reactor *reactor = transfer->reactor;
    curl_socket_t fd = transfer->socket;
    if (fd < 0) return; /* libcurl has let go of it since */

    size_t length, whole = look(transfer, &length);
    if (whole > 0) {
        size_t data = streamer_chunks_read(&transfer->chunks, reactor->read, whole, reactor->read);
        switch (streamer_transfer_deliver(transfer, reactor->read, data)) {
            case STREAMER_DELIVERED: break;
            case STREAMER_PAUSED: streamer_transfer_apply_pause(transfer); return;
            case STREAMER_STOPPED: streamer_transfer_finish(transfer, transfer->failure, NULL); return;
        }
        if (recv(fd, reactor->read, whole, MSG_DONTWAIT) != (ssize_t)whole) { /* who else reads it? */
            streamer_transfer_finish(transfer, STREAMER_OUTCOME_CLOSED, NULL);
            return;
        }
        /* What the buffer cut is whole at the next look. */
        if (whole == length || length == sizeof reactor->read) return;
    }
    streamer_reactor_act(reactor, fd, CURL_CSELECT_IN);
}

void streamer_direct_begin(struct streamer_transfer *transfer) {
    transfer->direct.ready = on_readable;
    if (transfer->socket < 0) return;
    streamer_reactor_watch(transfer->reactor, transfer->socket, STREAMER_READABLE, &transfer->direct);
}

bool streamer_direct_watches(struct streamer_transfer *transfer, curl_socket_t fd, int what) {
    if (what == CURL_POLL_IN)
        transfer->socket = fd;
    else if (transfer->socket == fd)
        transfer->socket = -1;
    return what == CURL_POLL_IN && transfer->chunked;
}
