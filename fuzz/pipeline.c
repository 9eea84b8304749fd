/* pipeline, whatever the reads and whatever the room for its output: the same frames, the same things kept and the same
 * end; and the frames are event streams of the promised shape.
 *
 * Input: one byte of options, three of cuts (support.h), one of output room, then the stream. */
#include "pipeline.h"

#include <yajl/yajl_parse.h>

#include "support.h"
#include "utf8.h"

enum {
    WITH_TEXT = 1,
    WITH_EVENT = 2,
    WITH_DONE = 4,
    TWO_PATHS = 8,
    NO_PATHS = 16,
    WITH_LIMITS = 32,
    WITH_ID = 64,
    KEEPING = 128
};

/* Without paths the two bits of text and id are free: `raw` is one of them. */
static bool is_raw(unsigned options) {
    return (options & NO_PATHS) && (options & WITH_ID);
}

static struct streamer_pipeline *new_pipeline(unsigned options) {
    static const char *const paths[] = {"choices.0.delta.content", "usage.total_tokens"};
    static const size_t lengths[] = {23, 18};
    static const char *const kept[] = {"model", "usage"};
    static const size_t kept_lengths[] = {5, 5};
    struct streamer_pipeline *pipeline;
    struct streamer_pipeline_options wanted = {
        .paths = options & NO_PATHS ? NULL : paths,
        .path_lengths = options & NO_PATHS ? NULL : lengths,
        .count = options & NO_PATHS    ? 0
                 : options & TWO_PATHS ? 2
                                       : 1,
        .kept = kept,
        .kept_lengths = kept_lengths,
        .kept_count = options & KEEPING ? 2 : 0,
        .collect = options & KEEPING && !(options & NO_PATHS) ? 16 : 0,
        .id = options & WITH_ID ? "s-" : NULL,
        .id_length = options & WITH_ID ? 2 : 0,
        .event = options & WITH_EVENT ? "token" : NULL,
        .event_length = options & WITH_EVENT ? 5 : 0,
        .watch.done = options & WITH_DONE ? "[DONE]" : NULL,
        .watch.done_length = options & WITH_DONE ? 6 : 0,
        .text = options & WITH_TEXT,
        .raw = is_raw(options),
        .max_line = options & WITH_LIMITS ? 48 : 0,
        .max_event = options & WITH_LIMITS ? 64 : 0,
    };
    if (streamer_pipeline_new(&pipeline, &wanted) != STREAMER_OK) abort();
    return pipeline;
}

struct result {
    struct streamer_output output;
    struct record kept;
    enum streamer_status status;
    uint64_t events;
    uint64_t frames;
    bool done;
};

static bool yajl_accepts(const char *json, size_t length) {
    yajl_handle parser = yajl_alloc(NULL, NULL, NULL);
    yajl_status status = yajl_parse(parser, (const unsigned char *)json, length);
    if (status == yajl_status_ok) status = yajl_complete_parse(parser);
    yajl_free(parser);
    return status == yajl_status_ok;
}

static void record_kept(struct record *record, const struct streamer_pipeline *pipeline, unsigned options) {
    size_t length;
    bool cut;
    const char *text = streamer_pipeline_text(pipeline, &length, &cut);
    MUST(length <= 16, "the text keeps to its ceiling");
    MUST(length == 0 || streamer_utf8_valid(text, length), "the text is well-formed UTF-8");
    record_field(record, text, length);
    record_field(record, (const char *)&cut, sizeof cut);
    for (size_t n = 0; options & KEEPING && n < 2; n++) {
        const char *json = streamer_pipeline_kept(pipeline, n, &length);
        MUST(json == NULL || yajl_accepts(json, length), "what is kept is JSON");
        if (json != NULL) record_field(record, json, length);
    }
}

/* Room is given `step` bytes at a time, or as much as is asked for when that is more. */
static struct result run(struct input stream, unsigned options, struct cut cut, size_t step) {
    struct streamer_pipeline *pipeline = new_pipeline(options);
    struct result result = {.output = {.bytes = malloc(step), .capacity = step}, .status = STREAMER_MORE};

    for (size_t offset = 0, length; offset < stream.length && result.status == STREAMER_MORE; offset += length) {
        length = cut_length(&cut, offset, stream.length);
        char *read = exact_copy(stream.bytes + offset, length);
        const char *cursor = read;
        size_t needed = 0;
        while ((result.status = streamer_pipeline_run(pipeline, &cursor, read + length, &result.output, &needed)) ==
               STREAMER_FULL) {
            MUST(needed > result.output.capacity - result.output.length, "FULL asks for more than there was");
            result.output.capacity = result.output.length + (needed > step ? needed : step);
            result.output.bytes = realloc(result.output.bytes, result.output.capacity);
        }
        MUST(result.output.length <= result.output.capacity, "the output keeps to its room");
        if (result.status == STREAMER_MORE) {
            MUST(cursor == read + length, "a pipeline that asks for more has read everything");
        } else {
            size_t before = result.output.length;
            MUST(streamer_pipeline_run(pipeline, &cursor, read + length, &result.output, &needed) == result.status,
                 "a failure is final");
            MUST(result.output.length == before, "a pipeline that failed writes nothing more");
        }
        free(read);
    }
    record_kept(&result.kept, pipeline, options);
    result.events = streamer_pipeline_events(pipeline);
    result.frames = streamer_pipeline_frames(pipeline);
    result.done = streamer_pipeline_done(pipeline);
    streamer_pipeline_free(pipeline);
    return result;
}

static bool is_too_large(const struct result *result) {
    return result->status == STREAMER_LINE_TOO_LONG || result->status == STREAMER_EVENT_TOO_LARGE;
}

/* Raw, an event ends with CR when the LF behind it is not read yet; the LF then comes with the next event, or not at
 * all. */
static size_t compared_length(const struct result *result, unsigned options) {
    size_t length = result->output.length;
    bool crlf = length > 1 && memcmp(result->output.bytes + length - 2, "\r\n", 2) == 0;
    return is_raw(options) && crlf ? length - 1 : length;
}

static void check_same(const struct result *left, const struct result *right, unsigned options) {
    /* Which of the two ceilings an event's raw bytes meet first depends on when they are counted. */
    bool too_large = is_raw(options) && is_too_large(left) && is_too_large(right);
    MUST(left->status == right->status || too_large, "the same outcome");
    size_t length = compared_length(left, options);
    MUST(length == compared_length(right, options), "as many bytes");
    MUST(length == 0 || memcmp(left->output.bytes, right->output.bytes, length) == 0, "the same bytes");
    MUST(record_same(&left->kept, &right->kept), "the same things kept");
    if (too_large) return;
    MUST(left->events == right->events && left->frames == right->frames && left->done == right->done,
         "the same counts");
}

static void check_frames(const struct result *result, unsigned options) {
    if (is_raw(options)) return; /* an event's bytes as they came may also be a comment, or nothing */
    struct streamer_decoder *decoder = streamer_decoder_new(STREAMER_FORMAT_SSE, SIZE_MAX / 2, SIZE_MAX / 2);
    struct streamer_event event;
    const char *cursor = result->output.bytes;
    const char *end = cursor + result->output.length;
    uint64_t frames = 0;
    while (streamer_decoder_next(decoder, &cursor, end, &event) == STREAMER_EVENT) {
        frames++;
        if (options & NO_PATHS) continue;
        const char *type = options & WITH_EVENT ? "token" : "message";
        MUST(event.type_length == strlen(type) && memcmp(event.type, type, event.type_length) == 0,
             "the frame has its name");
        MUST(options & WITH_TEXT || yajl_accepts(event.data, event.data_length), "the frame's data is JSON");
    }
    MUST(frames == result->frames, "every frame is an event");
    streamer_decoder_free(decoder);
}

static void release(struct result *result) {
    free(result->output.bytes);
    free(result->kept.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct input input = {bytes, length};
    unsigned options = take_byte(&input);
    struct cut cut = take_cut(&input);
    size_t room = take_byte(&input) + 1;

    struct result whole = run(input, options, (struct cut){0, 0}, 65536);
    struct result parts = run(input, options, cut, room);
    struct result single = run(input, options, (struct cut){1, 1}, 1);
    check_same(&whole, &parts, options);
    check_same(&whole, &single, options);
    check_frames(&whole, options);
    release(&whole);
    release(&parts);
    release(&single);
    return 0;
}
