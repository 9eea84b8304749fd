#include "http1_body.h"

#include <stdlib.h>
#include <string.h>

#include "http1_support.h"

#define REST "HTTP/1.1 200 OK\r\n"

static void check_body(enum streamer_body_framing framing, uint64_t content_length, const char *input, size_t length,
                       const char *expected) {
    test_about(input);
    EVERY_CUT(cut, length) {
        struct transcript transcript = {0};
        transcript_body(&transcript, framing, content_length, input, length, cut);
        CHECK_TEXT(expected, transcript.text);
        transcript_free(&transcript);
    }
}

struct body_case {
    const char *input;
    size_t length;
    const char *expected;
};

#define BODY(text) text, sizeof(text) - 1

static void check_chunks(const struct body_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) {
        check_body(STREAMER_BODY_CHUNKED, 0, cases[i].input, cases[i].length, cases[i].expected);
    }
}

#define CHECK_CHUNKS(cases) check_chunks(cases, sizeof(cases) / sizeof *(cases))

static void reads_bodies_of_a_known_length(void) {
    check_body(STREAMER_BODY_LENGTH, 5, BODY("hello"), "\"hello\" OK 5");
    check_body(STREAMER_BODY_LENGTH, 5, BODY("hello" REST), "\"hello\" OK 5");
    check_body(STREAMER_BODY_LENGTH, 5, BODY("hell"), "\"hell\" MORE INCOMPLETE");
    check_body(STREAMER_BODY_LENGTH, 5, BODY(""), "\"\" MORE INCOMPLETE");
    check_body(STREAMER_BODY_LENGTH, 0, BODY(REST), "\"\" OK 0");
    check_body(STREAMER_BODY_LENGTH, INT64_MAX, BODY("hello"), "\"hello\" MORE INCOMPLETE");
}

static void reads_bodies_until_the_connection_closes(void) {
    check_body(STREAMER_BODY_UNTIL_CLOSE, 0, BODY("hello\0\r\n\r\n"), "\"hello\\x00\\r\\n\\r\\n\" MORE OK");
    check_body(STREAMER_BODY_UNTIL_CLOSE, 0, BODY(""), "\"\" MORE OK");
}

static void a_body_that_is_not_there_is_complete_from_the_beginning(void) {
    check_body(STREAMER_BODY_NONE, 0, BODY(""), "\"\" OK 0");
    check_body(STREAMER_BODY_NONE, 7, BODY(REST), "\"\" OK 0");
}

static void reads_chunks(void) {
    static const struct body_case cases[] = {
        {BODY("5\r\nhello\r\n0\r\n\r\n"), "\"hello\" OK 15"},
        {BODY("5\r\nhello\r\n0\r\n\r\n" REST), "\"hello\" OK 15"},
        {BODY("5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n"), "\"hello world\" OK 31"},
        {BODY("0\r\n\r\n"), "\"\" OK 5"},
        {BODY("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"), "\"01234567890123456789\" OK 35"},
        {BODY("000000000000000000000005\r\nhello\r\n000\r\n\r\n"), "\"hello\" OK 40"},
        {BODY("4\r\n\r\n\r\n\r\n0\r\n\r\n"), "\"\\r\\n\\r\\n\" OK 14"},
        {BODY("7\r\n0\r\n\r\n0\r\r\n0\r\n\r\n"), "\"0\\r\\n\\r\\n0\\r\" OK 17"},
        {BODY("5\nhello\n0\n\n"), "\"hello\" OK 11"},
        {BODY("5\r\nhello\n3\nabc\r\n0\n\r\n"), "\"helloabc\" OK 20"},
        {BODY("5 \r\nhello\r\n0\t \r\n\r\n"), "\"hello\" OK 18"},
        {BODY("5;name\r\nhello\r\n0;a=b;c=\"d;e\"\r\n\r\n"), "\"hello\" OK 32"},
        {BODY("5 ; name = value\r\nhello\r\n0\r\n\r\n"), "\"hello\" OK 30"},
        {BODY("5;\r\nhello\r\n0;\n\r\n"), "\"hello\" OK 16"},
        {BODY("5\r\nhello\r\n0\r\nX-Trailer: x\r\nY:\r\n\r\n"), "\"hello\" OK 33"},
        {BODY("0\r\nX: \xFF\ty\nY:z\n\n"), "\"\" OK 15"},
    };
    CHECK_CHUNKS(cases);
}

static void refuses_chunks_whose_framing_is_invalid(void) {
    static const struct body_case cases[] = {
        {BODY("\r\n5\r\nhello"), "\"\" CHUNK_INVALID"},
        {BODY("\n"), "\"\" CHUNK_INVALID"},
        {BODY(" 5\r\nhello"), "\"\" CHUNK_INVALID"},
        {BODY("x\r\n"), "\"\" CHUNK_INVALID"},
        {BODY(";x\r\n"), "\"\" CHUNK_INVALID"},
        {BODY("0x5\r\nhello"), "\"\" CHUNK_INVALID"},
        {BODY("-5\r\nhello"), "\"\" CHUNK_INVALID"},
        {BODY("+5\r\nhello"), "\"\" CHUNK_INVALID"},
        {BODY("5g\r\nhello"), "\"\" CHUNK_INVALID"},
        {BODY("5 5\r\nhello"), "\"\" CHUNK_INVALID"},
        {BODY("5,\r\nhello"), "\"\" CHUNK_INVALID"},
        {BODY("5\0\r\nhello"), "\"\" CHUNK_INVALID"},
        {BODY("5\rhello"), "\"\" CHUNK_INVALID"},
        {BODY("5\r\r\nhello"), "\"\" CHUNK_INVALID"},
        {BODY("5;a\rb\r\nhello"), "\"\" CHUNK_INVALID"},
        {BODY("8000000000000000\r\nhello"), "\"\" CHUNK_INVALID"},
        {BODY("10000000000000005\r\nhello\r\n0\r\n\r\n"), "\"\" CHUNK_INVALID"},
        {BODY("ffffffffffffffffffffffff\r\nhello"), "\"\" CHUNK_INVALID"},
        {BODY("5\r\nhello!\r\n0\r\n\r\n"), "\"hello\" CHUNK_INVALID"},
        {BODY("5\r\nhello0\r\n\r\n"), "\"hello\" CHUNK_INVALID"},
        {BODY("5\r\nhello\r0\r\n\r\n"), "\"hello\" CHUNK_INVALID"},
        {BODY("5\r\nhello\r\n\r\n0\r\n\r\n"), "\"hello\" CHUNK_INVALID"},
        {BODY("5\r\nhello\r\nHTTP"), "\"hello\" CHUNK_INVALID"},
        {BODY("3\r\nabc\r\n3\r\ndef\r\n5\r\nghi\r\n0\r\n\r\n"), "\"abcdefghi\\r\\n\" CHUNK_INVALID"},
    };
    CHECK_CHUNKS(cases);
}

static void refuses_trailers_that_are_no_fields(void) {
    static const struct body_case cases[] = {
        {BODY("0\r\nX : y\r\n\r\n"), "\"\" HEADER_INVALID"},      {BODY("0\r\nX\r\n\r\n"), "\"\" HEADER_INVALID"},
        {BODY("0\r\n: y\r\n\r\n"), "\"\" HEADER_INVALID"},        {BODY("0\r\n X: y\r\n\r\n"), "\"\" HEADER_INVALID"},
        {BODY("0\r\nX: y\r\n z\r\n\r\n"), "\"\" HEADER_INVALID"}, {BODY("0\r\nX: y\rz\r\n\r\n"), "\"\" HEADER_INVALID"},
        {BODY("0\r\nX: y\0z\r\n\r\n"), "\"\" HEADER_INVALID"},    {BODY("0\r\n\rX\r\n\r\n"), "\"\" HEADER_INVALID"},
        {BODY("0\r\nX: y\r\n\r\r\n"), "\"\" HEADER_INVALID"},
    };
    CHECK_CHUNKS(cases);
}

static void a_connection_that_closes_cuts_chunks_until_the_last_one_has_come(void) {
    static const struct body_case cases[] = {
        {BODY(""), "\"\" MORE INCOMPLETE"},
        {BODY("5"), "\"\" MORE INCOMPLETE"},
        {BODY("5\r"), "\"\" MORE INCOMPLETE"},
        {BODY("5;x"), "\"\" MORE INCOMPLETE"},
        {BODY("5\r\n"), "\"\" MORE INCOMPLETE"},
        {BODY("5\r\nhell"), "\"hell\" MORE INCOMPLETE"},
        {BODY("5\r\nhello"), "\"hello\" MORE INCOMPLETE"},
        {BODY("5\r\nhello\r"), "\"hello\" MORE INCOMPLETE"},
        {BODY("5\r\nhello\r\n"), "\"hello\" MORE INCOMPLETE"},
        {BODY("5\r\nhello\r\n0"), "\"hello\" MORE INCOMPLETE"},
        {BODY("5\r\nhello\r\n0\r"), "\"hello\" MORE INCOMPLETE"},
        {BODY("5\r\nhello\r\n0\r\n"), "\"hello\" MORE OK"},
        {BODY("5\r\nhello\r\n0\r\n\r"), "\"hello\" MORE OK"},
        {BODY("5\r\nhello\r\n0\r\nX: y"), "\"hello\" MORE OK"},
        {BODY("7fffffffffffffff\r\nhello"), "\"hello\" MORE INCOMPLETE"},
    };
    CHECK_CHUNKS(cases);
}

/* `before`, then as many bytes of x as make `size`, then `behind`. */
static void check_ceiling(const char *before, size_t size, const char *behind, const char *expected) {
    size_t front = strlen(before), length = front + size + strlen(behind);
    char *text = malloc(length);
    memcpy(text, before, front);
    memset(text + front, 'x', size);
    memcpy(text + front + size, behind, strlen(behind));
    const struct cut cuts[] = {{0, false}, {length / 2, false}, {0, true}};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct transcript transcript = {0};
        transcript_body(&transcript, STREAMER_BODY_CHUNKED, 0, text, length, cuts[i]);
        CHECK_TEXT(expected, transcript.text);
        transcript_free(&transcript);
    }
    free(text);
}

static void extensions_and_trailers_have_ceilings(void) {
    check_ceiling("5;", STREAMER_MAX_CHUNK_LINE - 4, "\r\nhello\r\n5;x\r\nhello", "\"hellohello\" MORE INCOMPLETE");
    check_ceiling("5;", STREAMER_MAX_CHUNK_LINE - 3, "\r\nhello\r\n", "\"\" CHUNK_LINE_TOO_LONG");
    check_ceiling("5;", STREAMER_MAX_CHUNK_LINE, "", "\"\" CHUNK_LINE_TOO_LONG");
    check_ceiling("0\r\nX:", STREAMER_MAX_TRAILERS - 6, "\r\n\r\n", "\"\" OK 65539");
    check_ceiling("0\r\nX:", STREAMER_MAX_TRAILERS - 5, "\r\n\r\n", "\"\" TRAILERS_TOO_LARGE");
    check_ceiling("0\r\nX:y\r\nX:", STREAMER_MAX_TRAILERS, "", "\"\" TRAILERS_TOO_LARGE");
}

static void the_ceiling_of_extensions_counts_for_each_chunk(void) {
    struct streamer_http1_body body;
    static const char chunk[] = "1;extension-of-some-length-0123456789\r\nx\r\n";
    size_t used, data, all = 0;
    streamer_http1_body_init(&body, STREAMER_BODY_CHUNKED, 0);
    for (int i = 0; i < 1000; i++) {
        char bytes[sizeof chunk];
        memcpy(bytes, chunk, sizeof chunk);
        CHECK_STATUS(STREAMER_MORE, streamer_http1_body_read(&body, bytes, sizeof chunk - 1, &used, &data));
        all += data;
    }
    CHECK(all == 1000);
}

static void data_lies_where_it_came_when_it_need_not_move(void) {
    struct streamer_http1_body body;
    char bytes[] = "hello";
    size_t used, data;
    streamer_http1_body_init(&body, STREAMER_BODY_LENGTH, 4);
    CHECK_STATUS(STREAMER_OK, streamer_http1_body_read(&body, bytes, 5, &used, &data));
    CHECK(used == 4 && data == 4);
    CHECK_TEXT("hello", bytes);
}

void http1_body_tests(void) {
    RUN(reads_bodies_of_a_known_length);
    RUN(reads_bodies_until_the_connection_closes);
    RUN(a_body_that_is_not_there_is_complete_from_the_beginning);
    RUN(reads_chunks);
    RUN(refuses_chunks_whose_framing_is_invalid);
    RUN(refuses_trailers_that_are_no_fields);
    RUN(a_connection_that_closes_cuts_chunks_until_the_last_one_has_come);
    RUN(extensions_and_trailers_have_ceilings);
    RUN(the_ceiling_of_extensions_counts_for_each_chunk);
    RUN(data_lies_where_it_came_when_it_need_not_move);
}
