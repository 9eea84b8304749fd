#include "http1_head.h"

#include <stdlib.h>
#include <string.h>

#include "http1_support.h"

#define REST "rest of the stream\n\n"

/* With `expected` one line, only the first one of the text counts. */
static void check_expected(const char *expected, struct transcript text) {
    if (strchr(expected, '\n') == NULL) text.text[strcspn(text.text, "\n")] = '\0';
    CHECK_TEXT(expected, text.text);
}

/* The head gives what is expected at every cut, and with bytes behind it. */
static void check_head(const char *method, const char *head, size_t length, const char *expected) {
    test_about(head);
    EVERY_CUT(cut, length) {
        struct transcript transcript = {0};
        transcript_head(&transcript, method, head, length, cut);
        check_expected(expected, transcript);
        transcript_free(&transcript);
    }
    if (strcmp(expected, "MORE") == 0) return;

    struct transcript transcript = {0};
    char *text = malloc(length + strlen(REST));
    memcpy(text, head, length);
    memcpy(text + length, REST, strlen(REST));
    transcript_head(&transcript, method, text, length + strlen(REST), (struct cut){0, false});
    check_expected(expected, transcript);
    transcript_free(&transcript);
    free(text);
}

struct head_case {
    const char *head;
    size_t length;
    const char *expected;
};

#define HEAD(text) text, sizeof(text) - 1
#define OK_HEAD(fields) HEAD("HTTP/1.1 200 OK\r\n" fields "\r\n")
#define OLD_HEAD(fields) HEAD("HTTP/1.0 200 OK\r\n" fields "\r\n")

static void check_table(const char *method, const struct head_case *cases, size_t count) {
    for (size_t i = 0; i < count; i++) check_head(method, cases[i].head, cases[i].length, cases[i].expected);
}

#define CHECK_TABLE(method, cases) check_table(method, cases, sizeof(cases) / sizeof *(cases))

static void reads_status_lines(void) {
    static const struct head_case cases[] = {
        {HEAD("HTTP/1.1 200 OK\r\n\r\n"), "HTTP/1.1 200, UNTIL_CLOSE"},
        {HEAD("HTTP/1.1 200 \r\n\r\n"), "HTTP/1.1 200, UNTIL_CLOSE"},
        {HEAD("HTTP/1.1 200\r\n\r\n"), "HTTP/1.1 200, UNTIL_CLOSE"},
        {HEAD("HTTP/1.1 200\n\n"), "HTTP/1.1 200, UNTIL_CLOSE"},
        {HEAD("HTTP/1.0 404 Not Found\r\n\r\n"), "HTTP/1.0 404, UNTIL_CLOSE"},
        {HEAD("HTTP/1.1 999 \xE2\x98\x83\tand: more\r\n\r\n"), "HTTP/1.1 999, UNTIL_CLOSE"},
        {HEAD("HTTP/1.7 200 OK\r\n\r\n"), "HTTP/1.1 200, UNTIL_CLOSE"},
        {HEAD("HTTP/1.1 600 Odd\r\n\r\n"), "HTTP/1.1 600, UNTIL_CLOSE"},
        {HEAD("HTTP/2.0 200 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/2 200\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/0.9 200 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1.10 200 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1. 200 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1 200 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1.x 200 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("http/1.1 200 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1.1  200 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1.1\t200 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1.1 200\tOK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1.1 200OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1.1 2000 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1.1 20 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1.1 20\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1.1 099 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1.1 +20 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1.1 -20 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1.1 2x0 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1.1\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1.1 200 a\rb\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1.1 200 OK\r\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1.1 200 a\0b\r\n\r\n"), "NOT_HTTP"},
        {HEAD("\r\nHTTP/1.1 200 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD(" HTTP/1.1 200 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("ICY 200 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("SSH-2.0-OpenSSH_9.2\r\n"), "NOT_HTTP"},
        {HEAD("<!doctype html>"), "NOT_HTTP"},
        {HEAD("\x15\x03\x01"), "NOT_HTTP"},
        {HEAD("HTTX"), "NOT_HTTP"},
        {HEAD(""), "MORE"},
        {HEAD("HTT"), "MORE"},
        {HEAD("HTTP/1.1 200 OK\r\n"), "MORE"},
        {HEAD("HTTP/1.1 200 OK\r\n\r"), "MORE"},
        {HEAD("HTTP/1.1 200 OK\r\nA: b\r\n"), "MORE"},
    };
    CHECK_TABLE("GET", cases);
}

static void reads_fields(void) {
    static const struct head_case cases[] = {
        {OK_HEAD("A: b\r\n"), "HTTP/1.1 200, UNTIL_CLOSE\na: b\n"},
        {OK_HEAD("A:b\r\nC: \t d\t \r\n"), "HTTP/1.1 200, UNTIL_CLOSE\na: b\nc: d\n"},
        {OK_HEAD("A:\r\nB: \r\n"), "HTTP/1.1 200, UNTIL_CLOSE\na: \nb: \n"},
        {OK_HEAD("A: b: c\r\na: B\r\n"), "HTTP/1.1 200, UNTIL_CLOSE\na: b: c\na: B\n"},
        {HEAD("HTTP/1.1 200 OK\nA: b\nC: d\r\n\n"), "HTTP/1.1 200, UNTIL_CLOSE\na: b\nc: d\n"},
        {OK_HEAD("Content-Type:\ttext/event-stream\r\n"),
         "HTTP/1.1 200, UNTIL_CLOSE\ncontent-type: text/event-stream\n"},
        {OK_HEAD("X: \xFF\x01\x7F\r\n"), "HTTP/1.1 200, UNTIL_CLOSE\nx: \xFF\x01\x7F\n"},
        {OK_HEAD("A : b\r\n"), "HEADER_INVALID"},
        {OK_HEAD("A\t: b\r\n"), "HEADER_INVALID"},
        {OK_HEAD("A B: c\r\n"), "HEADER_INVALID"},
        {OK_HEAD(": b\r\n"), "HEADER_INVALID"},
        {OK_HEAD("A\r\n"), "HEADER_INVALID"},
        {OK_HEAD("\xC3\xA4: b\r\n"), "HEADER_INVALID"},
        {OK_HEAD("A: b\r\n c\r\n"), "HEADER_INVALID"},
        {OK_HEAD("A: b\r\n\tc\r\n"), "HEADER_INVALID"},
        {OK_HEAD("A: b\r\n c: d\r\n"), "HEADER_INVALID"},
        {OK_HEAD(" A: b\r\n"), "HEADER_INVALID"},
        {OK_HEAD(" \r\n"), "HEADER_INVALID"},
        {OK_HEAD("A: b\rC: d\r\n"), "HEADER_INVALID"},
        {OK_HEAD("A: b\r\r\n"), "HEADER_INVALID"},
        {OK_HEAD("\rA: b\r\n"), "HEADER_INVALID"},
        {OK_HEAD("A: b\0c\r\n"), "HEADER_INVALID"},
        {OK_HEAD("A\0: b\r\n"), "HEADER_INVALID"},
        {HEAD("HTTP/1.1 200 OK\r\nA: b\r\n\r\r\n"), "HEADER_INVALID"},
    };
    CHECK_TABLE("GET", cases);
}

static void passes_over_informational_heads(void) {
    static const struct head_case cases[] = {
        {HEAD("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"),
         "HTTP/1.1 200, LENGTH 1, persists\ncontent-length: 1\n"},
        {HEAD("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Length: x\r\n\r\nHTTP/1.1 102\r\n\r\n"
              "HTTP/1.1 199 Odd\n\nHTTP/1.1 204 No Content\r\nServer: s\r\n\r\n"),
         "HTTP/1.1 204, NONE, persists\nserver: s\n"},
        {HEAD("HTTP/1.0 100 Continue\r\n\r\nHTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"),
         "HTTP/1.1 404, LENGTH 0\nconnection: close\ncontent-length: 0\n"},
        {HEAD("HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
         "HTTP/1.1 200, LENGTH 0, persists\ncontent-length: 0\n"},
        {HEAD("HTTP/1.1 100 Continue\r\nA : b\r\n\r\n"), "HEADER_INVALID"},
        {HEAD("HTTP/1.1 100 Continue\r\n\r\nGarbage"), "NOT_HTTP"},
        {HEAD("HTTP/1.1 100 Continue\r\n\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), "NOT_HTTP"},
        {HEAD("HTTP/1.1 100 Continue\r\n\r\n"), "MORE"},
        {HEAD("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"), "SWITCHED_PROTOCOLS"},
    };
    CHECK_TABLE("GET", cases);
}

static void decides_the_framing_of_a_body(void) {
    static const struct head_case cases[] = {
        {OK_HEAD("Content-Length: 5\r\n"), "HTTP/1.1 200, LENGTH 5, persists"},
        {OK_HEAD("Content-Length: 0\r\n"), "HTTP/1.1 200, LENGTH 0, persists"},
        {OK_HEAD("Content-Length:\t007 \r\n"), "HTTP/1.1 200, LENGTH 7, persists"},
        {OK_HEAD("Content-Length: 9223372036854775807\r\n"), "HTTP/1.1 200, LENGTH 9223372036854775807, persists"},
        {OK_HEAD("Content-Length: 5\r\ncontent-length: 5\r\n"), "HTTP/1.1 200, LENGTH 5, persists"},
        {OK_HEAD("Content-Length: 5, 5,05\r\n"), "HTTP/1.1 200, LENGTH 5, persists"},
        {OK_HEAD("Content-Length: 5, 6\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Content-Length: 5\r\nContent-Length: 6\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Content-Length: 5\r\nContent-Length: five\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Content-Length: five\r\nContent-Length: 5\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Content-Length: 9223372036854775808\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Content-Length: 18446744073709551621\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Content-Length: 99999999999999999999999999\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Content-Length: -1\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Content-Length: +5\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Content-Length: 0x5\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Content-Length: 5 5\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Content-Length: 5.0\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Content-Length: 5;x\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Content-Length: \"5\"\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Content-Length:\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Content-Length: ,\r\n"), "FRAMING_INVALID"},

        {OK_HEAD("Transfer-Encoding: chunked\r\n"), "HTTP/1.1 200, CHUNKED, persists"},
        {OK_HEAD("Transfer-Encoding:chunked \r\n"), "HTTP/1.1 200, CHUNKED, persists"},
        {OK_HEAD("Transfer-Encoding: chunked\t\r\n"), "HTTP/1.1 200, CHUNKED, persists"},
        {OK_HEAD("Transfer-Encoding:\t \tchunked\r\n"), "HTTP/1.1 200, CHUNKED, persists"},
        {OK_HEAD("TRANSFER-ENCODING: Chunked\r\n"), "HTTP/1.1 200, CHUNKED, persists"},
        {OK_HEAD("Transfer-Encoding: , chunked,\r\n"), "HTTP/1.1 200, CHUNKED, persists"},
        {OK_HEAD("Transfer-Encoding:\r\nTransfer-Encoding: chunked\r\n"), "HTTP/1.1 200, CHUNKED, persists"},
        {OK_HEAD("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), "HTTP/1.1 200, CHUNKED"},
        {OK_HEAD("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), "HTTP/1.1 200, CHUNKED"},
        {OK_HEAD("Content-Length: x\r\nTransfer-Encoding: chunked\r\n"), "HTTP/1.1 200, CHUNKED"},
        {OK_HEAD("Transfer-Encoding: identity\r\n"), "HTTP/1.1 200, UNTIL_CLOSE"},
        {OK_HEAD("Transfer-Encoding: identity\r\nContent-Length: 5\r\n"), "HTTP/1.1 200, LENGTH 5"},
        {OK_HEAD("Transfer-Encoding: identity, chunked\r\n"), "HTTP/1.1 200, CHUNKED, persists"},
        {OK_HEAD("Transfer-Encoding: chunked, identity\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Transfer-Encoding: gzip, chunked\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Transfer-Encoding: chunked, gzip\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Transfer-Encoding: gzip\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Transfer-Encoding: chunked, chunked\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Transfer-Encoding: chunked;x=y\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Transfer-Encoding: \"chunked\"\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Transfer-Encoding: xchunked\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Transfer-Encoding: chunked x\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Transfer-Encoding: chunked\x0B\r\n"), "FRAMING_INVALID"},
        {OK_HEAD("Transfer-Encoding:\r\n"), "FRAMING_INVALID"},
        {OLD_HEAD("Transfer-Encoding: chunked\r\n"), "HTTP/1.0 200, CHUNKED"},
        {OLD_HEAD("Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n"), "HTTP/1.0 200, CHUNKED"},

        {OK_HEAD(""), "HTTP/1.1 200, UNTIL_CLOSE"},
        {OK_HEAD("Connection: keep-alive\r\n"), "HTTP/1.1 200, UNTIL_CLOSE"},
        {HEAD("HTTP/1.1 205 Reset Content\r\n\r\n"), "HTTP/1.1 205, UNTIL_CLOSE"},
        {HEAD("HTTP/1.1 204 No Content\r\n\r\n"), "HTTP/1.1 204, NONE, persists"},
        {HEAD("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"), "HTTP/1.1 204, NONE, persists"},
        {HEAD("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), "HTTP/1.1 204, NONE"},
        {HEAD("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"), "HTTP/1.1 204, NONE"},
        {HEAD("HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n"), "HTTP/1.1 304, NONE, persists"},
        {HEAD("HTTP/1.1 304 Not Modified\r\nContent-Length: x\r\n\r\n"), "HTTP/1.1 304, NONE"},
        {HEAD("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: gzip\r\n\r\n"), "HTTP/1.1 304, NONE"},
    };
    CHECK_TABLE("GET", cases);
}

static void decides_whether_a_connection_persists(void) {
    static const struct head_case cases[] = {
        {OK_HEAD("Content-Length: 0\r\nConnection: close\r\n"), "HTTP/1.1 200, LENGTH 0"},
        {OK_HEAD("Content-Length: 0\r\nConnection: CLOSE\r\n"), "HTTP/1.1 200, LENGTH 0"},
        {OK_HEAD("Content-Length: 0\r\nConnection: x, close\r\n"), "HTTP/1.1 200, LENGTH 0"},
        {OK_HEAD("Content-Length: 0\r\nConnection: x\r\nConnection:\tclose \r\n"), "HTTP/1.1 200, LENGTH 0"},
        {OK_HEAD("Content-Length: 0\r\nConnection: keep-alive, close\r\n"), "HTTP/1.1 200, LENGTH 0"},
        {OK_HEAD("Content-Length: 0\r\nConnection: closed\r\n"), "HTTP/1.1 200, LENGTH 0, persists"},
        {OK_HEAD("Content-Length: 0\r\nProxy-Connection: close\r\n"), "HTTP/1.1 200, LENGTH 0, persists"},
        {OK_HEAD("Transfer-Encoding: chunked\r\nConnection: close\r\n"), "HTTP/1.1 200, CHUNKED"},
        {OLD_HEAD("Content-Length: 0\r\n"), "HTTP/1.0 200, LENGTH 0"},
        {OLD_HEAD("Content-Length: 0\r\nConnection: Keep-Alive\r\n"), "HTTP/1.0 200, LENGTH 0, persists"},
        {OLD_HEAD("Content-Length: 0\r\nConnection: keep-alive, close\r\n"), "HTTP/1.0 200, LENGTH 0"},
        {OLD_HEAD("Connection: keep-alive\r\n"), "HTTP/1.0 200, UNTIL_CLOSE"},
    };
    CHECK_TABLE("GET", cases);
}

static void a_response_to_head_has_no_body(void) {
    static const struct head_case cases[] = {
        {OK_HEAD("Content-Length: 5\r\n"), "HTTP/1.1 200, NONE, persists"},
        {OK_HEAD("Transfer-Encoding: chunked\r\n"), "HTTP/1.1 200, NONE, persists"},
        {OK_HEAD(""), "HTTP/1.1 200, NONE, persists"},
        {OK_HEAD("Content-Length: 5, 6\r\n"), "HTTP/1.1 200, NONE"},
        {OLD_HEAD(""), "HTTP/1.0 200, NONE"},
    };
    CHECK_TABLE("HEAD", cases);
    static const struct head_case lower_case[] = {
        {OK_HEAD("Content-Length: 5\r\n"), "HTTP/1.1 200, LENGTH 5, persists"}};
    CHECK_TABLE("head", lower_case);
}

static void a_successful_connect_opens_a_tunnel(void) {
    static const struct head_case cases[] = {
        {OK_HEAD("Content-Length: 5\r\nTransfer-Encoding: gzip\r\n"), "HTTP/1.1 200, NONE"},
        {HEAD("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 5\r\n\r\n"),
         "HTTP/1.1 407, LENGTH 5, persists"},
    };
    CHECK_TABLE("CONNECT", cases);
}

/* `size` bytes of heads in all, or without their end. */
static char *long_heads(size_t size, bool informational) {
    static const char interim[] = "HTTP/1.1 102 Processing\r\n\r\n", first[] = "HTTP/1.1 200 OK\r\nX: ";
    char *text = malloc(size), *out = text, *end = text + size - strlen("\r\n\r\n");
    while (informational && (size_t)(end - out) > sizeof interim + sizeof first) {
        memcpy(out, interim, sizeof interim - 1);
        out += sizeof interim - 1;
    }
    memcpy(out, first, sizeof first - 1);
    out += sizeof first - 1;
    memset(out, 'x', (size_t)(end - out));
    memcpy(end, "\r\n\r\n", 4);
    return text;
}

static void all_heads_of_a_response_have_one_ceiling(void) {
    for (int informational = 0; informational < 2; informational++) {
        for (size_t more = 0; more < 2; more++) {
            size_t size = STREAMER_MAX_HEAD + more;
            char *text = long_heads(size, informational);
            const struct cut cuts[] = {{0, false}, {1, false}, {size / 2, false}, {size - 2, false}, {0, true}};
            for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
                struct transcript transcript = {0};
                transcript_head(&transcript, "GET", text, size, cuts[i]);
                const char *expected = more ? "HEADERS_TOO_LARGE\n" : "HTTP/1.1 200, UNTIL_CLOSE\n";
                CHECK(strncmp(expected, transcript.text, strlen(expected)) == 0);
                transcript_free(&transcript);
            }
            free(text);
        }
    }
}

static void a_line_without_an_end_is_refused_at_the_ceiling(void) {
    struct streamer_http1_head head;
    char *text = long_heads(STREAMER_MAX_HEAD + 10, false);
    const char *cursor = text;
    streamer_http1_head_init(&head, "GET");
    CHECK_STATUS(STREAMER_MORE, streamer_http1_head_read(&head, &cursor, text + STREAMER_MAX_HEAD));
    CHECK(cursor == text + STREAMER_MAX_HEAD);
    CHECK_STATUS(STREAMER_HEADERS_TOO_LARGE, streamer_http1_head_read(&head, &cursor, cursor + 1));
    streamer_http1_head_release(&head);
    free(text);
}

static enum streamer_status read_in_two(const void *context) {
    const char *text = context, *cursor = text;
    struct streamer_http1_head head;
    streamer_http1_head_init(&head, "GET");
    enum streamer_status status = streamer_http1_head_read(&head, &cursor, text + 30);
    if (status == STREAMER_MORE) status = streamer_http1_head_read(&head, &cursor, text + strlen(text));
    streamer_http1_head_release(&head);
    return status;
}

static void survives_a_lack_of_memory_anywhere(void) {
    heap_fail_at_each(read_in_two, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/event-stream; x=y\r\n"
                                   "X-Request-Id: 0123456789012345678901234567890123456789\r\n\r\n");
}

static void a_head_in_one_read_is_not_copied_before_it_is_kept(void) {
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n";
    struct streamer_http1_head head;
    const char *cursor = text;
    size_t before = heap_requests();
    streamer_http1_head_init(&head, "GET");
    CHECK_STATUS(STREAMER_OK, streamer_http1_head_read(&head, &cursor, text + sizeof text - 1));
    CHECK(heap_requests() == before + 1);
    streamer_http1_head_release(&head);
}

void http1_head_tests(void) {
    RUN(reads_status_lines);
    RUN(reads_fields);
    RUN(passes_over_informational_heads);
    RUN(decides_the_framing_of_a_body);
    RUN(decides_whether_a_connection_persists);
    RUN(a_response_to_head_has_no_body);
    RUN(a_successful_connect_opens_a_tunnel);
    RUN(all_heads_of_a_response_have_one_ceiling);
    RUN(a_line_without_an_end_is_refused_at_the_ceiling);
    RUN(survives_a_lack_of_memory_anywhere);
    RUN(a_head_in_one_read_is_not_copied_before_it_is_kept);
}
