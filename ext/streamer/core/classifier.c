#define _GNU_SOURCE /* memmem */
#include "classifier.h"

#include <stdint.h>
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
    struct text *error_keys;          /* without one of these, in its quotes, there is no error */
    size_t error_key_count;
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

static bool same(struct text text, const char *bytes, size_t length) {
    return text.length == length && (length == 0 || memcmp(text.bytes, bytes, length) == 0);
}

static enum streamer_status compile_path(struct streamer_extractor **extractor, const char *path, size_t length) {
    if (path == NULL) return STREAMER_OK;
    return streamer_extractor_new(extractor, &(struct streamer_extractor_options){
                                                 .paths = &path, .lengths = &length, .count = 1, .something = true});
}

static bool has_error_key(const struct streamer_classifier *classifier, struct text key) {
    for (size_t i = 0; i < classifier->error_key_count; i++) {
        if (same(classifier->error_keys[i], key.bytes, key.length)) return true;
    }
    return false;
}

/* What an error has in it, each once. `texts` has room for them all. */
static void quote_error_keys(struct streamer_classifier *classifier, char *texts) {
    const char *key;
    size_t length;
    for (size_t n = 0; streamer_extractor_token(classifier->error, n, &key, &length); n++) {
        struct text text = length > 0 ? quoted(&texts, key, length) : (struct text){"", 0};
        if (!has_error_key(classifier, text)) classifier->error_keys[classifier->error_key_count++] = text;
    }
}

enum streamer_status streamer_classifier_new(struct streamer_classifier **classifier,
                                             const struct streamer_classifier_options *options) {
    struct streamer_extractor *last = NULL, *error = NULL;
    enum streamer_status status = compile_path(&last, options->done_path, options->done_path_length);
    if (status == STREAMER_OK) status = compile_path(&error, options->error, options->error_length);

    /* One block: the classifier with its types, the keys, then all texts. */
    size_t keys = 0, key_length, length = options->done_length;
    const char *key;
    if (error != NULL) {
        for (; streamer_extractor_token(error, keys, &key, &key_length); keys++) length += key_length + 2;
    }
    bool fits = options->done_length <= STREAMER_MAX_FIELD && options->done_type_count <= STREAMER_MAX_MARKERS;
    for (size_t i = 0; fits && i < options->done_type_count; i++) {
        fits = options->done_type_lengths[i] <= STREAMER_MAX_FIELD;
        length += options->done_type_lengths[i];
    }
    if (status == STREAMER_OK && !fits) status = STREAMER_FIELD_INVALID;
    length += (options->done_type_count + keys) * sizeof(struct text);
    struct streamer_classifier *created = status == STREAMER_OK ? streamer_malloc(sizeof *created + length) : NULL;
    if (created == NULL) {
        streamer_extractor_free(last);
        streamer_extractor_free(error);
        return status == STREAMER_OK ? STREAMER_NO_MEMORY : status;
    }
    *created = (struct streamer_classifier){.has_done = options->done != NULL,
                                            .required = options->done_required,
                                            .last = last,
                                            .error = error,
                                            .type_count = options->done_type_count,
                                            .heap = sizeof *created + length};
    created->error_keys = created->types + created->type_count;
    char *texts = (char *)(created->error_keys + keys);
    created->marker = copy(&texts, options->done, options->done_length);
    for (size_t i = 0; i < created->type_count; i++) {
        created->types[i] = copy(&texts, options->done_types[i], options->done_type_lengths[i]);
    }
    if (error != NULL) quote_error_keys(created, texts);
    *classifier = created;
    return STREAMER_OK;
}

void streamer_classifier_free(struct streamer_classifier *classifier) {
    if (classifier == NULL) return;
    streamer_extractor_free(classifier->last);
    streamer_extractor_free(classifier->error);
    streamer_free(classifier);
}

/* Whether the path leads to anything but null, false and "". */
static bool has_something(struct streamer_extractor *extractor, const struct streamer_event *event) {
    struct streamer_value value;
    return streamer_extractor_read(extractor, event->data, event->data_length, &value) == STREAMER_OK;
}

/* Sixteen bytes at once, as GCC and clang have it for every processor. */
typedef char vector __attribute__((vector_size(16)));

static vector load(const char *bytes) {
    vector loaded;
    memcpy(&loaded, bytes, sizeof loaded);
    return loaded;
}

/* Whether these two bytes occur, the one behind the other, among length + 1; length is no less than a vector's. */
static bool has_pair(const char *bytes, size_t length, char first, char second) {
    const char *last = bytes + length - sizeof(vector);
    vector found = (load(last) == first) & (load(last + 1) == second);
    for (; bytes < last; bytes += sizeof found) found |= (load(bytes) == first) & (load(bytes + 1) == second);
    uint64_t halves[2];
    memcpy(halves, &found, sizeof found);
    return (halves[0] | halves[1]) != 0;
}

/* Whether a key or String in its quotes occurs. Most events have no key that begins with the same letter, which costs a
 * quarter of what memmem takes to find out. */
static bool occurs(struct text key, const char *bytes, size_t length) {
    bool long_enough = key.length > 1 && length > sizeof(vector);
    if (long_enough && !has_pair(bytes, length - 1, key.bytes[0], key.bytes[1])) return false;
    return memmem(bytes, length, key.bytes, key.length) != NULL;
}

static bool has_error(const struct streamer_classifier *classifier, const struct streamer_event *event) {
    for (size_t i = 0; i < classifier->error_key_count; i++) {
        struct text key = classifier->error_keys[i];
        if (occurs(key, event->data, event->data_length)) return has_something(classifier->error, event);
    }
    return false;
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
        if (same((struct text){"error", strlen("error")}, event->type, event->type_length)) return STREAMER_CLASS_ERROR;
        if (has_error(classifier, event)) return STREAMER_CLASS_FAILED;
    }
    if ((classifier->type_count == 0 && classifier->last == NULL) || !is_last(classifier, event)) {
        return STREAMER_CLASS_ORDINARY;
    }
    classifier->done = true;
    return STREAMER_CLASS_LAST;
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
