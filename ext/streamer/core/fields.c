#include "fields.h"

#include <string.h>

#include "http_syntax.h"

static bool is_value(struct streamer_span value) {
    for (size_t i = 0; i < value.length; i++) {
        if (value.bytes[i] == '\r' || value.bytes[i] == '\n' || value.bytes[i] == '\0') return false;
    }
    return true;
}

enum streamer_status streamer_fields_add(struct streamer_buffer *fields, const char *name, size_t name_length,
                                         const char *value, size_t value_length) {
    struct streamer_span trimmed = streamer_http_trim((struct streamer_span){value, value_length});
    if (!streamer_http_token((struct streamer_span){name, name_length}) || !is_value(trimmed)) {
        return STREAMER_HEADER_INVALID;
    }
    enum streamer_status status = streamer_buffer_reserve(fields, name_length + trimmed.length + strlen(": \n"));
    if (status == STREAMER_FULL) return STREAMER_HEADERS_TOO_LARGE;
    if (status != STREAMER_OK) return status;

    char *out = fields->bytes + fields->length;
    for (size_t i = 0; i < name_length; i++) *out++ = streamer_http_lower(name[i]);
    *out++ = ':';
    *out++ = ' ';
    if (trimmed.length > 0) memcpy(out, trimmed.bytes, trimmed.length);
    out += trimmed.length;
    *out++ = '\n';
    fields->length = (size_t)(out - fields->bytes);
    return STREAMER_OK;
}

size_t streamer_fields_count(const struct streamer_buffer *fields) {
    size_t count = 0;
    for (size_t i = 0; i < fields->length; i++) count += fields->bytes[i] == '\n';
    return count;
}

bool streamer_fields_each(const struct streamer_buffer *fields, size_t *cursor, struct streamer_span *name,
                          struct streamer_span *value) {
    if (*cursor == fields->length) return false;
    const char *line = fields->bytes + *cursor;
    size_t length = (size_t)((const char *)memchr(line, '\n', fields->length - *cursor) - line);
    *name = (struct streamer_span){line, (size_t)((const char *)memchr(line, ':', length) - line)};
    size_t before = name->length + strlen(": ");
    *value = (struct streamer_span){line + before, length - before};
    *cursor += length + 1;
    return true;
}

bool streamer_fields_next(const struct streamer_buffer *fields, const char *name, size_t *cursor,
                          struct streamer_span *value) {
    size_t length = strlen(name);
    struct streamer_span found;
    while (streamer_fields_each(fields, cursor, &found, value)) {
        if (found.length == length && memcmp(found.bytes, name, length) == 0) return true;
    }
    return false;
}

bool streamer_fields_next_member(const struct streamer_buffer *fields, const char *name,
                                 struct streamer_fields_list *list, struct streamer_span *member) {
    while (!streamer_http_next_member(&list->rest, &list->quoted, member)) {
        if (!streamer_fields_next(fields, name, &list->cursor, &list->rest)) return false;
    }
    return true;
}

bool streamer_fields_include(const struct streamer_buffer *fields, const char *name, const char *member) {
    struct streamer_fields_list list = {0};
    struct streamer_span found;
    while (streamer_fields_next_member(fields, name, &list, &found)) {
        if (streamer_http_equals(found, member)) return true;
    }
    return false;
}

bool streamer_fields_content_type(const struct streamer_buffer *fields, struct streamer_media_type *type) {
    struct streamer_fields_list list = {0};
    struct streamer_span member;
    *type = (struct streamer_media_type){0};
    while (streamer_fields_next_member(fields, "content-type", &list, &member)) streamer_media_type_add(type, member);
    return type->essence_length > 0;
}

bool streamer_fields_is_identity(const struct streamer_buffer *fields) {
    struct streamer_fields_list list = {0};
    struct streamer_span coding;
    while (streamer_fields_next_member(fields, "content-encoding", &list, &coding)) {
        if (!streamer_http_equals(coding, "identity") && !streamer_http_equals(coding, "none")) return false;
    }
    return true;
}
