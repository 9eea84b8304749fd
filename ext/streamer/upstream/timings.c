#include <string.h>

#include "clock.h"
#include "multi.h"
#include "transfer.h"

static int64_t info(struct streamer_transfer *transfer, CURLINFO which) {
    curl_off_t microseconds = 0;
    curl_easy_getinfo(transfer->easy, which, &microseconds);
    return microseconds;
}

bool streamer_transfer_is_reused(struct streamer_transfer *transfer) {
    long connects = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects);
    return connects == 0;
}

struct streamer_timings streamer_transfer_measure(struct streamer_transfer *transfer) {
    int64_t now = streamer_now_us();
    struct streamer_timings timings = {
        .queue = transfer->queued == 0 ? 0 : (transfer->started == 0 ? now : transfer->started) - transfer->queued,
        .dns = info(transfer, CURLINFO_NAMELOOKUP_TIME_T),
        .connect = info(transfer, CURLINFO_CONNECT_TIME_T),
        .tls = info(transfer, CURLINFO_APPCONNECT_TIME_T),
        .first_byte =
            transfer->head_bytes == 0 ? 0 : info(transfer, CURLINFO_STARTTRANSFER_TIME_T), /* the end is a read, too */
        .total = transfer->started == 0 ? 0 : now - transfer->started,
        .bytes = transfer->received,
    };
    memcpy(timings.address, transfer->timings.address, sizeof timings.address);
    long version = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_HTTP_VERSION, &version);
    timings.http_version = version == CURL_HTTP_VERSION_1_0   ? 10
                           : version == CURL_HTTP_VERSION_1_1 ? 11
                           : version == CURL_HTTP_VERSION_2_0 ? 20
                           : version == CURL_HTTP_VERSION_3   ? 30
                                                              : 0;
    timings.reused = transfer->connected && streamer_transfer_is_reused(transfer);
    return timings;
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
