#include "pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "test.h"

/* Every read through a pipeline. room 0: an output that is always large enough; otherwise one that begins with room 1
 * less than that and grows to what is asked for. Writes the frames as they are, then how the stream stands. */
static void run(struct transcript *transcript, const struct streamer_pipeline_options *options, const char *input,
                size_t length, struct cut cut, size_t room) {
    struct streamer_pipeline *pipeline;
    enum streamer_status status = streamer_pipeline_new(&pipeline, options);
    if (status != STREAMER_OK) {
        transcript_printf(transcript, "%s", streamer_status_name(status));
        return;
    }
    CHECK(streamer_pipeline_size(pipeline) == heap_bytes());
    size_t full = 0;
    status = STREAMER_MORE;
    for (size_t start = 0; start < length && status == STREAMER_MORE; start = cut_end(cut, start, length)) {
        size_t size = cut_end(cut, start, length) - start, needed = 0;
        char *read = exact_copy(input + start, size);
        const char *cursor = read;
        struct streamer_output output = {.capacity = room > 0 ? room - 1 : 4096};
        output.bytes = malloc(output.capacity);
        while ((status = streamer_pipeline_run(pipeline, &cursor, read + size, &output, &needed)) == STREAMER_FULL) {
            CHECK(needed > output.capacity - output.length);
            full++;
            transcript_printf(transcript, "%.*s", (int)output.length, output.bytes);
            free(output.bytes);
            output = (struct streamer_output){malloc(needed), 0, needed};
        }
        transcript_printf(transcript, "%.*s", (int)output.length, output.bytes);
        free(output.bytes);
        free(read);
    }
    uint64_t frames = streamer_pipeline_frames(pipeline);
    if (room == 1) CHECK(frames == full);
    transcript_printf(transcript, "%s%s %d of %d", streamer_status_name(status),
                      streamer_pipeline_done(pipeline) ? " done" : "", (int)frames,
                      (int)streamer_pipeline_events(pipeline));
    if (status != STREAMER_MORE) {
        struct streamer_output none = {NULL, 0, 0};
        const char *nothing = "";
        size_t needed;
        CHECK_STATUS(status, streamer_pipeline_run(pipeline, &nothing, nothing, &none, &needed));
    }
    streamer_pipeline_free(pipeline);
}

struct pipeline_case {
    const char *name;
    const char *paths[3];
    const char *names[3];
    const char *event;
    const char *done;
    bool text;
    const char *input;
    const char *expected;
    size_t max_line;
    size_t max_event;
};

static struct streamer_pipeline_options options_of(const struct pipeline_case *c, size_t path_lengths[3],
                                                   size_t name_lengths[3]) {
    struct streamer_pipeline_options options = {.text = c->text, .max_line = c->max_line, .max_event = c->max_event};
    while (options.count < 3 && c->paths[options.count] != NULL) {
        path_lengths[options.count] = strlen(c->paths[options.count]);
        if (c->names[0] != NULL) name_lengths[options.count] = strlen(c->names[options.count]);
        options.count++;
    }
    options.paths = c->paths;
    options.path_lengths = path_lengths;
    if (c->names[0] != NULL) {
        options.names = c->names;
        options.name_lengths = name_lengths;
    }
    options.event = c->event;
    if (c->event != NULL) options.event_length = strlen(c->event);
    options.done = c->done;
    if (c->done != NULL) options.done_length = strlen(c->done);
    return options;
}

#define CONTENT "choices.0.delta.content"
#define CHUNK(content) \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":" content "},\"finish_reason\":null}]}\n\n"

static const struct pipeline_case cases[] = {
    {.name = "a token",
     .paths = {CONTENT},
     .event = "token",
     .done = "[DONE]",
     .input = CHUNK("\"Hel\"") CHUNK("\"lo\"") "data: [DONE]\n\n",
     .expected =
         "event: token\ndata: {\"content\":\"Hel\"}\n\nevent: token\ndata: {\"content\":\"lo\"}\n\nMORE done 2 of 3"},
    {.name = "no event",
     .paths = {CONTENT},
     .input = CHUNK("\"Hel\""),
     .expected = "data: {\"content\":\"Hel\"}\n\nMORE 1 of 1"},
    {.name = "an empty event",
     .paths = {CONTENT},
     .event = "",
     .input = CHUNK("\"a\""),
     .expected = "event:\ndata: {\"content\":\"a\"}\n\nMORE 1 of 1"},
    {.name = "null is not found",
     .paths = {CONTENT},
     .input = CHUNK("null") "data: {}\n\n" CHUNK("\"\""),
     .expected = "data: {\"content\":\"\"}\n\nMORE 1 of 3"},
    {.name = "several values, in the order of the paths",
     .paths = {"b", "a.x", "c"},
     .input = "data: {\"a\":{\"x\":1},\"b\":true}\n\ndata: {\"c\":\"\\n\",\"a\":{\"x\":null}}\n\n",
     .expected = "data: {\"b\":true,\"x\":1}\n\ndata: {\"c\":\"\\n\"}\n\nMORE 2 of 2"},
    {.name = "names",
     .paths = {"a", "b"},
     .names = {"first", "qu\"ote"},
     .input = "data: {\"a\":1,\"b\":2}\n\n",
     .expected = "data: {\"first\":1,\"qu\\\"ote\":2}\n\nMORE 1 of 1"},
    {.name = "the name is the last segment that is no index",
     .paths = {"a.b.0", "0.1"},
     .input = "data: {\"a\":{\"b\":[1]}}\n\ndata: [[1,2]]\n\n",
     .expected = "data: {\"b\":1}\n\ndata: {\"1\":2}\n\nMORE 2 of 2"},
    {.name = "a value with line ends stays one line",
     .paths = {"a"},
     .input = "data: {\"a\":[1,\ndata: 2]}\n\n",
     .expected = "data: {\"a\":[1,2]}\n\nMORE 1 of 1"},
    {.name = "escapes are spelt anew",
     .paths = {"a"},
     .input = "data: {\"a\":\"\\u00e9\\/\\ud83d\"}\n\n",
     .expected = "data: {\"a\":\"\xC3\xA9/\\ud83d\"}\n\nMORE 1 of 1"},
    {.name = "an event without data",
     .paths = {"a"},
     .input = "event: ping\ndata\n\ndata: {\"a\":1}\n\n",
     .expected = "data: {\"a\":1}\n\nMORE 1 of 2"},
    {.name = "what comes behind the end marker",
     .paths = {"a"},
     .done = "[DONE]",
     .input = "data: [DONE]\n\ndata: {\"a\":1}\n\n",
     .expected = "data: {\"a\":1}\n\nMORE done 1 of 2"},
    {.name = "almost the end marker",
     .paths = {"a"},
     .done = "[DONE]",
     .input = "data: {\"a\":1}\n\ndata: [DONE] \n\ndata: {\"a\":1}\n\n",
     .expected = "data: {\"a\":1}\n\nJSON_INVALID 1 of 2"},
    {.name = "no JSON",
     .paths = {"a"},
     .input = "data: {\"a\":1}\n\ndata: oops\n\ndata: {\"a\":1}\n\n",
     .expected = "data: {\"a\":1}\n\nJSON_INVALID 1 of 2"},
    {.name = "a line too long",
     .paths = {"a"},
     .input = "data: {\"a\":1}\n\ndata: {\"a\":12}\n\n",
     .expected = "data: {\"a\":1}\n\nLINE_TOO_LONG 1 of 1",
     .max_line = 13},
    {.name = "an event too large",
     .paths = {"a"},
     .input = "data: {\"a\":1}\n\ndata: {\"a\":12}\n\n",
     .expected = "data: {\"a\":1}\n\nEVENT_TOO_LARGE 1 of 1",
     .max_event = 7},
    {.name = "text",
     .paths = {CONTENT, "x"},
     .event = "token",
     .done = "[DONE]",
     .text = true,
     .input = CHUNK("\"Hel\"") CHUNK("\"a\\nb\\r\\n c\\u00e9\"") "data: {\"x\":1}\n\n" CHUNK("\"\""),
     .expected = "event: token\ndata: Hel\n\nevent: token\ndata: a\ndata: b\ndata:  c\xC3\xA9\n\nevent: "
                 "token\ndata:\n\nMORE 3 of "
                 "4"},
    {.name = "text of what is no string",
     .paths = {"a"},
     .text = true,
     .input = "data: {\"a\":1.0}\n\ndata: {\"a\":[1,\ndata: 2]}\n\ndata: {\"a\":null}\n\n",
     .expected = "data: 1.0\n\ndata: [1,\ndata: 2]\n\nMORE 2 of 3"},
    {.name = "passing through",
     .done = "[DONE]",
     .input =
         "\xEF\xBB\xBF: c\nevent: t\nid: 1\ndata: a\ndata: b\n\ndata: c\n\nid: 2\n\ndata:\n\nid\ndata: d\r\n\r\nevent: "
         "message\ndata: \xFF\n\ndata: [DONE]\n\n",
     .expected = "event: t\nid: 1\ndata: a\ndata: b\n\ndata: c\n\nid: 2\ndata:\n\nid:\ndata: d\n\ndata: "
                 "\xEF\xBF\xBD\n\nMORE done "
                 "5 of 6"},
    {.name = "an empty path", .paths = {""}, .input = "", .expected = "PATH_INVALID"},
    {.name = "an event with a line end", .paths = {"a"}, .event = "a\nb", .input = "", .expected = "FIELD_INVALID"},
};

static void gives_the_same_however_it_is_cut_and_whatever_the_room(void) {
    static const size_t rooms[] = {0, 1, 20, 50, 200};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct pipeline_case *c = &cases[i];
        test_about(c->name);
        size_t path_lengths[3], name_lengths[3];
        const struct streamer_pipeline_options options = options_of(c, path_lengths, name_lengths);
        for (size_t room = 0; room < sizeof rooms / sizeof *rooms; room++) {
            EVERY_CUT(cut, strlen(c->input)) {
                struct transcript transcript = {0};
                run(&transcript, &options, c->input, strlen(c->input), cut, rooms[room]);
                CHECK_TEXT(c->expected, transcript.text);
                transcript_free(&transcript);
            }
        }
    }
}

static void copies_its_options(void) {
    char *path = exact_copy("a", 1), *name = exact_copy("n", 1), *event = exact_copy("t", 1),
         *done = exact_copy("D", 1);
    const char *const paths[] = {path}, *const names[] = {name};
    const size_t one[] = {1};
    const struct streamer_pipeline_options options = {.paths = paths,
                                                      .path_lengths = one,
                                                      .names = names,
                                                      .name_lengths = one,
                                                      .count = 1,
                                                      .event = event,
                                                      .event_length = 1,
                                                      .done = done,
                                                      .done_length = 1};
    struct streamer_pipeline *pipeline;
    CHECK_STATUS(STREAMER_OK, streamer_pipeline_new(&pipeline, &options));
    free(path);
    free(name);
    free(event);
    free(done);
    const char input[] = "data: {\"a\":1}\n\ndata: D\n\n", *cursor = input;
    char out[64];
    struct streamer_output output = {out, 0, sizeof out};
    size_t needed;
    CHECK_STATUS(STREAMER_MORE, streamer_pipeline_run(pipeline, &cursor, input + strlen(input), &output, &needed));
    CHECK(output.length == 24 && memcmp(out, "event: t\ndata: {\"n\":1}\n\n", 24) == 0);
    CHECK(streamer_pipeline_done(pipeline));
    streamer_pipeline_free(pipeline);
}

static void allocates_nothing_once_warm(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t path_lengths[3], name_lengths[3];
        const struct streamer_pipeline_options options = options_of(&cases[i], path_lengths, name_lengths);
        struct streamer_pipeline *pipeline;
        if (streamer_pipeline_new(&pipeline, &options) != STREAMER_OK) continue;
        test_about(cases[i].name);
        size_t length = strlen(cases[i].input), before = 0;
        for (int round = 0; round < 20; round++) {
            if (round == 3) before = heap_requests();
            for (size_t at = 0; at < length; at += 10) {
                const char *cursor = cases[i].input + at,
                           *end = at + 10 < length ? cursor + 10 : cases[i].input + length;
                char out[512];
                struct streamer_output output = {out, 0, sizeof out};
                size_t needed;
                streamer_pipeline_run(pipeline, &cursor, end, &output, &needed);
            }
        }
        CHECK(heap_requests() == before);
        streamer_pipeline_free(pipeline);
    }
}

void pipeline_tests(void) {
    RUN(gives_the_same_however_it_is_cut_and_whatever_the_room);
    RUN(copies_its_options);
    RUN(allocates_nothing_once_warm);
}
