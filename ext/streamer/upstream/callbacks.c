/* What libcurl calls in the course of a transfer. Each notes and copies, and does not enter libcurl. */
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "clock.h"
#include "direct.h"
#include "fork.h"
#include "idle.h"
#include "multi.h"

/* ---- the answer's body ---- */

static bool inbox_empty(struct streamer_transfer *transfer) {
    streamer_transfer_lock(transfer);
    bool empty = transfer->inbox.length == 0;
    streamer_transfer_unlock(transfer);
    return empty;
}

static void note_activity(struct streamer_transfer *transfer, int64_t now_us, size_t bytes) {
    transfer->last_activity = now_us / 1000;
    atomic_fetch_add_explicit(&transfer->reactor->stats.bytes, bytes, memory_order_relaxed);
}

static enum streamer_delivery pause_receiving(struct streamer_transfer *transfer) {
    transfer->receive_paused = true;
    atomic_fetch_add_explicit(&transfer->reactor->stats.pauses, 1, memory_order_relaxed);
    return STREAMER_PAUSED;
}

static enum streamer_delivery fail(struct streamer_transfer *transfer, enum streamer_outcome failure) {
    streamer_transfer_stop(transfer, failure);
    return STREAMER_STOPPED;
}

static enum streamer_delivery deliver(struct streamer_transfer *transfer, const char *bytes, size_t length,
                                      int64_t now_us) {
    if (transfer->draining) {
        transfer->drained += length;
        return transfer->drained > STREAMER_DRAIN ? fail(transfer, STREAMER_OUTCOME_COMPLETED) : STREAMER_DELIVERED;
    }
    if (transfer->sink != NULL) {
        if (!inbox_empty(transfer)) return pause_receiving(transfer); /* what came before is not taken yet */
        struct streamer_sink *sink = transfer->sink;
        transfer->read_at = now_us;
        switch (sink->take(sink, bytes, length)) {
            case STREAMER_SINK_TOOK: break;
            case STREAMER_SINK_ENOUGH: streamer_transfer_drain(transfer); break;
            case STREAMER_SINK_FULL: return pause_receiving(transfer);
            case STREAMER_SINK_FAILED: return fail(transfer, STREAMER_OUTCOME_SINK_FAILED);
        }
        return STREAMER_DELIVERED;
    }

    streamer_transfer_lock(transfer);
    if (transfer->inbox.length >= STREAMER_INBOX_HIGH) {
        streamer_transfer_unlock(transfer);
        return pause_receiving(transfer);
    }
    enum streamer_status status = streamer_buffer_append(&transfer->inbox, bytes, length);
    transfer->arrived = now_us;
    streamer_transfer_announce(transfer);
    streamer_transfer_unlock(transfer);
    return status == STREAMER_OK ? STREAMER_DELIVERED : fail(transfer, STREAMER_OUTCOME_NO_MEMORY);
}

enum streamer_delivery streamer_transfer_deliver(struct streamer_transfer *transfer, const char *bytes, size_t length) {
    int64_t now_us = streamer_now_us();
    transfer->received += (int64_t)length;
    enum streamer_delivery delivery = deliver(transfer, bytes, length, now_us);
    if (delivery == STREAMER_PAUSED) transfer->received -= (int64_t)length; /* they come again */
    if (delivery == STREAMER_DELIVERED) note_activity(transfer, now_us, length);
    return delivery;
}

static size_t on_body(char *bytes, size_t unit, size_t count, void *context) {
    struct streamer_transfer *transfer = context;
    size_t length = unit * count, data_length = length;
    const char *data = bytes;
    struct streamer_chunks chunks = transfer->chunks;

    if (transfer->chunked) {
        data_length = streamer_chunks_read(&chunks, bytes, length, transfer->reactor->read);
        data = transfer->reactor->read;
    }
    switch (data_length > 0 ? streamer_transfer_deliver(transfer, data, data_length) : STREAMER_DELIVERED) {
        case STREAMER_DELIVERED: break;
        case STREAMER_PAUSED: return CURL_WRITEFUNC_PAUSE;
        case STREAMER_STOPPED: return 0;
    }
    transfer->chunks = chunks;
    if (chunks.state == STREAMER_CHUNKS_INVALID)
        return streamer_transfer_stop(transfer, STREAMER_OUTCOME_PROTOCOL_ERROR);
    if (chunks.state == STREAMER_CHUNKS_TRAILERS) transfer->head_bytes += length - data_length;
    return transfer->head_bytes > STREAMER_MAX_HEAD
               ? streamer_transfer_stop(transfer, STREAMER_OUTCOME_HEADERS_TOO_LARGE)
               : length;
}

/* ---- its head ---- */

/* "HTTP/1.1 200 OK" -> 200; 0 for anything else. */
static int parse_status(const char *line, size_t length) {
    const char *space = length > 5 && memcmp(line, "HTTP/", 5) == 0 ? memchr(line, ' ', length) : NULL;
    if (space == NULL || line + length - space < 4) return 0;
    int status = 0;
    for (int i = 1; i <= 3; i++) {
        if (space[i] < '0' || space[i] > '9') return 0;
        status = status * 10 + (space[i] - '0');
    }
    return status;
}

/* The answer's head is complete. False when it names a coding that nobody asked for. The lock is held. */
static bool expect_body(struct streamer_transfer *transfer) {
    const char *coding;
    size_t length;
    if (!transfer->framed || !streamer_transfer_header(transfer, "transfer-encoding", &coding, &length)) return true;
    transfer->chunked = length == strlen("chunked") && strncasecmp(coding, "chunked", length) == 0;
    if (transfer->chunked) streamer_direct_begin(transfer);
    return transfer->chunked || memchr(coding, ',', length) == NULL;
}

/* libcurl brings every line of every head: 1xx heads before the answer's, and trailers behind its body. */
static size_t on_header(char *line, size_t unit, size_t count, void *context) {
    struct streamer_transfer *transfer = context;
    size_t length = unit * count, text = length;
    transfer->head_bytes += length;
    if (transfer->head_bytes > STREAMER_MAX_HEAD)
        return streamer_transfer_stop(transfer, STREAMER_OUTCOME_HEADERS_TOO_LARGE);
    note_activity(transfer, streamer_now_us(), length);
    while (text > 0 && (line[text - 1] == '\r' || line[text - 1] == '\n')) text--;

    streamer_transfer_lock(transfer);
    if (!transfer->head_ready) {
        if (text == 0) {
            /* The blank line: a 1xx head is over and thrown away, any other is the answer's. */
            transfer->head_ready = transfer->status >= 200;
            transfer->status_line_next = true;
            if (transfer->head_ready) {
                if (!expect_body(transfer)) length = streamer_transfer_stop(transfer, STREAMER_OUTCOME_PROTOCOL_ERROR);
                streamer_transfer_announce(transfer);
            }
        } else if (transfer->status_line_next) {
            transfer->status = parse_status(line, text);
            transfer->slot.origin->multiplexes = text > 5 && line[5] == '2'; /* HTTP/2 */
            transfer->status_line_next = false;
            streamer_buffer_clear(&transfer->head);
        } else if (streamer_buffer_reserve(&transfer->head, text + 1) == STREAMER_OK) {
            /* A line is there with its end, or not at all. */
            streamer_buffer_append(&transfer->head, line, text);
            streamer_buffer_append(&transfer->head, "\n", 1);
        } else {
            length = streamer_transfer_stop(transfer, STREAMER_OUTCOME_NO_MEMORY);
        }
    }
    streamer_transfer_unlock(transfer);
    return length;
}

/* ---- the request ---- */

static size_t on_upload(char *into, size_t unit, size_t count, void *context) {
    struct streamer_transfer *transfer = context;
    size_t room = unit * count;
    streamer_transfer_lock(transfer);
    size_t length = transfer->outbox.length - transfer->outbox_offset;
    if (length > room) length = room;
    if (length > 0) memcpy(into, transfer->outbox.bytes + transfer->outbox_offset, length);
    transfer->outbox_offset += length;
    if (transfer->outbox_offset == transfer->outbox.length) {
        streamer_buffer_clear(&transfer->outbox);
        transfer->outbox_offset = 0;
        streamer_transfer_announce(transfer);
    }
    if (transfer->upload_left >= 0) transfer->upload_left -= (int64_t)length;
    bool wait = length == 0 && !transfer->upload_ended;
    bool too_short = length == 0 && transfer->upload_ended && transfer->upload_left > 0;
    streamer_transfer_unlock(transfer);
    if (too_short) { /* the upstream would wait for the rest */
        streamer_transfer_stop(transfer, STREAMER_OUTCOME_UPLOAD_FAILED);
        return CURL_READFUNC_ABORT;
    }
    if (wait) {
        transfer->send_paused = true;
        return CURL_READFUNC_PAUSE;
    }
    transfer->last_activity = streamer_now();
    return length;
}

/* ---- its connection ---- */

static curl_socket_t on_open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
    (void)purpose;
    struct streamer_transfer *transfer = context;
    if (transfer->guard != NULL && !streamer_guard_allows(transfer->guard, &address->addr)) {
        transfer->guarded = true;
        return CURL_SOCKET_BAD; /* libcurl tries the host's next address */
    }
    int type = address->socktype;
#ifdef SOCK_CLOEXEC
    type |= SOCK_CLOEXEC;
#endif
    curl_socket_t fd = socket(address->family, type, address->protocol);
    if (fd >= 0) streamer_fork_track(fd);
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int on_close_socket(void *context, curl_socket_t fd) {
    (void)context; /* NULL: a pooled connection outlives the transfer that opened it */
    return streamer_fork_close(fd);
}

/* The connection stands, new or reused, and the request is about to be sent. */
static int on_connected(void *context, char *peer, char *local, int peer_port, int local_port) {
    (void)local, (void)peer_port;
    struct streamer_transfer *transfer = context;
    /* A reused connection may be one that somebody else opened without the guard. */
    if (transfer->guard != NULL && !streamer_guard_allows_text(transfer->guard, peer)) {
        streamer_transfer_stop(transfer, STREAMER_OUTCOME_FORBIDDEN_ADDRESS);
        return CURL_PREREQFUNC_ABORT;
    }
    /* Over HTTP/2 there is always something to say. */
    if (!transfer->slot.origin->multiplexes && streamer_transfer_is_reused(transfer) &&
        !streamer_idle_is_silent(local_port)) {
        transfer->starts_afresh = true;
        return CURL_PREREQFUNC_ABORT;
    }
    /* libcurl sends again what a reused connection has closed upon, though the upstream may have done its work. Over
     * HTTP/2 it is also how it goes on after a GOAWAY or a refused stream, which were not processed. */
    if (transfer->connected && !transfer->idempotent && !transfer->slot.origin->multiplexes) {
        streamer_transfer_stop(transfer, STREAMER_OUTCOME_CLOSED);
        return CURL_PREREQFUNC_ABORT;
    }
    transfer->connected = true;
    transfer->local_port = local_port;
    transfer->sent = transfer->last_activity = streamer_now();
    streamer_transfer_lock(transfer);
    strncpy(transfer->timings.address, peer, sizeof transfer->timings.address - 1);
    streamer_transfer_unlock(transfer);
    return CURL_PREREQFUNC_OK;
}

/* ---- all of them ---- */

const char *streamer_transfer_set_callbacks(struct streamer_transfer *transfer, bool body_streamed) {
    CURL *easy = transfer->easy;
    CURLcode code = CURLE_OK;
#define SET(option, value)                                                  \
    do {                                                                    \
        if (code == CURLE_OK) code = curl_easy_setopt(easy, option, value); \
    } while (0)

    SET(CURLOPT_PRIVATE, transfer);
    SET(CURLOPT_ERRORBUFFER, transfer->detail);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_HTTP_TRANSFER_DECODING, transfer->framed ? 0L : 1L);
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    SET(CURLOPT_OPENSOCKETDATA, transfer);
    SET(CURLOPT_CLOSESOCKETFUNCTION, on_close_socket);
    SET(CURLOPT_PREREQFUNCTION, on_connected);
    SET(CURLOPT_PREREQDATA, transfer);
    if (body_streamed) {
        SET(CURLOPT_READFUNCTION, on_upload);
        SET(CURLOPT_READDATA, transfer);
    }
#undef SET
    return code == CURLE_OK ? NULL : curl_easy_strerror(code);
}
