/* An HTTP/1.1 response body, whatever the reads: the same data, the same end behind the same byte, and the same result
 * when the connection closes.
 *
 * Input: one byte for the framing (chunks, mostly), three of cuts (support.h), then the stream. */
#include "http1_body.h"

#include "support.h"

struct framing {
    enum streamer_body_framing framing;
    uint64_t length;
};

static struct record run(struct framing framing, struct input stream, struct cut cut) {
    struct record data = {0};
    struct streamer_http1_body body;
    size_t all = 0, used, found;
    streamer_http1_body_init(&body, framing.framing, framing.length);
    enum streamer_status status = streamer_http1_body_read(&body, NULL, 0, &used, &found);

    for (size_t offset = 0, length; offset < stream.length && status == STREAMER_MORE; offset += length) {
        length = cut_length(&cut, offset, stream.length);
        char *read = exact_copy(stream.bytes + offset, length);
        status = streamer_http1_body_read(&body, read, length, &used, &found);
        MUST(found <= used && used <= length, "no more data than bytes");
        MUST(status != STREAMER_MORE || used == length, "a body that asks for more has read everything");
        all += used;
        record_bytes(&data, read, found);
        if (status != STREAMER_MORE) {
            MUST(streamer_http1_body_read(&body, read, length, &used, &found) == status, "an end is final");
            MUST(used == 0 && found == 0, "nothing is used behind the end");
        }
        free(read);
    }

    enum streamer_status closed = streamer_http1_body_close(&body);
    MUST(status == STREAMER_MORE ? closed == STREAMER_OK || closed == STREAMER_INCOMPLETE : closed == status,
         "close says how the body ended");
    MUST(framing.framing != STREAMER_BODY_LENGTH || (status == STREAMER_OK) == (data.length == framing.length),
         "a length is exact");
    record_field(&data, (const char *)&status, sizeof status);
    record_field(&data, (const char *)&closed, sizeof closed);
    if (status == STREAMER_OK) record_field(&data, (const char *)&all, sizeof all);
    return data;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct input input = {bytes, length};
    unsigned first = take_byte(&input);
    struct cut cut = take_cut(&input);
    struct framing framing = {STREAMER_BODY_CHUNKED, 0};
    if (first == 1) framing.framing = STREAMER_BODY_NONE;
    if (first == 2) framing.framing = STREAMER_BODY_UNTIL_CLOSE;
    if (first > 2 && first < 32) framing = (struct framing){STREAMER_BODY_LENGTH, first - 3};

    struct record whole = run(framing, input, (struct cut){0, 0});
    struct record parts = run(framing, input, cut);
    struct record single = run(framing, input, (struct cut){1, 1});
    compare_and_free(&whole, &parts, &single);
    return 0;
}
