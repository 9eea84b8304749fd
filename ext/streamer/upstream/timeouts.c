/* When a transfer has taken too long. */
#include "transfer.h"

/* The earliest moment at which something could run out, and what has. */
struct deadlines {
    int64_t now, next;
    enum streamer_outcome expired;
};

static void add(struct deadlines *deadlines, int64_t limit, int64_t from, enum streamer_outcome outcome) {
    if (limit <= 0) return;
    int64_t due = from + limit;
    if (due <= deadlines->now && deadlines->expired == STREAMER_OUTCOME_OPEN) deadlines->expired = outcome;
    if (due < deadlines->next) deadlines->next = due;
}

/* A clock that has not begun, and of whose beginning no timer is told: look again when it could first run out. */
static void add_later(struct deadlines *deadlines, int64_t limit) {
    add(deadlines, limit, deadlines->now, STREAMER_OUTCOME_OPEN);
}

static void add_started(struct deadlines *deadlines, struct streamer_transfer *transfer) {
    const struct streamer_timeouts *timeouts = &transfer->timeouts;
    int64_t now = deadlines->now, started = transfer->started / 1000;
    streamer_transfer_lock(transfer);
    bool taken = transfer->inbox.length == 0, decoding = transfer->decoding;
    int64_t last_event = transfer->last_event / 1000;
    streamer_transfer_unlock(transfer);
    /* A consumer that has not looked yet, or that made us pause, is not the upstream's delay. */
    bool upstreams_fault = !transfer->paused && taken, events_known = upstreams_fault && !decoding;

    /* Of several that have run out the first one here is named. */
    add(deadlines, timeouts->total, started, STREAMER_OUTCOME_TOTAL_TIMEOUT);
    if (!transfer->connected) {
        add(deadlines, timeouts->connect, transfer->asked, STREAMER_OUTCOME_CONNECT_TIMEOUT);
        add_later(deadlines, timeouts->first_byte);
    } else if (transfer->first_byte == 0) {
        add(deadlines, timeouts->first_byte, transfer->sent, STREAMER_OUTCOME_FIRST_BYTE_TIMEOUT);
    }
    if (last_event == 0)
        add(deadlines, timeouts->first_event, events_known ? started : now, STREAMER_OUTCOME_FIRST_EVENT_TIMEOUT);
    if (!transfer->connected)
        add_later(deadlines, timeouts->idle);
    else
        add(deadlines, timeouts->idle, upstreams_fault ? transfer->last_activity : now, STREAMER_OUTCOME_IDLE_TIMEOUT);
    if (last_event == 0) {
        add_later(deadlines, timeouts->event_idle);
    } else {
        int64_t from = last_event > transfer->resumed ? last_event : transfer->resumed;
        add(deadlines, timeouts->event_idle, events_known ? from : now, STREAMER_OUTCOME_EVENT_IDLE_TIMEOUT);
    }
}

/* The earliest deadline is found when the timer fires, and not at each read. */
void streamer_transfer_check_timeouts(struct streamer_timer *timer, int64_t now) {
    struct streamer_transfer *transfer = STREAMER_OWNER(timer, struct streamer_transfer, timer);
    if (transfer->draining) {
        streamer_transfer_finish(transfer, STREAMER_OUTCOME_COMPLETED, NULL);
        return;
    }
    struct deadlines deadlines = {.now = now, .next = INT64_MAX, .expired = STREAMER_OUTCOME_OPEN};
    if (transfer->started == 0)
        add(&deadlines, transfer->timeouts.queue, transfer->queued / 1000, STREAMER_OUTCOME_QUEUE_TIMEOUT);
    else
        add_started(&deadlines, transfer);

    if (deadlines.expired != STREAMER_OUTCOME_OPEN)
        streamer_transfer_finish(transfer, deadlines.expired, NULL);
    else if (deadlines.next != INT64_MAX)
        streamer_loop_set_timer(transfer->pool->loop, timer, deadlines.next);
}
