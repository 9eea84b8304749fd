#include "encode.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ceilings.h"
#include "json.h"

/* A line of text at *cursor without its end; moves *cursor behind the end. False once all is read. Text that ends in a
 * line end has one more, empty, line, and empty text has one: *cursor is NULL when nothing is left. */
static bool next_line(const char **cursor, const char *end, const char **line, size_t *length) {
    if (*cursor == NULL) return false;
    const char *stop = *cursor;
    while (stop < end && *stop != '\n' && *stop != '\r') stop++;
    *line = *cursor;
    *length = (size_t)(stop - *cursor);
    if (stop == end) {
        *cursor = NULL;
    } else {
        bool pair = *stop == '\r' && end - stop > 1 && stop[1] == '\n';
        *cursor = stop + (pair ? 2 : 1);
    }
    return true;
}

static size_t field_size(size_t name_length, size_t length) {
    return name_length + (length > 0 ? 2 : 1) + length + 1;
}

static char *put(char *out, const char *bytes, size_t length) {
    if (length > 0) memcpy(out, bytes, length);
    return out + length;
}

static char *put_field(char *out, const char *name, const char *value, size_t length) {
    out = put(out, name, strlen(name));
    *out++ = ':';
    if (length > 0) *out++ = ' ';
    out = put(out, value, length);
    *out++ = '\n';
    return out;
}

static size_t lines_size(size_t name_length, const char *text, size_t length) {
    const char *cursor = length > 0 ? text : "", *end = cursor + length, *line;
    size_t size = 0, line_length;
    while (next_line(&cursor, end, &line, &line_length)) size += field_size(name_length, line_length);
    return size;
}

static char *put_lines(char *out, const char *name, const char *text, size_t length) {
    const char *cursor = length > 0 ? text : "", *end = cursor + length, *line;
    size_t line_length;
    while (next_line(&cursor, end, &line, &line_length)) out = put_field(out, name, line, line_length);
    return out;
}

/* The longest int64_t has 19 digits; a sign cannot occur, the terminator can. */
struct digits {
    char text[24];
    size_t length;
};

static struct digits decimal(int64_t number) {
    struct digits digits;
    digits.length = (size_t)snprintf(digits.text, sizeof digits.text, "%" PRId64, number);
    return digits;
}

size_t streamer_frame_size(const struct streamer_frame *frame) {
    size_t size = 1;
    if (frame->event != NULL) size += field_size(strlen("event"), frame->event_length);
    if (frame->id != NULL) size += field_size(strlen("id"), frame->id_length);
    if (frame->retry >= 0) size += field_size(strlen("retry"), decimal(frame->retry).length);
    if (frame->data != NULL) size += lines_size(strlen("data"), frame->data, frame->data_length);
    return size;
}

size_t streamer_frame_write(const struct streamer_frame *frame, char *out) {
    char *start = out;
    if (frame->event != NULL) out = put_field(out, "event", frame->event, frame->event_length);
    if (frame->id != NULL) out = put_field(out, "id", frame->id, frame->id_length);
    if (frame->retry >= 0) {
        struct digits retry = decimal(frame->retry);
        out = put_field(out, "retry", retry.text, retry.length);
    }
    if (frame->data != NULL) out = put_lines(out, "data", frame->data, frame->data_length);
    *out++ = '\n';
    return (size_t)(out - start);
}

static bool field_valid(const char *value, size_t length) {
    if (value == NULL) return true;
    if (length > STREAMER_MAX_FIELD) return false;
    for (size_t i = 0; i < length; i++) {
        if (value[i] == '\r' || value[i] == '\n' || value[i] == '\0') return false;
    }
    return true;
}

enum streamer_status streamer_encode_frame(struct streamer_buffer *buffer, const struct streamer_frame *frame) {
    if (!field_valid(frame->event, frame->event_length)) return STREAMER_FIELD_INVALID;
    if (!field_valid(frame->id, frame->id_length)) return STREAMER_FIELD_INVALID;
    enum streamer_status status = streamer_buffer_reserve(buffer, streamer_frame_size(frame));
    if (status != STREAMER_OK) return status;
    buffer->length += streamer_frame_write(frame, buffer->bytes + buffer->length);
    return STREAMER_OK;
}

enum streamer_status streamer_encode_comment(struct streamer_buffer *buffer, const char *text, size_t length) {
    enum streamer_status status = streamer_buffer_reserve(buffer, lines_size(0, text, length) + 1);
    if (status != STREAMER_OK) return status;
    char *end = put_lines(buffer->bytes + buffer->length, "", text, length);
    *end++ = '\n';
    buffer->length = (size_t)(end - buffer->bytes);
    return STREAMER_OK;
}

enum streamer_status streamer_encode_json_string(struct streamer_buffer *buffer, const char *text, size_t length) {
    enum streamer_status status = streamer_buffer_reserve(buffer, streamer_json_escaped_length(text, length) + 2);
    if (status != STREAMER_OK) return status;
    char *out = buffer->bytes + buffer->length;
    size_t written = 0;
    out[written++] = '"';
    written += streamer_json_escape(out + written, text, length);
    out[written++] = '"';
    buffer->length += written;
    return STREAMER_OK;
}
