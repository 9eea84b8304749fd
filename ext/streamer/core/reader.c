#include "reader.h"

#include <string.h>

#include "alloc.h"
#include "ceilings.h"

struct streamer_reader {
    struct streamer_decoder *decoder;
    struct streamer_classifier *classifier;
    struct streamer_extractor *extractor; /* the caller's; NULL: no values are looked for */
    struct streamer_value *values;
    size_t max_line, max_event;
    uint8_t wanted, from_paths; /* paths, which are no more than STREAMER_MAX_PATHS */
    bool all_events;
    enum streamer_status failure; /* STREAMER_OK while the stream can go on */
    uint64_t events, content_events;
    struct streamer_buffer error_payload; /* or what the only document has in place of the values */
    struct streamer_buffer from;          /* the types, each with its length in front */
    struct streamer_extractor *type;      /* finds an event's type in its data; NULL: types do not matter */
};

static enum streamer_status copy_types(struct streamer_reader *reader, const struct streamer_reader_options *options) {
    if (options->from_count > STREAMER_MAX_MARKERS) return STREAMER_FIELD_INVALID;
    for (size_t i = 0; i < options->from_count; i++) {
        size_t length = options->from_lengths[i];
        enum streamer_status status = streamer_buffer_append(&reader->from, (const char *)&length, sizeof length);
        if (status == STREAMER_OK) status = streamer_buffer_append(&reader->from, options->from[i], length);
        if (status != STREAMER_OK) return status == STREAMER_FULL ? STREAMER_FIELD_INVALID : status;
    }
    return STREAMER_OK;
}

static enum streamer_status find_types(struct streamer_reader *reader) {
    const char *path = "type";
    size_t length = strlen(path);
    return streamer_extractor_new(&reader->type,
                                  &(struct streamer_extractor_options){.paths = &path, .lengths = &length, .count = 1});
}

enum streamer_status streamer_reader_new(struct streamer_reader **reader,
                                         const struct streamer_reader_options *options) {
    struct streamer_reader *created = streamer_malloc(sizeof *created);
    if (created == NULL) return STREAMER_NO_MEMORY;
    *created = (struct streamer_reader){.max_line = options->max_line,
                                        .max_event = options->max_event,
                                        .from_paths = (uint8_t)options->from_paths,
                                        .all_events = options->all_events};
    streamer_buffer_init(&created->error_payload, STREAMER_MAX_FIELD);
    streamer_buffer_init(&created->from, STREAMER_MAX_MARKERS * STREAMER_MAX_FIELD);
    enum streamer_status status = streamer_reader_expect(created, options->format);
    if (status == STREAMER_OK && options->last_event_id != NULL) {
        status = streamer_decoder_resume(created->decoder, options->last_event_id, options->last_event_id_length);
    }
    if (status == STREAMER_OK) status = streamer_classifier_new(&created->classifier, &options->classifier);
    if (status == STREAMER_OK) status = copy_types(created, options);
    if (status == STREAMER_OK && (options->from_count > 0 || options->classifier.done_type_count > 0)) {
        status = find_types(created);
    }
    if (status != STREAMER_OK) {
        streamer_reader_free(created);
        return status;
    }
    *reader = created;
    return STREAMER_OK;
}

void streamer_reader_free(struct streamer_reader *reader) {
    if (reader == NULL) return;
    streamer_decoder_free(reader->decoder);
    streamer_classifier_free(reader->classifier);
    streamer_extractor_free(reader->type);
    streamer_buffer_release(&reader->error_payload);
    streamer_buffer_release(&reader->from);
    streamer_free(reader);
}

enum streamer_status streamer_reader_expect(struct streamer_reader *reader, enum streamer_format format) {
    struct streamer_decoder *decoder = streamer_decoder_new(format, reader->max_line, reader->max_event);
    if (decoder == NULL) return STREAMER_NO_MEMORY;
    streamer_decoder_free(reader->decoder);
    reader->decoder = decoder;
    return STREAMER_OK;
}

void streamer_reader_extract(struct streamer_reader *reader, struct streamer_extractor *extractor,
                             struct streamer_value *values, size_t wanted) {
    reader->extractor = extractor;
    reader->values = values;
    reader->wanted = (uint8_t)wanted;
}

/* Text has neither end markers nor errors. */
static bool is_text(const struct streamer_reader *reader) {
    return streamer_decoder_format(reader->decoder) == STREAMER_FORMAT_TEXT;
}

/* The event under its type, where types matter: an event without one of its own has that of its data, since some
 * proxies and servers leave out the `event` lines of APIs that say it twice. */
static struct streamer_event typed(const struct streamer_reader *reader, const struct streamer_event *event) {
    struct streamer_event typed = *event;
    struct streamer_value type;
    size_t length = event->type_length;
    if (reader->type == NULL || length != strlen("message") || memcmp(event->type, "message", length) != 0)
        return typed;
    if (streamer_extractor_read(reader->type, event->data, event->data_length, &type) != STREAMER_OK) return typed;
    if (!streamer_value_is_text(&type) || type.escaped) return typed;
    typed.type = type.json;
    typed.type_length = type.length;
    return typed;
}

/* Whether the event is one of those that have the wanted values. */
static bool has_wanted_type(const struct streamer_reader *reader, const struct streamer_event *event) {
    if (reader->from.length == 0) return true;
    const char *at = reader->from.bytes, *end = at + reader->from.length;
    while (at < end) {
        size_t length;
        memcpy(&length, at, sizeof length);
        at += sizeof length;
        if (length == event->type_length && memcmp(at, event->type, length) == 0) return true;
        at += length;
    }
    return false;
}

/* Fills values, and item->found. event: the item's, under its type. */
static enum streamer_status extract(struct streamer_reader *reader, struct streamer_item *item,
                                    const struct streamer_event *event) {
    bool has_values = item->content && item->class != STREAMER_CLASS_MARKER && item->class != STREAMER_CLASS_ERROR;
    if (!has_values) {
        memset(reader->values, 0, streamer_extractor_count(reader->extractor) * sizeof *reader->values);
        return STREAMER_OK;
    }
    enum streamer_status status =
        streamer_extractor_read(reader->extractor, event->data, event->data_length, reader->values);
    if (status != STREAMER_OK) return status == STREAMER_MISSING ? STREAMER_OK : status;
    bool wanted_type = has_wanted_type(reader, event);
    for (size_t i = 0; i < reader->wanted; i++) {
        struct streamer_value *value = &reader->values[i];
        bool wanted = wanted_type || (reader->from_paths > 0 && i >= reader->from_paths);
        if (value->kind == STREAMER_KIND_NULL || !wanted) value->kind = STREAMER_KIND_NONE;
        item->found += value->kind != STREAMER_KIND_NONE;
    }
    return STREAMER_OK;
}

static bool has_text(const struct streamer_reader *reader) {
    for (size_t i = 0; i < reader->wanted; i++) {
        if (streamer_value_is_text(&reader->values[i])) return true;
    }
    return false;
}

static enum streamer_status keep_payload(struct streamer_reader *reader, const struct streamer_event *event) {
    struct streamer_buffer *payload = &reader->error_payload;
    streamer_buffer_clear(payload); /* of a document that was not wanted, and is not all there is */
    size_t length = event->data_length < payload->limit ? event->data_length : payload->limit;
    return streamer_buffer_append(payload, event->data, length);
}

/* Whether it may turn out to be all there is: a document that nobody wants. */
static bool is_unwanted(const struct streamer_reader *reader, const struct streamer_item *item) {
    return reader->events == 1 && reader->wanted > 0 && item->found == 0 && !reader->all_events &&
           item->class != STREAMER_CLASS_MARKER && streamer_decoder_document(reader->decoder);
}

/* What the decoded event is. STREAMER_EVENT, or a failure in its place. */
static enum streamer_status interpret(struct streamer_reader *reader, struct streamer_item *item) {
    item->content = streamer_event_is_content(&item->event);
    struct streamer_event event = is_text(reader) ? item->event : typed(reader, &item->event);
    item->class = is_text(reader) ? STREAMER_CLASS_ORDINARY : streamer_classifier_event(reader->classifier, &event);
    item->found = 0;
    reader->events++;
    reader->content_events += item->content;
    enum streamer_status status = reader->extractor == NULL ? STREAMER_OK : extract(reader, item, &event);
    if (status != STREAMER_OK) return status;
    if (item->class == STREAMER_CLASS_FAILED || item->class == STREAMER_CLASS_ERROR) {
        status = keep_payload(reader, &item->event);
        if (status != STREAMER_OK) return status;
        reader->failure = STREAMER_UPSTREAM_ERROR;
        return has_text(reader) ? STREAMER_EVENT : STREAMER_UPSTREAM_ERROR;
    }
    if (is_unwanted(reader, item)) status = keep_payload(reader, &item->event);
    return status == STREAMER_OK ? STREAMER_EVENT : status;
}

static enum streamer_status noted(struct streamer_reader *reader, enum streamer_status status) {
    if (status != STREAMER_EVENT && status != STREAMER_MORE) reader->failure = status;
    return status;
}

enum streamer_status streamer_reader_next(struct streamer_reader *reader, const char **cursor, const char *end,
                                          struct streamer_item *item) {
    if (reader->failure != STREAMER_OK) return reader->failure;
    if (streamer_reader_done(reader)) { /* what comes behind the marker is nobody's, however it was cut */
        *cursor = end;
        return STREAMER_MORE;
    }
    enum streamer_status status = streamer_decoder_next(reader->decoder, cursor, end, &item->event);
    return noted(reader, status == STREAMER_EVENT ? interpret(reader, item) : status);
}

static enum streamer_status at_end(const struct streamer_reader *reader) {
    if (reader->events == 1 && reader->error_payload.length > 0) return STREAMER_UNWANTED;
    bool complete = is_text(reader) || streamer_classifier_complete(reader->classifier);
    return complete ? STREAMER_MORE : STREAMER_TRUNCATED;
}

enum streamer_status streamer_reader_finish(struct streamer_reader *reader, struct streamer_item *item) {
    if (reader->failure != STREAMER_OK) return reader->failure;
    if (streamer_reader_done(reader)) return STREAMER_MORE;
    enum streamer_status status = streamer_decoder_finish(reader->decoder, &item->event);
    if (status == STREAMER_EVENT) return noted(reader, interpret(reader, item));
    return noted(reader, status == STREAMER_MORE ? at_end(reader) : status);
}

bool streamer_reader_done(const struct streamer_reader *reader) {
    return streamer_classifier_done(reader->classifier);
}

uint64_t streamer_reader_events(const struct streamer_reader *reader) {
    return reader->events;
}

uint64_t streamer_reader_content_events(const struct streamer_reader *reader) {
    return reader->content_events;
}

const char *streamer_reader_error_payload(const struct streamer_reader *reader, size_t *length, bool *document) {
    *length = reader->error_payload.length;
    *document = streamer_decoder_document(reader->decoder);
    return reader->error_payload.bytes;
}

const struct streamer_decoder *streamer_reader_decoder(const struct streamer_reader *reader) {
    return reader->decoder;
}

size_t streamer_reader_size(const struct streamer_reader *reader) {
    size_t type = reader->type == NULL ? 0 : streamer_extractor_size(reader->type);
    return type + sizeof *reader + streamer_decoder_size(reader->decoder) +
           streamer_classifier_size(reader->classifier) + reader->error_payload.capacity + reader->from.capacity;
}
