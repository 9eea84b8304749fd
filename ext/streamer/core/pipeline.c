#include "pipeline.h"

#include <string.h>

#include "alloc.h"
#include "encode.h"
#include "limits.h"

/* A run of bytes in the pipeline's `compiled`. */
struct piece {
    size_t start;
    size_t length;
};

struct streamer_pipeline {
    struct streamer_decoder *decoder;
    struct streamer_extractor *extractor; /* NULL: events pass through */
    enum streamer_status failure;         /* STREAMER_OK while the stream can go on */
    bool text;
    bool has_event;
    bool has_done;
    bool done;
    bool pending; /* a frame waits for room in the output */
    uint64_t events;
    uint64_t frames;

    struct streamer_buffer compiled; /* what the options say, ready to be copied */
    struct piece event;
    struct piece done_marker;
    struct piece prefix;                   /* of a frame of values, up to its object */
    struct piece keys[STREAMER_MAX_PATHS]; /* a value's name with its quotes and colon */

    /* the frame being made */
    struct streamer_event source;
    struct streamer_value values[STREAMER_MAX_PATHS]; /* those not wanted in it are STREAMER_KIND_NONE */
    struct streamer_frame frame;                      /* unless it is one of values */
    struct streamer_buffer unescaped;                 /* the text in it */
    struct streamer_buffer last_id;                   /* of the frame before; an id is written when it changes */
};

/* compiling the options */

static struct piece since(const struct streamer_buffer *compiled, size_t start) {
    return (struct piece){start, compiled->length - start};
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
    const struct streamer_frame head = {.event = options->event, .event_length = options->event_length, .retry = -1};
    enum streamer_status status = streamer_encode_frame(compiled, &head);
    if (status != STREAMER_OK) return status;
    compiled->length--; /* its blank line */
    status = streamer_buffer_append(compiled, "data: ", strlen("data: "));
    pipeline->prefix = since(compiled, 0);

    for (size_t i = 0; status == STREAMER_OK && i < options->count; i++) status = compile_key(pipeline, options, i);

    size_t start = compiled->length;
    if (status == STREAMER_OK) status = streamer_buffer_append(compiled, options->event, options->event_length);
    pipeline->event = since(compiled, start);
    start = compiled->length;
    if (status == STREAMER_OK) status = streamer_buffer_append(compiled, options->done, options->done_length);
    pipeline->done_marker = since(compiled, start);
    return status;
}

static enum streamer_status build(struct streamer_pipeline *pipeline, const struct streamer_pipeline_options *options) {
    enum streamer_status status = compile(pipeline, options);
    if (status == STREAMER_FULL) return STREAMER_FIELD_INVALID;
    if (status != STREAMER_OK) return status;
    pipeline->decoder = streamer_decoder_new(options->max_line, options->max_event);
    if (pipeline->decoder == NULL) return STREAMER_NO_MEMORY;
    if (options->count == 0) return STREAMER_OK;
    /* The others would be looked for in vain. */
    size_t count = options->text ? 1 : options->count;
    return streamer_extractor_new(&pipeline->extractor, options->paths, options->path_lengths, count, 0,
                                  options->max_event);
}

enum streamer_status streamer_pipeline_new(struct streamer_pipeline **pipeline,
                                           const struct streamer_pipeline_options *options) {
    if (options->count > STREAMER_MAX_PATHS) return STREAMER_PATH_INVALID;
    struct streamer_pipeline *created = streamer_malloc(sizeof *created);
    if (created == NULL) return STREAMER_NO_MEMORY;
    *created = (struct streamer_pipeline){
        .text = options->text, .has_event = options->event != NULL, .has_done = options->done != NULL};
    streamer_buffer_init(&created->compiled, (STREAMER_MAX_PATHS + 2) * STREAMER_MAX_FIELD);
    streamer_buffer_init(&created->unescaped, options->max_event > 0 ? options->max_event : STREAMER_MAX_EVENT);
    streamer_buffer_init(&created->last_id, STREAMER_MAX_FIELD);

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
    streamer_extractor_free(pipeline->extractor);
    streamer_buffer_release(&pipeline->compiled);
    streamer_buffer_release(&pipeline->unescaped);
    streamer_buffer_release(&pipeline->last_id);
    streamer_free(pipeline);
}

/* choosing what goes into a frame: STREAMER_OK, STREAMER_MISSING when there is none, or what ends the stream */

static bool is_done_marker(const struct streamer_pipeline *pipeline) {
    const struct streamer_event *source = &pipeline->source;
    return pipeline->has_done && source->data_length == pipeline->done_marker.length &&
           memcmp(source->data, pipeline->compiled.bytes + pipeline->done_marker.start, source->data_length) == 0;
}

static enum streamer_status choose_event(struct streamer_pipeline *pipeline) {
    const struct streamer_event *source = &pipeline->source;
    struct streamer_buffer *last_id = &pipeline->last_id;
    bool message =
        source->type_length == strlen("message") && memcmp(source->type, "message", source->type_length) == 0;
    pipeline->frame = (struct streamer_frame){.retry = -1, .data = source->data, .data_length = source->data_length};
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
    if (pipeline->has_event) {
        pipeline->frame.event = pipeline->compiled.bytes + pipeline->event.start;
        pipeline->frame.event_length = pipeline->event.length;
    }
    if (!value->escaped) return STREAMER_OK;
    enum streamer_status status = streamer_value_text(value, &pipeline->unescaped);
    pipeline->frame.data = pipeline->unescaped.bytes;
    pipeline->frame.data_length = pipeline->unescaped.length;
    return status;
}

static enum streamer_status choose_values(struct streamer_pipeline *pipeline) {
    const struct streamer_event *source = &pipeline->source;
    /* Some servers send events without data to keep the connection alive. */
    if (source->data_length == 0) return STREAMER_MISSING;
    enum streamer_status status =
        streamer_extractor_read(pipeline->extractor, source->data, source->data_length, pipeline->values);
    if (status != STREAMER_OK) return status;

    size_t wanted = 0, count = streamer_extractor_count(pipeline->extractor);
    for (size_t i = 0; i < count; i++) {
        struct streamer_value *value = &pipeline->values[i];
        if (value->kind == STREAMER_KIND_NULL) value->kind = STREAMER_KIND_NONE;
        wanted += value->kind != STREAMER_KIND_NONE;
    }
    if (wanted == 0) return STREAMER_MISSING;
    return pipeline->text ? choose_text(pipeline) : STREAMER_OK;
}

static enum streamer_status choose(struct streamer_pipeline *pipeline) {
    pipeline->events++;
    if (is_done_marker(pipeline)) {
        pipeline->done = true;
        return STREAMER_MISSING;
    }
    return pipeline->extractor != NULL ? choose_values(pipeline) : choose_event(pipeline);
}

/* writing the frame */

/* No less than write_values writes: for each value its key, two quotes and a brace or comma; then "}\n\n". */
static size_t values_size(const struct streamer_pipeline *pipeline) {
    size_t size = pipeline->prefix.length + 3, count = streamer_extractor_count(pipeline->extractor);
    for (size_t i = 0; i < count; i++) {
        if (pipeline->values[i].kind == STREAMER_KIND_NONE) continue;
        size += 1 + pipeline->keys[i].length + pipeline->values[i].length + 2;
    }
    return size;
}

static char *put(char *out, const struct streamer_pipeline *pipeline, struct piece piece) {
    memcpy(out, pipeline->compiled.bytes + piece.start, piece.length);
    return out + piece.length;
}

static size_t write_values(const struct streamer_pipeline *pipeline, char *start) {
    size_t count = streamer_extractor_count(pipeline->extractor);
    char separator = '{', *out = put(start, pipeline, pipeline->prefix);
    for (size_t i = 0; i < count; i++) {
        if (pipeline->values[i].kind == STREAMER_KIND_NONE) continue;
        *out++ = separator;
        out = put(out, pipeline, pipeline->keys[i]);
        out += streamer_value_json(&pipeline->values[i], out);
        separator = ',';
    }
    memcpy(out, "}\n\n", 3);
    return (size_t)(out + 3 - start);
}

/* False, and *needed, when the output has no room for it. */
static bool write_frame(const struct streamer_pipeline *pipeline, struct streamer_output *output, size_t *needed) {
    bool values = pipeline->extractor != NULL && !pipeline->text;
    *needed = values ? values_size(pipeline) : streamer_frame_size(&pipeline->frame);
    if (*needed > output->capacity - output->length) return false;
    char *out = output->bytes + output->length;
    output->length += values ? write_values(pipeline, out) : streamer_frame_write(&pipeline->frame, out);
    return true;
}

enum streamer_status streamer_pipeline_run(struct streamer_pipeline *pipeline, const char **cursor, const char *end,
                                           struct streamer_output *output, size_t *needed) {
    if (pipeline->failure != STREAMER_OK) return pipeline->failure;
    for (;;) {
        enum streamer_status status = STREAMER_OK;
        if (!pipeline->pending) {
            status = streamer_decoder_next(pipeline->decoder, cursor, end, &pipeline->source);
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
    }
}

bool streamer_pipeline_done(const struct streamer_pipeline *pipeline) {
    return pipeline->done;
}

uint64_t streamer_pipeline_events(const struct streamer_pipeline *pipeline) {
    return pipeline->events;
}

uint64_t streamer_pipeline_frames(const struct streamer_pipeline *pipeline) {
    return pipeline->frames;
}

const struct streamer_decoder *streamer_pipeline_decoder(const struct streamer_pipeline *pipeline) {
    return pipeline->decoder;
}

size_t streamer_pipeline_size(const struct streamer_pipeline *pipeline) {
    size_t size = sizeof *pipeline + streamer_decoder_size(pipeline->decoder);
    if (pipeline->extractor != NULL) size += streamer_extractor_size(pipeline->extractor);
    return size + pipeline->compiled.capacity + pipeline->unescaped.capacity + pipeline->last_id.capacity;
}
