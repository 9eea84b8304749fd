#include "encode.h"

#include <stdlib.h>
#include <string.h>

#include "ceilings.h"
#include "decode.h"
#include "json.h"
#include "test.h"

#define TEXT(literal) literal, sizeof literal - 1

static void check_bytes(const char *expected, size_t expected_length, const char *actual, size_t length) {
    struct transcript want = {0}, got = {0};
    transcript_bytes(&want, expected, expected_length);
    transcript_bytes(&got, actual, length);
    CHECK_TEXT(want.text, got.text);
    transcript_free(&want);
    transcript_free(&got);
}

static void writes_frames(void) {
    static const struct {
        struct streamer_frame frame;
        const char *expected;
        size_t length;
    } cases[] = {
        {{NULL, 0, NULL, 0, -1, TEXT("a")}, TEXT("data: a\n\n")},
        {{TEXT("t"), TEXT("1"), 1500, TEXT("a")}, TEXT("event: t\nid: 1\nretry: 1500\ndata: a\n\n")},
        {{NULL, 0, TEXT("1"), -1, NULL, 0}, TEXT("id: 1\n\n")},
        {{NULL, 0, NULL, 0, 0, NULL, 0}, TEXT("retry: 0\n\n")},
        {{NULL, 0, NULL, 0, INT64_MAX, NULL, 0}, TEXT("retry: 9223372036854775807\n\n")},
        {{TEXT(""), TEXT(""), -1, TEXT("")}, TEXT("event:\nid:\ndata:\n\n")},
        {{NULL, 0, NULL, 0, -1, TEXT("a\nb\rc\r\nd")}, TEXT("data: a\ndata: b\ndata: c\ndata: d\n\n")},
        {{NULL, 0, NULL, 0, -1, TEXT("\n\r\r\n")}, TEXT("data:\ndata:\ndata:\ndata:\n\n")},
        {{NULL, 0, NULL, 0, -1, TEXT("a\r")}, TEXT("data: a\ndata:\n\n")},
        {{NULL, 0, NULL, 0, -1, TEXT(" a:\0")}, TEXT("data:  a:\0\n\n")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct streamer_buffer buffer;
        streamer_buffer_init(&buffer, 1000);
        CHECK_STATUS(STREAMER_OK, streamer_encode_frame(&buffer, &cases[i].frame));
        check_bytes(cases[i].expected, cases[i].length, buffer.bytes, buffer.length);
        CHECK(streamer_frame_size(&cases[i].frame) == buffer.length);
        streamer_buffer_release(&buffer);
    }
}

static void refuses_what_a_field_cannot_carry(void) {
    static const struct {
        const char *bytes;
        size_t length;
    } bad[] = {{TEXT("a\nb")}, {TEXT("a\r")}, {TEXT("\0")}, {TEXT("x\ndata: injected")}};
    struct streamer_buffer buffer;
    streamer_buffer_init(&buffer, STREAMER_MAX_FIELD * 2);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const struct streamer_frame event = {bad[i].bytes, bad[i].length, NULL, 0, -1, "d", 1};
        const struct streamer_frame id = {NULL, 0, bad[i].bytes, bad[i].length, -1, "d", 1};
        CHECK_STATUS(STREAMER_FIELD_INVALID, streamer_encode_frame(&buffer, &event));
        CHECK_STATUS(STREAMER_FIELD_INVALID, streamer_encode_frame(&buffer, &id));
    }
    char *large = malloc(STREAMER_MAX_FIELD + 1);
    memset(large, 'x', STREAMER_MAX_FIELD + 1);
    struct streamer_frame frame = {large, STREAMER_MAX_FIELD + 1, NULL, 0, -1, "d", 1};
    CHECK_STATUS(STREAMER_FIELD_INVALID, streamer_encode_frame(&buffer, &frame));
    CHECK(buffer.length == 0);
    frame.event_length--;
    CHECK_STATUS(STREAMER_OK, streamer_encode_frame(&buffer, &frame));
    free(large);
    streamer_buffer_release(&buffer);
}

static void appends_nothing_when_there_is_no_room(void) {
    struct streamer_buffer buffer;
    streamer_buffer_init(&buffer, 20);
    streamer_buffer_append(&buffer, "0123456789", 10);
    const struct streamer_frame frame = {NULL, 0, NULL, 0, -1, "abc", 3};
    CHECK_STATUS(STREAMER_FULL, streamer_encode_frame(&buffer, &frame));
    CHECK_STATUS(STREAMER_FULL, streamer_encode_comment(&buffer, "0123456789", 10));
    CHECK_STATUS(STREAMER_FULL, streamer_encode_json_string(&buffer, "\1\1", 2));
    CHECK(buffer.length == 10);
    streamer_buffer_release(&buffer);
}

static void writes_comments(void) {
    struct streamer_buffer buffer;
    streamer_buffer_init(&buffer, 1000);
    CHECK_STATUS(STREAMER_OK, streamer_encode_comment(&buffer, "", 0));
    CHECK_STATUS(STREAMER_OK, streamer_encode_comment(&buffer, "a\nb\r\n\rdata: x", 13));
    check_bytes(TEXT(":\n\n: a\n: b\n:\n: data: x\n\n"), buffer.bytes, buffer.length);
    streamer_buffer_release(&buffer);
}

static void a_parser_reads_back_the_same_text(void) {
    static const char alphabet[] = {'\n', '\r', ' ', ':', 'a', 'd', '\0', '\t'};
    uint32_t state = 7;
    for (int round = 0; round < 5000; round++) {
        char text[40], plain[40];
        size_t length = random_below(&state, sizeof text), plain_length = 0;
        for (size_t i = 0; i < length; i++) text[i] = alphabet[random_below(&state, sizeof alphabet)];
        for (size_t i = 0; i < length; i++) {
            if (text[i] == '\n' && i > 0 && text[i - 1] == '\r') continue;
            plain[plain_length++] = text[i] == '\r' ? '\n' : text[i];
        }
        struct streamer_buffer buffer;
        streamer_buffer_init(&buffer, 1 << 20);
        char *copy = exact_copy(text, length);
        const struct streamer_frame frame = {"t", 1, NULL, 0, -1, length > 0 ? copy : "", length};
        CHECK_STATUS(STREAMER_OK, streamer_encode_frame(&buffer, &frame));
        free(copy);

        struct streamer_decoder *decoder = streamer_decoder_new(STREAMER_FORMAT_SSE, 0, 0);
        const char *cursor = buffer.bytes, *end = buffer.bytes + buffer.length;
        struct streamer_event event;
        CHECK_STATUS(STREAMER_EVENT, streamer_decoder_next(decoder, &cursor, end, &event));
        check_bytes(plain, plain_length, event.data, event.data_length);
        CHECK(cursor == end && event.type_length == 1);
        streamer_decoder_free(decoder);
        streamer_buffer_release(&buffer);
    }
}

static void writes_json_strings_as_ruby_does(void) {
    struct streamer_buffer buffer;
    streamer_buffer_init(&buffer, 1000);
    CHECK_STATUS(STREAMER_OK, streamer_encode_json_string(&buffer, "", 0));
    static const char input[] = "\0\1\b\t\n\v\f\r\x1f \"\\/\x7f\xE2\x80\xA8\xC3\xA9<";
    CHECK_STATUS(STREAMER_OK, streamer_encode_json_string(&buffer, input, sizeof input - 1));
    check_bytes(TEXT("\"\"\"\\u0000\\u0001\\b\\t\\n\\u000b\\f\\r\\u001f \\\"\\\\/\x7f\xE2\x80\xA8\xC3\xA9<\""),
                buffer.bytes, buffer.length);
    streamer_buffer_release(&buffer);
}

static void every_character_escaped_is_itself_when_unescaped(void) {
    for (int byte = 0; byte < 0x80; byte++) {
        char text = (char)byte, escaped[6], back[6];
        size_t length = streamer_json_escape(escaped, &text, 1);
        CHECK(length == streamer_json_escaped_length(&text, 1));
        CHECK(streamer_json_unescape(back, escaped, length) == 1 && back[0] == text);
        CHECK(streamer_json_normalize(back, escaped, length) == length && memcmp(back, escaped, length) == 0);
    }
}

void encode_tests(void) {
    RUN(writes_frames);
    RUN(refuses_what_a_field_cannot_carry);
    RUN(appends_nothing_when_there_is_no_room);
    RUN(writes_comments);
    RUN(a_parser_reads_back_the_same_text);
    RUN(writes_json_strings_as_ruby_does);
    RUN(every_character_escaped_is_itself_when_unescaped);
}
