/* Heads and bodies made up at random and then damaged, read at every split and by the oracle; and requests of random
 * parts. */
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "http1_request.h"
#include "http1_support.h"

#define HEADS 3000
#define BODIES 3000
#define REQUESTS 20000

struct text {
    size_t length;
    char bytes[4096];
};

static void add(struct text *text, const char *bytes, size_t length) {
    if (text->length + length > sizeof text->bytes) abort();
    memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
}

static void add_text(struct text *text, const char *bytes) {
    add(text, bytes, strlen(bytes));
}

#define ONE_OF(state, list) (list)[random_below(state, sizeof(list) / sizeof *(list))]

static void add_line_end(struct text *text, uint32_t *state) {
    static const char *const ends[] = {"\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n"};
    add_text(text, ONE_OF(state, ends));
}

static void add_head(struct text *text, uint32_t *state) {
    static const char *const status_lines[] = {
        "HTTP/1.1 200 OK",         "HTTP/1.1 200 OK", "HTTP/1.1 200",          "HTTP/1.0 200 OK",
        "HTTP/1.1 204 No Content", "HTTP/1.1 304 ",   "HTTP/1.1 500 \xC3\xA9", "HTTP/1.9 404 Not Found",
        "HTTP/1.1 101 Switching",  "HTTP/2.0 200 OK", "HTTP/1.1  200 OK",
    };
    static const char *const fields[] = {
        "Content-Length: 5",
        "Content-Length: 5",
        "content-length: 05, 5 ,5",
        "Content-Length: 6",
        "Content-Length: 0",
        "Content-Length: 9223372036854775807",
        "Content-Length: 9223372036854775808",
        "Content-Length:",
        "Transfer-Encoding: chunked",
        "Transfer-Encoding:\tChunked \t",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: chunked, gzip",
        "Transfer-Encoding: ,",
        "Connection: close",
        "Connection: Keep-Alive, x",
        "Connection: x=\"a, close",
        "Connection: \"b\\\", close\", keep-alive",
        "Connection:\tClose ,y",
        "Content-Type: text/event-stream",
        "X-Empty:",
        "X: y: z ",
        "Folded: a\r\n b",
        "Spaced : a",
        "no colon",
    };
    while (random_below(state, 6) == 0) {
        add_text(text, "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n");
        add_line_end(text, state);
    }
    add_text(text, ONE_OF(state, status_lines));
    add_line_end(text, state);
    for (uint32_t count = random_below(state, 6); count > 0; count--) {
        add_text(text, fields[random_below(state, sizeof fields / sizeof *fields - (random_below(state, 5) ? 3 : 0))]);
        add_line_end(text, state);
    }
    add_line_end(text, state);
    add_text(text, "body");
}

static void add_chunks(struct text *text, uint32_t *state) {
    static const char *const formats[] = {"%x", "%X", "%x", "%x", "%04x", "%x ", "%x\t ;a=\"b;c\"", "%x;", "%020x"};
    static const char *const trailers[] = {"X: y", "A-Long-Name:\tvalue: more", "Empty:", "Spaced : a", " folded"};
    for (uint32_t count = random_below(state, 6); count > 0; count--) {
        char size[64], data[64];
        uint32_t length = 1 + random_below(state, random_below(state, 4) == 0 ? 40 : 5);
        for (uint32_t i = 0; i < length; i++) data[i] = "\r\n0a5;: "[random_below(state, 8)];
        struct transcript line = {0};
        const char *format = ONE_OF(state, formats);
        size_t digits = strcspn(format, "xX");
        transcript_printf(&line, strchr(format, '0') != NULL ? "%020x%s" : "%x%s", length, format + digits + 1);
        strncpy(size, line.text, sizeof size - 1);
        size[sizeof size - 1] = '\0';
        transcript_free(&line);
        add_text(text, size);
        add_line_end(text, state);
        add(text, data, length);
        add_line_end(text, state);
    }
    add_text(text, random_below(state, 8) ? "0" : "00;x");
    add_line_end(text, state);
    while (random_below(state, 3) == 0) {
        add_text(text, trailers[random_below(state, random_below(state, 4) ? 3 : 5)]);
        add_line_end(text, state);
    }
    add_line_end(text, state);
    add_text(text, "HTTP");
}

/* Half of them stay as they are. */
static void damage(struct text *text, uint32_t *state) {
    static const char special[] = "\r\n\0 \t:;,\"\\0159aFxX\x7F\xFF";
    if (random_below(state, 2)) return;
    for (uint32_t count = 1 + random_below(state, 3); count > 0 && text->length > 0; count--) {
        size_t at = random_below(state, (uint32_t)text->length);
        char byte = special[random_below(state, sizeof special - 1)];
        switch (random_below(state, 8)) {
            case 0: text->length = at; break;
            case 1:
            case 2: memmove(text->bytes + at, text->bytes + at + 1, --text->length - at); break;
            case 3:
            case 4:
            case 5: text->bytes[at] = byte; break;
            default: memmove(text->bytes + at + 1, text->bytes + at, text->length++ - at); text->bytes[at] = byte;
        }
    }
}

static void random_heads_are_read_as_the_oracle_reads_them(void) {
    static const char *const methods[] = {"GET", "POST", "HEAD", "CONNECT"};
    uint32_t state = 20261127;
    size_t good = 0;
    for (int i = 0; i < HEADS; i++) {
        struct text text = {0};
        struct transcript expected = {0}, about = {0};
        const char *method = ONE_OF(&state, methods);
        add_head(&text, &state);
        damage(&text, &state);
        size_t used = transcript_head_by_oracle(&expected, method, text.bytes, text.length);
        good += used > 0;
        transcript_printf(&about, "%s ", method);
        transcript_bytes(&about, text.bytes, text.length);
        test_about(about.text);
        EVERY_CUT(cut, text.length) {
            struct transcript actual = {0};
            CHECK(transcript_head(&actual, method, text.bytes, text.length, cut) == used);
            CHECK_TEXT(expected.text, actual.text);
            transcript_free(&actual);
        }
        transcript_free(&expected);
        transcript_free(&about);
    }
    test_about(NULL);
    CHECK(good > HEADS / 4 && good < HEADS * 3 / 4);
}

static void random_chunks_are_read_as_the_oracle_reads_them(void) {
    uint32_t state = 20261128;
    size_t good = 0;
    for (int i = 0; i < BODIES; i++) {
        struct text text = {0};
        struct transcript expected = {0}, about = {0};
        add_chunks(&text, &state);
        damage(&text, &state);
        transcript_chunks_by_oracle(&expected, text.bytes, text.length);
        good += strstr(expected.text, "\" OK ") != NULL;
        transcript_bytes(&about, text.bytes, text.length);
        test_about(about.text);
        EVERY_CUT(cut, text.length) {
            struct transcript actual = {0};
            transcript_body(&actual, STREAMER_BODY_CHUNKED, 0, text.bytes, text.length, cut);
            CHECK_TEXT(expected.text, actual.text);
            transcript_free(&actual);
        }
        transcript_free(&expected);
        transcript_free(&about);
    }
    test_about(NULL);
    CHECK(good > BODIES / 4 && good < BODIES * 3 / 4);
}

/* Up to seven bytes, often such as must not pass. */
static struct streamer_span random_part(uint32_t *state, char bytes[8], const char *first) {
    static const char plain[] = "abcXYZ019-_.~", special[] = "\r\n\0 \t:/?#@,;\"\x7F\xC3";
    size_t length = random_below(state, 8);
    bool wild = random_below(state, 12) == 0;
    for (size_t i = 0; i < length; i++) {
        bytes[i] = plain[random_below(state, sizeof plain - 1)];
        if (wild && random_below(state, 3) == 0) bytes[i] = special[random_below(state, sizeof special - 1)];
    }
    if (length > 0 && *first != '\0') bytes[0] = *first;
    return (struct streamer_span){bytes, length};
}

/* The request's fields, read as those of a response. */
static void check_what_a_server_would_read(const struct streamer_http1_request *request,
                                           const struct streamer_buffer *written) {
    const char *end = written->bytes + written->length;
    const char *line_end = memchr(written->bytes, '\n', written->length), *cursor;
    struct text text = {0};
    struct transcript transcript = {0};
    struct streamer_buffer expected;
    struct streamer_http1_head head;
    transcript_printf(&transcript, "%.*s%s%.*s%.*s HTTP/1.1\r\n", (int)request->method.length, request->method.bytes,
                      request->absolute ? " http://" : " ", request->absolute ? (int)request->host.length : 0,
                      request->host.bytes, (int)request->target.length, request->target.bytes);
    CHECK(transcript.length == (size_t)(line_end + 1 - written->bytes) &&
          memcmp(transcript.text, written->bytes, transcript.length) == 0);
    transcript_free(&transcript);

    add_text(&text, "HTTP/1.1 200 OK\r\n");
    add(&text, line_end + 1, (size_t)(end - line_end - 1));
    cursor = text.bytes;
    streamer_http1_head_init(&head, "GET");
    CHECK_STATUS(STREAMER_OK, streamer_http1_head_read(&head, &cursor, text.bytes + text.length));
    CHECK(cursor == text.bytes + text.length);
    CHECK(head.framing == (request->upload == STREAMER_UPLOAD_CHUNKED ? STREAMER_BODY_CHUNKED : STREAMER_BODY_LENGTH));
    CHECK(head.content_length == request->content_length);

    streamer_buffer_init(&expected, 1000);
    streamer_fields_add(&expected, "host", 4, request->host.bytes, request->host.length);
    for (size_t i = 0; i < request->count; i++) {
        const struct streamer_http1_field *field = &request->fields[i];
        streamer_fields_add(&expected, field->name.bytes, field->name.length, field->value.bytes, field->value.length);
    }
    CHECK(head.fields.length > expected.length && memcmp(head.fields.bytes, expected.bytes, expected.length) == 0);
    CHECK(memchr(head.fields.bytes + expected.length, '\n', head.fields.length - expected.length) ==
          head.fields.bytes + head.fields.length - 1);
    streamer_buffer_release(&expected);
    streamer_http1_head_release(&head);
}

static void what_a_server_reads_of_a_random_request_is_what_it_was_made_of(void) {
    uint32_t state = 20261129;
    size_t good = 0;
    for (int i = 0; i < REQUESTS; i++) {
        char parts[7][8];
        struct streamer_http1_field fields[2] = {
            {random_part(&state, parts[0], ""), random_part(&state, parts[1], "")},
            {random_part(&state, parts[2], ""), random_part(&state, parts[3], "")},
        };
        struct streamer_http1_request request = {
            .method = random_part(&state, parts[4], "M"),
            .target = random_part(&state, parts[5], "/"),
            .host = random_part(&state, parts[6], "h"),
            .absolute = random_below(&state, 4) == 0,
            .fields = fields,
            .count = random_below(&state, 3),
            .upload = random_below(&state, 2) ? STREAMER_UPLOAD_LENGTH : STREAMER_UPLOAD_CHUNKED,
        };
        if (request.upload == STREAMER_UPLOAD_LENGTH) request.content_length = random_below(&state, 100000);
        struct streamer_buffer written;
        streamer_buffer_init(&written, 1000);
        if (streamer_http1_request_write(&written, &request) == STREAMER_OK) {
            check_what_a_server_would_read(&request, &written);
            good++;
        }
        streamer_buffer_release(&written);
    }
    CHECK(good > REQUESTS / 10 && good < REQUESTS * 9 / 10);
}

void http1_random_tests(void) {
    RUN(random_heads_are_read_as_the_oracle_reads_them);
    RUN(random_chunks_are_read_as_the_oracle_reads_them);
    RUN(what_a_server_reads_of_a_random_request_is_what_it_was_made_of);
}
