#include "board.h"

#include <stddef.h>

#include "relay.h"

void streamer_board_init(struct streamer_board *board) {
    streamer_signal_init(&board->signal);
    board->first = board->last = NULL;
}

void streamer_board_post(struct streamer_board *board, struct streamer_relay *relay, int news) {
    pthread_mutex_lock(&board->signal.lock);
    bool posted = relay->news != 0;
    relay->news |= news;
    if (!posted) {
        streamer_relay_retain(relay);
        relay->board_next = NULL;
        if (board->last != NULL) {
            board->last->board_next = relay;
        } else {
            board->first = relay;
        }
        board->last = relay;
        streamer_signal_raise(&board->signal);
    }
    pthread_mutex_unlock(&board->signal.lock);
}

struct streamer_relay *streamer_board_take(struct streamer_board *board, int *news) {
    pthread_mutex_lock(&board->signal.lock);
    struct streamer_relay *relay = board->first;
    if (relay != NULL) {
        board->first = relay->board_next;
        if (board->first == NULL) board->last = NULL;
        *news = relay->news;
        relay->news = 0;
    }
    pthread_mutex_unlock(&board->signal.lock);
    return relay;
}
