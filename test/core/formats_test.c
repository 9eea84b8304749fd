#include "decode.h"

#include <stdlib.h>
#include <string.h>

#include "ceilings.h"
#include "format.h"
#include "test.h"

#define NDJSON STREAMER_FORMAT_NDJSON
#define JSON STREAMER_FORMAT_JSON
#define TEXT STREAMER_FORMAT_TEXT
#define SNIFFED STREAMER_FORMAT_SNIFFED

static void media_types_stand_for_formats(void) {
    static const struct {
        const char *type;
        int format; /* -1: none */
    } types[] = {
        {"", SNIFFED},
        {"text/event-stream", SNIFFED},
        {"Text/Event-Stream; charset=utf-8", SNIFFED},
        {"application/x-ndjson", NDJSON},
        {"application/ndjson", NDJSON},
        {"application/jsonl ; charset=utf-8", NDJSON},
        {"application/json-lines", NDJSON},
        {"application/stream+json", NDJSON},
        {"application/json", JSON},
        {"application/json;charset=UTF-8", JSON},
        {"application/problem+json", JSON},
        {"text/plain\t;x", TEXT},
        {"text/html", -1},
        {"text/event-streams", -1},
        {"application/jsonp", -1},
        {"json", SNIFFED},
        {"; charset=utf-8", SNIFFED},
        {"text/html, application/json", JSON},
        {"text/event-stream; charset=\"a,b\"", SNIFFED},
        {"\ttext/plain ", TEXT},
        {";", SNIFFED},
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        test_about(types[i].type);
        enum streamer_format format;
        bool known = streamer_format_of_type(types[i].type, strlen(types[i].type), &format);
        CHECK(known ? (int)format == types[i].format : types[i].format == -1);
    }
}

/* Each event in quotes, on a line of its own, then how the body ended. */
static void decode(struct transcript *transcript, enum streamer_format format, const char *input, size_t length,
                   struct cut cut, size_t max_line, size_t max_event) {
    struct streamer_decoder *decoder = streamer_decoder_new(format, max_line, max_event);
    enum streamer_status status = STREAMER_MORE;
    struct streamer_event event;
    for (size_t start = 0; start < length && status == STREAMER_MORE; start = cut_end(cut, start, length)) {
        size_t size = cut_end(cut, start, length) - start;
        char *read = exact_copy(input + start, size);
        const char *cursor = read;
        while ((status = streamer_decoder_next(decoder, &cursor, read + size, &event)) == STREAMER_EVENT) {
            CHECK(event.type_length == 7 && memcmp(event.type, "message", 7) == 0 && event.id_length == 0);
            transcript_bytes(transcript, event.data, event.data_length);
            transcript_printf(transcript, "\n");
        }
        CHECK(status != STREAMER_MORE || cursor == read + size);
        free(read);
    }
    if (status == STREAMER_MORE) {
        while ((status = streamer_decoder_finish(decoder, &event)) == STREAMER_EVENT) {
            transcript_bytes(transcript, event.data, event.data_length);
            transcript_printf(transcript, "\n");
        }
        CHECK_STATUS(status, streamer_decoder_finish(decoder, &event));
    } else {
        CHECK_STATUS(status, streamer_decoder_finish(decoder, &event));
    }
    transcript_printf(transcript, "%s%s", streamer_status_name(status),
                      streamer_decoder_document(decoder) ? " document" : "");
    CHECK(streamer_decoder_size(decoder) == heap_bytes());
    streamer_decoder_free(decoder);
}

struct format_case {
    const char *name;
    enum streamer_format format;
    const char *input;
    const char *expected;
    size_t max_line;
    size_t max_event;
};

static const struct format_case cases[] = {
    {.name = "lines",
     .format = NDJSON,
     .input = "{\"a\":1}\n{\"a\":2}\n",
     .expected = "\"{\"a\":1}\"\n\"{\"a\":2}\"\nMORE"},
    {.name = "a last line without an end", .format = NDJSON, .input = "1\n{}", .expected = "\"1\"\n\"{}\"\nMORE"},
    {.name = "a last line that is cut", .format = NDJSON, .input = "1\n{\"a\":[1", .expected = "\"1\"\nTRUNCATED"},
    {.name = "a last line cut in a string", .format = NDJSON, .input = "\"a\\\"", .expected = "TRUNCATED"},
    {.name = "blank lines, CRLF and white space",
     .format = NDJSON,
     .input = "\n\r\n 1 \t\r\n \n2\r\n",
     .expected = "\"1\"\n\"2\"\nMORE"},
    {.name = "only blank", .format = NDJSON, .input = " \r\n ", .expected = "MORE"},
    {.name = "nothing", .format = NDJSON, .input = "", .expected = "MORE"},
    {.name = "a BOM",
     .format = NDJSON,
     .input = "\xEF\xBB\xBF"
              "1\n\xEF\xBB\xBF\n",
     .expected = "\"1\"\n\"\\xEF\\xBB\\xBF\"\nMORE"},
    {.name = "the beginning of a BOM",
     .format = NDJSON,
     .input = "\xEF\xBB"
              "1\n",
     .expected = "\"\\xEF\\xBF\\xBD1\"\nMORE"},
    {.name = "ill-formed",
     .format = NDJSON,
     .input = "\"\xFF\"\n\"\xE2\x82\"\n1\n",
     .expected = "\"\"\\xEF\\xBF\\xBD\"\"\n\"\"\\xEF\\xBF\\xBD\"\"\n\"1\"\nMORE"},
    {.name = "a line at the limit",
     .format = NDJSON,
     .input = "1234\n12345\n",
     .max_line = 5,
     .expected = "\"1234\"\n\"12345\"\nMORE"},
    {.name = "a line beyond it",
     .format = NDJSON,
     .input = "1234\n12345\n",
     .max_line = 4,
     .expected = "\"1234\"\nLINE_TOO_LONG"},
    {.name = "an event beyond its limit",
     .format = NDJSON,
     .input = " 123 \n1234\n",
     .max_event = 3,
     .expected = "\"123\"\nEVENT_TOO_LARGE"},

    {.name = "an array",
     .format = JSON,
     .input = "[{\"a\":1},\n {\"b\":[2,{}]} ]\n",
     .expected = "\"{\"a\":1}\"\n\"{\"b\":[2,{}]}\"\nMORE"},
    {.name = "elements of every kind",
     .format = JSON,
     .input = "[1,-2.5e3 ,\"a]\\\"b\", true,null,[],[[1],2],{}]",
     .expected = "\"1\"\n\"-2.5e3\"\n\"\"a]\\\"b\"\"\n\"true\"\n\"null\"\n\"[]\"\n\"[[1],2]\"\n\"{}\"\nMORE"},
    {.name = "brackets and backslashes in strings",
     .format = JSON,
     .input = "[{\"a\":\"}\\\\\"},{\"b\\\"{\":\"\\u005d\\\\\\\"]\"}]",
     .expected = "\"{\"a\":\"}\\\\\"}\"\n\"{\"b\\\"{\":\"\\u005d\\\\\\\"]\"}\"\nMORE"},
    {.name = "an empty array", .format = JSON, .input = " [ ] ", .expected = "MORE"},
    {.name = "an array that is not closed",
     .format = JSON,
     .input = "[{\"a\":1},",
     .expected = "\"{\"a\":1}\"\nTRUNCATED"},
    {.name = "an element that is cut", .format = JSON, .input = "[1,{\"a\":", .expected = "\"1\"\nTRUNCATED"},
    {.name = "a document",
     .format = JSON,
     .input = "{\n \"a\": [1]\n}\n",
     .expected = "\"{\\n \"a\": [1]\\n}\"\nMORE document"},
    {.name = "a document that is cut", .format = JSON, .input = "{\"a\": [1]", .expected = "TRUNCATED document"},
    {.name = "a number", .format = JSON, .input = "12", .expected = "\"12\"\nMORE document"},
    {.name = "a string", .format = JSON, .input = "\"12", .expected = "TRUNCATED document"},
    {.name = "several documents",
     .format = JSON,
     .input = "{}\n{\"a\":1}[2]3 4",
     .expected = "\"{}\"\n\"{\"a\":1}\"\n\"2\"\n\"3\"\n\"4\"\nMORE document"},
    {.name = "no JSON", .format = JSON, .input = "<html>", .expected = "JSON_INVALID"},
    {.name = "no JSON in an array", .format = JSON, .input = "[1,}", .expected = "\"1\"\nJSON_INVALID"},
    {.name = "a bracket too many", .format = JSON, .input = "[1]]", .expected = "\"1\"\nJSON_INVALID"},
    {.name = "an ill-formed element",
     .format = JSON,
     .input = "[\"\xFF\",1]",
     .expected = "\"\"\\xEF\\xBF\\xBD\"\"\n\"1\"\nMORE"},
    {.name = "an element at the limit",
     .format = JSON,
     .input = "[[1],[12],1]",
     .max_event = 4,
     .expected = "\"[1]\"\n\"[12]\"\n\"1\"\nMORE"},
    {.name = "an element beyond it",
     .format = JSON,
     .input = "[[1],[12],1]",
     .max_event = 3,
     .expected = "\"[1]\"\nEVENT_TOO_LARGE"},
    {.name = "an endless element", .format = JSON, .input = "[[1],[12", .max_event = 2, .expected = "EVENT_TOO_LARGE"},

    {.name = "an event stream",
     .format = SNIFFED,
     .input = "\xEF\xBB\xBF\r\n\ndata: {}\n\ndata: b\n\nda",
     .expected = "\"{}\"\n\"b\"\nMORE"},
    {.name = "a comment first", .format = SNIFFED, .input = ":\n\ndata: [\n\n", .expected = "\"[\"\nMORE"},
    {.name = "a space first", .format = SNIFFED, .input = " {\ndata: a\n\n", .expected = "\"a\"\nMORE"},
    {.name = "a document for a stream",
     .format = SNIFFED,
     .input = "\n{\"error\":1}",
     .expected = "\"{\"error\":1}\"\nMORE document"},
    {.name = "an array for a stream", .format = SNIFFED, .input = "[1,2]", .expected = "\"1\"\n\"2\"\nMORE"},
    {.name = "nothing known", .format = SNIFFED, .input = "\r\n", .expected = "MORE"},
    {.name = "half a BOM", .format = SNIFFED, .input = "\xEF", .expected = "MORE"},
};

static void give_the_same_however_they_are_cut(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct format_case *c = &cases[i];
        size_t length = strlen(c->input);
        test_about(c->name);
        EVERY_CUT(cut, length) {
            struct transcript transcript = {0};
            decode(&transcript, c->format, c->input, length, cut, c->max_line, c->max_event);
            CHECK_TEXT(c->expected, transcript.text);
            transcript_free(&transcript);
        }
    }
}

/* How much of it an event has depends on the cut; all together is the text. */
static void text_is_the_same_however_it_is_cut(void) {
    static const struct {
        const char *input, *expected;
    } texts[] = {
        {"one\ntwo\r\nthree\r", "one\ntwo\r\nthree\r"},
        {"h\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80!", "h\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80!"},
        {"\xEF\xBB\xBF"
         "a",
         "a"},
        {"\xEF\xBB", "\xEF\xBF\xBD"},
        {"a\xF0\x9F"
         "b\xE2\x82\xF0\x9F\x98",
         "a\xEF\xBF\xBD"
         "b\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xFF\xC0\x80\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t length = strlen(texts[i].input);
        for (size_t max_event = 0; max_event < 4; max_event++) {
            EVERY_CUT(cut, length) {
                struct streamer_decoder *decoder = streamer_decoder_new(TEXT, 0, max_event);
                struct streamer_buffer text;
                struct streamer_event event;
                enum streamer_status status = STREAMER_MORE;
                streamer_buffer_init(&text, 1 << 10);
                for (size_t start = 0; start < length; start = cut_end(cut, start, length)) {
                    size_t size = cut_end(cut, start, length) - start;
                    char *read = exact_copy(texts[i].input + start, size);
                    const char *cursor = read;
                    while ((status = streamer_decoder_next(decoder, &cursor, read + size, &event)) == STREAMER_EVENT) {
                        CHECK(event.data_length > 0 && event.data[event.data_length - 1] != '\r');
                        streamer_buffer_append(&text, event.data, event.data_length);
                    }
                    free(read);
                }
                while ((status = streamer_decoder_finish(decoder, &event)) == STREAMER_EVENT) {
                    streamer_buffer_append(&text, event.data, event.data_length);
                }
                CHECK_STATUS(STREAMER_MORE, status);
                CHECK(text.length == strlen(texts[i].expected));
                CHECK(text.length == 0 || memcmp(text.bytes, texts[i].expected, text.length) == 0);
                streamer_buffer_release(&text);
                streamer_decoder_free(decoder);
            }
        }
    }
}

static void hand_out_what_lies_in_one_read_in_place(void) {
    static const struct {
        enum streamer_format format;
        const char *input;
        size_t at;
    } inputs[] = {{NDJSON, " {\"a\":1}\n", 1}, {JSON, "[ {\"a\":1} ]", 2}, {TEXT, "text", 0}};
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        struct streamer_decoder *decoder = streamer_decoder_new(inputs[i].format, 0, 0);
        struct streamer_event event;
        const char *cursor = inputs[i].input;
        CHECK_STATUS(STREAMER_EVENT, streamer_decoder_next(decoder, &cursor, cursor + strlen(cursor), &event));
        CHECK(event.data == inputs[i].input + inputs[i].at);
        CHECK(heap_blocks() == 1);
        streamer_decoder_free(decoder);
    }
}

static void hand_out_an_element_without_waiting_for_the_next(void) {
    struct streamer_decoder *decoder = streamer_decoder_new(JSON, 0, 0);
    struct streamer_event event;
    const char *cursor = "[{\"a\":1}";
    CHECK_STATUS(STREAMER_EVENT, streamer_decoder_next(decoder, &cursor, cursor + strlen(cursor), &event));
    CHECK(event.data_length == 7);
    streamer_decoder_free(decoder);
}

static void drain(struct streamer_decoder *decoder, const char *bytes, size_t length) {
    struct streamer_event event;
    const char *cursor = bytes;
    enum streamer_status status;
    do status = streamer_decoder_next(decoder, &cursor, bytes + length, &event);
    while (status == STREAMER_EVENT);
    CHECK_STATUS(STREAMER_MORE, status);
}

static void allocate_nothing_once_warm_and_give_large_memory_back(void) {
    static const enum streamer_format formats[] = {NDJSON, JSON, TEXT};
    static const char *const ends[] = {"\n", "", ""};
    char *large = malloc(1 << 20);
    for (size_t i = 0; i < 3; i++) {
        struct streamer_decoder *decoder = streamer_decoder_new(formats[i], 0, 0);
        static const char input[] = "\"\xE2\x82\xAC\xFF\"\n\"abc\xE2\x82";
        for (int round = 0; round < 3; round++) drain(decoder, input, strlen(input)), drain(decoder, "\"\n", 2);
        size_t before = heap_requests();
        for (int round = 0; round < 100; round++) drain(decoder, input, strlen(input)), drain(decoder, "\"\n", 2);
        CHECK(heap_requests() == before);

        memset(large, '1', 1 << 20);
        large[0] = '"';
        drain(decoder, large, 1 << 20);
        CHECK(formats[i] == TEXT || streamer_decoder_size(decoder) > 1 << 20);
        drain(decoder, "\"", 1);
        drain(decoder, ends[i], strlen(ends[i]));
        drain(decoder, "1\n1\n", 4);
        CHECK(streamer_decoder_size(decoder) < 4 * STREAMER_KEEP);
        streamer_decoder_free(decoder);
    }
    free(large);
}

/* A string full of escapes whose end is far away: each byte is to be looked at a fixed number of times. A quadratic
 * search would need some minutes for it. */
static void read_a_long_string_of_escapes_in_linear_time(void) {
    size_t length = (size_t)4 << 20;
    char *string = malloc(length + 1);
    string[0] = '"';
    for (size_t i = 1; i < length; i += 2) memcpy(string + i, "\\\"", 2);
    string[length - 1] = 'x';
    struct streamer_decoder *decoder = streamer_decoder_new(JSON, 0, 0);
    drain(decoder, string, length);
    drain(decoder, "\" ", 2);
    streamer_decoder_free(decoder);
    free(string);
}

static enum streamer_status run_with_failing_heap(const void *context) {
    const struct format_case *c = context;
    struct streamer_decoder *decoder = streamer_decoder_new(c->format, c->max_line, c->max_event);
    if (decoder == NULL) return STREAMER_NO_MEMORY;
    struct streamer_event event;
    enum streamer_status status = STREAMER_MORE;
    for (const char *at = c->input; *at != '\0' && status == STREAMER_MORE; at++) {
        const char *cursor = at;
        while ((status = streamer_decoder_next(decoder, &cursor, at + 1, &event)) == STREAMER_EVENT) continue;
    }
    while (status == STREAMER_MORE && (status = streamer_decoder_finish(decoder, &event)) == STREAMER_EVENT) {
        status = STREAMER_MORE;
    }
    streamer_decoder_free(decoder);
    return status;
}

static void say_so_whichever_request_for_memory_fails(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_about(cases[i].name);
        heap_fail_at_each(run_with_failing_heap, &cases[i]);
    }
}

void formats_tests(void) {
    RUN(media_types_stand_for_formats);
    RUN(give_the_same_however_they_are_cut);
    RUN(text_is_the_same_however_it_is_cut);
    RUN(hand_out_what_lies_in_one_read_in_place);
    RUN(hand_out_an_element_without_waiting_for_the_next);
    RUN(allocate_nothing_once_warm_and_give_large_memory_back);
    RUN(read_a_long_string_of_escapes_in_linear_time);
    RUN(say_so_whichever_request_for_memory_fails);
}
