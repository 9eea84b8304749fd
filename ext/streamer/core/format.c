#include "format.h"

#include <string.h>
#include <strings.h>

/* `*name` stands for every type that ends with it: RFC 6839's structured suffixes. The first match counts. */
static const struct {
    const char *name;
    enum streamer_format format;
} types[] = {
    {"", STREAMER_FORMAT_SNIFFED},
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

bool streamer_format_of_type(const char *type, size_t length, enum streamer_format *format) {
    const char *semicolon = length > 0 ? memchr(type, ';', length) : NULL;
    if (semicolon != NULL) length = (size_t)(semicolon - type);
    while (length > 0 && (type[length - 1] == ' ' || type[length - 1] == '\t')) length--;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const char *name = types[i].name, *compared = type;
        bool suffix = *name == '*';
        name += suffix;
        size_t wanted = strlen(name);
        if (length < wanted || (!suffix && length != wanted)) continue;
        compared += length - wanted;
        if (wanted > 0 && strncasecmp(name, compared, wanted) != 0) continue;
        *format = types[i].format;
        return true;
    }
    return false;
}
