#include "list.h"

#include <string.h>

/* A bracket or comma, two quotes and the bracket at the end. */
enum { AROUND = 4 };

void streamer_list_init(struct streamer_list *list, bool joined, size_t max_size) {
    *list = (struct streamer_list){.joined = joined};
    streamer_buffer_init(&list->text, max_size + AROUND);
}

void streamer_list_clear(struct streamer_list *list) {
    streamer_buffer_clear(&list->text);
    list->count = 0;
}

void streamer_list_release(struct streamer_list *list) {
    streamer_buffer_release(&list->text);
}

enum streamer_status streamer_list_append(struct streamer_list *list, const struct streamer_value *value) {
    bool string = value->kind == STREAMER_KIND_STRING;
    if (value->kind == STREAMER_KIND_NULL || (list->joined && !string)) return STREAMER_OK;
    struct streamer_buffer *text = &list->text;
    enum streamer_status status = streamer_buffer_reserve(text, value->length + AROUND);
    if (status != STREAMER_OK) return status == STREAMER_FULL ? STREAMER_JSON_TOO_LARGE : status;

    char *out = text->bytes + text->length;
    if (!list->joined) *out++ = list->count == 0 ? '[' : ',';
    if (!list->joined && string) *out++ = '"';
    if (value->length > 0) memcpy(out, value->json, value->length);
    out += value->length;
    if (!list->joined && string) *out++ = '"';
    text->length = (size_t)(out - text->bytes);
    list->count++;
    return STREAMER_OK;
}

struct streamer_list_mark streamer_list_mark(const struct streamer_list *list) {
    return (struct streamer_list_mark){list->text.length, list->count};
}

void streamer_list_cut(struct streamer_list *list, struct streamer_list_mark mark) {
    list->text.length = mark.length;
    list->count = mark.count;
}

struct streamer_value streamer_list_value(struct streamer_list *list) {
    struct streamer_buffer *text = &list->text;
    if (list->count == 0) return (struct streamer_value){0};
    if (list->joined) {
        bool escaped = memchr(text->bytes, '\\', text->length) != NULL;
        return (struct streamer_value){STREAMER_KIND_STRING, text->bytes, text->length, escaped};
    }
    text->bytes[text->length++] = ']'; /* append has left room for it */
    return (struct streamer_value){STREAMER_KIND_CONTAINER, text->bytes, text->length, false};
}
