/* decode, whatever the reads: the same events, the same last event ID and retry, the same end.
 *
 * Input: one byte of limits, three of cuts (support.h), then the stream. */
#include "decode.h"
#include "support.h"
#include "utf8.h"

struct limits {
    size_t line;
    size_t event;
};

static void record_event(struct record *record, const struct streamer_event *event) {
    MUST(event->type_length > 0, "an event has a type");
    MUST(memchr(event->type, '\n', event->type_length) == NULL, "a type is one line");
    MUST(streamer_utf8_valid(event->type, event->type_length), "a type is well-formed UTF-8");
    MUST(event->data_length == 0 || streamer_utf8_valid(event->data, event->data_length), "data is well-formed UTF-8");
    MUST(event->data_length == 0 || memchr(event->data, '\r', event->data_length) == NULL, "data holds no CR");
    MUST(event->id_length == 0 || streamer_utf8_valid(event->id, event->id_length), "an id is well-formed UTF-8");
    MUST(event->id_length == 0 || memchr(event->id, '\0', event->id_length) == NULL, "an id holds no NUL");
    record_field(record, event->type, event->type_length);
    record_field(record, event->data, event->data_length);
    record_field(record, event->id, event->id_length);
}

static struct record run(struct input stream, struct limits limits, struct cut cut) {
    struct record record = {0};
    struct streamer_decoder *decoder = streamer_decoder_new(STREAMER_FORMAT_SSE, limits.line, limits.event);
    enum streamer_status status = STREAMER_MORE;
    if (decoder == NULL) abort();

    for (size_t offset = 0, length; offset < stream.length && status == STREAMER_MORE; offset += length) {
        length = cut_length(&cut, offset, stream.length);
        char *read = exact_copy(stream.bytes + offset, length);
        const char *cursor = read;
        struct streamer_event event;
        while ((status = streamer_decoder_next(decoder, &cursor, read + length, &event)) == STREAMER_EVENT) {
            record_event(&record, &event);
        }
        if (status == STREAMER_MORE) {
            MUST(cursor == read + length, "a decoder that asks for more has read everything");
        } else {
            MUST(streamer_decoder_next(decoder, &cursor, read + length, &event) == status, "a failure is final");
        }
        free(read);
    }
    MUST(status == STREAMER_MORE || status == STREAMER_LINE_TOO_LONG || status == STREAMER_EVENT_TOO_LARGE,
         "a stream can only be too large");

    size_t id_length;
    const char *id = streamer_decoder_last_event_id(decoder, &id_length);
    int64_t retry = streamer_decoder_retry(decoder);
    record_field(&record, id, id_length);
    record_field(&record, (const char *)&retry, sizeof retry);
    record_field(&record, (const char *)&status, sizeof status);
    streamer_decoder_free(decoder);
    return record;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct input input = {bytes, length};
    unsigned small = take_byte(&input);
    struct cut cut = take_cut(&input);
    struct limits limits = {small & 1 ? 8 + (small >> 2) : 0, small & 2 ? 4 + (small >> 2) : 0};

    struct record whole = run(input, limits, (struct cut){0, 0});
    struct record parts = run(input, limits, cut);
    struct record single = run(input, limits, (struct cut){1, 1});
    compare_and_free(&whole, &parts, &single);
    return 0;
}
