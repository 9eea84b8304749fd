/* encode, read back by decode: one event in, one event out, and never a field, a line or an event more.
 *
 * Input: one byte of options, one length each for event and id, then event, id and data. */
#include "encode.h"

#include "ceilings.h"
#include "decode.h"
#include "extract.h"
#include "support.h"
#include "utf8.h"

enum { WITH_EVENT = 1, WITH_ID = 2, WITH_RETRY = 4, WITH_DATA = 8 };

static struct input take(struct input *input, size_t length) {
    if (length > input->length) length = input->length;
    struct input part = {input->bytes, length};
    input->bytes += length;
    input->length -= length;
    return part;
}

static bool holds(const char *bytes, size_t length, const char *forbidden, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (length > 0 && memchr(bytes, forbidden[i], length) != NULL) return true;
    }
    return false;
}

/* What the browser must end up with: line ends are LF, ill-formed UTF-8 is replaced. */
static struct streamer_buffer as_decoded(const char *text, size_t length) {
    struct streamer_buffer lines, scrubbed;
    streamer_buffer_init(&lines, SIZE_MAX);
    streamer_buffer_init(&scrubbed, SIZE_MAX);
    for (size_t i = 0; i < length; i++) {
        bool crlf = text[i] == '\r' && i + 1 < length && text[i + 1] == '\n';
        if (!crlf && streamer_buffer_append(&lines, text[i] == '\r' ? "\n" : text + i, 1) != STREAMER_OK) abort();
    }
    if (lines.length > 0 && streamer_utf8_scrub(&scrubbed, lines.bytes, lines.length) != STREAMER_OK) abort();
    streamer_buffer_release(&lines);
    return scrubbed;
}

static bool same(const char *bytes, size_t length, const struct streamer_buffer *buffer) {
    return length == buffer->length && (length == 0 || memcmp(bytes, buffer->bytes, length) == 0);
}

static void check_decoded(const struct streamer_frame *frame, const struct streamer_buffer *encoded) {
    struct streamer_decoder *decoder = streamer_decoder_new(STREAMER_FORMAT_SSE, SIZE_MAX / 2, SIZE_MAX / 2);
    struct streamer_event event;
    char *read = exact_copy(encoded->bytes, encoded->length);
    const char *cursor = read;
    const char *end = read + encoded->length;
    enum streamer_status status = streamer_decoder_next(decoder, &cursor, end, &event);

    if (frame->data == NULL) {
        MUST(status == STREAMER_MORE, "a frame without data dispatches nothing");
    } else {
        MUST(status == STREAMER_EVENT, "a frame is an event");
        struct streamer_buffer data = as_decoded(frame->data, frame->data_length);
        MUST(same(event.data, event.data_length, &data), "data comes back");
        streamer_buffer_release(&data);

        bool named = frame->event != NULL && frame->event_length > 0;
        struct streamer_buffer type = as_decoded(named ? frame->event : "message", named ? frame->event_length : 7);
        MUST(same(event.type, event.type_length, &type), "the event's name comes back");
        streamer_buffer_release(&type);
        MUST(streamer_decoder_next(decoder, &cursor, end, &event) == STREAMER_MORE, "a frame is one event");
    }

    size_t id_length;
    const char *id = streamer_decoder_last_event_id(decoder, &id_length);
    struct streamer_buffer wanted = as_decoded(frame->id, frame->id != NULL ? frame->id_length : 0);
    MUST(same(id, id_length, &wanted), "the id comes back");
    streamer_buffer_release(&wanted);
    MUST(streamer_decoder_retry(decoder) == (frame->retry < 0 ? -1 : frame->retry), "retry comes back");
    streamer_decoder_free(decoder);
    free(read);
}

static void check_frame(const struct streamer_frame *frame) {
    struct streamer_buffer out;
    streamer_buffer_init(&out, SIZE_MAX / 2);
    enum streamer_status status = streamer_encode_frame(&out, frame);
    bool refused = (frame->event != NULL && (holds(frame->event, frame->event_length, "\r\n\0", 3) ||
                                             frame->event_length > STREAMER_MAX_FIELD)) ||
                   (frame->id != NULL &&
                    (holds(frame->id, frame->id_length, "\r\n\0", 3) || frame->id_length > STREAMER_MAX_FIELD));
    MUST(status == (refused ? STREAMER_FIELD_INVALID : STREAMER_OK), "exactly what SSE cannot carry is refused");
    if (refused) {
        MUST(out.length == 0, "what is refused leaves nothing behind");
    } else {
        MUST(out.length > 0 && out.bytes[out.length - 1] == '\n', "a frame ends its last line");
        check_decoded(frame, &out);

        struct streamer_buffer small;
        streamer_buffer_init(&small, out.length - 1);
        MUST(streamer_encode_frame(&small, frame) == STREAMER_FULL, "a frame that does not fit is refused");
        MUST(small.length == 0, "a frame that does not fit leaves nothing behind");
        streamer_buffer_release(&small);
    }
    streamer_buffer_release(&out);
}

static void check_comment(const char *text, size_t length) {
    struct streamer_decoder *decoder = streamer_decoder_new(STREAMER_FORMAT_SSE, SIZE_MAX / 2, SIZE_MAX / 2);
    struct streamer_event event;
    struct streamer_buffer out;
    streamer_buffer_init(&out, SIZE_MAX / 2);
    MUST(streamer_encode_comment(&out, text, length) == STREAMER_OK, "any text can be a comment");
    const char *cursor = out.bytes;
    MUST(streamer_decoder_next(decoder, &cursor, out.bytes + out.length, &event) == STREAMER_MORE,
         "a comment is no event");
    size_t id_length;
    streamer_decoder_last_event_id(decoder, &id_length);
    MUST(id_length == 0 && streamer_decoder_retry(decoder) == -1, "a comment sets nothing");
    streamer_decoder_free(decoder);
    streamer_buffer_release(&out);
}

static void check_json_string(const char *text, size_t length) {
    static const char *const path[] = {"0"};
    static const size_t path_length[] = {1};
    struct streamer_buffer document, back;
    struct streamer_extractor *extractor;
    struct streamer_value value;
    streamer_buffer_init(&document, SIZE_MAX / 2);
    streamer_buffer_init(&back, SIZE_MAX / 2);
    if (streamer_extractor_new(&extractor, &(struct streamer_extractor_options){
                                               .paths = path, .lengths = path_length, .count = 1}) != STREAMER_OK)
        abort();

    if (streamer_buffer_append(&document, "[", 1) != STREAMER_OK) abort();
    MUST(streamer_encode_json_string(&document, text, length) == STREAMER_OK, "any text can be a JSON string");
    MUST(memchr(document.bytes, '\n', document.length) == NULL, "a JSON string is one line");
    if (streamer_buffer_append(&document, "]", 1) != STREAMER_OK) abort();
    MUST(streamer_extractor_read(extractor, document.bytes, document.length, &value) == STREAMER_OK,
         "a JSON string is JSON");
    MUST(streamer_value_text(&value, &back) == STREAMER_OK && same(text, length, &back), "a JSON string comes back");

    streamer_extractor_free(extractor);
    streamer_buffer_release(&document);
    streamer_buffer_release(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct input input = {bytes, length};
    unsigned options = take_byte(&input);
    unsigned event_length = take_byte(&input);
    unsigned id_length = take_byte(&input);
    struct input event = take(&input, event_length);
    struct input id = take(&input, id_length);
    char *data = exact_copy(input.bytes, input.length);

    check_frame(&(struct streamer_frame){
        .event = options & WITH_EVENT ? (const char *)event.bytes : NULL,
        .event_length = event.length,
        .id = options & WITH_ID ? (const char *)id.bytes : NULL,
        .id_length = id.length,
        .retry = options & WITH_RETRY ? (int64_t)(options << 7) : -1,
        .data = options & WITH_DATA ? data : NULL,
        .data_length = input.length,
    });
    check_comment(data, input.length);
    if (streamer_utf8_valid(data, input.length)) check_json_string(data, input.length);
    free(data);
    return 0;
}
