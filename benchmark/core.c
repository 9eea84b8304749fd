/* The core alone: decoder and pipeline over streams in memory.
 *
 *   core [seconds per measurement, default 0.5]
 *
 * One line per measurement: a name, MB/s of input (1 MB = 1,000,000 bytes) and ns per event (or line). Each pass is
 * checked against what must come out; a difference ends the program with status 1.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "decode.h"
#include "pipeline.h"

struct stream {
    char *bytes;
    size_t length;
    uint64_t events;
    uint64_t data_bytes; /* of all events */
};

static double seconds_per_measurement = 0.5;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void check(int good, const char *what) {
    if (good) return;
    fprintf(stderr, "wrong result: %s\n", what);
    exit(1);
}

static const char head[] =
    "{\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\",\"created\":1741570283,"
    "\"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\"fp_fc9f1d7035\",\"choices\":"
    "[{\"index\":0,\"delta\":{\"content\":\"";
static const char tail[] = "\"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}";

static struct stream chat(size_t events, const char *token, const char *line_end, const char *event_field) {
    size_t each = sizeof head + strlen(token) + sizeof tail + strlen(event_field) + 64;
    struct stream stream = {.bytes = malloc(events * each), .events = events};
    check(stream.bytes != NULL, "memory");
    for (size_t i = 0; i < events; i++) {
        stream.length += (size_t)sprintf(stream.bytes + stream.length, "%s%sdata: %s%s%s%s%s", event_field,
                                         *event_field ? line_end : "", head, token, tail, line_end, line_end);
        stream.data_bytes += strlen(head) + strlen(token) + strlen(tail);
    }
    return stream;
}

/* One event: one line with `size` bytes of data. */
static struct stream long_line(size_t size) {
    struct stream stream = {.bytes = malloc(size + 16), .events = 1, .data_bytes = size};
    check(stream.bytes != NULL, "memory");
    memcpy(stream.bytes, "data: ", 6);
    memset(stream.bytes + 6, 'x', size);
    memcpy(stream.bytes + 6 + size, "\n\n", 2);
    stream.length = size + 8;
    return stream;
}

/* The same amount in events of one short line each. */
static struct stream short_lines(size_t size, size_t line) {
    struct stream stream = {.bytes = malloc(size + size / line * 8 + 64)};
    check(stream.bytes != NULL, "memory");
    for (; stream.data_bytes < size; stream.data_bytes += line, stream.events++) {
        memcpy(stream.bytes + stream.length, "data: ", 6);
        memset(stream.bytes + stream.length + 6, 'x', line);
        memcpy(stream.bytes + stream.length + 6 + line, "\n\n", 2);
        stream.length += line + 8;
    }
    return stream;
}

static void decode_once(const struct stream *stream, size_t read) {
    struct streamer_decoder *decoder = streamer_decoder_new(STREAMER_FORMAT_SSE, (size_t)1 << 30, (size_t)1 << 30);
    uint64_t events = 0, data_bytes = 0;
    for (size_t at = 0; at < stream->length; at += read) {
        const char *cursor = stream->bytes + at;
        const char *end = cursor + (stream->length - at < read ? stream->length - at : read);
        struct streamer_event event;
        enum streamer_status status;
        while ((status = streamer_decoder_next(decoder, &cursor, end, &event)) == STREAMER_EVENT) {
            events++;
            data_bytes += event.data_length;
        }
        check(status == STREAMER_MORE, streamer_status_name(status));
    }
    check(events == stream->events && data_bytes == stream->data_bytes, "decoded events");
    streamer_decoder_free(decoder);
}

static size_t expected_frames(const struct stream *stream, const char *token) {
    return stream->events * strlen("event: token\ndata: {\"content\":\"\"}\n\n") + stream->events * strlen(token);
}

static char token_written[256]; /* what must stand in each frame */

static void pipe_once(const struct stream *stream, size_t read) {
    static const char *const paths[] = {"choices.0.delta.content"};
    static const size_t lengths[] = {23};
    static const char *const names[] = {"content"};
    static const size_t name_lengths[] = {7};
    const struct streamer_pipeline_options options = {.paths = paths,
                                                      .path_lengths = lengths,
                                                      .names = names,
                                                      .name_lengths = name_lengths,
                                                      .count = 1,
                                                      .event = "token",
                                                      .event_length = 5,
                                                      .classifier.done = "[DONE]",
                                                      .classifier.done_length = 6,
                                                      .classifier.error = "error",
                                                      .classifier.error_length = 5};
    struct streamer_pipeline *pipeline;
    check(streamer_pipeline_new(&pipeline, &options) == STREAMER_OK, "new pipeline");
    char frame[512];
    size_t frame_length =
        (size_t)snprintf(frame, sizeof frame, "event: token\ndata: {\"content\":\"%s\"}\n\n", token_written);
    static char out[1 << 20];
    size_t total = 0;
    for (size_t at = 0; at < stream->length; at += read) {
        const char *cursor = stream->bytes + at;
        const char *end = cursor + (stream->length - at < read ? stream->length - at : read);
        struct streamer_output output = {out, 0, sizeof out};
        size_t needed;
        check(streamer_pipeline_run(pipeline, &cursor, end, &output, &needed) == STREAMER_MORE, "run");
        total += output.length;
        check(output.length % frame_length == 0, "whole frames");
        if (output.length > 0)
            check(memcmp(out + output.length - frame_length, frame, frame_length) == 0, "last frame");
    }
    check(total == expected_frames(stream, token_written), "bytes of frames");
    streamer_pipeline_free(pipeline);
}

static double measure(const char *name, const struct stream *stream, size_t read,
                      void (*once)(const struct stream *, size_t)) {
    double best = 1e9, start = now();
    do {
        double before = now();
        once(stream, read);
        double took = now() - before;
        if (took < best) best = took;
    } while (now() - start < seconds_per_measurement);
    printf("%-44s %9.0f MB/s %9.1f ns/event\n", name, (double)stream->length / best / 1e6,
           best * 1e9 / (double)stream->events);
    return best;
}

static void measure_chat(const char *name, const char *token, const char *written, const char *line_end,
                         const char *event_field) {
    char title[64];
    struct stream stream = chat(10000, token, line_end, event_field);
    snprintf(token_written, sizeof token_written, "%s", written);
    snprintf(title, sizeof title, "decode   %s", name);
    measure(title, &stream, 16384, decode_once);
    snprintf(title, sizeof title, "pipeline %s", name);
    measure(title, &stream, 16384, pipe_once);
    free(stream.bytes);
}

int main(int argc, char **argv) {
    if (argc > 1) seconds_per_measurement = atof(argv[1]);
    measure_chat("chat, LF", " token", " token", "\n", "");
    measure_chat("chat, CRLF", " token", " token", "\r\n", "");
    measure_chat("chat, CR", " token", " token", "\r", "");
    measure_chat("chat with event field", " token", " token", "\n", "event: content_block_delta");
    measure_chat("chat, escapes", "a\\nb\\u00e9\\\"c", "a\\nb\xC3\xA9\\\"c", "\n", "");
    measure_chat("chat, Japanese", "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E", "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E", "\n",
                 "");

    size_t large = (size_t)64 << 20;
    struct stream stream = short_lines(large, 64);
    double shorts = measure("decode   64 MiB, 64-byte lines, 1,460 a read", &stream, 1460, decode_once);
    free(stream.bytes);
    stream = short_lines(large, 300);
    double middles = measure("decode   64 MiB, 300-byte lines, 1,460 a read", &stream, 1460, decode_once);
    free(stream.bytes);
    stream = long_line(large);
    double one = measure("decode   64 MiB, one line, 1,460 a read", &stream, 1460, decode_once);
    free(stream.bytes);
    printf("one long line takes %.2f x the time of 64-byte lines, %.2f x that of 300-byte lines\n", one / shorts,
           one / middles);
    return 0;
}
