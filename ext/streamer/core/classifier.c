#include "classifier.h"

#include <string.h>

#include "alloc.h"
#include "extract.h"
#include "json_key.h"

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

static enum streamer_status compile(struct streamer_extractor **extractor, const char *const *paths,
                                    const size_t *lengths, size_t count) {
    const struct streamer_extractor_options options = {
        .paths = paths, .lengths = lengths, .count = count, .something = true};
    return paths[0] == NULL ? STREAMER_OK : streamer_extractor_new(extractor, &options);
}

/* Paths that are read at once: that of errors, and the type that APIs give their events in JSON, too. */
enum { MAX_PATHS = 2 };

static enum streamer_status compile_error(struct streamer_extractor **extractor, const char *path, size_t length) {
    static const char type[] = "type{=error}";
    const char *const paths[MAX_PATHS] = {path, type};
    const size_t lengths[MAX_PATHS] = {length, strlen(type)};
    return compile(extractor, paths, lengths, MAX_PATHS);
}

/* What an error has in it, each once. `texts` has room for them all. */
static void quote_error_keys(struct streamer_classifier *classifier, char *texts) {
    const char *token;
    size_t length;
    for (size_t n = 0; streamer_extractor_token(classifier->error, n, &token, &length); n++) {
        struct text key = length > 0 ? quoted(&texts, token, length) : (struct text){"", 0};
        bool known = false;
        for (size_t i = 0; i < classifier->error_key_count; i++) {
            known |= same(classifier->error_keys[i], key.bytes, key.length);
        }
        if (!known) classifier->error_keys[classifier->error_key_count++] = key;
    }
}

/* Bytes behind the classifier: its types and its keys, then all texts. */
static size_t measure(const struct streamer_classifier_options *options, const struct streamer_extractor *error,
                      size_t *key_count) {
    const char *token;
    size_t length, size = options->done_length;
    *key_count = 0;
    if (error != NULL) {
        for (; streamer_extractor_token(error, *key_count, &token, &length); ++*key_count) size += length + 2;
    }
    for (size_t i = 0; i < options->done_type_count; i++) size += options->done_type_lengths[i];
    return size + (options->done_type_count + *key_count) * sizeof(struct text);
}

static bool fits(const struct streamer_classifier_options *options) {
    if (options->done_length > STREAMER_MAX_FIELD || options->done_type_count > STREAMER_MAX_MARKERS) return false;
    for (size_t i = 0; i < options->done_type_count; i++) {
        if (options->done_type_lengths[i] > STREAMER_MAX_FIELD) return false;
    }
    return true;
}

enum streamer_status streamer_classifier_new(struct streamer_classifier **classifier,
                                             const struct streamer_classifier_options *options) {
    if (!fits(options)) return STREAMER_FIELD_INVALID;
    struct streamer_extractor *last = NULL, *error = NULL;
    struct streamer_classifier *created = NULL;
    enum streamer_status status = compile(&last, &options->done_path, &options->done_path_length, 1);
    if (status == STREAMER_OK) status = compile_error(&error, options->error, options->error_length);
    size_t key_count, size = measure(options, error, &key_count);
    if (status == STREAMER_OK) {
        created = streamer_malloc(sizeof *created + size);
        if (created == NULL) status = STREAMER_NO_MEMORY;
    }
    if (status != STREAMER_OK) {
        streamer_extractor_free(last);
        streamer_extractor_free(error);
        return status;
    }
    *created = (struct streamer_classifier){.has_done = options->done != NULL,
                                            .required = options->done_required,
                                            .last = last,
                                            .error = error,
                                            .type_count = options->done_type_count,
                                            .heap = sizeof *created + size};
    created->error_keys = created->types + created->type_count;
    char *texts = (char *)(created->error_keys + key_count);
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

/* Whether one of the paths leads to anything but null, false and "". */
static bool has_something(struct streamer_extractor *extractor, const struct streamer_event *event) {
    struct streamer_value values[MAX_PATHS];
    return streamer_extractor_read(extractor, event->data, event->data_length, values) == STREAMER_OK;
}

static bool has_error(const struct streamer_classifier *classifier, const struct streamer_event *event) {
    for (size_t i = 0; i < classifier->error_key_count; i++) {
        struct text key = classifier->error_keys[i];
        bool occurs = streamer_json_key_occurs(event->data, event->data_length, key.bytes, key.length);
        if (occurs) return has_something(classifier->error, event);
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
