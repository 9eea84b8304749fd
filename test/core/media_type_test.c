#include "media_type.h"

#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "test.h"

/* "essence" or "essence charset", each in quotes; "none". */
static void describe(struct transcript *transcript, bool known, const struct streamer_media_type *type) {
    if (!known) {
        transcript_printf(transcript, "none");
        return;
    }
    transcript_printf(transcript, "%.*s", (int)type->essence_length, type->essence);
    if (type->charset_length == 0) return;
    transcript_printf(transcript, " ");
    transcript_bytes(transcript, type->charset, type->charset_length);
}

static void parses_one_media_type(void) {
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"text/html;charset=gbk", "text/html \"gbk\""},
        {"TEXT/HTML;CHARSET=GBK", "text/html \"GBK\""},
        {" \t\r\ntext/html\t ; \t charset=gbk \r\n", "text/html \"gbk\""},
        {"text/html;charset=gbk(", "text/html \"gbk(\""},
        {"text/html;x=(;charset=gbk", "text/html \"gbk\""},
        {"text/html;charset=gbk;charset=utf-8", "text/html \"gbk\""},
        {"text/html;charset =gbk", "text/html"},
        {"text/html;charset= gbk", "text/html \"gbk\""},
        {"text/html;charset=\" \\\tgbk \"", "text/html \"gbk\""},
        {"text/html;charset=\" \";charset=gbk", "text/html"},
        {"text/html;charset='gbk'", "text/html \"'gbk'\""},
        {"text/html;test;charset=gbk", "text/html \"gbk\""},
        {"text/html;test=;charset=gbk", "text/html \"gbk\""},
        {"text/html;charset=;charset=gbk", "text/html \"gbk\""},
        {"text/html;\";charset=gbk", "text/html \"gbk\""},
        {"text/html ; ; charset=gbk", "text/html \"gbk\""},
        {"text/html;;;;charset=gbk", "text/html \"gbk\""},
        {"text/html;charset=\"gbk\"", "text/html \"gbk\""},
        {"text/html;charset=\"gbk", "text/html \"gbk\""},
        {"text/html;charset=gbk\"", "text/html \"gbk\"\""},
        {"text/html;charset=\"\\g\\b\\k\"", "text/html \"gbk\""},
        {"text/html;charset=\"g;b\\\"k\"x;y", "text/html \"g;b\"k\""},
        {"text/html;x=\";charset=gbk\";charset=utf-8", "text/html \"utf-8\""},
        {"text/html;x=\"y\"zcharset=gbk", "text/html"},
        {"text/html;charset=\"\\", "text/html \"\\\""},
        {"text/html;charset=\"\x01\";charset=gbk", "text/html \"gbk\""},
        {"text/html;charset=\x7F", "text/html"},
        {"text/html;charset=\xC3\xBC", "text/html \"\\xC3\\xBC\""},
        {"text/html;charset=", "text/html"},
        {"text/html;charset", "text/html"},
        {"text/html;", "text/html"},
        {"application/vnd.api+json; version=\"1, 2\"", "application/vnd.api+json"},
        {"!#$%&'*+-.^_`|~/x", "!#$%&'*+-.^_`|~/x"},
        {"", "none"},
        {"\t", "none"},
        {"bogus", "none"},
        {"bogus/", "none"},
        {"bogus/ ", "none"},
        {"/bogus", "none"},
        {"/", "none"},
        {"bogus/bogus/;", "none"},
        {"text/html(;x=y", "none"},
        {"text /html", "none"},
        {"text/ html", "none"},
        {"text/html,text/plain", "none"},
        {"<>/<>", "none"},
        {";charset=gbk", "none"},
        {"text;x=/html", "none"},
        {"\xC3\xBC/x", "none"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_about(cases[i].text);
        struct transcript transcript = {0};
        struct streamer_media_type type = {0};
        size_t length = strlen(cases[i].text);
        char *text = exact_copy(cases[i].text, length);
        describe(&transcript, streamer_media_type_parse((struct streamer_span){text, length}, &type), &type);
        CHECK_TEXT(cases[i].expected, transcript.text);
        transcript_free(&transcript);
        free(text);
    }
}

static void nul_is_part_of_no_media_type(void) {
    struct streamer_media_type type = {0};
    CHECK(!streamer_media_type_parse((struct streamer_span){"text/ht\0ml", 10}, &type));
    CHECK(!streamer_media_type_parse((struct streamer_span){"text\0/html", 10}, &type));
    CHECK(streamer_media_type_parse((struct streamer_span){"a/b;charset=x\0y", 15}, &type));
    CHECK(type.charset_length == 0);
}

static void the_longest_media_type_and_charset_have_their_ceilings(void) {
    char text[400] = "text/";
    struct streamer_media_type type = {0};
    memset(text + 5, 'x', 251);
    CHECK(streamer_media_type_parse((struct streamer_span){text, STREAMER_MAX_ESSENCE}, &type));
    CHECK(type.essence_length == STREAMER_MAX_ESSENCE);
    CHECK(!streamer_media_type_parse((struct streamer_span){text, STREAMER_MAX_ESSENCE + 1}, &type));

    memcpy(text, "text/plain;charset=", 19);
    memset(text + 19, 'x', 100);
    CHECK(streamer_media_type_parse((struct streamer_span){text, 19 + STREAMER_MAX_CHARSET}, &type));
    CHECK(type.charset_length == STREAMER_MAX_CHARSET);
    CHECK(streamer_media_type_parse((struct streamer_span){text, 20 + STREAMER_MAX_CHARSET}, &type));
    CHECK(type.charset_length == 0 && streamer_media_type_is(&type, "text/plain"));
}

/* Fetch's examples, and those of its tests. */
static void extracts_the_media_type_of_all_content_types(void) {
    static const struct {
        const char *values[3];
        const char *expected;
    } cases[] = {
        {{"text/plain;charset=gbk, text/html"}, "text/html"},
        {{"text/html;charset=gbk;a=b, text/html;x=y"}, "text/html \"gbk\""},
        {{"text/html;charset=gbk;a=b", "text/html;x=y"}, "text/html \"gbk\""},
        {{"text/html;charset=gbk", "x/x", "text/html;x=y"}, "text/html"},
        {{"text/html", "cannot-parse"}, "text/html"},
        {{"text/html", "*/*"}, "text/html"},
        {{"text/html", ""}, "text/html"},
        {{"", "text/plain"}, "text/plain"},
        {{"text/html", "text/plain"}, "text/plain"},
        {{"text/plain;charset=gbk", "text/html;charset=windows-1254"}, "text/html \"windows-1254\""},
        {{"text/plain;charset=gbk", "text/plain"}, "text/plain \"gbk\""},
        {{"text/plain;charset=gbk", "text/plain;charset=utf-8"}, "text/plain \"utf-8\""},
        {{"text/html;charset=gbk", "text/html;x=\",text/plain"}, "text/html \"gbk\""},
        {{"text/html;charset=gbk", "text/plain", "text/html"}, "text/html"},
        {{"*/*", "text/html"}, "text/html"},
        {{"text/plain", "*/*;charset=gbk"}, "text/plain"},
        {{"text/html;x=\"", "text/plain"}, "text/html"},
        {{"text/html;\"", "text/plain"}, "text/html"},
        {{"text/html;x=\"\\", "\", text/plain"}, "text/plain"},
        {{"text/html;x=\"a", "b\"; y, text/plain"}, "text/plain"},
        {{", ,text/event-stream,"}, "text/event-stream"},
        {{"\ttext/event-stream"}, "text/event-stream"},
        {{"text/event-stream; charset=\"a,b\""}, "text/event-stream \"a,b\""},
        {{"*/*"}, "none"},
        {{"json"}, "none"},
        {{""}, "none"},
        {{NULL}, "none"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_about(cases[i].values[0]);
        struct streamer_buffer fields;
        struct streamer_media_type type;
        struct transcript transcript = {0};
        streamer_buffer_init(&fields, 1000);
        size_t count = 0;
        for (; count < 3 && cases[i].values[count] != NULL; count++) {
            const char *value = cases[i].values[count];
            streamer_fields_add(&fields, "X-Other", 7, "image/png", 9);
            CHECK_STATUS(STREAMER_OK, streamer_fields_add(&fields, "Content-Type", 12, value, strlen(value)));
        }
        describe(&transcript, streamer_fields_content_type(&fields, &type), &type);
        CHECK_TEXT(cases[i].expected, transcript.text);
        if (count == 1) {
            struct transcript alone = {0};
            struct streamer_span value = {cases[i].values[0], strlen(cases[i].values[0])};
            describe(&alone, streamer_media_type_extract(value, &type), &type);
            CHECK_TEXT(cases[i].expected, alone.text);
            transcript_free(&alone);
        }
        transcript_free(&transcript);
        streamer_buffer_release(&fields);
    }
}

void media_type_tests(void) {
    RUN(parses_one_media_type);
    RUN(nul_is_part_of_no_media_type);
    RUN(the_longest_media_type_and_charset_have_their_ceilings);
    RUN(extracts_the_media_type_of_all_content_types);
}
