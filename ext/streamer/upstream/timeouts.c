#include <stddef.h>

#include "multi.h"
#include "transfer.h"

/* How often libcurl is made to look at a connection that is being made: when a host's address has had its time, libcurl
 * 7.88 makes a socket for the next one and waits for an event before it connects it. */
enum { LOOK = 100 };

/* libcurl's own timeouts are not used: under socket_action its response timeout may never fire, its speed limit stops
 * counting while paused, and none of them knows an event. The earliest deadline is found anew when the timer fires. */
void streamer_transfer_fire(struct streamer_timer *timer, int64_t now) {
    struct streamer_transfer *transfer =
        (struct streamer_transfer *)((char *)timer - offsetof(struct streamer_transfer, timer));
    const struct streamer_timeouts *timeouts = &transfer->timeouts;
    if (transfer->draining) {
        streamer_transfer_finish(transfer, STREAMER_OUTCOME_COMPLETED, NULL);
        return;
    }
    int64_t next = INT64_MAX;
    enum streamer_outcome expired = STREAMER_OUTCOME_OPEN;

#define DEADLINE(limit, from, outcome)                                                 \
    do {                                                                               \
        int64_t deadline_ = (from) + (limit);                                          \
        if (deadline_ <= now && expired == STREAMER_OUTCOME_OPEN) expired = (outcome); \
        if (deadline_ < next) next = deadline_;                                        \
    } while (0)
    /* A clock that has not begun, and of whose beginning no timer is told: look again when it could first run out. */
#define LATER(limit) DEADLINE(limit, now, STREAMER_OUTCOME_OPEN)

    if (transfer->started == 0) {
        if (timeouts->queue > 0) DEADLINE(timeouts->queue, transfer->queued / 1000, STREAMER_OUTCOME_QUEUE_TIMEOUT);
    } else {
        int64_t started = transfer->started / 1000;
        streamer_transfer_lock(transfer);
        bool taken = transfer->inbox.length == 0, decoding = transfer->decoding;
        int64_t last_event = transfer->last_event / 1000;
        streamer_transfer_unlock(transfer);
        /* A consumer that has not looked yet, or that made us pause, is not the upstream's delay. */
        bool upstreams_turn = !transfer->receive_paused && taken;
        bool events_known = upstreams_turn && !decoding;

        if (timeouts->total > 0) DEADLINE(timeouts->total, started, STREAMER_OUTCOME_TOTAL_TIMEOUT);
        if (timeouts->connect > 0 && !transfer->connected) {
            DEADLINE(timeouts->connect, started, STREAMER_OUTCOME_CONNECT_TIMEOUT);
            streamer_transfer_stir(transfer);
            LATER(LOOK);
        }
        if (timeouts->first_byte > 0 && transfer->head_bytes == 0) {
            if (transfer->connected)
                DEADLINE(timeouts->first_byte, transfer->sent, STREAMER_OUTCOME_FIRST_BYTE_TIMEOUT);
            else
                LATER(timeouts->first_byte);
        }
        if (timeouts->first_event > 0 && last_event == 0) {
            DEADLINE(timeouts->first_event, events_known ? started : now, STREAMER_OUTCOME_FIRST_EVENT_TIMEOUT);
        }
        if (timeouts->idle > 0) {
            if (transfer->connected)
                DEADLINE(timeouts->idle, upstreams_turn ? transfer->last_activity : now, STREAMER_OUTCOME_IDLE_TIMEOUT);
            else
                LATER(timeouts->idle);
        }
        if (timeouts->event_idle > 0) {
            int64_t from = last_event > transfer->resumed ? last_event : transfer->resumed;
            if (last_event > 0)
                DEADLINE(timeouts->event_idle, events_known ? from : now, STREAMER_OUTCOME_EVENT_IDLE_TIMEOUT);
            else
                LATER(timeouts->event_idle);
        }
    }
#undef DEADLINE
#undef LATER

    if (expired != STREAMER_OUTCOME_OPEN) {
        streamer_transfer_finish(transfer, expired, NULL);
    } else if (next != INT64_MAX) {
        streamer_timers_set(streamer_reactor_timers(transfer->reactor), timer, next);
    }
}
