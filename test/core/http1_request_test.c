#include "http1_request.h"

#include <string.h>

#include "test.h"

#define SPAN(text) \
    { text, sizeof(text) - 1 }

static const struct streamer_http1_request get = {.method = SPAN("GET"), .target = SPAN("/"), .host = SPAN("a.test")};

static enum streamer_status write_to(struct transcript *transcript, const struct streamer_http1_request *request) {
    struct streamer_buffer buffer;
    streamer_buffer_init(&buffer, 1000);
    enum streamer_status status = streamer_http1_request_write(&buffer, request);
    transcript_printf(transcript, "%.*s", (int)buffer.length, buffer.bytes != NULL ? buffer.bytes : "");
    CHECK(status == STREAMER_OK || buffer.length == 0);
    streamer_buffer_release(&buffer);
    return status;
}

static void check_written(const struct streamer_http1_request *request, const char *expected) {
    struct transcript transcript = {0};
    test_about(expected);
    CHECK_STATUS(STREAMER_OK, write_to(&transcript, request));
    CHECK_TEXT(expected, transcript.text);
    transcript_free(&transcript);
}

static void check_refused(const struct streamer_http1_request *request, const char *why) {
    struct transcript transcript = {0};
    test_about(why);
    CHECK_STATUS(STREAMER_REQUEST_INVALID, write_to(&transcript, request));
    CHECK_TEXT("", transcript.text);
    transcript_free(&transcript);
}

static void writes_a_request_in_origin_form(void) {
    check_written(&get, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");

    static const struct streamer_http1_field fields[] = {
        {SPAN("Content-Type"), SPAN("application/json")},
        {SPAN("X-Empty"), SPAN("")},
        {SPAN("X-Text"), SPAN(" \ta \xC3\xBC\tb ")},
    };
    struct streamer_http1_request request = {
        .method = SPAN("POST"),
        .target = SPAN("/v1/chat?a=b&c=%20~|"),
        .host = SPAN("[::1]:8080"),
        .fields = fields,
        .count = 3,
        .upload = STREAMER_UPLOAD_LENGTH,
        .content_length = 12,
    };
    check_written(&request, "POST /v1/chat?a=b&c=%20~| HTTP/1.1\r\nHost: [::1]:8080\r\n"
                            "Content-Type: application/json\r\nX-Empty: \r\nX-Text: a \xC3\xBC\tb\r\n"
                            "Content-Length: 12\r\n\r\n");
    request.upload = STREAMER_UPLOAD_CHUNKED;
    request.count = 0;
    check_written(&request, "POST /v1/chat?a=b&c=%20~| HTTP/1.1\r\nHost: [::1]:8080\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n");
}

static void writes_the_length_of_any_body(void) {
    struct streamer_http1_request request = get;
    request.upload = STREAMER_UPLOAD_LENGTH;
    check_written(&request, "GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n");
    request.content_length = UINT64_MAX;
    check_written(&request, "GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 18446744073709551615\r\n\r\n");
}

static void writes_a_request_to_a_proxy_in_absolute_form(void) {
    struct streamer_http1_request request = get;
    request.absolute = true;
    request.proxy_authorization = (struct streamer_span)SPAN("Basic dTpw");
    request.target = (struct streamer_span)SPAN("/a?b");
    check_written(&request,
                  "GET http://a.test/a?b HTTP/1.1\r\nHost: a.test\r\nProxy-Authorization: Basic dTpw\r\n\r\n");
    request.method = (struct streamer_span)SPAN("OPTIONS");
    request.target = (struct streamer_span)SPAN("*");
    request.proxy_authorization.length = 0;
    check_written(&request, "OPTIONS http://a.test HTTP/1.1\r\nHost: a.test\r\n\r\n");
    request.absolute = false;
    check_written(&request, "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n");
}

static void nothing_can_be_injected(void) {
    static const struct streamer_span methods[] = {SPAN(""),        SPAN("GET "),   SPAN(" GET"),  SPAN("GE T"),
                                                   SPAN("GET\r\n"), SPAN("GET\0"),  SPAN("G\tET"), SPAN("GET:"),
                                                   SPAN("G\xC3"),   SPAN("GET / H")};
    static const struct streamer_span targets[] = {
        SPAN(""),
        SPAN("a"),
        SPAN("/a b"),
        SPAN("/a\r\nX: y"),
        SPAN("/\n"),
        SPAN("/\r"),
        SPAN("/\0"),
        SPAN("/\t"),
        SPAN("/\x7F"),
        SPAN("/\xC3\xBC"),
        SPAN("/#a"),
        SPAN(" /"),
        SPAN("/ HTTP/1.1\r\nX: y"),
        SPAN("http://b.test/"),
        SPAN("**"),
        SPAN("?a"),
    };
    static const struct streamer_span hosts[] = {
        SPAN(""),    SPAN("a b"),  SPAN("a\r\nX: y"), SPAN("a\n"),  SPAN("a/b"), SPAN("a?b"), SPAN("a#b"),
        SPAN("u@a"), SPAN("a\\b"), SPAN("a\0"),       SPAN("\xC3"), SPAN("a\t"), SPAN("<a>"), SPAN("\"a\""),
    };
    static const struct streamer_span values[] = {
        SPAN("a\r\nX: y"), SPAN("a\nb"),  SPAN("a\rb"), SPAN("a\0b"),    SPAN("\x01"),
        SPAN("\x7F"),      SPAN("a\r\n"), SPAN("\n"),   SPAN("\x1B[0m"),
    };
    static const struct streamer_span names[] = {
        SPAN(""),
        SPAN("a b"),
        SPAN("a:"),
        SPAN("a: b\r\nc"),
        SPAN("a\n"),
        SPAN("a\0"),
        SPAN(" a"),
        SPAN("a "),
        SPAN("\xC3"),
        SPAN("Host"),
        SPAN("content-length"),
        SPAN("Content-LENGTH"),
        SPAN("TRANSFER-Encoding"),
    };
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        struct streamer_http1_request request = get;
        request.method = methods[i];
        check_refused(&request, methods[i].bytes);
    }
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        struct streamer_http1_request request = get;
        request.target = targets[i];
        check_refused(&request, targets[i].bytes);
        request.absolute = true;
        check_refused(&request, targets[i].bytes);
    }
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        struct streamer_http1_request request = get;
        request.host = hosts[i];
        check_refused(&request, hosts[i].bytes);
    }
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const struct streamer_http1_field fields[] = {{SPAN("X"), SPAN("y")}, {SPAN("X"), values[i]}};
        struct streamer_http1_request request = get;
        request.fields = fields;
        request.count = 2;
        check_refused(&request, values[i].bytes);
        request.count = 1;
        request.proxy_authorization = values[i];
        check_refused(&request, values[i].bytes);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct streamer_http1_field field = {names[i], SPAN("y")};
        struct streamer_http1_request request = get;
        request.fields = &field;
        request.count = 1;
        check_refused(&request, names[i].bytes);
    }
}

static void a_head_is_written_as_a_whole_or_not_at_all(void) {
    struct streamer_buffer buffer;
    streamer_buffer_init(&buffer, 40);
    CHECK_STATUS(STREAMER_OK, streamer_http1_request_write(&buffer, &get));
    size_t before = buffer.length;
    CHECK_STATUS(STREAMER_FULL, streamer_http1_request_write(&buffer, &get));
    CHECK(buffer.length == before);
    streamer_buffer_release(&buffer);
}

static enum streamer_status write_request(const void *context) {
    struct streamer_buffer buffer;
    streamer_buffer_init(&buffer, 1000);
    enum streamer_status status = streamer_http1_request_write(&buffer, context);
    streamer_buffer_release(&buffer);
    return status;
}

static void survives_a_lack_of_memory_anywhere(void) {
    static const struct streamer_http1_field field = {SPAN("X-Long"),
                                                      SPAN("0123456789012345678901234567890123456789012345678901234")};
    struct streamer_http1_request request = get;
    request.fields = &field;
    request.count = 1;
    heap_fail_at_each(write_request, &request);
}

static void writes_the_framing_of_chunks(void) {
    static const struct {
        size_t length;
        const char *expected;
    } cases[] = {{1, "1\r\n"}, {10, "a\r\n"}, {4096, "1000\r\n"}, {SIZE_MAX, "ffffffffffffffff\r\n"}, {0, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[STREAMER_MAX_CHUNK_HEAD + 1];
        line[streamer_http1_chunk_head(line, cases[i].length)] = '\0';
        CHECK_TEXT(cases[i].expected, line);
    }
}

void http1_request_tests(void) {
    RUN(writes_a_request_in_origin_form);
    RUN(writes_the_length_of_any_body);
    RUN(writes_a_request_to_a_proxy_in_absolute_form);
    RUN(nothing_can_be_injected);
    RUN(a_head_is_written_as_a_whole_or_not_at_all);
    RUN(survives_a_lack_of_memory_anywhere);
    RUN(writes_the_framing_of_chunks);
}
