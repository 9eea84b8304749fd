/* What a format's decoder is to decode.c, and what the formats share. Internal. */
#pragma once

#include "decode.h"

/* As the functions of decode.h, without the BOM and without calls after a failure. */
struct streamer_decoder_vtable {
    enum streamer_format format;
    enum streamer_status (*next)(struct streamer_decoder *decoder, const char **cursor, const char *end,
                                 struct streamer_event *event);
    enum streamer_status (*finish)(struct streamer_decoder *decoder, struct streamer_event *event);
    void (*free)(struct streamer_decoder *decoder);
    size_t (*size)(const struct streamer_decoder *decoder);
};

/* The first member of every decoder. */
struct streamer_decoder {
    const struct streamer_decoder_vtable *vtable;
    enum streamer_status failure; /* STREAMER_OK while the stream can go on */
    size_t bom_matched;           /* STREAMER_BOM once the stream's start is behind */
    size_t skipped;               /* what streamer_decoder_skipped returns */
};

#define STREAMER_BOM ((size_t)3)

/* max_line and max_event are bytes, never 0. NULL when out of memory. */
struct streamer_decoder *streamer_sse_decoder_new(size_t max_line, size_t max_event);
struct streamer_decoder *streamer_lines_decoder_new(size_t max_line, size_t max_event);
struct streamer_decoder *streamer_json_decoder_new(size_t max_event);
struct streamer_decoder *streamer_text_decoder_new(size_t max_event);
struct streamer_decoder *streamer_sniffed_decoder_new(size_t max_line, size_t max_event);

/* Of an SSE decoder. */
enum streamer_status streamer_sse_resume(struct streamer_decoder *decoder, const char *id, size_t length);
const char *streamer_sse_last_event_id(const struct streamer_decoder *decoder, size_t *length);
const char *streamer_sse_settled(const struct streamer_decoder *decoder);
int64_t streamer_sse_retry(const struct streamer_decoder *decoder);

/* Of a JSON decoder. */
bool streamer_json_document(const struct streamer_decoder *decoder);

/* Of a sniffed decoder: what it turned out to be; itself while that is not known. */
const struct streamer_decoder *streamer_sniffed_inner(const struct streamer_decoder *decoder);

/* An event of a format that has nothing but data: where it lies if it is well-formed, else in `scrubbed`, which is
 * empty. STREAMER_EVENT, STREAMER_EVENT_TOO_LARGE or STREAMER_NO_MEMORY. */
enum streamer_status streamer_data_event(struct streamer_event *event, struct streamer_buffer *scrubbed,
                                         const char *data, size_t length);
