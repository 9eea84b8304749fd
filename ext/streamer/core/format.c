#include "format.h"

#include <string.h>

#include "fields.h"
#include "media_type.h"

/* `*name` stands for every type that ends with it: RFC 6839's structured suffixes. The first match counts. */
static const struct {
    const char *name;
    enum streamer_format format;
} types[] = {
    {"", STREAMER_FORMAT_SNIFFED}, /* none is known */
    /* Some APIs put the error of a request that was to be streamed under this type, too. */
    {"text/event-stream", STREAMER_FORMAT_SNIFFED},
    {"application/json", STREAMER_FORMAT_JSON},
    {"application/x-ndjson", STREAMER_FORMAT_NDJSON},
    {"application/ndjson", STREAMER_FORMAT_NDJSON},
    {"application/jsonl", STREAMER_FORMAT_NDJSON},
    {"application/x-jsonl", STREAMER_FORMAT_NDJSON},
    {"application/jsonlines", STREAMER_FORMAT_NDJSON},
    {"application/x-jsonlines", STREAMER_FORMAT_NDJSON},
    {"application/json-lines", STREAMER_FORMAT_NDJSON},
    {"application/stream+json", STREAMER_FORMAT_NDJSON},
    {"application/x-stream+json", STREAMER_FORMAT_NDJSON},
    {"text/plain", STREAMER_FORMAT_TEXT},
    {"text/json", STREAMER_FORMAT_JSON},
    {"*+json", STREAMER_FORMAT_JSON},
};

static bool ends_with(const struct streamer_media_type *type, const char *suffix) {
    size_t length = strlen(suffix);
    return type->essence_length > length && memcmp(type->essence + type->essence_length - length, suffix, length) == 0;
}

static bool format_of(const struct streamer_media_type *type, enum streamer_format *format) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const char *name = types[i].name;
        if (*name == '*' ? !ends_with(type, name + 1) : !streamer_media_type_is(type, name)) continue;
        *format = types[i].format;
        return true;
    }
    return false;
}

bool streamer_format_of_fields(const struct streamer_buffer *fields, enum streamer_format *format) {
    struct streamer_media_type type;
    streamer_fields_content_type(fields, &type);
    return format_of(&type, format);
}

bool streamer_format_of_type(const char *value, size_t length, enum streamer_format *format) {
    struct streamer_media_type type;
    streamer_media_type_extract((struct streamer_span){value, length}, &type);
    return format_of(&type, format);
}
