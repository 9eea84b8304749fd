#define _GNU_SOURCE /* memmem */
#include "classifier.h"

#include <string.h>

#include "alloc.h"
#include "extract.h"
#include "json_scan.h"

struct text {
    const char *bytes;
    size_t length;
};

struct streamer_classifier {
    bool has_done;
    bool required;
    bool done;
    struct text marker;
    struct streamer_extractor *last;  /* NULL: no value marks the end */
    struct streamer_extractor *error; /* NULL: events are never errors */
    struct text first_key;            /* of the way to an error, with its quotes */
    struct text last_key;
    size_t heap; /* bytes of this block, with the texts behind it */
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

static enum streamer_status compile_error(struct streamer_classifier *classifier,
                                          const struct streamer_classifier_options *options, char **texts) {
    if (options->error == NULL) return STREAMER_OK;
    const char *path = options->error, *end = path + options->error_length, *last = end;
    enum streamer_status status =
        streamer_extractor_new(&classifier->error, &options->error, &options->error_length, 1, 0, 0);
    if (status != STREAMER_OK) return status;
    const char *dot = memchr(path, '.', options->error_length);
    classifier->first_key = quoted(texts, path, (size_t)((dot != NULL ? dot : end) - path));
    while (last > path && last[-1] != '.') last--;
    classifier->last_key = quoted(texts, last, (size_t)(end - last));
    return STREAMER_OK;
}

enum streamer_status streamer_classifier_new(struct streamer_classifier **classifier,
                                             const struct streamer_classifier_options *options) {
    /* One block: the classifier with its types, then all texts. */
    size_t length = options->done_type_count * sizeof(struct text) + options->done_length;
    if (options->error != NULL) length += 2 * (options->error_length + 2);
    bool fits = options->done_length <= STREAMER_MAX_FIELD && options->done_type_count <= STREAMER_MAX_MARKERS;
    for (size_t i = 0; fits && i < options->done_type_count; i++) {
        fits = options->done_type_lengths[i] <= STREAMER_MAX_FIELD;
        length += options->done_type_lengths[i];
    }
    if (!fits) return STREAMER_FIELD_INVALID;
    struct streamer_classifier *created = streamer_malloc(sizeof *created + length);
    if (created == NULL) return STREAMER_NO_MEMORY;
    *created = (struct streamer_classifier){.has_done = options->done != NULL,
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
        streamer_classifier_free(created);
        return status;
    }
    *classifier = created;
    return STREAMER_OK;
}

void streamer_classifier_free(struct streamer_classifier *classifier) {
    if (classifier == NULL) return;
    streamer_extractor_free(classifier->last);
    streamer_extractor_free(classifier->error);
    streamer_free(classifier);
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

static bool is_last(const struct streamer_classifier *classifier, const struct streamer_event *event) {
    for (size_t i = 0; i < classifier->type_count; i++) {
        if (same(classifier->types[i], event->type, event->type_length)) return true;
    }
    return classifier->last != NULL && has_something(classifier->last, event);
}

enum streamer_event_class streamer_classifier_event(struct streamer_classifier *classifier,
                                                    const struct streamer_event *event) {
    if (classifier->has_done && same(classifier->marker, event->data, event->data_length)) {
        classifier->done = true;
        return STREAMER_CLASS_MARKER;
    }
    if (classifier->error != NULL) {
        if (is_error(event)) return STREAMER_CLASS_ERROR;
        if (begins_with(event, classifier->first_key) && has_something(classifier->error, event))
            return STREAMER_CLASS_ERROR;
    }
    if ((classifier->type_count == 0 && classifier->last == NULL) || !is_last(classifier, event))
        return STREAMER_CLASS_ORDINARY;
    classifier->done = true;
    return STREAMER_CLASS_LAST;
}

bool streamer_classifier_finds_error(struct streamer_classifier *classifier, const struct streamer_event *event) {
    if (classifier->error == NULL || event->data_length == 0) return false;
    /* Most events that lack the value name no error, and need not be parsed for it. */
    if (memmem(event->data, event->data_length, classifier->last_key.bytes, classifier->last_key.length) == NULL)
        return false;
    return has_something(classifier->error, event);
}

bool streamer_classifier_done(const struct streamer_classifier *classifier) {
    return classifier->done;
}

bool streamer_classifier_complete(const struct streamer_classifier *classifier) {
    return classifier->done || !classifier->required;
}

size_t streamer_classifier_size(const struct streamer_classifier *classifier) {
    return classifier->heap + (classifier->last == NULL ? 0 : streamer_extractor_size(classifier->last)) +
           (classifier->error == NULL ? 0 : streamer_extractor_size(classifier->error));
}
