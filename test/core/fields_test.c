#include "fields.h"

#include <string.h>

#include "test.h"

static enum streamer_status add(struct streamer_buffer *fields, const char *name, const char *value) {
    return streamer_fields_add(fields, name, strlen(name), value, strlen(value));
}

static void a_field_is_kept_with_its_name_in_lower_case_and_its_value_trimmed(void) {
    struct streamer_buffer fields;
    struct transcript transcript = {0};
    streamer_buffer_init(&fields, 1000);
    CHECK_STATUS(STREAMER_OK, add(&fields, "Content-TYPE", "\t text/event-stream \t"));
    CHECK_STATUS(STREAMER_OK, add(&fields, "x_!#$%&'*+-.^`|~9", ""));
    CHECK_STATUS(STREAMER_OK, add(&fields, "X", " \t "));
    CHECK_STATUS(STREAMER_OK, add(&fields, "Y", "a \t: \x01\x7F\xFF b"));
    transcript_bytes(&transcript, fields.bytes, fields.length);
    CHECK_TEXT("\"content-type: text/event-stream\\nx_!#$%&'*+-.^`|~9: \\nx: \\ny: a \\x09: \\x01\\x7F\\xFF b\\n\"",
               transcript.text);
    transcript_free(&transcript);
    streamer_buffer_release(&fields);
}

static void what_is_no_field_is_refused_and_changes_nothing(void) {
    static const struct {
        const char *name;
        size_t name_length;
        const char *value;
        size_t value_length;
    } cases[] = {
        {"", 0, "x", 1},         {"a b", 3, "x", 1}, {"a ", 2, "x", 1},          {" a", 2, "x", 1},
        {"a\t", 2, "x", 1},      {"a:", 2, "x", 1},  {"\xC3\xA4", 2, "x", 1},    {"a\0", 2, "x", 1},
        {"a\n", 2, "x", 1},      {"(a)", 3, "x", 1}, {"a", 1, "x\ry", 3},        {"a", 1, "x\ny", 3},
        {"a", 1, "x\0y", 3},     {"a", 1, "\r", 1},  {"a", 1, "x\r\nset: 1", 9}, {"a\x7F", 2, "x", 1},
        {"a\r\nset", 6, "x", 1}, {"a\"", 2, "x", 1}, {"a", 1, "\0", 1},          {"a", 1, "\n x", 3},
    };
    struct streamer_buffer fields;
    streamer_buffer_init(&fields, 1000);
    add(&fields, "before", "1");
    size_t before = fields.length;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_about(cases[i].name);
        CHECK_STATUS(STREAMER_HEADER_INVALID, streamer_fields_add(&fields, cases[i].name, cases[i].name_length,
                                                                  cases[i].value, cases[i].value_length));
        CHECK(fields.length == before);
    }
    streamer_buffer_release(&fields);
}

static void the_buffers_limit_is_the_ceiling(void) {
    struct streamer_buffer fields;
    streamer_buffer_init(&fields, 11);
    CHECK_STATUS(STREAMER_HEADERS_TOO_LARGE, add(&fields, "name", "value"));
    CHECK_STATUS(STREAMER_OK, add(&fields, "name", "abcd"));
    CHECK_STATUS(STREAMER_HEADERS_TOO_LARGE, add(&fields, "a", ""));
    CHECK(fields.length == 11);
    heap_fail_at(1);
    streamer_buffer_release(&fields);
    CHECK_STATUS(STREAMER_NO_MEMORY, add(&fields, "name", "abcd"));
    heap_fail_at(0);
}

static void describe_all(struct transcript *transcript, const struct streamer_buffer *fields, const char *name) {
    size_t cursor = 0;
    struct streamer_span value;
    transcript_printf(transcript, "%s:", name);
    while (streamer_fields_next(fields, name, &cursor, &value)) {
        transcript_printf(transcript, " ");
        transcript_bytes(transcript, value.bytes, value.length);
    }
}

static void the_fields_of_a_name_are_found_in_their_order(void) {
    struct streamer_buffer fields;
    streamer_buffer_init(&fields, 1000);
    static const char *const lines[][2] = {
        {"Set-Cookie", "a=1"}, {"Set-Cookie2", "x"},   {"Set", "Cookie: y"},
        {"set-cookie", ""},    {"X", "set-cookie: z"}, {"SET-COOKIE", "b=2; c"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) add(&fields, lines[i][0], lines[i][1]);
    struct transcript transcript = {0};
    describe_all(&transcript, &fields, "set-cookie");
    CHECK_TEXT("set-cookie: \"a=1\" \"\" \"b=2; c\"", transcript.text);
    transcript_free(&transcript);
    describe_all(&transcript, &fields, "set");
    CHECK_TEXT("set: \"Cookie: y\"", transcript.text);
    transcript_free(&transcript);
    describe_all(&transcript, &fields, "cookie");
    CHECK_TEXT("cookie:", transcript.text);
    transcript_free(&transcript);
    streamer_buffer_release(&fields);
}

static void every_field_is_found_in_its_order(void) {
    struct streamer_buffer fields;
    struct streamer_span name, value;
    struct transcript transcript = {0};
    size_t cursor = 0;
    streamer_buffer_init(&fields, 1000);
    CHECK(streamer_fields_count(&fields) == 0);
    CHECK(!streamer_fields_each(&fields, &cursor, &name, &value));
    CHECK_STATUS(STREAMER_OK, add(&fields, "A", "x: y"));
    CHECK_STATUS(STREAMER_OK, add(&fields, "b", ""));
    CHECK_STATUS(STREAMER_OK, add(&fields, "a", "z"));
    CHECK(streamer_fields_count(&fields) == 3);
    while (streamer_fields_each(&fields, &cursor, &name, &value)) {
        transcript_bytes(&transcript, name.bytes, name.length);
        transcript_bytes(&transcript, value.bytes, value.length);
    }
    CHECK_TEXT("\"a\"\"x: y\"\"b\"\"\"\"a\"\"z\"", transcript.text);
    transcript_free(&transcript);
    streamer_buffer_release(&fields);
}

static void no_field_is_found_where_there_is_none(void) {
    struct streamer_buffer fields;
    size_t cursor = 0;
    struct streamer_span value;
    struct streamer_fields_list list = {0};
    streamer_buffer_init(&fields, 1000);
    CHECK(!streamer_fields_next(&fields, "x", &cursor, &value));
    CHECK(!streamer_fields_next_member(&fields, "x", &list, &value));
    CHECK(!streamer_fields_include(&fields, "x", "y"));
    CHECK(streamer_fields_is_identity(&fields));
}

static void all_fields_of_a_name_are_one_list(void) {
    static const struct {
        const char *values[3];
        const char *expected;
    } cases[] = {
        {{"a"}, "[a]"},
        {{"a, b,c", "d"}, "[a][b][c][d]"},
        {{",a,, ,\tb\t, ", "", "c"}, "[a][b][c]"},
        {{"a b, c;q=1"}, "[a b][c;q=1]"},
        {{"\"a, b\", c"}, "[\"a, b\"][c]"},
        {{"a;x=\"1,\\\",2\",b"}, "[a;x=\"1,\\\",2\"][b]"},
        {{"\"\\\\\", b"}, "[\"\\\\\"][b]"},
        {{"\"a", "b\", c"}, "[\"a][c]"},
        {{"\"a", "b", "c\"x, d"}, "[\"a][d]"},
        {{"\"a\\", "\"b, c"}, "[\"a\\][c]"},
        {{"", ",", ", ,"}, ""},
        {{"a\\,b"}, "[a\\][b]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct streamer_buffer fields;
        struct streamer_fields_list list = {0};
        struct streamer_span member;
        struct transcript transcript = {0};
        test_about(cases[i].values[0]);
        streamer_buffer_init(&fields, 1000);
        for (size_t j = 0; j < 3 && cases[i].values[j] != NULL; j++) {
            add(&fields, "list", cases[i].values[j]);
            add(&fields, "other", "no");
        }
        transcript_printf(&transcript, "%s", "");
        while (streamer_fields_next_member(&fields, "list", &list, &member)) {
            transcript_printf(&transcript, "[%.*s]", (int)member.length, member.bytes);
        }
        CHECK_TEXT(cases[i].expected, transcript.text);
        transcript_free(&transcript);
        streamer_buffer_release(&fields);
    }
}

static void a_list_includes_its_members_in_any_case(void) {
    struct streamer_buffer fields;
    streamer_buffer_init(&fields, 1000);
    add(&fields, "Connection", "Keep-Alive, X-Foo");
    add(&fields, "connection", "CLOSE");
    CHECK(streamer_fields_include(&fields, "connection", "close"));
    CHECK(streamer_fields_include(&fields, "connection", "keep-alive"));
    CHECK(!streamer_fields_include(&fields, "connection", "x"));
    CHECK(!streamer_fields_include(&fields, "connect", "close"));
    streamer_buffer_release(&fields);
}

static void a_body_is_plain_unless_a_content_coding_is_named(void) {
    static const struct {
        const char *values[2];
        bool identity;
    } cases[] = {
        {{NULL}, true},
        {{""}, true},
        {{"identity"}, true},
        {{"Identity"}, true},
        {{"none"}, true},
        {{"NONE"}, true},
        {{" , identity,none"}, true},
        {{"identity", "none"}, true},
        {{"gzip"}, false},
        {{"identity, gzip"}, false},
        {{"identity", "gzip"}, false},
        {{"br"}, false},
        {{"utf-8"}, false},
        {{"identityx"}, false},
        {{"\"identity\""}, false},
        {{"identity;q=1"}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct streamer_buffer fields;
        test_about(cases[i].values[0] != NULL ? cases[i].values[0] : "no field");
        streamer_buffer_init(&fields, 1000);
        for (size_t j = 0; j < 2 && cases[i].values[j] != NULL; j++) {
            add(&fields, "Content-Encoding", cases[i].values[j]);
        }
        CHECK(streamer_fields_is_identity(&fields) == cases[i].identity);
        streamer_buffer_release(&fields);
    }
}

void fields_tests(void) {
    RUN(a_field_is_kept_with_its_name_in_lower_case_and_its_value_trimmed);
    RUN(what_is_no_field_is_refused_and_changes_nothing);
    RUN(the_buffers_limit_is_the_ceiling);
    RUN(the_fields_of_a_name_are_found_in_their_order);
    RUN(every_field_is_found_in_its_order);
    RUN(no_field_is_found_where_there_is_none);
    RUN(all_fields_of_a_name_are_one_list);
    RUN(a_list_includes_its_members_in_any_case);
    RUN(a_body_is_plain_unless_a_content_coding_is_named);
}
