#include "pipeline.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "ceilings.h"
#include "encode.h"

/* LFs among an event's raw bytes that do not count: see pass. */
enum { UNCOUNTED = 2 };

/* A run of bytes in the pipeline's `compiled`. */
struct span {
    size_t start;
    size_t length;
};

struct streamer_pipeline {
    struct streamer_decoder *decoder;
    struct streamer_classifier *classifier;
    struct streamer_extractor *extractor; /* NULL: events pass through */
    size_t max_line, max_event;           /* the decoder's */
    enum streamer_status failure;         /* STREAMER_OK while the stream can go on */
    bool text;
    bool raw;    /* of an event stream */
    bool passes; /* events pass through, whatever is found in them */
    bool collects;
    bool cut; /* some text did not fit into `collected` */
    bool has_event;
    bool has_id;
    bool has_from;
    bool format_given;
    bool pending;  /* a frame waits for room in the output */
    bool after_cr; /* raw: the last event's bytes ended in CR: a LF now belongs to it */
    uint64_t events, news, texts;
    uint64_t frames;

    struct streamer_buffer compiled; /* what the options say, ready to be copied */
    struct span event;
    struct span id;    /* in front of a frame's number */
    struct span from;  /* the type of the events whose values are wanted */
    struct span head;  /* a frame of values before its id */
    struct span *keys; /* framed: a value's name with its quotes and colon */

    /* the frame being made */
    struct streamer_event source;
    struct streamer_frame frame;      /* unless it is one of values */
    struct streamer_buffer unescaped; /* the text in it */
    struct streamer_buffer last_id;   /* of the frame before; an id is written when it changes */
    struct streamer_buffer own_id;

    struct streamer_buffer passing; /* raw: the bytes of the event so far */
    struct streamer_buffer collected;
    struct streamer_buffer error_payload;
    struct streamer_buffer *kept; /* kept_count */

    size_t heap;                    /* bytes of this block, the arrays behind it included */
    size_t framed;                  /* paths that go into frames */
    size_t kept_count;              /* and behind them those that do not */
    struct streamer_value values[]; /* of them all; a framed one that is not wanted is STREAMER_KIND_NONE */
};

/* compiling the options */

static struct span since(const struct streamer_buffer *compiled, size_t start) {
    return (struct span){start, compiled->length - start};
}

/* The last segment that is no index, or the last one when all are. */
static const char *default_name(const char *path, size_t path_length, size_t *length) {
    const char *stop = path + path_length, *last = NULL;
    for (;;) {
        const char *start = stop;
        bool index = true;
        while (start > path && start[-1] != '.') {
            start--;
            if (*start < '0' || *start > '9') index = false;
        }
        if (!index || last == NULL) {
            last = start;
            *length = (size_t)(stop - start);
        }
        if (!index || start == path) return last;
        stop = start - 1;
    }
}

static enum streamer_status compile_key(struct streamer_pipeline *pipeline,
                                        const struct streamer_pipeline_options *options, size_t i) {
    size_t start = pipeline->compiled.length, length = 0;
    const char *name;
    if (options->names != NULL) {
        name = options->names[i];
        length = options->name_lengths[i];
    } else {
        name = default_name(options->paths[i], options->path_lengths[i], &length);
    }
    enum streamer_status status = streamer_encode_json_string(&pipeline->compiled, name, length);
    if (status == STREAMER_OK) status = streamer_buffer_append(&pipeline->compiled, ":", 1);
    pipeline->keys[i] = since(&pipeline->compiled, start);
    return status;
}

static enum streamer_status compile(struct streamer_pipeline *pipeline,
                                    const struct streamer_pipeline_options *options) {
    struct streamer_buffer *compiled = &pipeline->compiled;
    /* Encoded to see whether SSE can carry them. */
    const struct streamer_frame head = {.event = options->event,
                                        .event_length = options->event_length,
                                        .id = options->id,
                                        .id_length = options->id_length,
                                        .retry = -1};
    enum streamer_status status = streamer_encode_frame(compiled, &head);
    if (status != STREAMER_OK) return status;
    streamer_buffer_clear(compiled);
    const struct streamer_frame named = {.event = options->event, .event_length = options->event_length, .retry = -1};
    status = streamer_encode_frame(compiled, &named);
    if (status != STREAMER_OK) return status;
    compiled->length--; /* its blank line */
    pipeline->head = since(compiled, 0);

    for (size_t i = 0; status == STREAMER_OK && i < pipeline->framed; i++) status = compile_key(pipeline, options, i);

    size_t start = compiled->length;
    if (status == STREAMER_OK) status = streamer_buffer_append(compiled, options->event, options->event_length);
    pipeline->event = since(compiled, start);
    start = compiled->length;
    if (status == STREAMER_OK) status = streamer_buffer_append(compiled, options->id, options->id_length);
    pipeline->id = since(compiled, start);
    start = compiled->length;
    if (status == STREAMER_OK) status = streamer_buffer_append(compiled, options->from, options->from_length);
    pipeline->from = since(compiled, start);
    return status;
}

/* One extractor looks for the framed paths and, behind them, for the kept ones. */
static enum streamer_status compile_paths(struct streamer_pipeline *pipeline,
                                          const struct streamer_pipeline_options *options) {
    const char *paths[STREAMER_MAX_PATHS];
    size_t lengths[STREAMER_MAX_PATHS], count = 0;
    for (size_t i = 0; i < pipeline->framed; i++, count++) {
        paths[count] = options->paths[i];
        lengths[count] = options->path_lengths[i];
    }
    for (size_t i = 0; i < options->kept_count; i++, count++) {
        paths[count] = options->kept[i];
        lengths[count] = options->kept_lengths[i];
    }
    if (count == 0) return STREAMER_OK;
    return streamer_extractor_new(&pipeline->extractor, paths, lengths, count, 0, options->max_event);
}

static enum streamer_status build(struct streamer_pipeline *pipeline, const struct streamer_pipeline_options *options) {
    enum streamer_status status = compile(pipeline, options);
    if (status == STREAMER_FULL) return STREAMER_FIELD_INVALID;
    if (status != STREAMER_OK) return status;
    pipeline->decoder = streamer_decoder_new(options->format, options->max_line, options->max_event);
    if (pipeline->decoder == NULL) return STREAMER_NO_MEMORY;
    status = streamer_classifier_new(&pipeline->classifier, &options->classifier);
    return status == STREAMER_OK ? compile_paths(pipeline, options) : status;
}

enum streamer_status streamer_pipeline_new(struct streamer_pipeline **pipeline,
                                           const struct streamer_pipeline_options *options) {
    if (options->count + options->kept_count > STREAMER_MAX_PATHS) return STREAMER_PATH_INVALID;
    /* As text only the first is written; the others would be looked for in vain. */
    size_t framed = options->text && options->count > 0 ? 1 : options->count;
    size_t values = framed + options->kept_count;
    size_t heap = sizeof(struct streamer_pipeline) + values * sizeof(struct streamer_value) +
                  framed * sizeof(struct span) + options->kept_count * sizeof(struct streamer_buffer);
    struct streamer_pipeline *created = streamer_malloc(heap);
    if (created == NULL) return STREAMER_NO_MEMORY;
    *created = (struct streamer_pipeline){
        .text = options->text,
        .raw = options->raw,
        .passes = options->raw || options->count == 0,
        .heap = heap,
        .framed = framed,
        .kept_count = options->kept_count,
        .collects = options->collect > 0,
        .has_event = options->event != NULL,
        .has_id = options->id != NULL,
        .has_from = options->from != NULL,
        .format_given = options->format_given,
        .max_line = options->max_line,
        .max_event = options->max_event,
    };
    memset(created->values, 0, values * sizeof *created->values);
    created->keys = (struct span *)(created->values + values);
    created->kept = (struct streamer_buffer *)(created->keys + framed);
    size_t max_event = options->max_event > 0 ? options->max_event : STREAMER_MAX_EVENT;
    streamer_buffer_init(&created->compiled, (STREAMER_MAX_PATHS + 3) * STREAMER_MAX_FIELD);
    streamer_buffer_init(&created->unescaped, max_event);
    streamer_buffer_init(&created->last_id, STREAMER_MAX_FIELD);
    streamer_buffer_init(&created->own_id, STREAMER_MAX_FIELD + 20);
    /* Fields and line ends beside the data. */
    streamer_buffer_init(&created->passing, 2 * max_event + UNCOUNTED);
    streamer_buffer_init(&created->collected, options->collect);
    streamer_buffer_init(&created->error_payload, STREAMER_MAX_FIELD);
    for (size_t i = 0; i < created->kept_count; i++) streamer_buffer_init(&created->kept[i], STREAMER_MAX_FIELD);

    enum streamer_status status = build(created, options);
    if (status != STREAMER_OK) {
        streamer_pipeline_free(created);
        return status;
    }
    *pipeline = created;
    return STREAMER_OK;
}

void streamer_pipeline_free(struct streamer_pipeline *pipeline) {
    if (pipeline == NULL) return;
    streamer_decoder_free(pipeline->decoder);
    streamer_classifier_free(pipeline->classifier);
    streamer_extractor_free(pipeline->extractor);
    streamer_buffer_release(&pipeline->compiled);
    streamer_buffer_release(&pipeline->unescaped);
    streamer_buffer_release(&pipeline->last_id);
    streamer_buffer_release(&pipeline->own_id);
    streamer_buffer_release(&pipeline->passing);
    streamer_buffer_release(&pipeline->collected);
    streamer_buffer_release(&pipeline->error_payload);
    for (size_t i = 0; i < pipeline->kept_count; i++) streamer_buffer_release(&pipeline->kept[i]);
    streamer_free(pipeline);
}

bool streamer_pipeline_accepts(const struct streamer_pipeline *pipeline, const enum streamer_format *format) {
    if (pipeline->format_given) return true;
    return format != NULL && (*format != STREAMER_FORMAT_TEXT || pipeline->extractor == NULL);
}

enum streamer_status streamer_pipeline_expect(struct streamer_pipeline *pipeline, enum streamer_format format) {
    if (pipeline->format_given) return STREAMER_OK;
    struct streamer_decoder *decoder = streamer_decoder_new(format, pipeline->max_line, pipeline->max_event);
    if (decoder == NULL) return STREAMER_NO_MEMORY;
    streamer_decoder_free(pipeline->decoder);
    pipeline->decoder = decoder;
    return STREAMER_OK;
}

/* choosing what goes into a frame: STREAMER_OK, STREAMER_MISSING when there is none, or what ends the stream */

static enum streamer_status number_frame(struct streamer_pipeline *pipeline) {
    if (!pipeline->has_id) return STREAMER_OK;
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, pipeline->frames + 1);
    streamer_buffer_clear(&pipeline->own_id);
    enum streamer_status status =
        streamer_buffer_append(&pipeline->own_id, pipeline->compiled.bytes + pipeline->id.start, pipeline->id.length);
    return status == STREAMER_OK ? streamer_buffer_append(&pipeline->own_id, digits, (size_t)length) : status;
}

/* The frame's type and id as the options say. */
static void put_head(struct streamer_pipeline *pipeline) {
    if (pipeline->has_event) {
        pipeline->frame.event = pipeline->compiled.bytes + pipeline->event.start;
        pipeline->frame.event_length = pipeline->event.length;
    }
    if (pipeline->has_id) {
        pipeline->frame.id = pipeline->own_id.bytes;
        pipeline->frame.id_length = pipeline->own_id.length;
    }
}

/* Of these two, what does not fit is left out: the stream itself goes on. */

static enum streamer_status collect(struct streamer_pipeline *pipeline, const struct streamer_value *value) {
    if (!pipeline->collects || pipeline->cut || value->kind != STREAMER_KIND_STRING) return STREAMER_OK;
    enum streamer_status status = streamer_value_text(value, &pipeline->collected);
    pipeline->cut = status == STREAMER_FULL;
    return pipeline->cut ? STREAMER_OK : status;
}

static enum streamer_status keep(struct streamer_pipeline *pipeline) {
    for (size_t i = 0; i < pipeline->kept_count; i++) {
        const struct streamer_value *value = &pipeline->values[pipeline->framed + i];
        struct streamer_buffer *kept = &pipeline->kept[i];
        if (value->kind == STREAMER_KIND_NONE || value->kind == STREAMER_KIND_NULL) continue;
        streamer_buffer_clear(kept);
        enum streamer_status status = streamer_buffer_reserve(kept, value->length + 2);
        if (status == STREAMER_FULL) continue;
        if (status != STREAMER_OK) return status;
        kept->length = streamer_value_json(value, kept->bytes);
    }
    return STREAMER_OK;
}

/* An event of a format that has nothing but data. */
static enum streamer_status choose_data(struct streamer_pipeline *pipeline, bool text) {
    const struct streamer_event *source = &pipeline->source;
    enum streamer_status status = number_frame(pipeline);
    put_head(pipeline);
    if (status != STREAMER_OK || !text) return status;
    const struct streamer_value value = {STREAMER_KIND_STRING, source->data, source->data_length, false};
    return collect(pipeline, &value);
}

static enum streamer_status choose_event(struct streamer_pipeline *pipeline) {
    const struct streamer_event *source = &pipeline->source;
    struct streamer_buffer *last_id = &pipeline->last_id;
    bool message =
        source->type_length == strlen("message") && memcmp(source->type, "message", source->type_length) == 0;
    pipeline->frame = (struct streamer_frame){.retry = -1, .data = source->data, .data_length = source->data_length};
    enum streamer_format format = streamer_decoder_format(pipeline->decoder);
    if (format != STREAMER_FORMAT_SSE) return choose_data(pipeline, format == STREAMER_FORMAT_TEXT);
    if (!message) {
        pipeline->frame.event = source->type;
        pipeline->frame.event_length = source->type_length;
    }
    bool same_id = source->id_length == last_id->length &&
                   (last_id->length == 0 || memcmp(source->id, last_id->bytes, last_id->length) == 0);
    if (same_id) return STREAMER_OK;
    pipeline->frame.id = source->id;
    pipeline->frame.id_length = source->id_length;
    streamer_buffer_clear(last_id);
    return streamer_buffer_append(last_id, source->id, source->id_length);
}

static enum streamer_status choose_text(struct streamer_pipeline *pipeline) {
    const struct streamer_value *value = &pipeline->values[0];
    pipeline->frame = (struct streamer_frame){.retry = -1, .data = value->json, .data_length = value->length};
    put_head(pipeline);
    if (!value->escaped) return STREAMER_OK;
    enum streamer_status status = streamer_value_text(value, &pipeline->unescaped);
    pipeline->frame.data = pipeline->unescaped.bytes;
    pipeline->frame.data_length = pipeline->unescaped.length;
    return status;
}

/* Whether the event is one of those that have the wanted values. */
static bool has_values(const struct streamer_pipeline *pipeline) {
    const struct streamer_event *source = &pipeline->source;
    return !pipeline->has_from ||
           (source->type_length == pipeline->from.length &&
            memcmp(source->type, pipeline->compiled.bytes + pipeline->from.start, source->type_length) == 0);
}

static enum streamer_status choose_values(struct streamer_pipeline *pipeline) {
    const struct streamer_event *source = &pipeline->source;
    /* Some servers send events without data to keep the connection alive. */
    if (source->data_length == 0) return STREAMER_MISSING;
    enum streamer_status status =
        streamer_extractor_read(pipeline->extractor, source->data, source->data_length, pipeline->values);
    if (status == STREAMER_OK && !has_values(pipeline)) {
        for (size_t i = 0; i < pipeline->framed; i++) pipeline->values[i].kind = STREAMER_KIND_NONE;
    }
    if (status == STREAMER_OK && pipeline->framed > 0) status = collect(pipeline, &pipeline->values[0]);
    if (status == STREAMER_OK) status = keep(pipeline);
    if (status != STREAMER_OK) return status;

    size_t wanted = 0;
    for (size_t i = 0; i < pipeline->framed; i++) {
        struct streamer_value *value = &pipeline->values[i];
        if (value->kind == STREAMER_KIND_NULL) value->kind = STREAMER_KIND_NONE;
        wanted += value->kind != STREAMER_KIND_NONE;
    }
    if (wanted == 0) return STREAMER_MISSING;
    pipeline->texts += pipeline->values[0].kind == STREAMER_KIND_STRING && pipeline->values[0].length > 0;
    status = number_frame(pipeline);
    return status == STREAMER_OK && pipeline->text ? choose_text(pipeline) : status;
}

/* Whether an event has none of the wanted values, or only empty text. */
static bool lacks_values(const struct streamer_pipeline *pipeline) {
    for (size_t i = 0; i < pipeline->framed; i++) {
        const struct streamer_value *value = &pipeline->values[i];
        if (value->kind != STREAMER_KIND_NONE && (value->kind != STREAMER_KIND_STRING || value->length > 0))
            return false;
    }
    return pipeline->framed > 0;
}

static enum streamer_status keep_error_payload(struct streamer_pipeline *pipeline, enum streamer_status status) {
    const struct streamer_event *source = &pipeline->source;
    streamer_buffer_clear(&pipeline->error_payload); /* a document that was not wanted, and not all there is */
    size_t length =
        source->data_length < pipeline->error_payload.limit ? source->data_length : pipeline->error_payload.limit;
    enum streamer_status kept = streamer_buffer_append(&pipeline->error_payload, source->data, length);
    return kept == STREAMER_OK ? status : kept;
}

static enum streamer_status choose(struct streamer_pipeline *pipeline) {
    pipeline->events++;
    pipeline->news += streamer_event_is_content(&pipeline->source);
    switch (streamer_classifier_event(pipeline->classifier, &pipeline->source)) {
        case STREAMER_CLASS_MARKER: return pipeline->raw ? STREAMER_OK : STREAMER_MISSING;
        case STREAMER_CLASS_ERROR: return keep_error_payload(pipeline, STREAMER_UPSTREAM_ERROR);
        default: break;
    }
    enum streamer_status status = pipeline->extractor != NULL ? choose_values(pipeline) : STREAMER_OK;
    if (status != STREAMER_OK && status != STREAMER_MISSING) return status;
    if (lacks_values(pipeline)) {
        if (streamer_classifier_finds_error(pipeline->classifier, &pipeline->source)) {
            return keep_error_payload(pipeline, STREAMER_UPSTREAM_ERROR);
        }
        /* It may turn out to be all there is. */
        bool alone = pipeline->events == 1 && streamer_decoder_document(pipeline->decoder);
        if (alone && status == STREAMER_MISSING) status = keep_error_payload(pipeline, status);
    }
    if (!pipeline->passes || (status != STREAMER_OK && status != STREAMER_MISSING)) return status;
    return pipeline->raw ? STREAMER_OK : choose_event(pipeline);
}

/* writing the frame */

#define ID_FIELD "id: "
#define DATA_FIELD "data: "
#define END "}\n\n"

/* No less than write_values writes: for each value its key, two quotes and a brace or comma. */
static size_t values_size(const struct streamer_pipeline *pipeline) {
    size_t size = pipeline->head.length + strlen(DATA_FIELD END);
    if (pipeline->has_id) size += strlen(ID_FIELD) + pipeline->own_id.length + 1;
    for (size_t i = 0; i < pipeline->framed; i++) {
        if (pipeline->values[i].kind == STREAMER_KIND_NONE) continue;
        size += 1 + pipeline->keys[i].length + pipeline->values[i].length + 2;
    }
    return size;
}

static char *put_bytes(char *out, const char *bytes, size_t length) {
    memcpy(out, bytes, length);
    return out + length;
}

static char *put(char *out, const struct streamer_pipeline *pipeline, struct span span) {
    return put_bytes(out, pipeline->compiled.bytes + span.start, span.length);
}

static size_t write_values(const struct streamer_pipeline *pipeline, char *start) {
    char separator = '{', *out = put(start, pipeline, pipeline->head);
    if (pipeline->has_id) {
        out = put_bytes(out, ID_FIELD, strlen(ID_FIELD));
        out = put_bytes(out, pipeline->own_id.bytes, pipeline->own_id.length);
        *out++ = '\n';
    }
    out = put_bytes(out, DATA_FIELD, strlen(DATA_FIELD));
    for (size_t i = 0; i < pipeline->framed; i++) {
        if (pipeline->values[i].kind == STREAMER_KIND_NONE) continue;
        *out++ = separator;
        out = put(out, pipeline, pipeline->keys[i]);
        out += streamer_value_json(&pipeline->values[i], out);
        separator = ',';
    }
    return (size_t)(put_bytes(out, END, strlen(END)) - start);
}

/* False, and *needed, when the output has no room for it. */
static bool write_frame(const struct streamer_pipeline *pipeline, struct streamer_output *output, size_t *needed) {
    bool values = !pipeline->passes && !pipeline->text;
    *needed = pipeline->raw ? pipeline->passing.length
              : values      ? values_size(pipeline)
                            : streamer_frame_size(&pipeline->frame);
    if (*needed > output->capacity - output->length) return false;
    char *out = output->bytes + output->length;
    if (pipeline->raw) put_bytes(out, pipeline->passing.bytes, *needed);
    output->length += pipeline->raw ? *needed
                      : values      ? write_values(pipeline, out)
                                    : streamer_frame_write(&pipeline->frame, out);
    return true;
}

/* A BOM is no part of the first event, and would be one of a field's name once something is written in front of it. */
static void drop_bom(struct streamer_buffer *passing) {
    static const char bom[] = {'\xEF', '\xBB', '\xBF'};
    if (passing->length < sizeof bom || memcmp(passing->bytes, bom, sizeof bom) != 0) return;
    passing->length -= sizeof bom;
    memmove(passing->bytes, passing->bytes + sizeof bom, passing->length);
}

/* Keeps bytes that pass as they are; too many fill all the room there is. The LF of an event's last CRLF may have been
 * read with it or come in front of the next one: it counts in neither place, so that the ceiling does not depend on how
 * the stream was cut. */
static enum streamer_status pass(struct streamer_pipeline *pipeline, const char *bytes, size_t length, bool over) {
    struct streamer_buffer *passing = &pipeline->passing;
    size_t room = passing->limit - passing->length;
    enum streamer_status status = streamer_buffer_append(passing, bytes, length < room ? length : room);
    if (status != STREAMER_OK) return status;
    if (length > room) return STREAMER_EVENT_TOO_LARGE;
    if (passing->length == 0) return STREAMER_OK;
    size_t counted = passing->length - (pipeline->after_cr && passing->bytes[0] == '\n');
    if (over) {
        const char *last = passing->bytes + passing->length - 1;
        pipeline->after_cr = *last == '\r';
        if (counted > 1 && memcmp(last - 1, "\r\n", 2) == 0) counted--;
        if (pipeline->events == 0) drop_bom(passing);
    }
    return counted > passing->limit - UNCOUNTED ? STREAMER_EVENT_TOO_LARGE : STREAMER_OK;
}

/* The next event, its bytes kept where they are to pass as they are. cursor: NULL when the body is over. */
static enum streamer_status next_event(struct streamer_pipeline *pipeline, const char **cursor, const char *end) {
    if (cursor == NULL) return streamer_decoder_finish(pipeline->decoder, &pipeline->source);
    const char *start = *cursor;
    enum streamer_status status = streamer_decoder_next(pipeline->decoder, cursor, end, &pipeline->source);
    if (!pipeline->raw || (status != STREAMER_EVENT && status != STREAMER_MORE)) return status;
    enum streamer_format format = streamer_decoder_format(pipeline->decoder);
    pipeline->raw = format == STREAMER_FORMAT_SSE || format == STREAMER_FORMAT_SNIFFED;
    if (!pipeline->raw) return status;
    enum streamer_status kept = pass(pipeline, start, (size_t)(*cursor - start), status == STREAMER_EVENT);
    /* Line ends in front of what may still be JSON; in front of an event, they count with it. */
    if (kept == STREAMER_EVENT_TOO_LARGE && format == STREAMER_FORMAT_SNIFFED) return status;
    return kept == STREAMER_OK ? status : kept;
}

static enum streamer_status run(struct streamer_pipeline *pipeline, const char **cursor, const char *end,
                                struct streamer_output *output, size_t *needed) {
    if (pipeline->failure != STREAMER_OK) return pipeline->failure;
    for (;;) {
        enum streamer_status status = STREAMER_OK;
        if (!pipeline->pending) {
            status = next_event(pipeline, cursor, end);
            if (status == STREAMER_MORE) return STREAMER_MORE;
            if (status == STREAMER_EVENT) status = choose(pipeline);
            if (status == STREAMER_MISSING) continue;
        }
        if (status != STREAMER_OK) {
            pipeline->failure = status;
            return status;
        }
        pipeline->pending = !write_frame(pipeline, output, needed);
        if (pipeline->pending) return STREAMER_FULL;
        pipeline->frames++;
        streamer_buffer_clear(&pipeline->unescaped);
        streamer_buffer_clear(&pipeline->passing);
    }
}

enum streamer_status streamer_pipeline_run(struct streamer_pipeline *pipeline, const char **cursor, const char *end,
                                           struct streamer_output *output, size_t *needed) {
    return run(pipeline, cursor, end, output, needed);
}

enum streamer_status streamer_pipeline_finish(struct streamer_pipeline *pipeline, struct streamer_output *output,
                                              size_t *needed) {
    enum streamer_status status = run(pipeline, NULL, NULL, output, needed);
    /* What comes behind the end marker, or does not, is of no interest. */
    if (status == STREAMER_TRUNCATED && streamer_pipeline_done(pipeline)) status = STREAMER_MORE;
    if (status != STREAMER_MORE) return status;
    bool unwanted = pipeline->frames == 0 && pipeline->events == 1 && pipeline->error_payload.length > 0;
    if (!streamer_classifier_complete(pipeline->classifier)) status = STREAMER_TRUNCATED;
    if (unwanted) status = STREAMER_UNWANTED;
    if (status != STREAMER_MORE) pipeline->failure = status;
    return status;
}

bool streamer_pipeline_done(const struct streamer_pipeline *pipeline) {
    return streamer_classifier_done(pipeline->classifier);
}

uint64_t streamer_pipeline_events(const struct streamer_pipeline *pipeline) {
    return pipeline->events;
}

uint64_t streamer_pipeline_content_events(const struct streamer_pipeline *pipeline) {
    return pipeline->news;
}

uint64_t streamer_pipeline_texts(const struct streamer_pipeline *pipeline) {
    return pipeline->texts;
}

uint64_t streamer_pipeline_frames(const struct streamer_pipeline *pipeline) {
    return pipeline->frames;
}

const char *streamer_pipeline_text(const struct streamer_pipeline *pipeline, size_t *length, bool *cut) {
    *length = pipeline->collected.length;
    *cut = pipeline->cut;
    return pipeline->collected.bytes;
}

const char *streamer_pipeline_error_payload(const struct streamer_pipeline *pipeline, size_t *length, bool *document) {
    *length = pipeline->error_payload.length;
    *document = streamer_decoder_document(pipeline->decoder);
    return pipeline->error_payload.bytes;
}

const char *streamer_pipeline_kept(const struct streamer_pipeline *pipeline, size_t n, size_t *length) {
    *length = n < pipeline->kept_count ? pipeline->kept[n].length : 0;
    return *length > 0 ? pipeline->kept[n].bytes : NULL;
}

size_t streamer_pipeline_size(const struct streamer_pipeline *pipeline) {
    size_t size =
        pipeline->heap + streamer_decoder_size(pipeline->decoder) + streamer_classifier_size(pipeline->classifier);
    if (pipeline->extractor != NULL) size += streamer_extractor_size(pipeline->extractor);
    for (size_t i = 0; i < pipeline->kept_count; i++) size += pipeline->kept[i].capacity;
    return size + pipeline->compiled.capacity + pipeline->unescaped.capacity + pipeline->last_id.capacity +
           pipeline->own_id.capacity + pipeline->passing.capacity + pipeline->collected.capacity +
           pipeline->error_payload.capacity;
}
