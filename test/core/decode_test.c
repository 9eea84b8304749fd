#include "decode.h"

#include <stdlib.h>
#include <string.h>

#include "ceilings.h"
#include "test.h"
#include "utf8.h"

static void write_event(struct transcript *transcript, const struct streamer_event *event) {
    transcript_printf(transcript, "%.*s ", (int)event->type_length, event->type);
    transcript_bytes(transcript, event->data, event->data_length);
    if (event->id_length > 0) {
        transcript_printf(transcript, " id ");
        transcript_bytes(transcript, event->id, event->id_length);
    }
    transcript_printf(transcript, "\n");
}

/* Each event on a line, then how the stream stands. */
static void decode(struct transcript *transcript, const char *input, size_t length, struct cut cut, size_t max_line,
                   size_t max_event) {
    struct streamer_decoder *decoder = streamer_decoder_new(STREAMER_FORMAT_SSE, max_line, max_event);
    enum streamer_status status = STREAMER_MORE;
    for (size_t start = 0; start < length && status == STREAMER_MORE; start = cut_end(cut, start, length)) {
        size_t size = cut_end(cut, start, length) - start;
        char *read = exact_copy(input + start, size);
        const char *cursor = read;
        struct streamer_event event;
        while ((status = streamer_decoder_next(decoder, &cursor, read + size, &event)) == STREAMER_EVENT) {
            write_event(transcript, &event);
        }
        CHECK(status != STREAMER_MORE || cursor == read + size);
        free(read);
    }
    if (status != STREAMER_MORE) {
        struct streamer_event event;
        const char *none = "";
        CHECK_STATUS(status, streamer_decoder_next(decoder, &none, none, &event));
        transcript_printf(transcript, "%s\n", streamer_status_name(status));
    }
    if (streamer_decoder_retry(decoder) >= 0) {
        transcript_printf(transcript, "retry %lld\n", (long long)streamer_decoder_retry(decoder));
    }
    size_t id_length;
    const char *id = streamer_decoder_last_event_id(decoder, &id_length);
    if (id_length > 0) {
        transcript_printf(transcript, "last event id ");
        transcript_bytes(transcript, id, id_length);
        transcript_printf(transcript, "\n");
    }
    CHECK(streamer_decoder_size(decoder) == heap_bytes());
    streamer_decoder_free(decoder);
}

struct decode_case {
    const char *name;
    const char *input;
    size_t length;
    const char *expected;
    size_t max_line;
    size_t max_event;
};

#define BYTES(literal) literal, sizeof literal - 1
#define BOM "\xEF\xBB\xBF"

static const struct decode_case cases[] = {
    {"nothing", BYTES(""), "", 0, 0},
    {"one event", BYTES("data: a\n\n"), "message \"a\"\n", 0, 0},
    {"two events", BYTES("data: a\n\ndata: b\n\n"), "message \"a\"\nmessage \"b\"\n", 0, 0},
    {"an event type", BYTES("event: t\ndata: a\n\ndata: b\n\n"), "t \"a\"\nmessage \"b\"\n", 0, 0},
    {"the last type counts", BYTES("event: t\nevent: u\ndata: a\n\n"), "u \"a\"\n", 0, 0},
    {"an empty type is message", BYTES("event: t\nevent\ndata: a\n\n"), "message \"a\"\n", 0, 0},
    {"a type without data is dropped", BYTES("event: t\n\ndata: a\n\n"), "message \"a\"\n", 0, 0},
    {"lines are joined by LF", BYTES("data: a\ndata: b\ndata: c\n\n"), "message \"a\\nb\\nc\"\n", 0, 0},
    {"other fields between data lines", BYTES("data: a\nevent: t\n:\ndata: b\n\n"), "t \"a\\nb\"\n", 0, 0},
    {"empty data is an event", BYTES("data:\n\n"), "message \"\"\n", 0, 0},
    {"a field without a colon is empty", BYTES("data\n\ndata\ndata\n\n"), "message \"\"\nmessage \"\\n\"\n", 0, 0},
    {"empty lines of data", BYTES("data:\ndata: \ndata:x\ndata:\n\n"), "message \"\\n\\nx\\n\"\n", 0, 0},
    {"one space is removed", BYTES("data:a\ndata: a\ndata:  a\ndata:\ta\n\n"), "message \"a\\na\\n a\\n\\x09a\"\n", 0,
     0},
    {"a colon in the value", BYTES("data: a: b:\ndata::\n\n"), "message \"a: b:\\n:\"\n", 0, 0},
    {"comments", BYTES(": c\n:\n:data: x\n\ndata: a\n: c\n\n"), "message \"a\"\n", 0, 0},
    {"unknown fields", BYTES("dat: x\ndatax: x\nDATA: x\n data: x\ndata : x\nevents: x\nx\ndata: a\n\n"),
     "message \"a\"\n", 0, 0},
    {"blank lines alone", BYTES("\n\n\r\r\r\n\r\n"), "", 0, 0},
    {"an unfinished event is discarded", BYTES("data: a\n\ndata: b\n"), "message \"a\"\n", 0, 0},
    {"an unfinished line is discarded", BYTES("data: a\n\ndata: b"), "message \"a\"\n", 0, 0},
    {"CR", BYTES("data: a\rdata: b\r\rdata: c\r\r"), "message \"a\\nb\"\nmessage \"c\"\n", 0, 0},
    {"CRLF", BYTES("data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n"), "message \"a\\nb\"\nmessage \"c\"\n", 0, 0},
    {"line ends mixed", BYTES("data: a\rdata: b\ndata: c\r\n\rdata: d\n\r\ndata: e\r\r\n"),
     "message \"a\\nb\\nc\"\nmessage \"d\"\nmessage \"e\"\n", 0, 0},
    {"LF CR are two line ends", BYTES("data: a\n\rdata: b\n\r"), "message \"a\"\nmessage \"b\"\n", 0, 0},
    {"CR LF LF", BYTES("data: a\r\n\ndata: b\r\n\n"), "message \"a\"\nmessage \"b\"\n", 0, 0},
    {"NEL and U+2028 end no line", BYTES("data: a\xC2\x85z\xE2\x80\xA8\x0B\x0C\n\n"),
     "message \"a\\xC2\\x85z\\xE2\\x80\\xA8\\x0B\\x0C\"\n", 0, 0},
    {"NUL in data stays", BYTES("data: a\0b\n\n"), "message \"a\\x00b\"\n", 0, 0},
    {"BOM", BYTES(BOM "data: a\n\n"), "message \"a\"\n", 0, 0},
    {"BOM before a comment", BYTES(BOM ": c\ndata: a\n\n"), "message \"a\"\n", 0, 0},
    {"only one BOM", BYTES(BOM BOM "data: a\n\ndata: b\n\n"), "message \"b\"\n", 0, 0},
    {"BOM only at the start", BYTES("data: a\n\n" BOM "data: b\n\ndata: c\n\n"), "message \"a\"\nmessage \"c\"\n", 0,
     0},
    {"BOM as data", BYTES("data: " BOM "\n\n"), "message \"\\xEF\\xBB\\xBF\"\n", 0, 0},
    {"the beginning of a BOM is no BOM",
     BYTES("\xEF\xBB"
           "data: a\n\ndata: b\n\n"),
     "message \"b\"\n", 0, 0},
    {"the beginning of a BOM, then a line end", BYTES("\xEF\ndata: b\n\n"), "message \"b\"\n", 0, 0},
    {"only a BOM", BYTES(BOM), "", 0, 0},
    {"id stays", BYTES("id: 1\ndata: a\n\ndata: b\n\nid: 2\ndata: c\n\n"),
     "message \"a\" id \"1\"\nmessage \"b\" id \"1\"\nmessage \"c\" id \"2\"\nlast event id \"2\"\n", 0, 0},
    {"id without data counts", BYTES("id: 1\n\ndata: a\n\n"), "message \"a\" id \"1\"\nlast event id \"1\"\n", 0, 0},
    {"id behind the data", BYTES("data: a\nid: 1\n\n"), "message \"a\" id \"1\"\nlast event id \"1\"\n", 0, 0},
    {"the id of an unfinished event does not count", BYTES("id: 1\ndata: a\n\nid: 2\ndata: b\n"),
     "message \"a\" id \"1\"\nlast event id \"1\"\n", 0, 0},
    {"an empty id resets", BYTES("id: 1\ndata: a\n\nid\ndata: b\n\n"), "message \"a\" id \"1\"\nmessage \"b\"\n", 0, 0},
    {"id with NUL is ignored", BYTES("id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n"),
     "message \"a\" id \"1\"\nmessage \"b\" id \"1\"\nlast event id \"1\"\n", 0, 0},
    {"id with NUL leaves the one before it", BYTES("id: 2\nid: 3\0\ndata: b\n\n"),
     "message \"b\" id \"2\"\nlast event id \"2\"\n", 0, 0},
    {"retry", BYTES("retry: 1500\n\n"), "retry 1500\n", 0, 0},
    {"retry counts before the blank line", BYTES("retry: 15\n"), "retry 15\n", 0, 0},
    {"retry is digits only",
     BYTES("retry: 1\nretry: 15s\nretry: -3\nretry: +3\nretry:  4\nretry: 1.5\nretry\nretry:\n\n"), "retry 1\n", 0, 0},
    {"a huge retry saturates", BYTES("retry: 9223372036854775807\n\n"), "retry 9223372036854775807\n", 0, 0},
    {"a retry beyond 64 bits saturates", BYTES("retry: 92233720368547758070\n\n"), "retry 9223372036854775807\n", 0, 0},
    {"a retry just beyond 64 bits saturates", BYTES("retry: 9223372036854775808\n\n"), "retry 9223372036854775807\n", 0,
     0},
    {"UTF-8", BYTES("event: \xC3\xA9\nid: \xE2\x82\xAC\ndata: \xF0\x9F\x98\x80\n\n"),
     "\xC3\xA9 \"\\xF0\\x9F\\x98\\x80\" id \"\\xE2\\x82\\xAC\"\nlast event id \"\\xE2\\x82\\xAC\"\n", 0, 0},
    {"ill-formed UTF-8 is replaced", BYTES("data: a\xFFz\xE2\x82\ndata: \xC3\n\n"),
     "message \"a\\xEF\\xBF\\xBDz\\xEF\\xBF\\xBD\\n\\xEF\\xBF\\xBD\"\n", 0, 0},
    {"ill-formed UTF-8 behind good data", BYTES("data: a\ndata: \x80\xC3\xA9\n\n"),
     "message \"a\\n\\xEF\\xBF\\xBD\\xC3\\xA9\"\n", 0, 0},
    {"ill-formed UTF-8 in type and id", BYTES("event: \xC0\nid: \x80\ndata: a\n\n"),
     "\xEF\xBF\xBD \"a\" id \"\\xEF\\xBF\\xBD\"\nlast event id \"\\xEF\\xBF\\xBD\"\n", 0, 0},
    {"a line as long as allowed", BYTES("data: 45678\n\n:2345678901\n"), "message \"45678\"\n", 11, 0},
    {"a longer line", BYTES("data: a\n\ndata: 456789\n\ndata: b\n\n"), "message \"a\"\nLINE_TOO_LONG\n", 11, 0},
    {"a longer comment", BYTES(":23456789012\ndata: b\n\n"), "LINE_TOO_LONG\n", 11, 0},
    {"a longer line without an end", BYTES("data: a\n\ndata: 4567890"), "message \"a\"\nLINE_TOO_LONG\n", 11, 0},
    {"an event as large as allowed", BYTES("data: 123\ndata: 5\n\ndata: 12345\n\n"),
     "message \"123\\n5\"\nmessage \"12345\"\n", 0, 5},
    {"a larger event", BYTES("data: 1\n\ndata: 123\ndata: 56\n\n"), "message \"1\"\nEVENT_TOO_LARGE\n", 0, 5},
    {"a larger event of one line", BYTES("data: 123456\n\n"), "EVENT_TOO_LARGE\n", 0, 5},
    {"an event that its last empty line makes too large", BYTES("data: 12345\ndata:\n\n"), "EVENT_TOO_LARGE\n", 0, 5},
    {"an event that replacements make too large", BYTES("data: \xFF\xFF\n\n"), "EVENT_TOO_LARGE\n", 0, 5},
};

static void gives_the_same_however_it_is_cut(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct decode_case *c = &cases[i];
        test_about(c->name);
        EVERY_CUT(cut, c->length) {
            struct transcript transcript = {0};
            transcript_printf(&transcript, "%s", "");
            decode(&transcript, c->input, c->length, cut, c->max_line, c->max_event);
            CHECK_TEXT(c->expected, transcript.text);
            transcript_free(&transcript);
        }
    }
}

/* The standard as it is written: decode UTF-8, strip the BOM, cut lines, interpret them. Slow and all at once. */
struct standard {
    struct streamer_buffer data, type, id_buffer, id;
    int64_t retry;
};

static void standard_field(struct standard *standard, const char *name, size_t name_length, const char *value,
                           size_t length) {
    if (name_length == 5 && memcmp(name, "event", 5) == 0) {
        standard->type.length = 0;
        streamer_buffer_append(&standard->type, value, length);
    } else if (name_length == 4 && memcmp(name, "data", 4) == 0) {
        streamer_buffer_append(&standard->data, value, length);
        streamer_buffer_append(&standard->data, "\n", 1);
    } else if (name_length == 2 && memcmp(name, "id", 2) == 0 && memchr(value, 0, length) == NULL) {
        standard->id_buffer.length = 0;
        streamer_buffer_append(&standard->id_buffer, value, length);
    } else if (name_length == 5 && memcmp(name, "retry", 5) == 0 && length > 0 && length < 18) {
        int64_t number = 0;
        for (size_t i = 0; i < length; i++) {
            if (value[i] < '0' || value[i] > '9') return;
            number = number * 10 + value[i] - '0';
        }
        standard->retry = number;
    }
}

static void standard_line(struct standard *standard, const char *line, size_t length, struct transcript *transcript) {
    if (length == 0) {
        standard->id.length = 0;
        streamer_buffer_append(&standard->id, standard->id_buffer.bytes, standard->id_buffer.length);
        if (standard->data.length > 0) {
            const struct streamer_event event = {standard->type.length > 0 ? standard->type.bytes : "message",
                                                 standard->type.length > 0 ? standard->type.length : 7,
                                                 standard->data.bytes,
                                                 standard->data.length - 1,
                                                 standard->id.bytes,
                                                 standard->id.length};
            write_event(transcript, &event);
        }
        standard->data.length = standard->type.length = 0;
        return;
    }
    const char *colon = memchr(line, ':', length);
    if (colon == line) return;
    if (colon == NULL) {
        standard_field(standard, line, length, "", 0);
        return;
    }
    const char *value = colon + 1, *end = line + length;
    if (value < end && *value == ' ') value++;
    standard_field(standard, line, (size_t)(colon - line), value, (size_t)(end - value));
}

static void standard_decode(struct transcript *transcript, const char *input, size_t length) {
    struct standard standard = {.retry = -1};
    struct streamer_buffer text;
    streamer_buffer_init(&text, 1 << 20);
    streamer_buffer_init(&standard.data, 1 << 20);
    streamer_buffer_init(&standard.type, 1 << 20);
    streamer_buffer_init(&standard.id_buffer, 1 << 20);
    streamer_buffer_init(&standard.id, 1 << 20);
    bool marked = length >= 3 && memcmp(input, BOM, 3) == 0;
    streamer_utf8_scrub(&text, input + (marked ? 3 : 0), length - (marked ? 3 : 0));
    for (size_t start = 0, i = 0; i < text.length; i++) {
        if (text.bytes[i] != '\n' && text.bytes[i] != '\r') continue;
        standard_line(&standard, text.bytes + start, i - start, transcript);
        if (text.bytes[i] == '\r' && i + 1 < text.length && text.bytes[i + 1] == '\n') i++;
        start = i + 1;
    }
    if (standard.retry >= 0) transcript_printf(transcript, "retry %lld\n", (long long)standard.retry);
    if (standard.id.length > 0) {
        transcript_printf(transcript, "last event id ");
        transcript_bytes(transcript, standard.id.bytes, standard.id.length);
        transcript_printf(transcript, "\n");
    }
    streamer_buffer_release(&text);
    streamer_buffer_release(&standard.data);
    streamer_buffer_release(&standard.type);
    streamer_buffer_release(&standard.id_buffer);
    streamer_buffer_release(&standard.id);
}

static void reads_made_up_streams_as_the_standard_does(void) {
    static const struct {
        const char *bytes;
        size_t length;
    } words[] = {{BYTES("data")},
                 {BYTES("data:")},
                 {BYTES("data: ")},
                 {BYTES("event:")},
                 {BYTES("id")},
                 {BYTES("id:")},
                 {BYTES("retry: 1")},
                 {BYTES(":")},
                 {BYTES(" ")},
                 {BYTES("\n")},
                 {BYTES("\n\n")},
                 {BYTES("\r")},
                 {BYTES("\r\r")},
                 {BYTES("\r\n")},
                 {BYTES("\r\n\r\n")},
                 {BYTES(BOM)},
                 {BYTES("\xE2")},
                 {BYTES("\xE2\x82")},
                 {BYTES("\xE2\x82\xAC")},
                 {BYTES("\0")},
                 {BYTES("x")},
                 {BYTES("\xF0\x9F\x98\x80")},
                 {BYTES("\ndata:")},
                 {BYTES("\n\ndata: a")}};
    uint32_t state = 20260801;
    for (int round = 0; round < 3000; round++) {
        char input[512];
        size_t length = 0;
        for (uint32_t left = random_below(&state, 30); left > 0; left--) {
            uint32_t word = random_below(&state, sizeof words / sizeof *words);
            memcpy(input + length, words[word].bytes, words[word].length);
            length += words[word].length;
        }
        struct transcript about = {0}, expected = {0}, actual = {0};
        transcript_bytes(&about, input, length);
        test_about(about.text);
        transcript_printf(&expected, "%s", "");
        standard_decode(&expected, input, length);
        for (int way = 0; way < 3; way++) {
            const struct cut cut = {way == 1 ? random_below(&state, 100) : 0, way == 2};
            transcript_printf(&actual, "%s", "");
            decode(&actual, input, length, cut, 0, 0);
            CHECK_TEXT(expected.text, actual.text);
            transcript_free(&actual);
        }
        test_about(NULL);
        transcript_free(&expected);
        transcript_free(&about);
    }
}

static enum streamer_status feed(struct streamer_decoder *decoder, const char *bytes, size_t length) {
    struct streamer_event event;
    const char *cursor = bytes;
    enum streamer_status status;
    do status = streamer_decoder_next(decoder, &cursor, bytes + length, &event);
    while (status == STREAMER_EVENT);
    return status;
}

static void hands_out_an_event_of_one_read_in_place(void) {
    struct streamer_decoder *decoder = streamer_decoder_new(STREAMER_FORMAT_SSE, 0, 0);
    const char input[] = "data: first\n\ndata: second\n\n", *cursor = input;
    struct streamer_event event;
    CHECK_STATUS(STREAMER_EVENT, streamer_decoder_next(decoder, &cursor, input + strlen(input), &event));
    CHECK(event.data == input + 6);
    CHECK_STATUS(STREAMER_EVENT, streamer_decoder_next(decoder, &cursor, input + strlen(input), &event));
    CHECK(event.data == input + 19);
    CHECK(heap_blocks() == 1);
    streamer_decoder_free(decoder);
}

/* A caller reads into the same memory again and again. */
static void remembers_nothing_of_an_input_that_is_over(void) {
    struct streamer_decoder *decoder = streamer_decoder_new(STREAMER_FORMAT_SSE, 0, 0);
    char input[] = "data: a\n\n: comment\n";
    const char *end = input + strlen(input), *cursor = input;
    struct streamer_event event;
    CHECK_STATUS(STREAMER_EVENT, streamer_decoder_next(decoder, &cursor, end, &event));
    char *second = input + (cursor - input);
    CHECK_STATUS(STREAMER_MORE, streamer_decoder_next(decoder, &cursor, end, &event));
    memcpy(second, "data:b\r\n\r", 9);
    cursor = second;
    CHECK_STATUS(STREAMER_EVENT, streamer_decoder_next(decoder, &cursor, end, &event));
    CHECK(event.data_length == 1 && *event.data == 'b');
    streamer_decoder_free(decoder);
}

static void allocates_nothing_once_warm(void) {
    struct streamer_decoder *decoder = streamer_decoder_new(STREAMER_FORMAT_SSE, 0, 0);
    const char input[] = "event: t\nid: 7\ndata: a\ndata: b\n\nevent: t\nid: 8\nda";
    for (int i = 0; i < 3; i++) feed(decoder, input, strlen(input));
    size_t before = heap_requests();
    for (int i = 0; i < 100; i++) CHECK_STATUS(STREAMER_MORE, feed(decoder, input, strlen(input)));
    CHECK(heap_requests() == before);
    streamer_decoder_free(decoder);
}

static void gives_memory_back_after_a_large_event(void) {
    struct streamer_decoder *decoder = streamer_decoder_new(STREAMER_FORMAT_SSE, 0, 0);
    char *large = malloc(1 << 20);
    memset(large, 'x', 1 << 20);
    feed(decoder, "data: ", 6);
    feed(decoder, large, 1 << 20);
    CHECK(streamer_decoder_size(decoder) > 1 << 20);
    feed(decoder, "\n", 1);
    feed(decoder, "data: b\n", 8);
    feed(decoder, "\n", 1);
    feed(decoder, "data: c\n", 8);
    CHECK(streamer_decoder_size(decoder) < 2 * STREAMER_KEEP);
    feed(decoder, "\n", 1);
    feed(decoder, ":", 1);
    feed(decoder, large, 1 << 20);
    feed(decoder, "\n", 1);
    CHECK(streamer_decoder_size(decoder) < 2 * STREAMER_KEEP);
    free(large);
    streamer_decoder_free(decoder);
}

static void refuses_an_endless_type_or_id(void) {
    static const char *const fields[] = {"event: ", "id: "};
    char *large = malloc(STREAMER_MAX_FIELD + 1);
    memset(large, 'x', STREAMER_MAX_FIELD + 1);
    for (int i = 0; i < 2; i++) {
        for (size_t extra = 0; extra < 2; extra++) {
            struct streamer_decoder *decoder = streamer_decoder_new(STREAMER_FORMAT_SSE, 0, 0);
            feed(decoder, fields[i], strlen(fields[i]));
            feed(decoder, large, STREAMER_MAX_FIELD + extra);
            CHECK_STATUS(extra > 0 ? STREAMER_EVENT_TOO_LARGE : STREAMER_MORE, feed(decoder, "\n", 1));
            streamer_decoder_free(decoder);
        }
    }
    free(large);
}

void decode_tests(void) {
    RUN(gives_the_same_however_it_is_cut);
    RUN(reads_made_up_streams_as_the_standard_does);
    RUN(hands_out_an_event_of_one_read_in_place);
    RUN(remembers_nothing_of_an_input_that_is_over);
    RUN(allocates_nothing_once_warm);
    RUN(gives_memory_back_after_a_large_event);
    RUN(refuses_an_endless_type_or_id);
}
