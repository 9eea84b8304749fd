/* What a transfer took. */
#include <string.h>

#include "../loop/clock.h"
#include "transfer.h"

/* From the transfer's start to a moment in the opening of its connection, which may have begun before it. */
static int64_t since_start(const struct streamer_transfer *transfer, const struct streamer_connection *connection,
                           int64_t offset) {
    if (offset == 0) return 0;
    int64_t passed = connection->started + offset - transfer->started;
    return passed > 0 ? passed : 1;
}

void streamer_transfer_note_connection(struct streamer_transfer *transfer) {
    const struct streamer_connection *connection = transfer->stream.connection;
    struct streamer_timings *timings = &transfer->timings;
    timings->reused = connection->served > 1;
    memcpy(timings->address, connection->address, sizeof timings->address);
    timings->dns = timings->reused ? 0 : since_start(transfer, connection, connection->dns);
    timings->connect = timings->reused ? 0 : since_start(transfer, connection, connection->connect);
    timings->tls = timings->reused ? 0 : since_start(transfer, connection, connection->tls);
}

void streamer_transfer_measure(struct streamer_transfer *transfer, struct streamer_timings *timings) {
    int64_t now = streamer_now_us();
    if (transfer->queued > 0) timings->queue = (transfer->started == 0 ? now : transfer->started) - transfer->queued;
    if (transfer->first_byte > 0) timings->first_byte = transfer->first_byte - transfer->started;
    if (transfer->started > 0) timings->total = now - transfer->started;
    timings->bytes = transfer->received;
}

void streamer_transfer_note_event(struct streamer_transfer *transfer) {
    if (transfer->last_event == transfer->read_at) return; /* written by nobody else: the same read's next event */
    streamer_transfer_lock(transfer);
    if (transfer->first_event == 0)
        transfer->first_event = transfer->read_at;
    else
        streamer_histogram_add(&transfer->gaps, transfer->read_at - transfer->last_event);
    transfer->last_event = transfer->read_at;
    streamer_transfer_unlock(transfer);
}

void streamer_transfer_note_text(struct streamer_transfer *transfer) {
    if (transfer->first_text != 0) return;
    streamer_transfer_lock(transfer);
    transfer->first_text = transfer->read_at;
    streamer_transfer_unlock(transfer);
}

void streamer_transfer_note_decoded(struct streamer_transfer *transfer) {
    if (!transfer->decoding) return;
    streamer_transfer_lock(transfer);
    transfer->decoding = false;
    streamer_transfer_unlock(transfer);
}

struct streamer_timings streamer_transfer_timings(const struct streamer_transfer *transfer) {
    struct streamer_timings timings = transfer->timings;
    if (transfer->first_event > 0) timings.first_event = transfer->first_event - transfer->started;
    if (transfer->first_text > 0) timings.first_text = transfer->first_text - transfer->started;
    timings.gap_p95 = streamer_histogram_percentile(&transfer->gaps, 95);
    timings.gap_max = transfer->gaps.longest;
    return timings;
}
