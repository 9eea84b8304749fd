/* formats, whatever the reads: the same events and the same end; of text the same characters. And through a pipeline,
 * the same frames.
 *
 * Input: one byte of format and options, one of limits, three of cuts (support.h), then the body. */
#include "pipeline.h"
#include "support.h"
#include "utf8.h"

enum { FORMATS = 5, WITH_PATH = 8, WITH_ERRORS = 16, WITH_DONE = 32 };

static void record_data(struct record *record, const char *data, size_t length, enum streamer_format format) {
    MUST(streamer_utf8_valid(data, length), "data is well-formed UTF-8");
    if (format == STREAMER_FORMAT_TEXT) {
        MUST(length > 0, "text is never empty");
        record_bytes(record, data, length);
    } else {
        record_field(record, data, length);
    }
}

static struct record decode(struct input body, enum streamer_format format, size_t limit, struct cut cut) {
    struct record record = {0};
    struct streamer_decoder *decoder = streamer_decoder_new(format, limit, limit);
    enum streamer_status status = STREAMER_MORE;
    struct streamer_event event;
    if (decoder == NULL) abort();

    for (size_t offset = 0, length; offset < body.length && status == STREAMER_MORE; offset += length) {
        length = cut_length(&cut, offset, body.length);
        char *read = exact_copy(body.bytes + offset, length);
        const char *cursor = read;
        while ((status = streamer_decoder_next(decoder, &cursor, read + length, &event)) == STREAMER_EVENT) {
            record_data(&record, event.data, event.data_length, format);
        }
        MUST(status != STREAMER_MORE || cursor == read + length, "a decoder that asks for more has read everything");
        free(read);
    }
    while (status == STREAMER_MORE && (status = streamer_decoder_finish(decoder, &event)) == STREAMER_EVENT) {
        record_data(&record, event.data, event.data_length, format);
        status = STREAMER_MORE;
        if (record.length > 64 * (body.length + 64)) MUST(false, "the end comes to an end");
    }
    MUST(streamer_decoder_finish(decoder, &event) == status, "the end is final");
    bool document = streamer_decoder_document(decoder);
    record_field(&record, (const char *)&status, sizeof status);
    record_field(&record, (const char *)&document, sizeof document);
    streamer_decoder_free(decoder);
    return record;
}

static struct streamer_pipeline *new_pipeline(enum streamer_format format, unsigned options) {
    static const char *const paths[] = {"a"};
    static const size_t lengths[] = {1};
    const struct streamer_pipeline_options wanted = {
        .format = format,
        .paths = paths,
        .path_lengths = lengths,
        .names = paths,
        .name_lengths = lengths,
        .count = options & WITH_PATH ? 1 : 0,
        .classifier = {.error = options & WITH_ERRORS ? "error" : NULL,
                       .error_length = 5,
                       .done = "[DONE]",
                       .done_length = 6,
                       .done_path = options & WITH_DONE ? "done" : NULL,
                       .done_path_length = 4,
                       .done_required = options & WITH_DONE},
    };
    struct streamer_pipeline *pipeline;
    if (streamer_pipeline_new(&pipeline, &wanted) != STREAMER_OK) abort();
    return pipeline;
}

/* cursor: NULL for the end. */
static enum streamer_status read_on(struct record *record, struct streamer_pipeline *pipeline, const char **cursor,
                                    const char *end) {
    struct streamer_output output = {malloc(64), 0, 64};
    size_t needed;
    enum streamer_status status;
    while ((status = cursor == NULL
                         ? streamer_pipeline_finish(pipeline, &output, &needed)
                         : streamer_pipeline_run(pipeline, cursor, end, &output, &needed)) == STREAMER_FULL) {
        output.capacity = output.length + needed;
        output.bytes = realloc(output.bytes, output.capacity);
    }
    record_bytes(record, output.bytes, output.length);
    free(output.bytes);
    return status;
}

static struct record pipe_body(struct input body, enum streamer_format format, unsigned options, struct cut cut) {
    struct record record = {0};
    struct streamer_pipeline *pipeline = new_pipeline(format, options);
    enum streamer_status status = STREAMER_MORE;
    for (size_t offset = 0, length; offset < body.length && status == STREAMER_MORE; offset += length) {
        length = cut_length(&cut, offset, body.length);
        char *read = exact_copy(body.bytes + offset, length);
        const char *cursor = read;
        status = read_on(&record, pipeline, &cursor, read + length);
        free(read);
    }
    if (status == STREAMER_MORE) status = read_on(&record, pipeline, NULL, NULL);
    MUST(read_on(&record, pipeline, NULL, NULL) == status, "the end is final");
    size_t length;
    bool document;
    const char *error_payload = streamer_pipeline_error_payload(pipeline, &length, &document);
    MUST(length == 0 || error_payload != NULL, "a error_payload has bytes");
    MUST(status != STREAMER_UPSTREAM_ERROR || options & WITH_ERRORS, "no error where none is looked for");
    record_field(&record, error_payload, length);
    record_field(&record, (const char *)&status, sizeof status);
    streamer_pipeline_free(pipeline);
    return record;
}

static void check_same(struct record left, struct record right, const char *sentence) {
    MUST(record_same(&left, &right), sentence);
    free(right.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct input input = {bytes, length};
    unsigned options = take_byte(&input), small = take_byte(&input);
    struct cut cut = take_cut(&input);
    enum streamer_format format = (enum streamer_format)((options & 7) % FORMATS);

    struct record whole = decode(input, format, small, (struct cut){0, 0});
    check_same(whole, decode(input, format, small, cut), "the cuts change nothing");
    check_same(whole, decode(input, format, small, (struct cut){1, 1}), "byte by byte gives the same");
    free(whole.bytes);

    /* How many frames text has depends on the cuts. */
    if (format == STREAMER_FORMAT_TEXT) return 0;
    whole = pipe_body(input, format, options, (struct cut){0, 0});
    check_same(whole, pipe_body(input, format, options, cut), "the cuts change no frame");
    check_same(whole, pipe_body(input, format, options, (struct cut){1, 1}), "byte by byte gives the same frames");
    free(whole.bytes);
    return 0;
}
