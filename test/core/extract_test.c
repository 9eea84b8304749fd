#include "extract.h"

#include <stdlib.h>
#include <string.h>

#include "ceilings.h"
#include "test.h"

static const char *const kinds[] = {"none", "string", "number", "true", "false", "null", "container"};

/* The status, then each value: kind, text and JSON as they are written out. */
static void extract(struct transcript *transcript, struct streamer_extractor *extractor, const char *json,
                    size_t length) {
    struct streamer_value values[STREAMER_MAX_PATHS];
    char *input = exact_copy(json, length);
    transcript_printf(transcript, "%s",
                      streamer_status_name(streamer_extractor_read(extractor, input, length, values)));
    for (size_t i = 0; i < streamer_extractor_count(extractor); i++) {
        const struct streamer_value *value = &values[i];
        transcript_printf(transcript, ", %s", kinds[value->kind]);
        if (value->kind == STREAMER_KIND_NONE) continue;
        CHECK(value->json >= input && value->json + value->length <= input + length);
        struct streamer_buffer text;
        streamer_buffer_init(&text, 1 << 20);
        CHECK_STATUS(STREAMER_OK, streamer_value_text(value, &text));
        transcript_printf(transcript, " ");
        transcript_bytes(transcript, text.bytes, text.length);
        streamer_buffer_release(&text);
        char *out = malloc(value->length + 2);
        size_t written = streamer_value_json(value, out);
        transcript_printf(transcript, " %.*s", (int)written, out);
        free(out);
        CHECK(value->escaped ==
              (value->kind == STREAMER_KIND_STRING && memchr(value->json, '\\', value->length) != NULL));
    }
    free(input);
}

static enum streamer_status compile_joined(struct streamer_extractor **extractor, const char *paths, size_t joined,
                                           size_t max_depth, size_t max_size) {
    const char *starts[64];
    size_t lengths[64], count = 0;
    for (const char *path = paths; *paths != '\0'; path += lengths[count - 1] + 1) {
        starts[count] = path;
        lengths[count++] = strcspn(path, " ");
        if (path[lengths[count - 1]] == '\0') break;
    }
    const struct streamer_extractor_options options = {.paths = starts,
                                                       .lengths = lengths,
                                                       .count = count,
                                                       .joined = joined,
                                                       .max_depth = max_depth,
                                                       .max_size = max_size};
    return streamer_extractor_new(extractor, &options);
}

static enum streamer_status compile(struct streamer_extractor **extractor, const char *paths, size_t max_depth,
                                    size_t max_size) {
    return compile_joined(extractor, paths, 0, max_depth, max_size);
}

struct extract_case {
    const char *paths; /* separated by a space */
    const char *json;
    const char *expected;
};

static const struct extract_case cases[] = {
    {"a", "{\"a\":\"x\"}", "OK, string \"x\" \"x\""},
    {"a", "{\"a\":\"\"}", "OK, string \"\" \"\""},
    {"a", "{\"a\":-1.5e+3}", "OK, number \"-1.5e+3\" -1.5e+3"},
    {"a", "{\"a\":0}", "OK, number \"0\" 0"},
    {"a", "{\"a\" : true }", "OK, true \"true\" true"},
    {"a", "{\"a\":false}", "OK, false \"false\" false"},
    {"a", "{\"a\":\n null\n}", "OK, null \"null\" null"},
    {"a", "{\"a\":{}}", "OK, container \"{}\" {}"},
    {"a", "{\"a\":[1, {\"b\": 2}]}", "OK, container \"[1, {\"b\": 2}]\" [1,{\"b\":2}]"},
    {"a.b", "{\"a\":{\"b\":1}}", "OK, number \"1\" 1"},
    {"a.b", "{\"b\":2,\"a\":{\"x\":3,\"b\":1}}", "OK, number \"1\" 1"},
    {"a.b", "{\"a\":[{\"b\":1}]}", "MISSING, none"},
    {"a.0.b", "{\"a\":[{\"b\":1}]}", "OK, number \"1\" 1"},
    {"a.2", "{\"a\":[[0,1,2],{\"2\":5},7]}", "OK, number \"7\" 7"},
    {"a.3", "{\"a\":[1,2,3]}", "MISSING, none"},
    {"a.0", "{\"a\":{\"0\":1}}", "OK, number \"1\" 1"},
    {"a.01", "{\"a\":[1,2]}", "MISSING, none"},
    {"a.01", "{\"a\":{\"01\":1}}", "OK, number \"1\" 1"},
    {"0", "[\"x\"]", "OK, string \"x\" \"x\""},
    {"1.1", "[0,[2,3]]", "OK, number \"3\" 3"},
    {"a", "{\"x\":{\"a\":1},\"y\":[{\"a\":2}],\"a\":3}", "OK, number \"3\" 3"},
    {"a", "{\"aa\":1,\"A\":2,\"\":3}", "MISSING, none"},
    {"a b", "{\"b\":1,\"a\":2}", "OK, number \"2\" 2, number \"1\" 1"},
    {"a b", "{\"b\":1}", "OK, none, number \"1\" 1"},
    {"a a", "{\"a\":1}", "OK, number \"1\" 1, number \"1\" 1"},
    {"a a.b a.b.c", "{\"a\":{\"b\":{\"c\":1}}}",
     "OK, container \"{\"b\":{\"c\":1}}\" {\"b\":{\"c\":1}}, container \"{\"c\":1}\" {\"c\":1}, number \"1\" 1"},
    {"a a.b", "{\"a\":5}", "OK, number \"5\" 5, none"},
    {"choices.0.delta.content choices.0.finish_reason",
     "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":null}],\"usage\":null}",
     "OK, string \"hi\" \"hi\", null \"null\" null"},
    {"a", "{\"a\":1,\"a\":2}", "OK, number \"1\" 1"},
    {"a b", "{\"a\":1,\"a\":2,\"b\":3}", "OK, number \"1\" 1, number \"3\" 3"},
    {"a.b", "{\"a\":{\"x\":1},\"a\":{\"b\":2}}", "MISSING, none"},
    {"a.b", "{\"a\":0,\"a\":{\"b\":2}}", "MISSING, none"},
    {"ab", "{\"\\u0061b\":1}", "OK, number \"1\" 1"},
    {"a", "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
     "OK, string \"\"\\/\\x08\\x0C\\n\\r\\x09\" \"\\\"\\\\/\\b\\f\\n\\r\\t\""},
    {"a", "{\"a\":\"\\\\\"}", "OK, string \"\\\" \"\\\\\""},
    {"a", "{\"a\":\"\\\"\"}", "OK, string \"\"\" \"\\\"\""},
    {"a", "{\"a\" :  \"\\\\\\\"x\\\\\"}", "OK, string \"\\\"x\\\" \"\\\\\\\"x\\\\\""},
    {"a.1", "{\"a\":[\"x\\n\",\"\\ny\"]}", "OK, string \"\\ny\" \"\\ny\""},
    {"a", "{\"a\":\"\\u0041\\u00e9\\u20AC\"}", "OK, string \"A\\xC3\\xA9\\xE2\\x82\\xAC\" \"A\xC3\xA9\xE2\x82\xAC\""},
    {"a", "{\"a\":\"\\u0000\\u001F\\u000a\\u0022\\u005C\\u007f\"}",
     "OK, string \"\\x00\\x1F\\n\"\\\\x7F\" \"\\u0000\\u001f\\n\\\"\\\\\x7f\""},
    {"a", "{\"a\":\"\\ud83d\\uDE00\"}", "OK, string \"\\xF0\\x9F\\x98\\x80\" \"\xF0\x9F\x98\x80\""},
    {"a", "{\"a\":\"\\uD83D\"}", "OK, string \"\\xEF\\xBF\\xBD\" \"\\uD83D\""},
    {"a", "{\"a\":\"\\ude00x\"}", "OK, string \"\\xEF\\xBF\\xBDx\" \"\\ude00x\""},
    {"a", "{\"a\":\"\\ud83dx\\ud83d\\n\\ud83d\\u0041\"}",
     "OK, string \"\\xEF\\xBF\\xBDx\\xEF\\xBF\\xBD\\n\\xEF\\xBF\\xBDA\" \"\\ud83dx\\ud83d\\n\\ud83dA\""},
    {"a", "{\"a\":\"\\ud83d\\ud83d\\ude00\"}",
     "OK, string \"\\xEF\\xBF\\xBD\\xF0\\x9F\\x98\\x80\" \"\\ud83d\xF0\x9F\x98\x80\""},
    {"a", "{\"a\":[ \"\\u0041 \\\" ]\" , {\n\"b\":\t\"\\\\\"} ]}",
     "OK, container \"[ \"\\u0041 \\\" ]\" , {\\n\"b\":\\x09\"\\\\\"} ]\" [\"A \\\" ]\",{\"b\":\"\\\\\"}]"},
    /* what follows the last wanted value is not read */
    {"a", "{\"a\":\"x\",", "OK, string \"x\" \"x\""},
    {"a", "{\"a\":1,}!", "OK, number \"1\" 1"},
    {"a", "{\"a\":\"x\"", "OK, string \"x\" \"x\""},
    /* but all of it while one is missing */
    {"a b", "{\"a\":1,}", "JSON_INVALID, none, none"},
    {"a b", "{\"a\":1", "JSON_INVALID, none, none"},
    {"a b", "{\"a\":1} x", "JSON_INVALID, none, none"},
    {"a", "", "JSON_INVALID, none"},
    {"a", "  ", "JSON_INVALID, none"},
    {"a", "{\"a\":1", "JSON_INVALID, none"},
    {"a", "{\"a\":[1]", "OK, container \"[1]\" [1]"},
    {"a", "{\"a\":[1", "JSON_INVALID, none"},
    {"a", "{\"a\":\"x", "JSON_INVALID, none"},
    {"a", "{\"a\":tru", "JSON_INVALID, none"},
    {"a", "{\"a\":tru}", "JSON_INVALID, none"},
    {"a", "{\"b\":01}", "JSON_INVALID, none"},
    {"a", "{\"a\":\"\\x\"}", "JSON_INVALID, none"},
    {"a", "{\"a\":\"\\u12g4\"}", "JSON_INVALID, none"},
    {"a", "{\"a\":\"\n\"}", "JSON_INVALID, none"},
    {"a", "{'a':1}", "JSON_INVALID, none"},
    {"a", "{\"b\":1}{", "JSON_INVALID, none"},
    {"a", "{\"b\":1} \"c", "JSON_INVALID, none"},
    {"a", "1 \"c", "JSON_INVALID, none"},
    {"a", "\"b\" \"c", "JSON_INVALID, none"},
    {"a", "1 2", "JSON_INVALID, none"},
    {"a", "12x", "JSON_INVALID, none"},
    {"a", "-", "JSON_INVALID, none"},
    {"a", "nul", "JSON_INVALID, none"},
    {"a", "null,", "JSON_INVALID, none"},
    {"a", "{\"b\":1}\xC2\xA0", "JSON_INVALID, none"},
    {"a", "[DONE]", "JSON_INVALID, none"},
    {"a", "12", "MISSING, none"},
    {"a", " 12 ", "MISSING, none"},
    {"a", "-1.5e3", "MISSING, none"},
    {"a", "\"x\"", "MISSING, none"},
    {"a", "\"x\\n\" ", "MISSING, none"},
    {"a", "true", "MISSING, none"},
    {"a", "null\n", "MISSING, none"},
    {"a", "[]", "MISSING, none"},
    {"a", "{}\r\n\t ", "MISSING, none"},
    {"a", "[[[[]]],{\"b\":{\"a\":1}}]", "MISSING, none"},
    {"", "{\"a\":1}", "MISSING"},
    {"", "{\"a\":1", "JSON_INVALID"},
};

static void finds_values(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_about(cases[i].json);
        struct streamer_extractor *extractor;
        CHECK_STATUS(STREAMER_OK, compile(&extractor, cases[i].paths, 0, 0));
        for (int again = 0; again < 2; again++) {
            struct transcript transcript = {0};
            extract(&transcript, extractor, cases[i].json, strlen(cases[i].json));
            CHECK_TEXT(cases[i].expected, transcript.text);
            transcript_free(&transcript);
        }
        CHECK(streamer_extractor_size(extractor) == heap_bytes());
        streamer_extractor_free(extractor);
    }
}

#define THOUGHTS                                                                                                    \
    "{\"p\":[{\"t\":\"a\",\"h\":true},{\"h\":false,\"t\":\"b\\n\"},{\"t\":1,\"k\":\"x\"},\"s\",{\"k\":\"x\",\"t\":" \
    "\"\\u00e9\"}]}"

static const struct list_case {
    const char *paths;
    size_t joined;
    const char *json;
    const char *kinds; /* status and kinds */
    const char *texts; /* as JSON, with spaces between */
} list_cases[] = {
    {"p.*.t", 0, THOUGHTS, "OK container", "[\"a\",\"b\\n\",1,\"\xC3\xA9\"]"},
    {"p.*.t", 1, THOUGHTS, "OK string", "\"ab\\n\xC3\xA9\""},
    {"p.*{!h}.t p.*{k=x}.t", 1, THOUGHTS, "OK string container", "\"b\\n\xC3\xA9\" [1,\"\xC3\xA9\"]"},
    {"p.*{!h} p.*{h=true}.t", 0, THOUGHTS, "OK container none",
     "[{\"h\":false,\"t\":\"b\\n\"},{\"t\":1,\"k\":\"x\"},\"s\",{\"k\":\"x\",\"t\":\"\xC3\xA9\"}] "},
    {"p.*", 1, THOUGHTS, "OK string", "\"s\""},
    {"p.*.t|q q|p.*.h", 0, "{\"q\":1,\"p\":[{\"h\":2}]}", "OK number number", "1 1"},
    {"p.*.t|q", 1, "{\"q\":1,\"p\":[{\"t\":2}]}", "OK number", "1"},
    {"a|b", 0, "{\"b\":2,\"a\":1}", "OK number", "1"},
    {"a|b", 0, "{\"b\":2,\"a\":null}", "OK number", "2"},
    {"a|b", 0, "{\"b\":2,\"a\":{\"b\":3}}", "OK number", "2"},
    {"a|b", 0, "{\"a\":{}}", "MISSING none", ""},
    {"a|b", 0, "{\"a\":1, broken", "OK number", "1"},
    {"a|b", 0, "{\"b\":1, broken", "JSON_INVALID none", ""},
    {"p.*", 0, "{\"p\":[1,[2]], broken", "OK container", "[1,[2]]"},
    {"p.*", 0, "{\"p\":[1,[2], broken", "JSON_INVALID none", ""},
    {"p.*", 0, "{\"p\":[], broken", "JSON_INVALID none", ""},
    {"p.*", 0, "{\"p\":[],\"q\":1}", "MISSING none", ""},
    {"p.*", 0, "{\"p\":{\"*\":1}}", "MISSING none", ""},
    {"p.*", 0, "{\"p\":[1],\"p\":[2]}", "OK container", "[1]"},
    {"*.*.a", 0, "[[{\"a\":1},{}],[],[{\"a\":[2]}],{\"a\":3}]", "OK container", "[1,[2]]"},
    {"p.*{a=}.b", 0, "{\"p\":[{\"b\":1,\"a\":\"\"},{\"b\":2}]}", "OK container", "[1]"},
    {"p.0|p.*", 0, "{\"p\":[null,5]}", "OK container", "[5]"},
    {"a{=x} b{=x}", 0, "{\"a\":\"x\",\"b\":\"y\"}", "OK string none", "\"x\" "},
    {"a{=x} b{=x}", 0, "{\"a\":{\"x\":1},\"b\":\"x\"}", "OK none string", " \"x\""},
    {"a{=x.|y}", 0, "{\"a\":\"\\u0078.|y\"}", "OK string", "\"x.|y\""},
    {"a{=} b{=}", 0, "{\"a\":\"\",\"b\":null}", "OK string none", "\"\" "},
    {"a{=x}|b|c", 0, "{\"c\":3,\"b\":2,\"a\":\"y\"}", "OK number", "2"},
    {"a{=x}|b", 0, "{\"b\":2,\"a\":\"x\"}", "OK string", "\"x\""},
    {"a{=x}", 0, "{\"a\":1}", "MISSING none", ""},
    {"a{=x}", 0, "{\"a\":\"y\",\"a\":\"x\"}", "MISSING none", ""},
    {"p.*{=s} p.*{!h}.k{=x}", 0, THOUGHTS, "OK container container", "[\"s\"] [\"x\",\"x\"]"},
};

static void a_star_gives_a_list(void) {
    static const char *const kinds_of[] = {"none", "string", "number", "true", "false", "null", "container"};
    for (size_t i = 0; i < sizeof list_cases / sizeof *list_cases; i++) {
        const struct list_case *c = &list_cases[i];
        test_about(c->json);
        struct streamer_extractor *extractor;
        CHECK_STATUS(STREAMER_OK, compile_joined(&extractor, c->paths, c->joined, 0, 0));
        for (int again = 0; again < 2; again++) {
            struct streamer_value values[2];
            struct transcript kinds_text = {0}, texts = {0};
            char *input = exact_copy(c->json, strlen(c->json));
            enum streamer_status status = streamer_extractor_read(extractor, input, strlen(c->json), values);
            transcript_printf(&kinds_text, "%s", streamer_status_name(status));
            transcript_printf(&texts, "%s", "");
            for (size_t n = 0; n < streamer_extractor_count(extractor); n++) {
                transcript_printf(&kinds_text, " %s", kinds_of[values[n].kind]);
                char out[256];
                size_t written = values[n].kind == STREAMER_KIND_NONE ? 0 : streamer_value_json(&values[n], out);
                transcript_printf(&texts, "%s%.*s", n > 0 ? " " : "", (int)written, out);
            }
            CHECK_TEXT(c->kinds, kinds_text.text);
            CHECK_TEXT(c->texts, texts.text);
            CHECK(streamer_extractor_size(extractor) == heap_bytes());
            transcript_free(&kinds_text);
            transcript_free(&texts);
            free(input);
        }
        streamer_extractor_free(extractor);
    }
}

static enum streamer_status read_lists(const void *context) {
    struct streamer_extractor *extractor;
    enum streamer_status status = compile_joined(&extractor, "p.*{!h}.t p.*{k=x}.t|q", 1, 0, 0);
    if (status != STREAMER_OK) return status;
    struct streamer_value values[2];
    status = streamer_extractor_read(extractor, context, strlen(context), values);
    streamer_extractor_free(extractor);
    return status;
}

static void lists_say_so_whichever_request_for_memory_fails(void) {
    heap_fail_at_each(read_lists, THOUGHTS);
}

static void a_list_asks_for_no_memory_once_warm_and_gives_back_what_a_large_one_took(void) {
    struct streamer_extractor *extractor;
    struct streamer_value value;
    CHECK_STATUS(STREAMER_OK, compile(&extractor, "*", 0, 0));
    size_t empty = heap_bytes(), length = 4 * STREAMER_KEEP + 1;
    streamer_extractor_read(extractor, "[1,2]", 5, &value);
    size_t before = heap_requests();
    for (int i = 0; i < 100; i++) CHECK_STATUS(STREAMER_OK, streamer_extractor_read(extractor, "[1,2]", 5, &value));
    CHECK(heap_requests() == before);
    char *json = malloc(length);
    memset(json, '1', length);
    for (size_t i = 2; i < length; i += 2) json[i] = ',';
    json[0] = '[';
    json[length - 1] = ']';
    CHECK_STATUS(STREAMER_OK, streamer_extractor_read(extractor, json, length, &value));
    CHECK(value.length == length && memcmp(value.json, json, length) == 0);
    CHECK_STATUS(STREAMER_OK, streamer_extractor_read(extractor, "[1]", 3, &value));
    CHECK(heap_bytes() <= empty + 64);
    free(json);
    streamer_extractor_free(extractor);
}

/* Cut anywhere, a text is invalid, or all was found before; nothing is read behind its end. */
static void a_cut_text_is_never_valid_by_chance(void) {
    static const char json[] = "{\"a\":[12,{\"b\":\"\\ud83d\\ude00\\n\xC3\xA9\"}],\"c\":-1.5e3,\"d\":true} ";
    struct streamer_extractor *extractor;
    CHECK_STATUS(STREAMER_OK, compile(&extractor, "d x", 0, 0));
    for (size_t length = 0; length < sizeof json - 2; length++) {
        struct transcript transcript = {0};
        extract(&transcript, extractor, json, length);
        CHECK_TEXT("JSON_INVALID, none, none", transcript.text);
        transcript_free(&transcript);
    }
    struct transcript transcript = {0};
    extract(&transcript, extractor, json, sizeof json - 1);
    CHECK_TEXT("OK, true \"true\" true, none", transcript.text);
    transcript_free(&transcript);
    streamer_extractor_free(extractor);
}

static char *nested(size_t depth, size_t *length) {
    char *json = malloc(depth * 2 + 1);
    memset(json, '[', depth);
    memset(json + depth, ']', depth);
    *length = depth * 2;
    return json;
}

static void stops_at_the_depth_allowed(void) {
    static const size_t allowed[] = {1, 2, 33, 34, 127, 128, 129, 1000, 100000};
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        for (size_t extra = 0; extra < 2; extra++) {
            struct streamer_extractor *extractor;
            CHECK_STATUS(STREAMER_OK, compile(&extractor, "a", allowed[i], 0));
            size_t length;
            char *json = nested(allowed[i] + extra, &length);
            struct transcript transcript = {0};
            extract(&transcript, extractor, json, length);
            CHECK_TEXT(extra > 0 ? "JSON_TOO_DEEP, none" : "MISSING, none", transcript.text);
            transcript_free(&transcript);
            free(json);
            streamer_extractor_free(extractor);
        }
    }
}

static void finds_the_deepest_path_allowed(void) {
    char path[2 * STREAMER_MAX_SEGMENTS], json[4 * STREAMER_MAX_SEGMENTS], *out = json;
    for (size_t i = 0; i < STREAMER_MAX_SEGMENTS; i++) {
        path[2 * i] = '0';
        path[2 * i + 1] = '.';
        *out++ = '[';
    }
    path[sizeof path - 1] = '\0';
    out += strlen(strcpy(out, "{\"x\":[7]}"));
    struct streamer_extractor *extractor;
    CHECK_STATUS(STREAMER_OK, compile(&extractor, path, 0, 0));
    struct transcript transcript = {0};
    extract(&transcript, extractor, json, (size_t)(out - json));
    CHECK_TEXT("OK, container \"{\"x\":[7]}\" {\"x\":[7]}", transcript.text);
    transcript_free(&transcript);
    streamer_extractor_free(extractor);

    char starred[sizeof path + 8];
    strcpy(starred, path);
    strcpy(starred + sizeof path - 2, "*{!y}");
    strcpy(out - strlen("{\"x\":[7]}"), "{\"x\":[7]},{\"y\":1},8]");
    struct streamer_value value;
    CHECK_STATUS(STREAMER_OK, compile(&extractor, starred, 0, 0));
    for (size_t i = 1; i < STREAMER_MAX_SEGMENTS; i++) strcat(json, "]");
    CHECK_STATUS(STREAMER_OK, streamer_extractor_read(extractor, json, strlen(json), &value));
    CHECK(value.length == 13 && memcmp(value.json, "[{\"x\":[7]},8]", 13) == 0);
    streamer_extractor_free(extractor);
}

static void refuses_a_text_larger_than_allowed(void) {
    struct streamer_extractor *extractor;
    struct transcript transcript = {0};
    CHECK_STATUS(STREAMER_OK, compile(&extractor, "a", 0, 7));
    extract(&transcript, extractor, "{\"a\":1}", 7);
    transcript_printf(&transcript, "; ");
    extract(&transcript, extractor, "{\"a\":10}", 8);
    CHECK_TEXT("OK, number \"1\" 1; JSON_TOO_LARGE, none", transcript.text);
    transcript_free(&transcript);
    streamer_extractor_free(extractor);
}

/* A string with escapes makes yajl's buffers grow: every length around a power of two, with and without a second token
 * cut off by the end. Beyond some kilobytes that memory comes from the heap; it is given back. */
static void has_the_memory_yajl_needs_at_every_size(void) {
    struct streamer_extractor *extractor;
    CHECK_STATUS(STREAMER_OK, compile(&extractor, "a z", 0, 0));
    size_t held = heap_bytes();
    char *json = malloc(1 << 20);
    for (size_t size = 500; size < 300000; size = size * 2 + size / 8) {
        for (size_t around = size - 3; around <= size + 3; around++) {
            for (int cut = 0; cut < 3; cut++) {
                char *out = json + strlen(strcpy(json, "{\"b\":\"\\n"));
                memset(out, 'x', around);
                out += around;
                out += strlen(strcpy(out, cut == 0 ? "\"}" : "\",\"c\":\""));
                if (cut > 0) memset(out, 'y', around * (size_t)cut), out += around * (size_t)cut;
                size_t before = heap_requests();
                struct transcript transcript = {0};
                extract(&transcript, extractor, json, (size_t)(out - json));
                CHECK_TEXT(cut == 0 ? "MISSING, none, none" : "JSON_INVALID, none, none", transcript.text);
                transcript_free(&transcript);
                CHECK(heap_bytes() == held);
                if (size < 2000) CHECK(heap_requests() == before);
                if (size > 20000) CHECK(heap_requests() > before);
            }
        }
    }
    free(json);
    streamer_extractor_free(extractor);
}

static void outlives_a_heap_that_has_nothing_left(void) {
    struct streamer_extractor *extractor;
    struct streamer_value values[2];
    CHECK_STATUS(STREAMER_OK, compile(&extractor, "a z", 0, 0));
    size_t blocks = heap_blocks(), length = 200000, request = 0;
    char *json = malloc(length);
    memset(json, 'x', length);
    memcpy(json, "{\"a\":1,\"b\":\"\\n", 14);
    memcpy(json + length / 4, "\\n", 2); /* yajl decodes from escape to escape, and so asks more than once */
    memcpy(json + length - 2, "\"}", 2);
    for (bool failed = true; failed;) {
        heap_fail_at(++request);
        enum streamer_status status = streamer_extractor_read(extractor, json, length, values);
        failed = heap_failed();
        CHECK_STATUS(failed ? STREAMER_NO_MEMORY : STREAMER_OK, status);
        CHECK(values[0].kind == (failed ? STREAMER_KIND_NONE : STREAMER_KIND_NUMBER));
        CHECK(heap_blocks() == blocks);
    }
    CHECK(request > 2);
    free(json);
    streamer_extractor_free(extractor);
}

static void allocates_nothing_once_warm(void) {
    struct streamer_extractor *extractor;
    struct streamer_value values[1];
    const char json[] = "{\"a\":{\"b\":\"x\\n\"}}";
    CHECK_STATUS(STREAMER_OK, compile(&extractor, "a.b", 0, 0));
    streamer_extractor_read(extractor, json, strlen(json), values);
    size_t before = heap_requests();
    for (int i = 0; i < 100; i++) {
        CHECK_STATUS(STREAMER_OK, streamer_extractor_read(extractor, json, strlen(json), values));
    }
    CHECK(heap_requests() == before);
    streamer_extractor_free(extractor);
}

static void refuses_bad_paths(void) {
    static const char *const bad[] = {".",
                                      "a.",
                                      ".a",
                                      "a..b",
                                      "a  b",
                                      "*{",
                                      "*{}",
                                      "*{!}",
                                      "*{=x}.a",
                                      "a{=x",
                                      "a{=x}b",
                                      "{=x}",
                                      "*{a=b}{=x}",
                                      "*{a}",
                                      "*{!a}b",
                                      "a|",
                                      "|a",
                                      "a||b",
                                      "a.|b",
                                      "a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q|r|s|t|u|v|w|x|y|z|1|2|3|4|5",
                                      "a b c d e f g h i j k l m n o p q",
                                      "1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.3.4.5.6.7.8.9.0.1.2.3"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        test_about(bad[i]);
        struct streamer_extractor *extractor;
        CHECK_STATUS(STREAMER_PATH_INVALID, compile(&extractor, bad[i], 0, 0));
    }
}

/* Made-up texts out of JSON's tokens: a result without reading past the end or leaving a value half filled. */
static void survives_made_up_texts(void) {
    static const char *const words[] = {"{",       "}",       "[",  "]",  ",",    ":",        "\"a\":",
                                        "\"b\":",  "\"a\"",   "\"", "\\", "\\\"", "\\u",      "d83d",
                                        "\\ud83d", "\\ude00", "1",  "-",  "e",    ".",        "true",
                                        "null",    " ",       "\n", "x",  "\xE2", "\x82\xAC", "{\"a\":{\"b\":",
                                        "}}",      "0"};
    struct streamer_extractor *extractor;
    CHECK_STATUS(STREAMER_OK, compile(&extractor, "a a.b b.0 0.a", 10, 0));
    uint32_t state = 42;
    for (int round = 0; round < 20000; round++) {
        char json[256] = "";
        for (uint32_t left = random_below(&state, 14); left > 0; left--) {
            strcat(json, words[random_below(&state, sizeof words / sizeof *words)]);
        }
        struct transcript transcript = {0};
        extract(&transcript, extractor, json, strlen(json));
        transcript_free(&transcript);
    }
    streamer_extractor_free(extractor);
}

void extract_tests(void) {
    RUN(a_star_gives_a_list);
    RUN(lists_say_so_whichever_request_for_memory_fails);
    RUN(a_list_asks_for_no_memory_once_warm_and_gives_back_what_a_large_one_took);
    RUN(finds_values);
    RUN(a_cut_text_is_never_valid_by_chance);
    RUN(stops_at_the_depth_allowed);
    RUN(finds_the_deepest_path_allowed);
    RUN(refuses_a_text_larger_than_allowed);
    RUN(has_the_memory_yajl_needs_at_every_size);
    RUN(outlives_a_heap_that_has_nothing_left);
    RUN(allocates_nothing_once_warm);
    RUN(refuses_bad_paths);
    RUN(survives_made_up_texts);
}
