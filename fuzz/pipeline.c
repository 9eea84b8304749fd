/* pipeline, whatever the reads and whatever the room for its output: the same frames, the same things kept and the same
 * end; and the frames are event streams of the promised shape.
 *
 * Input: two bytes of options, one of limits, three of cuts (support.h), one of output room, then the body. */
#include "pipeline.h"

#include <yajl/yajl_parse.h>

#include "extract.h"
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
    KEEPING = 128,
    /* two bits of the format, and then: */
    WITH_ERRORS = 1 << 10,
    WITH_REQUIRED = 1 << 11,
    WITH_DONE_PATH = 1 << 12,
    WITH_LAST_TYPE = 1 << 13,
    WITH_FROM = 1 << 14,
    RAW = 1 << 15
};

/* Of text, how many frames there are depends on the cuts. */
static enum streamer_format format_of(unsigned options) {
    static const enum streamer_format formats[] = {STREAMER_FORMAT_SSE, STREAMER_FORMAT_SNIFFED, STREAMER_FORMAT_NDJSON,
                                                   STREAMER_FORMAT_JSON};
    return formats[options >> 8 & 3];
}

/* Without paths the two bits of text and id are free: `raw` is one of them. */
static bool is_raw(unsigned options) {
    return options & RAW || ((options & NO_PATHS) && (options & WITH_ID));
}

/* Frames are entries of a log, where the byte of limits is free. */
static bool is_log(unsigned options, unsigned limits) {
    return !(options & WITH_LIMITS) && !(options & WITH_TEXT) && !is_raw(options) && (limits & 1);
}

static struct streamer_pipeline *new_pipeline(unsigned options, unsigned limits) {
    static const char *const names[] = {"content", "usage"};
    static const size_t name_lengths[] = {7, 5};
    static const char *const reserved[] = {"delta", "ping"};
    static const size_t reserved_lengths[] = {5, 4};
    bool log = is_log(options, limits);
    static const char *const paths[] = {"choices.0.delta.content", "usage.total_tokens|usage.*{t=a}.n"};
    static const size_t lengths[] = {23, 33};
    static const char *const kept[] = {"model", "usage"};
    static const size_t kept_lengths[] = {5, 5};
    static const char *const last_types[] = {"end"};
    static const size_t last_type_lengths[] = {3};
    static const char *const from[] = {"delta", "other"};
    static const size_t from_lengths[] = {5, 5};
    struct streamer_pipeline *pipeline;
    struct streamer_pipeline_options wanted = {
        .format = format_of(options),
        .paths = options & NO_PATHS ? NULL : paths,
        .path_lengths = options & NO_PATHS ? NULL : lengths,
        .names = log ? names : paths,
        .name_lengths = log ? name_lengths : lengths,
        .count = options & NO_PATHS    ? 0
                 : options & TWO_PATHS ? 2
                                       : 1,
        .kept = kept,
        .kept_lengths = kept_lengths,
        .kept_count = options & KEEPING ? 2 : 0,
        .collect = options & KEEPING && !(options & NO_PATHS) ? 16 : 0,
        .id = log || options & WITH_ID ? "s-" : NULL,
        .id_length = log || options & WITH_ID ? 2 : 0,
        .id_after = options & WITH_LIMITS ? 0 : limits >> 1,
        .entries = log,
        .reserved = reserved,
        .reserved_lengths = reserved_lengths,
        .reserved_count = 2,
        .event = options & WITH_EVENT ? "token" : NULL,
        .event_length = options & WITH_EVENT ? 5 : 0,
        .from = from,
        .from_lengths = from_lengths,
        .from_count = options & WITH_FROM ? 2 : 0,
        .classifier = {.done = options & WITH_DONE ? "[DONE]" : NULL,
                       .done_length = options & WITH_DONE ? 6 : 0,
                       .done_types = last_types,
                       .done_type_lengths = last_type_lengths,
                       .done_type_count = options & WITH_LAST_TYPE ? 1 : 0,
                       .done_path = options & WITH_DONE_PATH ? "done" : NULL,
                       .done_path_length = 4,
                       .done_required = options & WITH_REQUIRED,
                       .error = options & WITH_ERRORS ? "error" : NULL,
                       .error_length = 5},
        .text = options & WITH_TEXT,
        .raw = is_raw(options),
        .max_line = options & WITH_LIMITS ? 8 * (1 + (limits & 15)) : 0,
        .max_event = options & WITH_LIMITS ? 8 * (1 + (limits >> 4)) : 0,
    };
    if (streamer_pipeline_new(&pipeline, &wanted) != STREAMER_OK) abort();
    return pipeline;
}

struct result {
    struct streamer_output output;
    struct record kept;
    struct streamer_output text, others; /* what a log's entries have added */
    enum streamer_status status;
    uint64_t events, content_events, texts;
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

/* The event whose number is `wanted`, counted from 1; false where the body has not so many. */
static bool nth_event(struct streamer_decoder *decoder, struct input body, uint64_t wanted,
                      struct streamer_event *event) {
    const char *cursor = (const char *)body.bytes, *end = cursor + body.length;
    uint64_t events = 0;
    while (streamer_decoder_next(decoder, &cursor, end, event) == STREAMER_EVENT) {
        if (++events == wanted) return true;
    }
    while (streamer_decoder_finish(decoder, event) == STREAMER_EVENT) {
        if (++events == wanted) return true;
    }
    return false;
}

/* The event that ended the stream, or all there was of it. */
static void record_error_payload(struct record *record, const struct streamer_pipeline *pipeline,
                                 enum streamer_status status, struct input body, unsigned options) {
    if (status != STREAMER_UPSTREAM_ERROR && status != STREAMER_UNWANTED) return;
    size_t length;
    bool document;
    const char *error_payload = streamer_pipeline_error_payload(pipeline, &length, &document);
    struct streamer_decoder *decoder = streamer_decoder_new(format_of(options), 0, 0);
    struct streamer_event event;
    MUST(nth_event(decoder, body, streamer_pipeline_events(pipeline), &event), "the error_payload is an event");
    MUST(length == event.data_length && (length == 0 || memcmp(error_payload, event.data, length) == 0),
         "the error_payload is the last event's data");
    record_field(record, (const char *)&document, sizeof document);
    streamer_decoder_free(decoder);
}

/* Reads from *cursor, or finishes where cursor is NULL. Room is given `step` bytes at a time, or as much as is asked
 * for when that is more. */
static enum streamer_status read_on(struct streamer_pipeline *pipeline, const char **cursor, const char *end,
                                    struct streamer_output *output, size_t step) {
    size_t needed = 0;
    for (;;) {
        enum streamer_status status = cursor == NULL ? streamer_pipeline_finish(pipeline, output, &needed)
                                                     : streamer_pipeline_run(pipeline, cursor, end, output, &needed);
        MUST(output->length <= output->capacity, "the output keeps to its room");
        if (status != STREAMER_FULL) return status;
        MUST(needed > output->capacity - output->length, "FULL asks for more than there was");
        output->capacity = output->length + (needed > step ? needed : step);
        output->bytes = realloc(output->bytes, output->capacity);
    }
}

static void append(struct streamer_output *output, const char *bytes, size_t length) {
    if (length == 0) return;
    output->bytes = realloc(output->bytes, output->length + length);
    memcpy(output->bytes + output->length, bytes, length);
    output->length += length;
}

static void take_added(struct result *result, struct streamer_pipeline *pipeline) {
    struct streamer_added added = streamer_pipeline_added(pipeline);
    append(&result->text, added.text, added.text_length);
    append(&result->others, added.others, added.others_length);
    streamer_pipeline_forget_added(pipeline);
}

static struct result run(struct input body, unsigned options, unsigned limits, struct cut cut, size_t step) {
    struct streamer_pipeline *pipeline = new_pipeline(options, limits);
    struct result result = {.output = {.bytes = malloc(step), .capacity = step}, .status = STREAMER_MORE};

    for (size_t offset = 0, length; offset < body.length && result.status == STREAMER_MORE; offset += length) {
        length = cut_length(&cut, offset, body.length);
        char *read = exact_copy(body.bytes + offset, length);
        const char *cursor = read;
        result.status = read_on(pipeline, &cursor, read + length, &result.output, step);
        if (result.status == STREAMER_MORE) {
            MUST(cursor == read + length, "a pipeline that asks for more has read everything");
        } else {
            size_t before = result.output.length;
            MUST(read_on(pipeline, &cursor, read + length, &result.output, step) == result.status,
                 "a failure is final");
            MUST(result.output.length == before, "a pipeline that failed writes nothing more");
        }
        free(read);
        take_added(&result, pipeline);
    }
    if (result.status == STREAMER_MORE) result.status = read_on(pipeline, NULL, NULL, &result.output, step);
    size_t before = result.output.length;
    MUST(read_on(pipeline, NULL, NULL, &result.output, step) == result.status, "the end is final");
    MUST(result.output.length == before, "nothing comes behind the end");
    take_added(&result, pipeline);
    record_kept(&result.kept, pipeline, options);
    record_error_payload(&result.kept, pipeline, result.status, body, options);
    result.events = streamer_pipeline_events(pipeline);
    result.content_events = streamer_pipeline_content_events(pipeline);
    result.texts = streamer_pipeline_texts(pipeline);
    result.frames = streamer_pipeline_frames(pipeline);
    result.done = streamer_pipeline_done(pipeline);
    streamer_pipeline_free(pipeline);
    return result;
}

static bool is_too_large(const struct result *result) {
    return result->status == STREAMER_LINE_TOO_LONG || result->status == STREAMER_EVENT_TOO_LARGE;
}

static bool same_bytes(const struct streamer_output *left, const struct streamer_output *right) {
    return left->length == right->length && (left->length == 0 || memcmp(left->bytes, right->bytes, left->length) == 0);
}

static void check_same(const struct result *left, const struct result *right, unsigned options) {
    /* An event's raw bytes meet a ceiling only where they are carried from read to read. */
    bool too_large = is_raw(options) && (is_too_large(left) || is_too_large(right));
    MUST(left->status == right->status || too_large, "the same outcome");
    size_t length = left->output.length < right->output.length ? left->output.length : right->output.length;
    MUST(length == 0 || memcmp(left->output.bytes, right->output.bytes, length) == 0, "the same bytes");
    if (too_large) return;
    MUST(left->output.length == right->output.length, "as many bytes");
    MUST(same_bytes(&left->text, &right->text), "the same text added");
    MUST(same_bytes(&left->others, &right->others), "the same frames without text");
    MUST(record_same(&left->kept, &right->kept), "the same things kept");
    MUST(left->events == right->events && left->frames == right->frames && left->done == right->done &&
             left->content_events == right->content_events && left->texts == right->texts,
         "the same counts");
}

static struct input without_bom(struct input body) {
    bool bom = body.length >= 3 && memcmp(body.bytes, "\xEF\xBB\xBF", 3) == 0;
    return bom ? (struct input){body.bytes + 3, body.length - 3} : body;
}

/* The body without what is in front of its first line. */
static struct input lines_of(struct input body, unsigned options) {
    struct input rest = without_bom(body);
    if (format_of(options) != STREAMER_FORMAT_SNIFFED) return rest;
    while (rest.length > 0 && (*rest.bytes == '\n' || *rest.bytes == '\r')) take_byte(&rest);
    return rest;
}

/* Whether the body is an event stream, by decode_sniff.c's rule. */
static bool is_stream(struct input body, unsigned options) {
    if (format_of(options) != STREAMER_FORMAT_SNIFFED) return format_of(options) == STREAMER_FORMAT_SSE;
    struct input rest = lines_of(body, options);
    return rest.length == 0 || (*rest.bytes != '{' && *rest.bytes != '[');
}

static void check_frames(const struct result *result, struct input body, unsigned options) {
    if (is_raw(options) && is_stream(body, options)) {
        struct input bytes = lines_of(body, options);
        MUST(result->output.length <= bytes.length, "raw, nothing is added");
        MUST(result->output.length == 0 || memcmp(result->output.bytes, bytes.bytes, result->output.length) == 0,
             "raw, the bytes are as they came");
    }
    /* An event stream's bytes as they came have more than its frames: comments and ids. They are read behind a comment:
     * something may have been written before them. */
    struct streamer_decoder *decoder = streamer_decoder_new(STREAMER_FORMAT_SSE, SIZE_MAX / 2, SIZE_MAX / 2);
    struct streamer_event event;
    const char before[] = ":\n\n", *cursor = before;
    MUST(streamer_decoder_next(decoder, &cursor, before + strlen(before), &event) == STREAMER_MORE, "no event yet");
    cursor = result->output.bytes;
    const char *end = cursor + result->output.length;
    uint64_t frames = 0;
    while (streamer_decoder_next(decoder, &cursor, end, &event) == STREAMER_EVENT) {
        frames++;
        if (options & NO_PATHS || is_raw(options)) continue;
        const char *type = options & WITH_EVENT ? "token" : "message";
        MUST(event.type_length == strlen(type) && memcmp(event.type, type, event.type_length) == 0,
             "the frame has its name");
        MUST(options & WITH_TEXT || yajl_accepts(event.data, event.data_length), "the frame's data is JSON");
    }
    MUST(frames == result->frames, "every frame is an event");
    streamer_decoder_free(decoder);
}

/* Each frame as whoever reads the log finds it: numbered without a hole, under no type that is the log's own, and with
 * the text that was counted. */
static void check_entries(const struct result *result, unsigned options, unsigned limits) {
    struct streamer_decoder *decoder = streamer_decoder_new(STREAMER_FORMAT_SSE, SIZE_MAX / 2, SIZE_MAX / 2);
    struct streamer_extractor *content;
    const char *path = "content";
    size_t length = strlen(path);
    const struct streamer_extractor_options wanted = {.paths = &path, .lengths = &length, .count = 1};
    if (streamer_extractor_new(&content, &wanted) != STREAMER_OK) abort();
    struct streamer_buffer text;
    streamer_buffer_init(&text, SIZE_MAX / 2);
    const char *cursor = result->output.bytes, *end = cursor + result->output.length, *start = cursor;
    size_t others = 0;
    uint64_t number = limits >> 1;
    struct streamer_event event;
    while (streamer_decoder_next(decoder, &cursor, end, &event) == STREAMER_EVENT) {
        char id[32];
        size_t size = (size_t)snprintf(id, sizeof id, "s-%llu", (unsigned long long)++number);
        MUST(event.id_length == size && memcmp(event.id, id, size) == 0, "ids have no hole");
        bool values = !(options & NO_PATHS);
        MUST(values || event.type_length != 5 || memcmp(event.type, "delta", 5) != 0, "no type of the log's");
        struct streamer_value value;
        enum streamer_status status = streamer_extractor_read(content, event.data, event.data_length, &value);
        if (status == STREAMER_OK && value.kind == STREAMER_KIND_STRING) {
            if (streamer_value_text(&value, &text) != STREAMER_OK) abort();
        } else {
            size_t frame = (size_t)(cursor - start);
            MUST(result->others.length >= others + frame && memcmp(result->others.bytes + others, start, frame) == 0,
                 "the frame without text is kept");
            others += frame;
        }
        start = cursor;
    }
    MUST(others == result->others.length, "no other frame is kept");
    MUST(text.length == result->text.length &&
             (text.length == 0 || memcmp(text.bytes, result->text.bytes, text.length) == 0),
         "the text is what the entries have");
    streamer_buffer_release(&text);
    streamer_extractor_free(content);
    streamer_decoder_free(decoder);
}

static void release(struct result *result) {
    free(result->text.bytes);
    free(result->others.bytes);
    free(result->output.bytes);
    free(result->kept.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct input input = {bytes, length};
    unsigned options = take_byte(&input);
    options |= take_byte(&input) << 8;
    unsigned limits = take_byte(&input);
    struct cut cut = take_cut(&input);
    size_t room = take_byte(&input) + 1;

    struct result whole = run(input, options, limits, (struct cut){0, 0}, 65536);
    struct result parts = run(input, options, limits, cut, room);
    struct result single = run(input, options, limits, (struct cut){1, 1}, 1);
    check_same(&whole, &parts, options);
    check_same(&whole, &single, options);
    check_frames(&whole, input, options);
    if (is_log(options, limits)) check_entries(&whole, options, limits);
    release(&whole);
    release(&parts);
    release(&single);
    return 0;
}
