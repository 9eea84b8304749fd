/* NDJSON (JSON Lines): each line that is not blank is an event whose data is the line, without the white space around
 * it. Lines end with LF, and the last one also with the body. */
#include <string.h>

#include "alloc.h"
#include "decoder.h"
#include "json_scan.h"

struct lines {
    struct streamer_decoder base;
    struct streamer_buffer line;     /* the start of a line that the last read's end cut */
    struct streamer_buffer scrubbed; /* the data, where it was ill-formed */
    bool line_over;                  /* `line` was handed out, or blank */
};

static enum streamer_status carry(struct lines *lines, const char *bytes, size_t length) {
    enum streamer_status status = streamer_buffer_append(&lines->line, bytes, length);
    return status == STREAMER_FULL ? STREAMER_LINE_TOO_LONG : status;
}

static void forget_event(struct lines *lines) {
    if (lines->line_over) streamer_buffer_clear(&lines->line);
    lines->line_over = false;
    streamer_buffer_clear(&lines->scrubbed);
}

/* STREAMER_MISSING for a blank one. */
static enum streamer_status take_line(struct lines *lines, const char *line, size_t length,
                                      struct streamer_event *event) {
    while (length > 0 && streamer_json_blank(line[length - 1])) length--;
    while (length > 0 && streamer_json_blank(*line)) line++, length--;
    if (length == 0) return STREAMER_MISSING;
    if (length > lines->scrubbed.limit) return STREAMER_EVENT_TOO_LARGE;
    return streamer_data_event(event, &lines->scrubbed, line, length);
}

static enum streamer_status next(struct streamer_decoder *decoder, const char **cursor, const char *end,
                                 struct streamer_event *event) {
    struct lines *lines = (struct lines *)decoder;
    enum streamer_status status = STREAMER_MISSING;
    while (status == STREAMER_MISSING) {
        forget_event(lines);
        const char *line = *cursor;
        if (line == end) return STREAMER_MORE;
        const char *line_end = memchr(line, '\n', (size_t)(end - line));
        if (line_end == NULL) {
            *cursor = end;
            status = carry(lines, line, (size_t)(end - line));
            return status == STREAMER_OK ? STREAMER_MORE : status;
        }
        *cursor = line_end + 1;
        size_t length = (size_t)(line_end - line);
        if (length > lines->line.limit) return STREAMER_LINE_TOO_LONG;
        if (lines->line.length > 0) {
            status = carry(lines, line, length);
            if (status != STREAMER_OK) return status;
            lines->line_over = true;
            line = lines->line.bytes;
            length = lines->line.length;
        }
        status = take_line(lines, line, length, event);
    }
    return status;
}

static enum streamer_status finish(struct streamer_decoder *decoder, struct streamer_event *event) {
    struct lines *lines = (struct lines *)decoder;
    forget_event(lines);
    lines->line_over = true;
    enum streamer_status status = take_line(lines, lines->line.bytes, lines->line.length, event);
    if (status == STREAMER_MISSING) return STREAMER_MORE;
    bool whole = status != STREAMER_EVENT || streamer_json_scan_whole(event->data, event->data_length);
    return whole ? status : STREAMER_TRUNCATED;
}

static void free_lines(struct streamer_decoder *decoder) {
    struct lines *lines = (struct lines *)decoder;
    streamer_buffer_release(&lines->line);
    streamer_buffer_release(&lines->scrubbed);
    streamer_free(lines);
}

static size_t size(const struct streamer_decoder *decoder) {
    const struct lines *lines = (const struct lines *)decoder;
    return sizeof *lines + lines->line.capacity + lines->scrubbed.capacity;
}

static const struct streamer_decoder_vtable vtable = {STREAMER_FORMAT_NDJSON, next, finish, free_lines, size};

struct streamer_decoder *streamer_lines_decoder_new(size_t max_line, size_t max_event) {
    struct lines *lines = streamer_malloc(sizeof *lines);
    if (lines == NULL) return NULL;
    *lines = (struct lines){.base = {.vtable = &vtable}};
    streamer_buffer_init(&lines->line, max_line);
    streamer_buffer_init(&lines->scrubbed, max_event);
    return &lines->base;
}
