#include "decode.h"

#include <string.h>

#include "ceilings.h"
#include "decoder.h"
#include "json_scan.h"
#include "utf8.h"

static const char bom[STREAMER_BOM] = {'\xEF', '\xBB', '\xBF'};

/* Whether it is this name, in lower case, in either case and with "-" or "_" between its letters. */
static bool is_named(const char *type, size_t length, const char *name) {
    for (size_t i = 0; i < length; i++) {
        if (type[i] == '-' || type[i] == '_') continue;
        char letter = type[i] >= 'A' && type[i] <= 'Z' ? (char)(type[i] - 'A' + 'a') : type[i];
        if (letter != *name) return false; /* also at its end */
        name++;
    }
    return *name == '\0';
}

static bool is_keep_alive_type(const char *type, size_t length) {
    if (length == strlen("message") && memcmp(type, "message", length) == 0) return false; /* as most are */
    return is_named(type, length, "ping") || is_named(type, length, "heartbeat") || is_named(type, length, "keepalive");
}

/* {"type":"ping"}: such a type, where the `event` line did not come through. */
static bool is_keep_alive_object(const char *data, size_t length) {
    static const char before[] = "{\"type\":\"", after[] = "\"}";
    char compact[48];
    size_t size = 0;
    for (size_t i = 0; i < length; i++) {
        if (streamer_json_blank(data[i])) continue;
        if (size == sizeof compact || (size < strlen(before) && data[i] != before[size])) return false;
        compact[size++] = data[i];
    }
    if (size < strlen(before) + strlen(after)) return false;
    size_t type = size - strlen(before) - strlen(after);
    return memcmp(compact + strlen(before) + type, after, strlen(after)) == 0 &&
           is_keep_alive_type(compact + strlen(before), type);
}

bool streamer_event_is_content(const struct streamer_event *event) {
    const char *data = event->data;
    size_t length = event->data_length, blank = 0;
    while (blank < length && streamer_json_blank(data[blank])) blank++;
    return blank < length && !is_keep_alive_type(event->type, event->type_length) &&
           !is_keep_alive_object(data, length);
}

struct streamer_decoder *streamer_decoder_new(enum streamer_format format, size_t max_line, size_t max_event) {
    if (max_line == 0) max_line = STREAMER_MAX_LINE;
    if (max_event == 0) max_event = STREAMER_MAX_EVENT;
    switch (format) {
        case STREAMER_FORMAT_NDJSON: return streamer_lines_decoder_new(max_line, max_event);
        case STREAMER_FORMAT_JSON: return streamer_json_decoder_new(max_event);
        case STREAMER_FORMAT_TEXT: return streamer_text_decoder_new(max_event);
        case STREAMER_FORMAT_SNIFFED: return streamer_sniffed_decoder_new(max_line, max_event);
        case STREAMER_FORMAT_SSE: break;
    }
    return streamer_sse_decoder_new(max_line, max_event);
}

void streamer_decoder_free(struct streamer_decoder *decoder) {
    if (decoder != NULL) decoder->vtable->free(decoder);
}

static enum streamer_status noted(struct streamer_decoder *decoder, enum streamer_status status) {
    if (status != STREAMER_EVENT && status != STREAMER_MORE) decoder->failure = status;
    return status;
}

/* What turns out to be only the beginning of a BOM belongs to the body; too little of it to complete an event. */
static enum streamer_status give_back(struct streamer_decoder *decoder, struct streamer_event *event) {
    const char *cursor = bom, *end = bom + decoder->bom_matched;
    decoder->bom_matched = STREAMER_BOM;
    return decoder->vtable->next(decoder, &cursor, end, event);
}

/* STREAMER_OK once the body itself can be read. */
static enum streamer_status skip_bom(struct streamer_decoder *decoder, const char **cursor, const char *end,
                                     struct streamer_event *event) {
    while (decoder->bom_matched < STREAMER_BOM) {
        if (*cursor == end) return STREAMER_MORE;
        if (**cursor != bom[decoder->bom_matched]) {
            enum streamer_status status = give_back(decoder, event);
            return status == STREAMER_MORE ? STREAMER_OK : status;
        }
        decoder->bom_matched++;
        ++*cursor;
    }
    decoder->skipped += STREAMER_BOM;
    return STREAMER_OK;
}

enum streamer_status streamer_decoder_next(struct streamer_decoder *decoder, const char **cursor, const char *end,
                                           struct streamer_event *event) {
    if (decoder->failure != STREAMER_OK) return decoder->failure;
    if (decoder->bom_matched < STREAMER_BOM) {
        enum streamer_status status = skip_bom(decoder, cursor, end, event);
        if (status != STREAMER_OK) return noted(decoder, status);
    }
    return noted(decoder, decoder->vtable->next(decoder, cursor, end, event));
}

enum streamer_status streamer_decoder_finish(struct streamer_decoder *decoder, struct streamer_event *event) {
    if (decoder->failure != STREAMER_OK) return decoder->failure;
    if (decoder->bom_matched < STREAMER_BOM) {
        enum streamer_status status = give_back(decoder, event);
        if (status != STREAMER_MORE) return noted(decoder, status);
    }
    return noted(decoder, decoder->vtable->finish(decoder, event));
}

/* Behind a sniffed one, what it turned out to be. */
static const struct streamer_decoder *actual(const struct streamer_decoder *decoder) {
    return decoder->vtable->format == STREAMER_FORMAT_SNIFFED ? streamer_sniffed_inner(decoder) : decoder;
}

enum streamer_format streamer_decoder_format(const struct streamer_decoder *decoder) {
    return actual(decoder)->vtable->format;
}

enum streamer_status streamer_decoder_resume(struct streamer_decoder *decoder, const char *id, size_t length) {
    if (decoder->vtable->format != STREAMER_FORMAT_SSE) return STREAMER_OK;
    return streamer_sse_resume(decoder, id, length);
}

const char *streamer_decoder_last_event_id(const struct streamer_decoder *decoder, size_t *length) {
    decoder = actual(decoder);
    if (decoder->vtable->format == STREAMER_FORMAT_SSE) return streamer_sse_last_event_id(decoder, length);
    *length = 0;
    return "";
}

int64_t streamer_decoder_retry(const struct streamer_decoder *decoder) {
    decoder = actual(decoder);
    return decoder->vtable->format == STREAMER_FORMAT_SSE ? streamer_sse_retry(decoder) : -1;
}

size_t streamer_decoder_skipped(const struct streamer_decoder *decoder) {
    return decoder->skipped;
}

const char *streamer_decoder_settled(const struct streamer_decoder *decoder) {
    decoder = actual(decoder);
    return decoder->vtable->format == STREAMER_FORMAT_SSE ? streamer_sse_settled(decoder) : NULL;
}

bool streamer_decoder_document(const struct streamer_decoder *decoder) {
    decoder = actual(decoder);
    return decoder->vtable->format == STREAMER_FORMAT_JSON && streamer_json_document(decoder);
}

size_t streamer_decoder_size(const struct streamer_decoder *decoder) {
    return decoder->vtable->size(decoder);
}

enum streamer_status streamer_data_event(struct streamer_event *event, struct streamer_buffer *scrubbed,
                                         const char *data, size_t length) {
    if (!streamer_utf8_valid(data, length)) {
        enum streamer_status status = streamer_utf8_scrub(scrubbed, data, length);
        if (status != STREAMER_OK) return status == STREAMER_FULL ? STREAMER_EVENT_TOO_LARGE : status;
        data = scrubbed->bytes;
        length = scrubbed->length;
    }
    *event = (struct streamer_event){"message", strlen("message"), data, length, "", 0};
    return STREAMER_EVENT;
}
