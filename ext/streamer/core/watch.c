#define _GNU_SOURCE /* memmem */
#include "watch.h"

#include <string.h>

#include "alloc.h"
#include "extract.h"
#include "json_scan.h"

struct text {
    const char *bytes;
    size_t length;
};

struct streamer_watch {
    bool has_done;
    bool required;
    bool done;
    struct text marker;
    struct streamer_extractor *last;  /* NULL: no value marks the end */
    struct streamer_extractor *error; /* NULL: events are never errors */
    struct text first_key;            /* of the way to an error, with its quotes */
    struct text last_key;
    size_t heap; /* bytes of this piece, with the texts behind it */
    size_t type_count;
    struct text types[];
};

static struct text copy(char **to, const char *bytes, size_t length) {
    struct text text = {*to, length};
    if (length > 0) memcpy(*to, bytes, length);
    *to += length;
    return text;
}

static struct text quoted(char **to, const char *bytes, size_t length) {
    struct text text = {*to, length + 2};
    *(*to)++ = '"';
    copy(to, bytes, length);
    *(*to)++ = '"';
    return text;
}

static enum streamer_status compile_error(struct streamer_watch *watch, const struct streamer_watch_options *options,
                                          char **texts) {
    if (options->error == NULL) return STREAMER_OK;
    const char *path = options->error, *end = path + options->error_length, *last = end;
    enum streamer_status status =
        streamer_extractor_new(&watch->error, &options->error, &options->error_length, 1, 0, 0);
    if (status != STREAMER_OK) return status;
    const char *dot = memchr(path, '.', options->error_length);
    watch->first_key = quoted(texts, path, (size_t)((dot != NULL ? dot : end) - path));
    while (last > path && last[-1] != '.') last--;
    watch->last_key = quoted(texts, last, (size_t)(end - last));
    return STREAMER_OK;
}

enum streamer_status streamer_watch_new(struct streamer_watch **watch, const struct streamer_watch_options *options) {
    /* One piece: the watch with its types, then all texts. */
    size_t length = options->done_type_count * sizeof(struct text) + options->done_length;
    if (options->error != NULL) length += 2 * (options->error_length + 2);
    bool fits = options->done_length <= STREAMER_MAX_FIELD && options->done_type_count <= STREAMER_MAX_MARKERS;
    for (size_t i = 0; fits && i < options->done_type_count; i++) {
        fits = options->done_type_lengths[i] <= STREAMER_MAX_FIELD;
        length += options->done_type_lengths[i];
    }
    if (!fits) return STREAMER_FIELD_INVALID;
    struct streamer_watch *created = streamer_malloc(sizeof *created + length);
    if (created == NULL) return STREAMER_NO_MEMORY;
    *created = (struct streamer_watch){.has_done = options->done != NULL,
                                       .required = options->done_required,
                                       .type_count = options->done_type_count,
                                       .heap = sizeof *created + length};
    char *texts = (char *)(created->types + created->type_count);
    created->marker = copy(&texts, options->done, options->done_length);
    for (size_t i = 0; i < created->type_count; i++) {
        created->types[i] = copy(&texts, options->done_types[i], options->done_type_lengths[i]);
    }
    enum streamer_status status = compile_error(created, options, &texts);
    if (status == STREAMER_OK && options->done_path != NULL) {
        status = streamer_extractor_new(&created->last, &options->done_path, &options->done_path_length, 1, 0, 0);
    }
    if (status != STREAMER_OK) {
        streamer_watch_free(created);
        return status;
    }
    *watch = created;
    return STREAMER_OK;
}

void streamer_watch_free(struct streamer_watch *watch) {
    if (watch == NULL) return;
    streamer_extractor_free(watch->last);
    streamer_extractor_free(watch->error);
    streamer_free(watch);
}

static bool same(struct text text, const char *bytes, size_t length) {
    return text.length == length && (length == 0 || memcmp(text.bytes, bytes, length) == 0);
}

/* Whether the path leads to anything but null, false and "". */
static bool has_something(struct streamer_extractor *extractor, const struct streamer_event *event) {
    struct streamer_value value;
    enum streamer_status status = streamer_extractor_read(extractor, event->data, event->data_length, &value);
    if (status != STREAMER_OK || value.kind == STREAMER_KIND_NULL || value.kind == STREAMER_KIND_FALSE) return false;
    return value.kind != STREAMER_KIND_STRING || value.length > 0;
}

static bool begins_with(const struct streamer_event *event, struct text key) {
    const char *at = event->data, *end = at + event->data_length;
    if (at == end || *at != '{') return false;
    do at++;
    while (at < end && streamer_json_blank(*at));
    if ((size_t)(end - at) <= key.length || at[1] != key.bytes[1]) return false;
    return memcmp(at, key.bytes, key.length) == 0;
}

static bool is_error(const struct streamer_event *event) {
    return event->type_length == strlen("error") && memcmp(event->type, "error", strlen("error")) == 0;
}

static bool is_last(const struct streamer_watch *watch, const struct streamer_event *event) {
    for (size_t i = 0; i < watch->type_count; i++) {
        if (same(watch->types[i], event->type, event->type_length)) return true;
    }
    return watch->last != NULL && has_something(watch->last, event);
}

enum streamer_verdict streamer_watch_event(struct streamer_watch *watch, const struct streamer_event *event) {
    if (watch->has_done && same(watch->marker, event->data, event->data_length)) {
        watch->done = true;
        return STREAMER_MARKER;
    }
    if (watch->error != NULL) {
        if (is_error(event)) return STREAMER_COMPLAINT;
        if (begins_with(event, watch->first_key) && has_something(watch->error, event)) return STREAMER_COMPLAINT;
    }
    if ((watch->type_count == 0 && watch->last == NULL) || !is_last(watch, event)) return STREAMER_ORDINARY;
    watch->done = true;
    return STREAMER_LAST;
}

bool streamer_watch_complains(struct streamer_watch *watch, const struct streamer_event *event) {
    if (watch->error == NULL || event->data_length == 0) return false;
    /* Most events that lack the value name no error, and need not be parsed for it. */
    if (memmem(event->data, event->data_length, watch->last_key.bytes, watch->last_key.length) == NULL) return false;
    return has_something(watch->error, event);
}

bool streamer_watch_done(const struct streamer_watch *watch) {
    return watch->done;
}

bool streamer_watch_complete(const struct streamer_watch *watch) {
    return watch->done || !watch->required;
}

size_t streamer_watch_size(const struct streamer_watch *watch) {
    return watch->heap + (watch->last == NULL ? 0 : streamer_extractor_size(watch->last)) +
           (watch->error == NULL ? 0 : streamer_extractor_size(watch->error));
}
