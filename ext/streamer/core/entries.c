#include "entries.h"

#include <string.h>

#include "alloc.h"
#include "ceilings.h"

/* All that one read can add: an event at its ceiling, and an event of as many empty lines has six bytes for each. */
#define MAX_ADDED (8 * STREAMER_MAX_EVENT)

enum { MAX_NAMES = 4096 };

static enum streamer_status copy_names(struct streamer_entries *entries, const char *const *names,
                                       const size_t *lengths, size_t count) {
    for (size_t i = 0; i < count; i++) {
        enum streamer_status status =
            streamer_buffer_append(&entries->reserved, (const char *)&lengths[i], sizeof lengths[i]);
        if (status == STREAMER_OK) status = streamer_buffer_append(&entries->reserved, names[i], lengths[i]);
        if (status != STREAMER_OK) return status == STREAMER_FULL ? STREAMER_FIELD_INVALID : status;
    }
    return STREAMER_OK;
}

static enum streamer_status find_content(struct streamer_entries *entries) {
    const char *path = STREAMER_ENTRY_TEXT;
    size_t length = strlen(path);
    return streamer_extractor_new(&entries->content,
                                  &(struct streamer_extractor_options){.paths = &path, .lengths = &length, .count = 1});
}

enum streamer_status streamer_entries_new(struct streamer_entries **entries, const char *const *reserved,
                                          const size_t *lengths, size_t count) {
    struct streamer_entries *created = streamer_malloc(sizeof *created);
    if (created == NULL) return STREAMER_NO_MEMORY;
    created->content = NULL;
    streamer_buffer_init(&created->reserved, MAX_NAMES);
    streamer_buffer_init(&created->type, MAX_NAMES);
    streamer_buffer_init(&created->text, MAX_ADDED);
    streamer_buffer_init(&created->others, MAX_ADDED);
    enum streamer_status status = copy_names(created, reserved, lengths, count);
    if (status == STREAMER_OK) status = find_content(created);
    if (status != STREAMER_OK) {
        streamer_entries_free(created);
        return status;
    }
    *entries = created;
    return STREAMER_OK;
}

void streamer_entries_free(struct streamer_entries *entries) {
    if (entries == NULL) return;
    streamer_extractor_free(entries->content);
    streamer_buffer_release(&entries->reserved);
    streamer_buffer_release(&entries->type);
    streamer_buffer_release(&entries->text);
    streamer_buffer_release(&entries->others);
    streamer_free(entries);
}

static bool is_reserved(const struct streamer_entries *entries, const char *type, size_t length) {
    if (entries->reserved.length == 0) return false;
    const char *at = entries->reserved.bytes, *end = at + entries->reserved.length;
    while (at < end) {
        size_t size;
        memcpy(&size, at, sizeof size);
        at += sizeof size;
        if (size == length && memcmp(at, type, length) == 0) return true;
        at += size;
    }
    return false;
}

enum streamer_status streamer_entries_name(struct streamer_entries *entries, struct streamer_frame *frame,
                                           const char *type, size_t length) {
    frame->event = type;
    frame->event_length = length;
    if (!is_reserved(entries, type, length)) return STREAMER_OK;
    streamer_buffer_clear(&entries->type);
    enum streamer_status status =
        streamer_buffer_append(&entries->type, STREAMER_ENTRY_PREFIX, strlen(STREAMER_ENTRY_PREFIX));
    if (status == STREAMER_OK) status = streamer_buffer_append(&entries->type, type, length);
    frame->event = entries->type.bytes;
    frame->event_length = entries->type.length;
    return status == STREAMER_FULL ? STREAMER_FIELD_INVALID : status;
}

enum streamer_status streamer_entries_find(struct streamer_entries *entries, const char *data, size_t length,
                                           struct streamer_value *text) {
    *text = (struct streamer_value){.kind = STREAMER_KIND_NONE};
    enum streamer_status status = streamer_extractor_read(entries->content, data, length, text);
    if (status == STREAMER_NO_MEMORY) return status;
    if (status != STREAMER_OK || text->kind != STREAMER_KIND_STRING) text->kind = STREAMER_KIND_NONE;
    return STREAMER_OK;
}

enum streamer_status streamer_entries_wrap(struct streamer_buffer *buffer, const char *text, size_t length) {
    static const char before[] = "{\"" STREAMER_ENTRY_TEXT "\":";
    streamer_buffer_clear(buffer);
    enum streamer_status status = streamer_buffer_append(buffer, before, strlen(before));
    if (status == STREAMER_OK) status = streamer_encode_json_string(buffer, text, length);
    return status == STREAMER_OK ? streamer_buffer_append(buffer, "}", 1) : status;
}

enum streamer_status streamer_entries_add(struct streamer_entries *entries, const struct streamer_value *text,
                                          const char *frame, size_t length) {
    enum streamer_status status = text != NULL && text->kind == STREAMER_KIND_STRING
                                      ? streamer_value_text(text, &entries->text)
                                      : streamer_buffer_append(&entries->others, frame, length);
    return status == STREAMER_FULL ? STREAMER_EVENT_TOO_LARGE : status;
}

size_t streamer_entries_size(const struct streamer_entries *entries) {
    return sizeof *entries + streamer_extractor_size(entries->content) + entries->reserved.capacity +
           entries->type.capacity + entries->text.capacity + entries->others.capacity;
}
