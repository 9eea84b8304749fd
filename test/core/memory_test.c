/* Every request for memory of one long run, made to fail one after the other: the status is NO_MEMORY, and nothing is
 * left behind.
 */
#include <string.h>

#include "encode.h"
#include "pipeline.h"
#include "test.h"

static const char stream[] =
    "event: a-name-that-is-longer-than-the-first-capacity-of-a-buffer-which-is-sixty-four-bytes\n"
    "id: an-id-that-is-longer-than-the-first-capacity-of-a-buffer-which-is-sixty-four-bytes\n"
    "data: {\"a\":\"\xFF one\\n two\",\ndata: \"b\":{\"c\":[1,2]}}\n\n"
    "id: another\ndata: {\"a\":\"three\\u00e9\"}\n\n";

static enum streamer_status run_pipeline(const struct streamer_pipeline_options *options) {
    struct streamer_pipeline *pipeline;
    enum streamer_status status = streamer_pipeline_new(&pipeline, options);
    if (status != STREAMER_OK) return status;
    status = STREAMER_MORE;
    for (size_t at = 0; at < sizeof stream - 1 && status == STREAMER_MORE; at += 7) {
        const char *cursor = stream + at, *end = at + 7 < sizeof stream - 1 ? cursor + 7 : stream + sizeof stream - 1;
        char out[1024];
        struct streamer_output output = {out, 0, sizeof out};
        size_t needed;
        status = streamer_pipeline_run(pipeline, &cursor, end, &output, &needed);
    }
    streamer_pipeline_free(pipeline);
    return status == STREAMER_MORE ? STREAMER_OK : status;
}

static enum streamer_status run_values(void) {
    static const char *const paths[] = {"a", "b.c"};
    static const size_t lengths[] = {1, 3};
    return run_pipeline(&(struct streamer_pipeline_options){.paths = paths,
                                                            .path_lengths = lengths,
                                                            .names = paths,
                                                            .name_lengths = lengths,
                                                            .count = 2,
                                                            .event = "t",
                                                            .event_length = 1});
}

static enum streamer_status run_text(void) {
    static const char *const paths[] = {"a"};
    static const size_t lengths[] = {1};
    return run_pipeline(&(struct streamer_pipeline_options){.paths = paths,
                                                            .path_lengths = lengths,
                                                            .count = 1,
                                                            .text = true,
                                                            .classifier.done = "x",
                                                            .classifier.done_length = 1});
}

static enum streamer_status run_passing_through(void) {
    return run_pipeline(&(struct streamer_pipeline_options){0});
}

static enum streamer_status run_decoder(void) {
    struct streamer_decoder *decoder = streamer_decoder_new(STREAMER_FORMAT_SSE, 0, 0);
    if (decoder == NULL) return STREAMER_NO_MEMORY;
    enum streamer_status status = STREAMER_MORE;
    for (size_t at = 0; at < sizeof stream - 1 && status == STREAMER_MORE; at++) {
        const char *cursor = stream + at, *end = cursor + 1;
        struct streamer_event event;
        do status = streamer_decoder_next(decoder, &cursor, end, &event);
        while (status == STREAMER_EVENT);
    }
    streamer_decoder_free(decoder);
    return status == STREAMER_MORE ? STREAMER_OK : status;
}

static enum streamer_status run_encoder(void) {
    struct streamer_buffer buffer;
    streamer_buffer_init(&buffer, 1 << 20);
    const struct streamer_frame frame = {"t", 1, "1", 1, 5, stream, sizeof stream - 1};
    enum streamer_status status = streamer_encode_frame(&buffer, &frame);
    if (status == STREAMER_OK) status = streamer_encode_comment(&buffer, stream, sizeof stream - 1);
    if (status == STREAMER_OK) status = streamer_encode_json_string(&buffer, stream, sizeof stream - 1);
    streamer_buffer_release(&buffer);
    return status;
}

static void fail_each_request(enum streamer_status (*scenario)(void)) {
    size_t request = 1;
    for (;; request++) {
        heap_fail_at(request);
        enum streamer_status status = scenario();
        bool failed = heap_failed();
        CHECK(heap_blocks() == 0);
        CHECK_STATUS(failed ? STREAMER_NO_MEMORY : STREAMER_OK, status);
        if (!failed) break;
    }
    CHECK(request > 2);
}

static void values_survive_every_failure(void) {
    fail_each_request(run_values);
}

static void text_survives_every_failure(void) {
    fail_each_request(run_text);
}

static void passing_through_survives_every_failure(void) {
    fail_each_request(run_passing_through);
}

static void the_decoder_survives_every_failure(void) {
    fail_each_request(run_decoder);
}

static void the_encoder_survives_every_failure(void) {
    fail_each_request(run_encoder);
}

void memory_tests(void) {
    RUN(values_survive_every_failure);
    RUN(text_survives_every_failure);
    RUN(passing_through_survives_every_failure);
    RUN(the_decoder_survives_every_failure);
    RUN(the_encoder_survives_every_failure);
}
