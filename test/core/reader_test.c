#include "reader.h"

#include <stdlib.h>
#include <string.h>

#include "ceilings.h"
#include "json_key.h"
#include "test.h"

static const char *const classes[] = {"ordinary", "marker", "last", "failed", "error"};

struct reader_case {
    const char *name;
    enum streamer_format format;
    const char *path; /* NULL: no values are looked for */
    const char *from;
    const char *done;
    bool all_events;
    const char *input;
    const char *expected; /* each item: class, "-" without content, its value if it has one; then how it ended */
};

static const struct reader_case cases[] = {
    {.name = "events without values",
     .input = "data: {\n\nevent: ping\ndata: 1\n\n",
     .expected = "ordinary, ordinary -, MORE"},
    {.name = "values",
     .path = "a",
     .input = "data: {\"a\":1}\n\ndata: {\"b\":1}\n\ndata: {\"a\":null}\n\n",
     .expected = "ordinary 1, ordinary, ordinary, MORE"},
    {.name = "what is not content is not parsed",
     .path = "a",
     .input = "event: ping\ndata: {\n\ndata:\n\ndata: {\"type\":\"ping\"}\n\ndata: {\n\n",
     .expected = "ordinary -, ordinary -, ordinary -, JSON_INVALID"},
    {.name = "the end",
     .path = "a",
     .done = "D",
     .input = "data: D\n\ndata: {\"a\":1}\n\n",
     .expected = "marker, ordinary 1, MORE done"},
    {.name = "no end", .path = "a", .done = "D", .input = "data: {\"a\":1}\n\n", .expected = "ordinary 1, TRUNCATED"},
    {.name = "values of one type",
     .path = "a",
     .from = "t",
     .input = "data: {\"a\":1}\n\nevent: t\ndata: {\"a\":2}\n\n",
     .expected = "ordinary, ordinary 2, MORE"},
    {.name = "an error",
     .path = "a",
     .input = "data: {\"error\":1,\"a\":\"\"}\n\ndata: {\"a\":1}\n\n",
     .expected = "UPSTREAM_ERROR {\"error\":1,\"a\":\"\"}"},
    {.name = "an error beside a text",
     .path = "a",
     .input = "data: {\"error\":1,\"a\":\"x\"}\n\ndata: {\"a\":1}\n\n",
     .expected = "failed x, UPSTREAM_ERROR {\"error\":1,\"a\":\"x\"}"},
    {.name = "an error by its type",
     .path = "a",
     .input = "event: error\ndata: {\"a\":\"x\"}\n\n",
     .expected = "UPSTREAM_ERROR {\"a\":\"x\"}"},
    {.name = "an error and no values",
     .input = "data: {\"a\":\"x\",\"error\":1}\n\n",
     .expected = "UPSTREAM_ERROR {\"a\":\"x\",\"error\":1}"},
    {.name = "a document",
     .format = STREAMER_FORMAT_JSON,
     .path = "a",
     .input = "{\"a\":1}",
     .expected = "ordinary 1, MORE"},
    {.name = "a document without the value",
     .format = STREAMER_FORMAT_JSON,
     .path = "a",
     .input = "{\"b\":1}",
     .expected = "ordinary, UNWANTED {\"b\":1}"},
    {.name = "a document without the value, where that does not matter",
     .format = STREAMER_FORMAT_JSON,
     .path = "a",
     .all_events = true,
     .input = "{\"b\":1}",
     .expected = "ordinary, MORE"},
    {.name = "two documents",
     .format = STREAMER_FORMAT_JSON,
     .path = "a",
     .input = "{\"b\":1}{}",
     .expected = "ordinary, ordinary, MORE"},
    {.name = "an array without the value",
     .format = STREAMER_FORMAT_JSON,
     .path = "a",
     .input = "[{}]",
     .expected = "ordinary, MORE"},
    {.name = "a line that is cut",
     .format = STREAMER_FORMAT_NDJSON,
     .path = "a",
     .input = "{\"a\":1}\n{\"a\"",
     .expected = "ordinary 1, TRUNCATED"},
    {.name = "a line that is cut behind the end",
     .format = STREAMER_FORMAT_NDJSON,
     .path = "a",
     .done = "D",
     .input = "D\n{\"a\"",
     .expected = "marker, MORE done"},
};

static struct streamer_reader *reader_of(const struct reader_case *c, struct streamer_extractor **extractor,
                                         struct streamer_value *value) {
    size_t from_length = c->from == NULL ? 0 : strlen(c->from), path_length = c->path == NULL ? 0 : strlen(c->path);
    const struct streamer_reader_options options = {
        .format = c->format,
        .from = &c->from,
        .from_lengths = &from_length,
        .from_count = c->from != NULL,
        .all_events = c->all_events,
        .classifier = {.done = c->done,
                       .done_length = c->done == NULL ? 0 : strlen(c->done),
                       .done_required = c->done != NULL,
                       .error = "error",
                       .error_length = 5},
    };
    const struct streamer_extractor_options paths = {.paths = &c->path, .lengths = &path_length, .count = 1};
    struct streamer_reader *reader;
    *extractor = NULL;
    if (streamer_reader_new(&reader, &options) != STREAMER_OK) return NULL;
    if (c->path != NULL && streamer_extractor_new(extractor, &paths) != STREAMER_OK) {
        streamer_reader_free(reader);
        return NULL;
    }
    streamer_reader_extract(reader, *extractor, value, *extractor == NULL ? 0 : 1);
    return reader;
}

static void write_item(struct transcript *transcript, const struct streamer_item *item,
                       const struct streamer_value *value) {
    transcript_printf(transcript, "%s%s", classes[item->class],
                      item->content || item->class == STREAMER_CLASS_MARKER ? "" : " -");
    if (item->found > 0) transcript_printf(transcript, " %.*s", (int)value->length, value->json);
    transcript_printf(transcript, ", ");
}

static enum streamer_status read_all(struct transcript *transcript, const struct reader_case *c, struct cut cut) {
    struct streamer_extractor *extractor;
    struct streamer_value value = {0};
    struct streamer_reader *reader = reader_of(c, &extractor, &value);
    if (reader == NULL) return STREAMER_NO_MEMORY;
    struct streamer_item item;
    size_t length = strlen(c->input);
    enum streamer_status status = STREAMER_MORE;
    for (size_t start = 0; start < length && status == STREAMER_MORE; start = cut_end(cut, start, length)) {
        size_t size = cut_end(cut, start, length) - start;
        char *read = exact_copy(c->input + start, size);
        const char *cursor = read;
        while ((status = streamer_reader_next(reader, &cursor, read + size, &item)) == STREAMER_EVENT) {
            write_item(transcript, &item, &value);
        }
        free(read);
    }
    while (status == STREAMER_MORE && (status = streamer_reader_finish(reader, &item)) == STREAMER_EVENT) {
        write_item(transcript, &item, &value);
        status = STREAMER_MORE;
    }
    CHECK_STATUS(status, streamer_reader_finish(reader, &item));
    transcript_printf(transcript, "%s", streamer_status_name(status));
    bool document;
    const char *payload = streamer_reader_error_payload(reader, &length, &document);
    bool told = status == STREAMER_UPSTREAM_ERROR || status == STREAMER_UNWANTED;
    if (told) transcript_printf(transcript, " %.*s", (int)length, payload);
    if (streamer_reader_done(reader)) transcript_printf(transcript, " done");
    CHECK(streamer_reader_size(reader) + (extractor == NULL ? 0 : streamer_extractor_size(extractor)) == heap_bytes());
    streamer_reader_free(reader);
    streamer_extractor_free(extractor);
    return status;
}

static void reads_the_same_however_it_is_cut(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_about(cases[i].name);
        EVERY_CUT(cut, strlen(cases[i].input)) {
            struct transcript transcript = {0};
            read_all(&transcript, &cases[i], cut);
            CHECK_TEXT(cases[i].expected, transcript.text);
            transcript_free(&transcript);
        }
    }
}

static enum streamer_status read_with_failing_heap(const void *context) {
    struct transcript transcript = {0};
    enum streamer_status status = read_all(&transcript, context, (struct cut){0, true});
    transcript_free(&transcript);
    return status;
}

static void says_so_whichever_request_for_memory_fails(void) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_about(cases[i].name);
        heap_fail_at_each(read_with_failing_heap, &cases[i]);
    }
}

static void refuses_more_types_than_allowed(void) {
    static const char *const types[STREAMER_MAX_MARKERS + 1] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
    static const size_t lengths[STREAMER_MAX_MARKERS + 1] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    struct streamer_reader *reader;
    for (size_t count = STREAMER_MAX_MARKERS; count <= STREAMER_MAX_MARKERS + 1; count++) {
        const struct streamer_reader_options options = {.from = types, .from_lengths = lengths, .from_count = count};
        enum streamer_status status = streamer_reader_new(&reader, &options);
        CHECK_STATUS(count > STREAMER_MAX_MARKERS ? STREAMER_FIELD_INVALID : STREAMER_OK, status);
        if (status == STREAMER_OK) streamer_reader_free(reader);
    }
}

/* At every place in texts of every length around a vector's, and nowhere else; nothing is read beside the text. */
static void a_key_is_found_wherever_it_is(void) {
    static const char key[] = "\"error\"";
    for (size_t length = 0; length < 70; length++) {
        for (size_t at = 0; at + strlen(key) <= length; at++) {
            char text[70];
            memset(text, '"', sizeof text);
            memcpy(text + at, key, strlen(key));
            char *json = exact_copy(text, length);
            CHECK(streamer_json_key_occurs(json, length, key, strlen(key)));
            json[at + 3] = 'e';
            CHECK(!streamer_json_key_occurs(json, length, key, strlen(key)));
            json[at + 1] = 'x';
            CHECK(!streamer_json_key_occurs(json, length, key, strlen(key)));
            free(json);
        }
        char *json = exact_copy("\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\""
                                "\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"\"",
                                length);
        CHECK(!streamer_json_key_occurs(json, length, key, strlen(key)));
        CHECK(streamer_json_key_occurs(json, length, "", 0) == true);
        free(json);
    }
}

void reader_tests(void) {
    RUN(reads_the_same_however_it_is_cut);
    RUN(says_so_whichever_request_for_memory_fails);
    RUN(refuses_more_types_than_allowed);
    RUN(a_key_is_found_wherever_it_is);
}
