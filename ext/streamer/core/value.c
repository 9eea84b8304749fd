#include "value.h"

#include <string.h>

#include "json.h"

bool streamer_value_is_text(const struct streamer_value *value) {
    return value->kind == STREAMER_KIND_STRING && value->length > 0;
}

enum streamer_status streamer_value_text(const struct streamer_value *value, struct streamer_buffer *buffer) {
    if (value->kind != STREAMER_KIND_STRING || !value->escaped) {
        return streamer_buffer_append(buffer, value->json, value->length);
    }
    enum streamer_status status = streamer_buffer_reserve(buffer, value->length);
    if (status != STREAMER_OK) return status;
    buffer->length += streamer_json_unescape(buffer->bytes + buffer->length, value->json, value->length);
    return STREAMER_OK;
}

size_t streamer_value_json(const struct streamer_value *value, char *out) {
    if (value->kind == STREAMER_KIND_CONTAINER) return streamer_json_compact(out, value->json, value->length);
    if (value->kind != STREAMER_KIND_STRING) {
        memcpy(out, value->json, value->length);
        return value->length;
    }
    size_t written = 0;
    out[written++] = '"';
    if (value->escaped) {
        written += streamer_json_normalize(out + written, value->json, value->length);
    } else {
        memcpy(out + written, value->json, value->length);
        written += value->length;
    }
    out[written++] = '"';
    return written;
}
