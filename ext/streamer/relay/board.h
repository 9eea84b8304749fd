/* board: what relays have to tell Ruby, for the one Ruby thread that runs people's callbacks.
 *
 * The native thread posts and goes on; the Ruby thread takes the relays that have news, several at a turn of the GVL. A
 * relay stands on the board at most once, whatever it has to tell, so the board is as long as there are relays.
 */
#pragma once

#include "../upstream/signal.h"

enum streamer_news {
    STREAMER_NEWS_FIRST = 1, /* the first event came */
    STREAMER_NEWS_TEXT = 2,  /* there is text to take */
    STREAMER_NEWS_ENDED = 4
};

struct streamer_relay;

struct streamer_board {
    struct streamer_signal signal;
    struct streamer_relay *first, *last; /* guarded by signal.lock, as relay->news and relay->board_next are */
};

void streamer_board_init(struct streamer_board *board);

/* Puts up news, and the relay with them; holds a reference to it until it is taken. From any thread. */
void streamer_board_post(struct streamer_board *board, struct streamer_relay *relay, int news);

/* Takes the next relay, with the board's reference, and its news; NULL when the board is empty. From any thread. */
struct streamer_relay *streamer_board_take(struct streamer_board *board, int *news);
