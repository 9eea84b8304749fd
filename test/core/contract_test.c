/* Pipelines of every format, to the body's end: what comes out, and what the end is. */
#include "pipeline.h"

#include <stdlib.h>
#include <string.h>

#include "ceilings.h"
#include "test.h"

struct contract_case {
    const char *name;
    enum streamer_format format;
    const char *path; /* NULL: events pass through */
    const char *done; /* must come */
    const char *last; /* a type that must come */
    const char *done_path;
    bool careless; /* events are never errors */
    bool raw;
    bool text;
    bool named; /* with an event name and numbers */
    size_t collect;
    size_t max_event;
    const char *input;
    const char *expected;
};

#define NDJSON STREAMER_FORMAT_NDJSON
#define JSON STREAMER_FORMAT_JSON
#define TEXT STREAMER_FORMAT_TEXT
#define SNIFFED STREAMER_FORMAT_SNIFFED

static const struct contract_case cases[] = {
    {.name = "NDJSON",
     .format = NDJSON,
     .path = "a",
     .input = "{\"a\":\"x\"}\n{\"b\":1}\n{\"a\":2}",
     .expected = "data: {\"a\":\"x\"}\n\ndata: {\"a\":2}\n\nMORE"},
    {.name = "NDJSON that passes",
     .format = NDJSON,
     .named = true,
     .input = "{\"a\": 1}\n\n2\n",
     .expected = "event: t\nid: s-1\ndata: {\"a\": 1}\n\nevent: t\nid: s-2\ndata: 2\n\nMORE"},
    {.name = "NDJSON that is cut",
     .format = NDJSON,
     .path = "a",
     .input = "{\"a\":1}\n{\"a\":",
     .expected = "data: {\"a\":1}\n\nTRUNCATED"},
    {.name = "an array",
     .format = JSON,
     .path = "a.0.b",
     .text = true,
     .collect = 9,
     .input = "[{\"a\":[{\"b\":\"x\\n\"}]}\n,\r\n{\"a\":[{\"b\":\"y\"}]},{\"a\":[]}]\n",
     .expected = "data: x\ndata:\n\ndata: y\n\nMORE text x\ny"},
    {.name = "an array that passes, spread over lines",
     .format = JSON,
     .input = "[{\n\"a\":1\n}]",
     .expected = "data: {\ndata: \"a\":1\ndata: }\n\nMORE"},
    {.name = "an array that is cut",
     .format = JSON,
     .path = "a",
     .input = "[{\"a\":1}\n",
     .expected = "data: {\"a\":1}\n\nTRUNCATED"},
    {.name = "an array's error",
     .format = JSON,
     .path = "a",
     .input = "[{\"a\":1},{\"error\":{\"code\":429}}]",
     .expected = "data: {\"a\":1}\n\nUPSTREAM_ERROR: {\"error\":{\"code\":429}}"},
    {.name = "a document", .format = JSON, .path = "a", .input = "{\"a\":1}", .expected = "data: {\"a\":1}\n\nMORE"},
    {.name = "a document that passes", .format = JSON, .input = "{\"a\":1}", .expected = "data: {\"a\":1}\n\nMORE"},
    {.name = "a document without the value",
     .format = JSON,
     .path = "a",
     .input = " {\"b\":1} ",
     .expected = "UNWANTED of a document: {\"b\":1}"},
    {.name = "a document that is an error",
     .format = JSON,
     .path = "a",
     .input = "{\"error\":\"x\"}",
     .expected = "UPSTREAM_ERROR of a document: {\"error\":\"x\"}"},
    {.name = "an array without the value", .format = JSON, .path = "a", .input = "[{\"b\":1}]", .expected = "MORE"},
    {.name = "documents in a row",
     .format = JSON,
     .path = "a",
     .input = "{\"b\":1}{\"a\":2}",
     .expected = "data: {\"a\":2}\n\nMORE"},
    {.name = "a document without the value, and then an error",
     .format = JSON,
     .path = "a",
     .input = "{\"b\":1}{\"error\":2}",
     .expected = "UPSTREAM_ERROR of a document: {\"error\":2}"},
    {.name = "a document of ill-formed JSON",
     .format = JSON,
     .path = "a",
     .input = "{\"a\" 1}",
     .expected = "JSON_INVALID"},
    {.name = "raw is for event streams",
     .format = JSON,
     .raw = true,
     .input = "[1,2]",
     .expected = "data: 1\n\ndata: 2\n\nMORE"},
    {.name = "raw of a document for a stream",
     .format = SNIFFED,
     .raw = true,
     .input = "\n{}",
     .expected = "data: {}\n\nMORE"},
    {.name = "raw of a stream",
     .format = SNIFFED,
     .raw = true,
     .input = "id:1\ndata:a\n\n",
     .expected = "id:1\ndata:a\n\nMORE"},
    {.name = "raw of a document behind more line ends than an event may have bytes",
     .format = SNIFFED,
     .raw = true,
     .max_event = 2,
     .input = "\n\n\n\r\n\n\n\n{}",
     .expected = "data: {}\n\nMORE"},
    {.name = "raw of a stream behind them",
     .format = SNIFFED,
     .raw = true,
     .max_event = 5,
     .input = "\n\n\n\n\r\n\n\n\ndata\n\n",
     .expected = "data\n\nMORE"},
    {.name = "raw, comments pass with the lines that are whole",
     .raw = true,
     .max_event = 5,
     .input = ": longer than an event may be\n\nretry: 1\n: 2\ndata: a\r\n\r\n\r\n: 3\r\n: 4",
     .expected = ": longer than an event may be\n\nretry: 1\n: 2\ndata: a\r\n\r\n\r\n: 3\r\nMORE"},
    {.name = "raw, an event that is not over does not pass, nor a comment in it",
     .raw = true,
     .input = "data: a\r\n\r\nid: 1\n: in it\ndata: b\n",
     .expected = "data: a\r\n\r\nMORE"},
    {.name = "raw, what is in front of an error passes",
     .raw = true,
     .input = ": a\ndata: 1\n\n: b\nevent: error\ndata: x\n\n",
     .expected = ": a\ndata: 1\n\n: b\nUPSTREAM_ERROR: x"},
    {.name = "raw of a stream with a BOM",
     .raw = true,
     .input = "\xEF\xBB\xBF\ndata:a\n\n\xEF\xBB\xBF\ndata:b\n\n",
     .expected = "\ndata:a\n\n\xEF\xBB\xBF\ndata:b\n\nMORE"},
    {.name = "raw of a stream with half a BOM",
     .raw = true,
     .input = "\xEF\xBB\ndata:a\n\n",
     .expected = "\xEF\xBB\ndata:a\n\nMORE"},
    {.name = "a document for a stream",
     .format = SNIFFED,
     .path = "a",
     .input = "{\"error\":{}}",
     .expected = "UPSTREAM_ERROR of a document: {\"error\":{}}"},

    {.name = "a named error event",
     .path = "a",
     .input = "data: {\"a\":1}\n\nevent: error\ndata: {\"type\":\"error\",\"a\":2}\n\ndata: {\"a\":3}\n\n",
     .expected = "data: {\"a\":1}\n\nUPSTREAM_ERROR: {\"type\":\"error\",\"a\":2}"},
    {.name = "an error event that passes", .input = "event: error\ndata: no\n\n", .expected = "UPSTREAM_ERROR: no"},
    {.name = "an error behind the first key of what passes",
     .raw = true,
     .input = "data: 1\n\ndata: {\"error\":\"x\"}\n\n",
     .expected = "data: 1\n\nUPSTREAM_ERROR: {\"error\":\"x\"}"},
    {.name = "an error farther in",
     .path = "a",
     .input = "data: {\"a\":1}\n\ndata: {\"id\":7,\"error\":\"x\"}\n\n",
     .expected = "data: {\"a\":1}\n\nUPSTREAM_ERROR: {\"id\":7,\"error\":\"x\"}"},
    {.name = "an error beside an empty text",
     .path = "a",
     .input = "data: {\"a\":\"\",\"error\":{}}\n\n",
     .expected = "UPSTREAM_ERROR: {\"a\":\"\",\"error\":{}}"},
    {.name = "an error beside a text",
     .path = "a",
     .input = "data: {\"a\":\"x\",\"error\":{}}\n\ndata: {\"a\":\"y\"}\n\n",
     .expected = "data: {\"a\":\"x\"}\n\nUPSTREAM_ERROR: {\"a\":\"x\",\"error\":{}}"},
    {.name = "an error beside what is no text",
     .path = "a",
     .input = "data: {\"error\":1,\"a\":2}\n\n",
     .expected = "UPSTREAM_ERROR: {\"error\":1,\"a\":2}"},
    {.name = "an error in what passes, behind its other keys",
     .input = "data: {\"id\":1,\"error\":2}\n\n",
     .expected = "UPSTREAM_ERROR: {\"id\":1,\"error\":2}"},
    {.name = "a raw error beside a text",
     .raw = true,
     .path = "a",
     .input = "data: {\"a\":\"x\",\"error\":{}}\n\n",
     .expected = "data: {\"a\":\"x\",\"error\":{}}\n\nUPSTREAM_ERROR: {\"a\":\"x\",\"error\":{}}"},
    {.name = "an error beside a text on a line",
     .format = NDJSON,
     .path = "a",
     .input = "{\"a\":\"x\",\"error\":\"y\"}\n",
     .expected = "data: {\"a\":\"x\"}\n\nUPSTREAM_ERROR: {\"a\":\"x\",\"error\":\"y\"}"},
    {.name = "what keeps the connection alive is not parsed",
     .path = "a",
     .done = "[DONE]",
     .input = "event: ping\ndata: 2026-01-01T00:00:00Z\n\ndata:   \n\nevent: keepalive\ndata: {\n\n"
              "data: { \"type\": \"ping\" }\n\nevent: heartbeat\ndata: x\n\ndata: {\"a\":1}\n\ndata: [DONE]\n\n",
     .expected = "data: {\"a\":1}\n\nMORE done"},
    {.name = "but may mark the end, or be an error",
     .path = "a",
     .last = "ping",
     .input = "event: ping\ndata: x\n\nevent: ping\ndata: {\"error\":1}\n\n",
     .expected = "UPSTREAM_ERROR: {\"error\":1} done"},
    {.name = "no error", .path = "a", .input = "data: {\"b\":1,\"error\":null}\n\n", .expected = "MORE"},
    {.name = "errors that nobody looks for",
     .careless = true,
     .input = "event: error\ndata: {\"error\":1}\n\n",
     .expected = "event: error\ndata: {\"error\":1}\n\nMORE"},

    {.name = "the end marker",
     .path = "a",
     .done = "[DONE]",
     .input = "data: {\"a\":1}\n\ndata: [DONE]\n\n",
     .expected = "data: {\"a\":1}\n\nMORE done"},
    {.name = "no end marker",
     .path = "a",
     .done = "[DONE]",
     .input = "data: {\"a\":1}\n\n",
     .expected = "data: {\"a\":1}\n\nTRUNCATED"},
    {.name = "nothing at all", .path = "a", .done = "[DONE]", .input = "", .expected = "TRUNCATED"},
    {.name = "the last type",
     .last = "stop",
     .input = "event: stop\ndata: 1\n\n",
     .expected = "event: stop\ndata: 1\n\nMORE done"},
    {.name = "not the last type",
     .last = "stop",
     .input = "event: go\ndata: 1\n\n",
     .expected = "event: go\ndata: 1\n\nTRUNCATED"},
    {.name = "the end by a value",
     .format = NDJSON,
     .path = "a",
     .done_path = "end",
     .input = "{\"a\":1,\"end\":false}\n{\"a\":2,\"end\":true}\n{\"a\":",
     .expected = "data: {\"a\":1}\n\ndata: {\"a\":2}\n\nMORE done"},
    {.name = "not the end by a value",
     .format = NDJSON,
     .path = "a",
     .done_path = "end",
     .input = "{\"a\":1,\"end\":\"\"}\n",
     .expected = "data: {\"a\":1}\n\nTRUNCATED"},
    {.name = "an error instead of the end",
     .path = "a",
     .done = "[DONE]",
     .input = "data: {\"error\":1}\n\n",
     .expected = "UPSTREAM_ERROR: {\"error\":1}"},
};

static struct streamer_pipeline *pipeline_of(const struct contract_case *c) {
    const char *paths[] = {c->path};
    size_t path_lengths[] = {c->path == NULL ? 0 : strlen(c->path)},
           type_lengths[] = {c->last == NULL ? 0 : strlen(c->last)};
    const struct streamer_pipeline_options options = {
        .format = c->format,
        .paths = paths,
        .path_lengths = path_lengths,
        .names = paths,
        .name_lengths = path_lengths,
        .count = c->path != NULL,
        .event = c->named ? "t" : NULL,
        .event_length = c->named,
        .id = c->named ? "s-" : NULL,
        .id_length = c->named ? 2 : 0,
        .raw = c->raw,
        .text = c->text,
        .collect = c->collect,
        .max_event = c->max_event,
        .classifier = {.done = c->done,
                       .done_length = c->done == NULL ? 0 : strlen(c->done),
                       .done_types = &c->last,
                       .done_type_lengths = type_lengths,
                       .done_type_count = c->last != NULL,
                       .done_path = c->done_path,
                       .done_path_length = c->done_path == NULL ? 0 : strlen(c->done_path),
                       .done_required = c->done != NULL || c->last != NULL || c->done_path != NULL,
                       .error = c->careless ? NULL : "error",
                       .error_length = 5},
    };
    struct streamer_pipeline *pipeline;
    return streamer_pipeline_new(&pipeline, &options) == STREAMER_OK ? pipeline : NULL;
}

/* With exactly the room that each frame needs. cursor: NULL for the end. */
static enum streamer_status read_on(struct transcript *transcript, struct streamer_pipeline *pipeline,
                                    const char **cursor, const char *end) {
    struct streamer_output output = {malloc(1), 0, 1};
    size_t needed;
    enum streamer_status status;
    while ((status = cursor == NULL
                         ? streamer_pipeline_finish(pipeline, &output, &needed)
                         : streamer_pipeline_run(pipeline, cursor, end, &output, &needed)) == STREAMER_FULL) {
        output.capacity = output.length + needed;
        output.bytes = realloc(output.bytes, output.capacity);
    }
    transcript_printf(transcript, "%.*s", (int)output.length, output.bytes);
    free(output.bytes);
    return status;
}

static void run(struct transcript *transcript, const struct contract_case *c, struct cut cut) {
    struct streamer_pipeline *pipeline = pipeline_of(c);
    size_t length = strlen(c->input), size;
    enum streamer_status status = STREAMER_MORE;
    for (size_t start = 0; start < length && status == STREAMER_MORE; start = cut_end(cut, start, length)) {
        size = cut_end(cut, start, length) - start;
        char *read = exact_copy(c->input + start, size);
        const char *cursor = read;
        status = read_on(transcript, pipeline, &cursor, read + size);
        free(read);
    }
    if (status == STREAMER_MORE) status = read_on(transcript, pipeline, NULL, NULL);
    CHECK_STATUS(status, read_on(transcript, pipeline, NULL, NULL));
    transcript_printf(transcript, "%s", streamer_status_name(status));
    bool cut_text, document;
    const char *said = streamer_pipeline_error_payload(pipeline, &size, &document);
    if (status == STREAMER_UPSTREAM_ERROR || status == STREAMER_UNWANTED) {
        transcript_printf(transcript, "%s: %.*s", document ? " of a document" : "", (int)size, said);
    }
    if (streamer_pipeline_done(pipeline)) transcript_printf(transcript, " done");
    const char *text = streamer_pipeline_text(pipeline, &size, &cut_text);
    if (size > 0) transcript_printf(transcript, " text %.*s", (int)size, text);
    CHECK(!cut_text);
    CHECK(streamer_pipeline_size(pipeline) == heap_bytes());
    streamer_pipeline_free(pipeline);
}

static void bodies_end_the_same_however_they_are_cut(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_about(cases[i].name);
        EVERY_CUT(cut, strlen(cases[i].input)) {
            struct transcript transcript = {0};
            run(&transcript, &cases[i], cut);
            CHECK_TEXT(cases[i].expected, transcript.text);
            transcript_free(&transcript);
        }
    }
}

static void a_large_document_leaves_room_for_the_error_behind_it(void) {
    static const char before[] = "{\"b\":\"", error[] = "\"}{\"error\":\"";
    const struct contract_case documents = {.format = JSON, .path = "a"};
    struct streamer_pipeline *pipeline = pipeline_of(&documents);
    char *input = malloc(2 * STREAMER_MAX_FIELD), out[64];
    memset(input, 'x', 2 * STREAMER_MAX_FIELD);
    memcpy(input, before, strlen(before));
    memcpy(input + STREAMER_MAX_FIELD, error, strlen(error));
    memcpy(input + 2 * STREAMER_MAX_FIELD - 2, "\"}", 2);
    const char *cursor = input;
    struct streamer_output output = {out, 0, sizeof out};
    size_t needed, length;
    bool document;
    CHECK_STATUS(STREAMER_UPSTREAM_ERROR,
                 streamer_pipeline_run(pipeline, &cursor, input + 2 * STREAMER_MAX_FIELD, &output, &needed));
    const char *said = streamer_pipeline_error_payload(pipeline, &length, &document);
    CHECK(length == STREAMER_MAX_FIELD - 2 && memcmp(said, error + 2, strlen(error) - 2) == 0 && document);
    streamer_pipeline_free(pipeline);
    free(input);
}

static enum streamer_status run_with_failing_heap(const void *context) {
    const struct contract_case *c = context;
    struct streamer_pipeline *pipeline = pipeline_of(c);
    if (pipeline == NULL) return STREAMER_NO_MEMORY;
    char out[512];
    struct streamer_output output = {out, 0, sizeof out};
    size_t needed;
    enum streamer_status status = STREAMER_MORE;
    for (const char *at = c->input; *at != '\0' && status == STREAMER_MORE; at++) {
        const char *cursor = at;
        status = streamer_pipeline_run(pipeline, &cursor, at + 1, &output, &needed);
    }
    if (status == STREAMER_MORE) status = streamer_pipeline_finish(pipeline, &output, &needed);
    streamer_pipeline_free(pipeline);
    return status;
}

static void they_say_so_whichever_request_for_memory_fails(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_about(cases[i].name);
        heap_fail_at_each(run_with_failing_heap, &cases[i]);
    }
}

static void the_format_may_be_said_before_the_first_read(void) {
    const enum streamer_format text = TEXT, json = JSON;
    const struct contract_case passing = {.collect = 4}, valued = {.path = "a"};
    struct streamer_pipeline *pipeline = pipeline_of(&passing);
    CHECK(streamer_pipeline_accepts(pipeline, &text) && !streamer_pipeline_accepts(pipeline, NULL));
    CHECK_STATUS(STREAMER_OK, streamer_pipeline_expect(pipeline, TEXT));
    struct transcript transcript = {0};
    const char input[] = "a\nbc", *cursor = input;
    CHECK_STATUS(STREAMER_MORE, read_on(&transcript, pipeline, &cursor, input + strlen(input)));
    CHECK_TEXT("data: a\ndata: bc\n\n", transcript.text);
    size_t length;
    bool cut;
    CHECK(memcmp(streamer_pipeline_text(pipeline, &length, &cut), "a\nbc", 4) == 0 && length == 4 && !cut);
    cursor = input;
    CHECK_STATUS(STREAMER_MORE, read_on(&transcript, pipeline, &cursor, input + 1));
    streamer_pipeline_text(pipeline, &length, &cut);
    CHECK(length == 4 && cut);
    transcript_free(&transcript);
    streamer_pipeline_free(pipeline);

    pipeline = pipeline_of(&valued);
    CHECK(!streamer_pipeline_accepts(pipeline, &text) && streamer_pipeline_accepts(pipeline, &json));
    streamer_pipeline_free(pipeline);
}

void contract_tests(void) {
    RUN(bodies_end_the_same_however_they_are_cut);
    RUN(a_large_document_leaves_room_for_the_error_behind_it);
    RUN(they_say_so_whichever_request_for_memory_fails);
    RUN(the_format_may_be_said_before_the_first_read);
}
