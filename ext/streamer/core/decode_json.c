/* JSON: each element of an array is an event as soon as it is complete, not first when the next comma comes; anything
 * else is a document, and one event. Several of them, one behind the other, are one event each: some servers send
 * NDJSON under this name.
 *
 * It finds where values begin and end and is no validator: commas are not counted, and what is within a value is for
 * whoever reads it. */
#include <string.h>

#include "alloc.h"
#include "decoder.h"
#include "json_scan.h"

struct json {
    struct streamer_decoder base;
    struct streamer_json_scan scan;
    bool in_array;
    bool in_value;
    bool value_over; /* `value` was handed out */
    bool document;
    struct streamer_buffer value;    /* the start of one that the last read's end cut */
    struct streamer_buffer scrubbed; /* the data, where it was ill-formed */
};

static void forget_event(struct json *json) {
    if (json->value_over) streamer_buffer_clear(&json->value);
    json->value_over = false;
    streamer_buffer_clear(&json->scrubbed);
}

static enum streamer_status carry(struct json *json, const char *bytes, size_t length) {
    enum streamer_status status = streamer_buffer_append(&json->value, bytes, length);
    return status == STREAMER_FULL ? STREAMER_EVENT_TOO_LARGE : status;
}

/* Reads what stands between values. STREAMER_OK when one begins at *cursor. */
static enum streamer_status find_value(struct json *json, const char **cursor, const char *end) {
    for (; *cursor < end; ++*cursor) {
        char byte = **cursor;
        if (streamer_json_blank(byte)) continue;
        if (json->in_array && byte == ',') continue;
        if (json->in_array && byte == ']') {
            json->in_array = false;
        } else if (!json->in_array && byte == '[') {
            json->in_array = true;
        } else {
            if (!streamer_json_scan_begin(&json->scan, byte)) return STREAMER_JSON_INVALID;
            json->in_value = true;
            json->document |= !json->in_array;
            return STREAMER_OK;
        }
    }
    return STREAMER_MORE;
}

/* The value that ends with these bytes. */
static enum streamer_status take_value(struct json *json, const char *bytes, size_t length,
                                       struct streamer_event *event) {
    json->in_value = false;
    if (json->value.length > 0) {
        enum streamer_status status = carry(json, bytes, length);
        if (status != STREAMER_OK) return status;
        json->value_over = true;
        bytes = json->value.bytes;
        length = json->value.length;
    }
    if (length > json->value.limit) return STREAMER_EVENT_TOO_LARGE;
    return streamer_data_event(event, &json->scrubbed, bytes, length);
}

static enum streamer_status next(struct streamer_decoder *decoder, const char **cursor, const char *end,
                                 struct streamer_event *event) {
    struct json *json = (struct json *)decoder;
    forget_event(json);
    if (!json->in_value) {
        enum streamer_status status = find_value(json, cursor, end);
        if (status != STREAMER_OK) return status;
    }
    const char *start = *cursor;
    bool over = streamer_json_scan_read(&json->scan, cursor, end);
    if (over) return take_value(json, start, (size_t)(*cursor - start), event);
    enum streamer_status status = carry(json, start, (size_t)(end - start));
    return status == STREAMER_OK ? STREAMER_MORE : status;
}

static enum streamer_status finish(struct streamer_decoder *decoder, struct streamer_event *event) {
    struct json *json = (struct json *)decoder;
    forget_event(json);
    if (json->in_array || (json->in_value && !json->scan.scalar)) return STREAMER_TRUNCATED;
    return json->in_value ? take_value(json, "", 0, event) : STREAMER_MORE;
}

static void free_json(struct streamer_decoder *decoder) {
    struct json *json = (struct json *)decoder;
    streamer_buffer_release(&json->value);
    streamer_buffer_release(&json->scrubbed);
    streamer_free(json);
}

static size_t size(const struct streamer_decoder *decoder) {
    const struct json *json = (const struct json *)decoder;
    return sizeof *json + json->value.capacity + json->scrubbed.capacity;
}

static const struct streamer_decoder_vtable vtable = {STREAMER_FORMAT_JSON, next, finish, free_json, size};

struct streamer_decoder *streamer_json_decoder_new(size_t max_event) {
    struct json *json = streamer_malloc(sizeof *json);
    if (json == NULL) return NULL;
    *json = (struct json){.base = {.vtable = &vtable}};
    streamer_buffer_init(&json->value, max_event);
    streamer_buffer_init(&json->scrubbed, max_event);
    return &json->base;
}

bool streamer_json_document(const struct streamer_decoder *decoder) {
    return ((const struct json *)decoder)->document;
}
