#include "pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "ceilings.h"
#include "test.h"

/* What the pipeline kept on the way, behind how the stream stands. */
static void write_kept(struct transcript *transcript, const struct streamer_pipeline *pipeline,
                       const struct streamer_pipeline_options *options) {
    size_t length;
    bool cut;
    const char *text = streamer_pipeline_text(pipeline, &length, &cut);
    if (options->collect > 0) {
        transcript_printf(transcript, ", text ");
        transcript_bytes(transcript, text, length);
        transcript_printf(transcript, "%s", cut ? " cut" : "");
    } else {
        CHECK(length == 0 && !cut);
    }
    for (size_t n = 0; n < options->kept_count; n++) {
        const char *json = streamer_pipeline_kept(pipeline, n, &length);
        CHECK((json == NULL) == (length == 0));
        transcript_printf(transcript, ", kept %.*s", (int)length, json != NULL ? json : "");
    }
    CHECK(streamer_pipeline_kept(pipeline, options->kept_count, &length) == NULL && length == 0);
}

/* What a log's entries have added since the last call. */
static void take_added(struct streamer_pipeline *pipeline, struct transcript *texts, struct transcript *others) {
    struct streamer_added added = streamer_pipeline_added(pipeline);
    if (added.text_length > 0) transcript_printf(texts, "%.*s", (int)added.text_length, added.text);
    if (added.others_length > 0) transcript_printf(others, "%.*s", (int)added.others_length, added.others);
    streamer_pipeline_forget_added(pipeline);
    added = streamer_pipeline_added(pipeline);
    CHECK(added.text_length == 0 && added.others_length == 0);
}

/* Every read through a pipeline. room 0: an output that is always large enough; otherwise one that begins with room 1
 * less than that and grows to what is asked for. Writes the frames as they are, then how the stream stands. */
static void run(struct transcript *transcript, const struct streamer_pipeline_options *options, const char *input,
                size_t length, struct cut cut, size_t room) {
    struct streamer_pipeline *pipeline;
    struct transcript texts = {0}, others = {0};
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
        take_added(pipeline, &texts, &others);
    }
    uint64_t frames = streamer_pipeline_frames(pipeline);
    if (room == 1 && !options->raw) CHECK(frames == full); /* raw, what is between events passes, too */
    transcript_printf(transcript, "%s%s %d of %d", streamer_status_name(status),
                      streamer_pipeline_done(pipeline) ? " done" : "", (int)frames,
                      (int)streamer_pipeline_events(pipeline));
    write_kept(transcript, pipeline, options);
    if (options->entries) {
        transcript_printf(transcript, ", added \"%s\"", texts.text == NULL ? "" : texts.text);
        if (others.text != NULL) transcript_printf(transcript, " and %s", others.text);
    } else {
        CHECK(texts.text == NULL && others.text == NULL);
    }
    transcript_free(&texts);
    transcript_free(&others);
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
    const char *kept[3];
    const char *event;
    const char *id;
    const char *done;
    bool text;
    bool raw;
    size_t collect;
    const char *input;
    const char *expected;
    size_t max_line;
    size_t max_event;
    enum streamer_format format;
    bool entries;
    uint64_t id_after;
};

static const char *const reserved[] = {"done", "state"};
static const size_t reserved_lengths[] = {4, 5};

struct lengths {
    size_t paths[3];
    size_t names[3];
    size_t kept[3];
    const char *name_texts[3];
};

/* As given, or the path's last segment. */
static const char *name_of(const struct pipeline_case *c, size_t n) {
    const char *dot = strrchr(c->paths[n], '.');
    return c->names[0] != NULL ? c->names[n] : dot != NULL ? dot + 1 : c->paths[n];
}

static struct streamer_pipeline_options options_of(const struct pipeline_case *c, struct lengths *lengths) {
    struct streamer_pipeline_options options = {.text = c->text,
                                                .raw = c->raw,
                                                .collect = c->collect,
                                                .max_line = c->max_line,
                                                .max_event = c->max_event,
                                                .format = c->format,
                                                .entries = c->entries,
                                                .reserved = reserved,
                                                .reserved_lengths = reserved_lengths,
                                                .reserved_count = 2,
                                                .id_after = c->id_after};
    while (options.count < 3 && c->paths[options.count] != NULL) {
        lengths->paths[options.count] = strlen(c->paths[options.count]);
        lengths->names[options.count] = strlen(name_of(c, options.count));
        lengths->name_texts[options.count] = name_of(c, options.count);
        options.count++;
    }
    while (options.kept_count < 3 && c->kept[options.kept_count] != NULL) {
        lengths->kept[options.kept_count] = strlen(c->kept[options.kept_count]);
        options.kept_count++;
    }
    options.paths = c->paths;
    options.path_lengths = lengths->paths;
    options.kept = c->kept;
    options.kept_lengths = lengths->kept;
    options.names = lengths->name_texts;
    options.name_lengths = lengths->names;
    options.event = c->event;
    if (c->event != NULL) options.event_length = strlen(c->event);
    options.id = c->id;
    if (c->id != NULL) options.id_length = strlen(c->id);
    options.classifier.done = c->done;
    if (c->done != NULL) options.classifier.done_length = strlen(c->done);
    return options;
}

#define CONTENT "choices.0.delta.content"
#define CHUNK(content) \
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":" content "},\"finish_reason\":null}]}\n\n"

#define TWO_EVENTS "data: {\"a\":0}\n\ndata: {\"a\":0}\n\n"
#define TEN_EVENTS TWO_EVENTS TWO_EVENTS TWO_EVENTS TWO_EVENTS TWO_EVENTS

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
    {.name = "a value with line ends stays one line",
     .paths = {"a"},
     .input = "data: {\"a\":[1,\ndata: 2]}\n\n",
     .expected = "data: {\"a\":[1,2]}\n\nMORE 1 of 1"},
    {.name = "escapes are normalized",
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
     .expected = "MORE done 0 of 1"},
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
    {.name = "passing through, values kept",
     .kept = {"a", "b.c"},
     .done = "[DONE]",
     .input = "event: t\ndata: {\"a\":1}\n\ndata: {\"x\":0}\n\ndata\n\ndata: {\"b\":{\"c\":\"\\u00e9\"}}\n\ndata: "
              "[DONE]\n\n",
     .expected = "event: t\ndata: {\"a\":1}\n\ndata: {\"x\":0}\n\ndata:\n\ndata: {\"b\":{\"c\":\"\\u00e9\"}}\n\n"
                 "MORE done 4 of 5, kept 1, kept \"\xC3\xA9\""},
    {.name = "the last value of each kept path, null aside",
     .paths = {CONTENT},
     .kept = {"usage", "choices.0.finish_reason", "model"},
     .input = CHUNK("\"a\"") "data: {\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"n\": 1}}\n\n"
                             "data: {\"choices\":[],\"usage\":{ \"n\" : 2 }}\n\n" CHUNK("\"b\""),
     .expected =
         "data: {\"content\":\"a\"}\n\ndata: {\"content\":\"b\"}\n\nMORE 2 of 4, kept {\"n\":2}, kept \"stop\", kept "},
    {.name = "a path that is framed and kept",
     .paths = {"b", "a"},
     .kept = {"a"},
     .input = "data: {\"a\":1,\"b\":2}\n\ndata: {\"a\":3}\n\n",
     .expected = "data: {\"b\":2,\"a\":1}\n\ndata: {\"a\":3}\n\nMORE 2 of 2, kept 3"},
    {.name = "a kept path makes every event be read to its end",
     .paths = {"a"},
     .kept = {"z"},
     .input = "data: {\"a\":1}\n\ndata: {\"a\":2\n\n",
     .expected = "data: {\"a\":1}\n\nJSON_INVALID 1 of 2, kept "},
    {.name = "text collected, and of the paths only the first",
     .paths = {"a", "b"},
     .kept = {"c"},
     .text = true,
     .collect = 100,
     .input = "data: {\"a\":\"1\\n\",\"b\":\"x\"}\n\ndata: {\"b\":\"y\",\"c\":true}\n\ndata: "
              "{\"a\":\"\\u00e9\",\"c\":null}\n\n",
     .expected = "data: 1\ndata:\n\ndata: \xC3\xA9\n\nMORE 2 of 3, text \"1\\n\\xC3\\xA9\", kept true"},
    {.name = "only strings are collected, of the first path",
     .paths = {"a", "b"},
     .collect = 100,
     .input = "data: {\"a\":1,\"b\":\"x\"}\n\ndata: {\"a\":\"y\"}\n\ndata: {\"a\":{\"a\":\"z\"}}\n\n",
     .expected = "data: {\"a\":1,\"b\":\"x\"}\n\ndata: {\"a\":\"y\"}\n\ndata: {\"a\":{\"a\":\"z\"}}\n\nMORE 3 of 3, "
                 "text \"y\""},
    {.name = "text is collected up to the ceiling, value by value",
     .paths = {"a"},
     .collect = 5,
     .input = "data: {\"a\":\"abc\"}\n\ndata: {\"a\":\"de\"}\n\ndata: {\"a\":\"\"}\n\ndata: {\"a\":\"f\"}\n\ndata: "
              "{\"a\":\"\"}\n\n",
     .expected = "data: {\"a\":\"abc\"}\n\ndata: {\"a\":\"de\"}\n\ndata: {\"a\":\"\"}\n\ndata: {\"a\":\"f\"}\n\ndata: "
                 "{\"a\":\"\"}\n\n"
                 "MORE 5 of 5, text \"abcde\" cut"},
    {.name = "once cut, nothing more is collected, even if it fits",
     .paths = {"a"},
     .text = true,
     .collect = 3,
     .input = "data: {\"a\":\"ab\"}\n\ndata: {\"a\":\"cd\"}\n\ndata: {\"a\":\"e\"}\n\n",
     .expected = "data: ab\n\ndata: cd\n\ndata: e\n\nMORE 3 of 3, text \"ab\" cut"},
    {.name = "ids number the frames",
     .paths = {"a"},
     .event = "t",
     .id = "r-",
     .input = "id: own\ndata: {\"a\":1}\n\ndata: {}\n\ndata: {\"a\":2}\n\n",
     .expected = "event: t\nid: r-1\ndata: {\"a\":1}\n\nevent: t\nid: r-2\ndata: {\"a\":2}\n\nMORE 2 of 3"},
    {.name = "ids of text frames",
     .paths = {"a"},
     .event = "t",
     .id = "",
     .text = true,
     .input = "data: {\"a\":\"x\\ny\"}\n\ndata: {\"a\":null}\n\ndata: {\"a\":\"z\"}\n\n",
     .expected = "event: t\nid: 1\ndata: x\ndata: y\n\nevent: t\nid: 2\ndata: z\n\nMORE 2 of 3"},
    {.name = "more than nine ids",
     .paths = {"a"},
     .id = "",
     .text = true,
     .input = TEN_EVENTS,
     .expected =
         "id: 1\ndata: 0\n\nid: 2\ndata: 0\n\nid: 3\ndata: 0\n\nid: 4\ndata: 0\n\nid: 5\ndata: 0\n\n"
         "id: 6\ndata: 0\n\nid: 7\ndata: 0\n\nid: 8\ndata: 0\n\nid: 9\ndata: 0\n\nid: 10\ndata: 0\n\nMORE 10 of 10"},
    {.name = "ids go on from a number",
     .paths = {"a"},
     .id = "2-",
     .id_after = 8,
     .input = TWO_EVENTS TWO_EVENTS,
     .expected = "id: 2-9\ndata: {\"a\":0}\n\nid: 2-10\ndata: {\"a\":0}\n\nid: 2-11\ndata: {\"a\":0}\n\n"
                 "id: 2-12\ndata: {\"a\":0}\n\nMORE 4 of 4"},
    {.name = "entries of a log: what has text, and what has none",
     .paths = {"role", "t"},
     .names = {"role", "content"},
     .event = "token",
     .id = "1-",
     .entries = true,
     .collect = 100,
     .input = "data: {\"role\":\"a\"}\n\ndata: {\"t\":\"H\\u00e9\\ud83d\"}\n\ndata: {\"x\":1}\n\ndata: "
              "{\"t\":\"\"}\n\ndata: "
              "{\"t\":7,\"role\":\"b\"}\n\n",
     .expected = "event: token\nid: 1-1\ndata: {\"role\":\"a\"}\n\n"
                 "event: token\nid: 1-2\ndata: {\"content\":\"H\xC3\xA9\\ud83d\"}\n\n"
                 "event: token\nid: 1-3\ndata: {\"content\":\"\"}\n\n"
                 "event: token\nid: 1-4\ndata: {\"role\":\"b\",\"content\":7}\n\n"
                 "MORE 4 of 5, text \"H\\xC3\\xA9\\xEF\\xBF\\xBD\", added \"H\xC3\xA9\xEF\xBF\xBD\" and "
                 "event: token\nid: 1-1\ndata: {\"role\":\"a\"}\n\n"
                 "event: token\nid: 1-4\ndata: {\"role\":\"b\",\"content\":7}\n\n"},
    {.name = "entries that pass through: ids of ours, and no type of the log's",
     .id = "3-",
     .id_after = 1,
     .event = "not written",
     .done = "[DONE]",
     .entries = true,
     .collect = 100,
     .input =
         "event: t\nid: own\ndata: {\"content\":\"a\"}\n\nevent: done\ndata: oops\n\nevent: state\ndata: [\ndata: "
         "{\"content\":\"x\"}]\n\nevent: statement\ndata:\n\ndata: {\"content\":\ndata: \"b\"}\n\nevent: ping\ndata: "
         "{\"content\":\"c\"}\n\ndata: [DONE]\n\n",
     .expected = "event: t\nid: 3-2\ndata: {\"content\":\"a\"}\n\nevent: upstream.done\nid: 3-3\ndata: oops\n\n"
                 "event: upstream.state\nid: 3-4\ndata: [\ndata: {\"content\":\"x\"}]\n\nevent: statement\nid: "
                 "3-5\ndata:\n\n"
                 "id: 3-6\ndata: {\"content\":\ndata: \"b\"}\n\nevent: ping\nid: 3-7\ndata: {\"content\":\"c\"}\n\n"
                 "MORE done 6 of 7, text \"abc\", added \"abc\" and event: upstream.done\nid: 3-3\ndata: oops\n\n"
                 "event: upstream.state\nid: 3-4\ndata: [\ndata: {\"content\":\"x\"}]\n\nevent: statement\nid: "
                 "3-5\ndata:\n\n"},
    {.name = "entries of lines that pass through",
     .format = STREAMER_FORMAT_NDJSON,
     .id = "1-",
     .event = "token",
     .entries = true,
     .input = "{\"content\":\"a\"}\n[]\n",
     .expected = "event: token\nid: 1-1\ndata: {\"content\":\"a\"}\n\nevent: token\nid: 1-2\ndata: []\n\n"
                 "MORE 2 of 2, added \"a\" and event: token\nid: 1-2\ndata: []\n\n"},
    {.name = "events that pass through keep their own ids",
     .id = "r-",
     .input = "id: own\ndata: 1\n\ndata: 2\n\n",
     .expected = "id: own\ndata: 1\n\ndata: 2\n\nMORE 2 of 2"},
    {.name = "raw",
     .done = "[DONE]",
     .raw = true,
     .input =
         "\xEF\xBB\xBF: c\n\nevent:t\nid\nx: y\ndata:a\ndata: \xFF\n\n\nretry: 5\n\ndata: [DONE]\n\ndata: unfinished\n",
     .expected = ": c\n\nevent:t\nid\nx: y\ndata:a\ndata: \xFF\n\n\nretry: 5\n\ndata: [DONE]\n\nMORE done 2 of 2"},
    {.name = "raw, values kept and text collected",
     .paths = {"a", "b"},
     .kept = {"c"},
     .done = "[DONE]",
     .event = "not written",
     .id = "not written",
     .raw = true,
     .collect = 9,
     .input =
         "data: {\"a\" : \"x\\n\"}\n\n: ping\n\ndata: {\"d\": 0}\n\ndata\n\ndata: {\"c\": [1, 2]}\n\ndata: [DONE]\n\n",
     .expected =
         "data: {\"a\" : \"x\\n\"}\n\n: ping\n\ndata: {\"d\": 0}\n\ndata\n\ndata: {\"c\": [1, 2]}\n\ndata: [DONE]\n\n"
         "MORE done 5 of 5, text \"x\\n\", kept [1,2]"},
    {.name = "raw, an event's bytes at their ceiling",
     .raw = true,
     .max_event = 8,
     .input = "data: 1\r\n:abc\r\n\r\ndata: 2\n:abcde\n\ndata: 3\n:abcdef\n\n",
     .expected = "data: 1\r\n:abc\r\n\r\ndata: 2\n:abcde\n\nEVENT_TOO_LARGE 2 of 3"},
    {.name = "raw text with escapes",
     .paths = {"a"},
     .text = true,
     .raw = true,
     .input = "data: {\"a\":\"\\u00e9\"}\n\ndata: {\"a\":\"\\n\"}\n\n",
     .expected = "data: {\"a\":\"\\u00e9\"}\n\ndata: {\"a\":\"\\n\"}\n\nMORE 2 of 2"},
    {.name = "raw, no JSON",
     .kept = {"a"},
     .raw = true,
     .input = "data: {\"a\":1}\n\ndata: oops\n\n",
     .expected = "data: {\"a\":1}\n\nJSON_INVALID 1 of 2, kept 1"},
    {.name = "an id with a line end", .paths = {"a"}, .id = "a\nb", .input = "", .expected = "FIELD_INVALID"},
    {.name = "an empty kept path", .paths = {"a"}, .kept = {""}, .input = "", .expected = "PATH_INVALID"},
    {.name = "an empty path", .paths = {""}, .input = "", .expected = "PATH_INVALID"},
    {.name = "an event with a line end", .paths = {"a"}, .event = "a\nb", .input = "", .expected = "FIELD_INVALID"},
};

static void gives_the_same_however_it_is_cut_and_whatever_the_room(void) {
    static const size_t rooms[] = {0, 1, 20, 50, 200};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct pipeline_case *c = &cases[i];
        test_about(c->name);
        struct lengths lengths;
        const struct streamer_pipeline_options options = options_of(c, &lengths);
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

/* Cut into reads of one byte, so that all memory that grows does. */
static enum streamer_status run_with_failing_heap(const struct streamer_pipeline_options *options, const char *input) {
    struct streamer_pipeline *pipeline;
    enum streamer_status status = streamer_pipeline_new(&pipeline, options);
    if (status != STREAMER_OK) return status;
    status = STREAMER_MORE;
    for (size_t at = 0; input[at] != '\0' && status == STREAMER_MORE; at++) {
        const char *cursor = input + at;
        char out[512];
        struct streamer_output output = {out, 0, sizeof out};
        size_t needed;
        status = streamer_pipeline_run(pipeline, &cursor, cursor + 1, &output, &needed);
    }
    streamer_pipeline_free(pipeline);
    return status;
}

static void says_so_whichever_request_for_memory_fails(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_about(cases[i].name);
        struct lengths lengths;
        const struct streamer_pipeline_options options = options_of(&cases[i], &lengths);
        size_t blocks = heap_blocks();
        enum streamer_status good = run_with_failing_heap(&options, cases[i].input);
        for (size_t request = 1;; request++) {
            heap_fail_at(request);
            enum streamer_status status = run_with_failing_heap(&options, cases[i].input);
            bool failed = heap_failed();
            heap_fail_at(0);
            CHECK(heap_blocks() == blocks);
            CHECK_STATUS(failed ? STREAMER_NO_MEMORY : good, status);
            if (!failed) break;
        }
    }
}

static void keeps_values_up_to_a_ceiling_and_says_when_one_was_larger(void) {
    static const char *const kept[] = {"a"};
    static const size_t lengths[] = {1};
    static const char before[] = "data: {\"a\":1}\n\ndata: {\"a\":\"", after[] = "\"}\n\n",
                      later[] = "data: {\"a\":2}\n\n";
    const struct streamer_pipeline_options options = {
        .kept = kept, .kept_lengths = lengths, .kept_count = 1, .raw = true};
    for (size_t extra = 0; extra < 2; extra++) {
        size_t text = STREAMER_MAX_KEPT - 2 + extra, needed, length;
        char *input = malloc(text + 64), *out = malloc(text + 64), *end = input;
        end += strlen(strcpy(end, before));
        memset(end, 'x', text);
        end += text;
        end += strlen(strcpy(end, after));
        struct streamer_pipeline *pipeline;
        CHECK_STATUS(STREAMER_OK, streamer_pipeline_new(&pipeline, &options));
        const char *cursor = input;
        struct streamer_output output = {out, 0, text + 64};
        CHECK_STATUS(STREAMER_MORE, streamer_pipeline_run(pipeline, &cursor, end, &output, &needed));
        CHECK(output.length == (size_t)(end - input) && streamer_pipeline_frames(pipeline) == 2);
        const char *json = streamer_pipeline_kept(pipeline, 0, &length);
        CHECK(extra > 0 ? length == 1 && *json == '1' : length == text + 2);
        CHECK(streamer_pipeline_kept_too_large(pipeline, 0) == (extra > 0));

        cursor = later;
        output.length = 0;
        CHECK_STATUS(STREAMER_MORE, streamer_pipeline_run(pipeline, &cursor, later + strlen(later), &output, &needed));
        json = streamer_pipeline_kept(pipeline, 0, &length);
        CHECK(length == 1 && *json == '2' && !streamer_pipeline_kept_too_large(pipeline, 0));
        CHECK(!streamer_pipeline_kept_too_large(pipeline, 1));
        streamer_pipeline_free(pipeline);
        free(input);
        free(out);
    }
}

/* Thousands are open at once. What a read's end cut comes on top. */
static void an_idle_stream_is_small(void) {
    struct lengths lengths;
    struct streamer_pipeline_options options = options_of(&cases[0], &lengths);
    options.format = STREAMER_FORMAT_SNIFFED;
    options.classifier.error = "error";
    options.classifier.error_length = strlen("error");
    struct streamer_pipeline *pipeline;
    CHECK_STATUS(STREAMER_OK, streamer_pipeline_new(&pipeline, &options));
    const char *cursor = cases[0].input;
    char out[512];
    struct streamer_output output = {out, 0, sizeof out};
    size_t needed;
    CHECK_STATUS(STREAMER_MORE, streamer_pipeline_run(pipeline, &cursor, cursor + strlen(cursor), &output, &needed));
    CHECK(heap_bytes() <= 1792);
    streamer_pipeline_free(pipeline);
}

/* How a body of text is cut into entries depends on the reads. */
static void makes_entries_of_a_body_of_text(void) {
    const struct streamer_pipeline_options options = {.format = STREAMER_FORMAT_TEXT,
                                                      .id = "1-",
                                                      .id_length = 2,
                                                      .event = "token",
                                                      .event_length = 5,
                                                      .entries = true,
                                                      .collect = 100};
    struct streamer_pipeline *pipeline;
    CHECK_STATUS(STREAMER_OK, streamer_pipeline_new(&pipeline, &options));
    struct transcript transcript = {0}, texts = {0}, others = {0};
    static const char *const reads[] = {"a \"b\"\n", "\n{\"content\":1}"};
    for (size_t i = 0; i < 2; i++) {
        const char *cursor = reads[i];
        char out[256];
        struct streamer_output output = {out, 0, sizeof out};
        size_t needed;
        CHECK_STATUS(STREAMER_MORE,
                     streamer_pipeline_run(pipeline, &cursor, cursor + strlen(cursor), &output, &needed));
        transcript_printf(&transcript, "%.*s", (int)output.length, out);
        take_added(pipeline, &texts, &others);
    }
    CHECK_TEXT("event: token\nid: 1-1\ndata: {\"content\":\"a \\\"b\\\"\\n\"}\n\n"
               "event: token\nid: 1-2\ndata: {\"content\":\"\\n{\\\"content\\\":1}\"}\n\n",
               transcript.text);
    CHECK_TEXT("a \"b\"\n\n{\"content\":1}", texts.text);
    CHECK(others.text == NULL);
    transcript_free(&transcript);
    transcript_free(&texts);
    streamer_pipeline_free(pipeline);
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
                                                      .classifier = {.done = done, .done_length = 1}};
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
        struct lengths lengths;
        struct streamer_pipeline_options options = options_of(&cases[i], &lengths);
        options.collect = 0; /* what is collected grows */
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
                streamer_pipeline_forget_added(pipeline);
            }
        }
        CHECK(heap_requests() == before);
        streamer_pipeline_free(pipeline);
    }
}

void pipeline_tests(void) {
    RUN(gives_the_same_however_it_is_cut_and_whatever_the_room);
    RUN(says_so_whichever_request_for_memory_fails);
    RUN(keeps_values_up_to_a_ceiling_and_says_when_one_was_larger);
    RUN(an_idle_stream_is_small);
    RUN(makes_entries_of_a_body_of_text);
    RUN(copies_its_options);
    RUN(allocates_nothing_once_warm);
}
