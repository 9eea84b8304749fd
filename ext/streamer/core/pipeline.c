#include "pipeline.h"

#include <string.h>

#include "alloc.h"
#include "ceilings.h"
#include "encode.h"
#include "entries.h"
#include "extract.h"
#include "raw.h"
#include "reader.h"
#include "template.h"

struct kept {
    struct streamer_buffer json;
    bool too_large;
};

struct streamer_pipeline {
    struct streamer_reader *reader;
    struct streamer_extractor *extractor; /* NULL: events pass through */
    enum streamer_status failure;         /* STREAMER_OK while the stream can go on */
    bool text;
    bool raw;    /* of an event stream */
    bool passes; /* events pass through, whatever is found in them */
    bool collects;
    bool cut; /* some text did not fit into `collected` */
    bool format_given;
    bool pending;                /* what the last step gave waits for room in the output */
    enum streamer_status status; /* of that step: STREAMER_OK for a frame */
    uint64_t texts, frames;

    /* the frame being made */
    struct streamer_item item;
    struct streamer_template template;
    struct streamer_frame frame;      /* unless it is one of values */
    struct streamer_buffer unescaped; /* the text in it */
    struct streamer_buffer last_id;   /* of the frame before; an id is written when it changes */
    struct streamer_raw *source;      /* raw: the event as it came; NULL without */
    struct streamer_entries *entries; /* NULL: frames are no log's entries */
    struct streamer_value text_value; /* of an entry that passes through */
    uint64_t id_after;

    struct streamer_buffer collected;
    struct kept *kept; /* kept_count */

    size_t heap;                    /* bytes of this block, the arrays behind it included */
    size_t framed;                  /* paths that go into frames */
    size_t text_index;              /* the one of them whose characters are the text; SIZE_MAX for none */
    size_t kept_count;              /* and behind them those that do not */
    struct streamer_value values[]; /* of them all */
};

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
    const struct streamer_extractor_options wanted = {
        .paths = paths, .lengths = lengths, .count = count, .joined = pipeline->framed, .max_size = options->max_event};
    enum streamer_status status = streamer_extractor_new(&pipeline->extractor, &wanted);
    if (status == STREAMER_OK) {
        streamer_reader_extract(pipeline->reader, pipeline->extractor, pipeline->values, pipeline->framed);
    }
    return status;
}

/* Whether its frames are objects of values. */
static bool frames_values(const struct streamer_pipeline *pipeline) {
    return !pipeline->passes && !pipeline->text;
}

/* Which of the paths has the text: the first, or that of a log's text. */
static size_t text_index(const struct streamer_pipeline_options *options) {
    if (!options->entries) return options->count > 0 ? 0 : SIZE_MAX;
    size_t length = strlen(STREAMER_ENTRY_TEXT);
    for (size_t i = 0; i < options->count; i++) {
        if (options->name_lengths[i] == length && memcmp(options->names[i], STREAMER_ENTRY_TEXT, length) == 0) return i;
    }
    return SIZE_MAX;
}

static enum streamer_status build(struct streamer_pipeline *pipeline, struct streamer_span *keys,
                                  const struct streamer_pipeline_options *options) {
    if (options->entries) {
        enum streamer_status made = streamer_entries_new(&pipeline->entries, options->reserved,
                                                         options->reserved_lengths, options->reserved_count);
        if (made != STREAMER_OK) return made;
    }
    const struct streamer_template_options common = {.event = options->event,
                                                     .event_length = options->event_length,
                                                     .id = options->id,
                                                     .id_length = options->id_length,
                                                     .names = options->names,
                                                     .name_lengths = options->name_lengths,
                                                     .count = frames_values(pipeline) ? pipeline->framed : 0};
    enum streamer_status status = streamer_template_init(&pipeline->template, keys, &common);
    if (status != STREAMER_OK) return status;
    const struct streamer_reader_options reader = {.format = options->format,
                                                   .max_line = options->max_line,
                                                   .max_event = options->max_event,
                                                   .classifier = options->classifier,
                                                   .from = options->from,
                                                   .from_lengths = options->from_lengths,
                                                   .from_count = options->from_count,
                                                   .all_events = pipeline->passes};
    status = streamer_reader_new(&pipeline->reader, &reader);
    return status == STREAMER_OK ? compile_paths(pipeline, options) : status;
}

enum streamer_status streamer_pipeline_new(struct streamer_pipeline **pipeline,
                                           const struct streamer_pipeline_options *options) {
    if (options->count + options->kept_count > STREAMER_MAX_PATHS) return STREAMER_PATH_INVALID;
    /* As text only the first is written; the others would be looked for in vain. */
    size_t framed = options->text && options->count > 0 ? 1 : options->count;
    size_t values = framed + options->kept_count;
    size_t heap = sizeof(struct streamer_pipeline) + values * sizeof(struct streamer_value) +
                  framed * sizeof(struct streamer_span) + options->kept_count * sizeof(struct kept) +
                  (options->raw ? sizeof(struct streamer_raw) : 0);
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
        .format_given = options->format_given,
        .id_after = options->id_after,
        .text_index = text_index(options),
    };
    memset(created->values, 0, values * sizeof *created->values);
    struct streamer_span *keys = (struct streamer_span *)(created->values + values);
    created->kept = (struct kept *)(keys + framed);
    if (options->raw) created->source = (struct streamer_raw *)(created->kept + options->kept_count);
    streamer_buffer_init(&created->unescaped, options->max_event > 0 ? options->max_event : STREAMER_MAX_EVENT);
    streamer_buffer_init(&created->last_id, STREAMER_MAX_FIELD);
    streamer_buffer_init(&created->collected, options->collect);
    if (options->raw) streamer_raw_init(created->source, options->max_line, options->max_event);
    for (size_t i = 0; i < created->kept_count; i++) {
        created->kept[i] = (struct kept){0};
        streamer_buffer_init(&created->kept[i].json, STREAMER_MAX_KEPT);
    }

    enum streamer_status status = build(created, keys, options);
    if (status != STREAMER_OK) {
        streamer_pipeline_free(created);
        return status;
    }
    *pipeline = created;
    return STREAMER_OK;
}

void streamer_pipeline_free(struct streamer_pipeline *pipeline) {
    if (pipeline == NULL) return;
    streamer_reader_free(pipeline->reader);
    streamer_extractor_free(pipeline->extractor);
    streamer_template_release(&pipeline->template);
    streamer_buffer_release(&pipeline->unescaped);
    streamer_buffer_release(&pipeline->last_id);
    if (pipeline->source != NULL) streamer_raw_release(pipeline->source);
    streamer_entries_free(pipeline->entries);
    streamer_buffer_release(&pipeline->collected);
    for (size_t i = 0; i < pipeline->kept_count; i++) streamer_buffer_release(&pipeline->kept[i].json);
    streamer_free(pipeline);
}

bool streamer_pipeline_accepts(const struct streamer_pipeline *pipeline, const enum streamer_format *format) {
    if (pipeline->format_given) return true;
    return format != NULL && (*format != STREAMER_FORMAT_TEXT || pipeline->extractor == NULL);
}

enum streamer_status streamer_pipeline_expect(struct streamer_pipeline *pipeline, enum streamer_format format) {
    return pipeline->format_given ? STREAMER_OK : streamer_reader_expect(pipeline->reader, format);
}

static enum streamer_format format_of(const struct streamer_pipeline *pipeline) {
    return streamer_decoder_format(streamer_reader_decoder(pipeline->reader));
}

/* Of the next two, what does not fit is left out: the stream itself goes on. */

static enum streamer_status collect(struct streamer_pipeline *pipeline, const struct streamer_value *value) {
    if (!pipeline->collects || pipeline->cut || value->kind != STREAMER_KIND_STRING) return STREAMER_OK;
    enum streamer_status status = streamer_value_text(value, &pipeline->collected);
    pipeline->cut = status == STREAMER_FULL;
    return pipeline->cut ? STREAMER_OK : status;
}

static enum streamer_status keep(struct streamer_pipeline *pipeline) {
    for (size_t i = 0; i < pipeline->kept_count; i++) {
        const struct streamer_value *value = &pipeline->values[pipeline->framed + i];
        struct kept *kept = &pipeline->kept[i];
        if (value->kind == STREAMER_KIND_NONE || value->kind == STREAMER_KIND_NULL) continue;
        kept->too_large = value->length + 2 > kept->json.limit;
        if (kept->too_large) continue;
        streamer_buffer_clear(&kept->json);
        enum streamer_status status = streamer_buffer_reserve(&kept->json, value->length + 2);
        if (status != STREAMER_OK) return status;
        kept->json.length = streamer_value_json(value, kept->json.bytes);
    }
    return STREAMER_OK;
}

/* choosing what goes into a frame: STREAMER_OK, STREAMER_MISSING when there is none, or what ends the stream */

static enum streamer_status number_frame(struct streamer_pipeline *pipeline) {
    return streamer_template_number(&pipeline->template, pipeline->id_after + pipeline->frames + 1);
}

/* An event of a format that has nothing but data. */
static enum streamer_status choose_data(struct streamer_pipeline *pipeline, bool text) {
    const struct streamer_event *event = &pipeline->item.event;
    enum streamer_status status = number_frame(pipeline);
    streamer_template_fill(&pipeline->template, &pipeline->frame);
    if (status != STREAMER_OK || !text) return status;
    const struct streamer_value value = {STREAMER_KIND_STRING, event->data, event->data_length, false};
    return collect(pipeline, &value);
}

/* The event as an entry of a log. */
static enum streamer_status choose_entry(struct streamer_pipeline *pipeline, enum streamer_format format,
                                         bool message) {
    const struct streamer_event *event = &pipeline->item.event;
    struct streamer_value *text = &pipeline->text_value;
    enum streamer_status status = number_frame(pipeline);
    if (status != STREAMER_OK) return status;
    streamer_template_fill(&pipeline->template, &pipeline->frame);
    if (format == STREAMER_FORMAT_TEXT) {
        *text = (struct streamer_value){STREAMER_KIND_STRING, event->data, event->data_length, false};
        status = streamer_entries_wrap(&pipeline->unescaped, event->data, event->data_length);
        pipeline->frame.data = pipeline->unescaped.bytes;
        pipeline->frame.data_length = pipeline->unescaped.length;
        if (status == STREAMER_FULL) status = STREAMER_EVENT_TOO_LARGE;
    } else {
        status = streamer_entries_find(pipeline->entries, event->data, event->data_length, text);
    }
    if (status == STREAMER_OK && format == STREAMER_FORMAT_SSE) {
        pipeline->frame.event = NULL;
        if (!message) {
            status = streamer_entries_name(pipeline->entries, &pipeline->frame, event->type, event->type_length);
        }
    }
    if (status != STREAMER_OK) return status;
    pipeline->texts += streamer_value_is_text(text);
    return collect(pipeline, text);
}

static enum streamer_status choose_event(struct streamer_pipeline *pipeline) {
    const struct streamer_event *event = &pipeline->item.event;
    struct streamer_buffer *last_id = &pipeline->last_id;
    bool message = event->type_length == strlen("message") && memcmp(event->type, "message", event->type_length) == 0;
    pipeline->frame = (struct streamer_frame){.retry = -1, .data = event->data, .data_length = event->data_length};
    enum streamer_format format = format_of(pipeline);
    if (pipeline->entries != NULL) return choose_entry(pipeline, format, message);
    if (format != STREAMER_FORMAT_SSE) return choose_data(pipeline, format == STREAMER_FORMAT_TEXT);
    if (!message) {
        pipeline->frame.event = event->type;
        pipeline->frame.event_length = event->type_length;
    }
    bool same_id = event->id_length == last_id->length &&
                   (last_id->length == 0 || memcmp(event->id, last_id->bytes, last_id->length) == 0);
    if (same_id) return STREAMER_OK;
    pipeline->frame.id = event->id;
    pipeline->frame.id_length = event->id_length;
    streamer_buffer_clear(last_id);
    return streamer_buffer_append(last_id, event->id, event->id_length);
}

static enum streamer_status choose_text(struct streamer_pipeline *pipeline) {
    const struct streamer_value *value = &pipeline->values[0];
    pipeline->frame = (struct streamer_frame){.retry = -1, .data = value->json, .data_length = value->length};
    streamer_template_fill(&pipeline->template, &pipeline->frame);
    if (!value->escaped) return STREAMER_OK;
    enum streamer_status status = streamer_value_text(value, &pipeline->unescaped);
    pipeline->frame.data = pipeline->unescaped.bytes;
    pipeline->frame.data_length = pipeline->unescaped.length;
    return status;
}

static enum streamer_status choose(struct streamer_pipeline *pipeline) {
    enum streamer_status status = STREAMER_OK;
    if (pipeline->text_index < pipeline->framed) {
        const struct streamer_value *text = &pipeline->values[pipeline->text_index];
        pipeline->texts += streamer_value_is_text(text);
        status = collect(pipeline, text);
    }
    if (status == STREAMER_OK) status = keep(pipeline);
    if (status != STREAMER_OK) return status;

    if (pipeline->raw) return STREAMER_OK;
    if (pipeline->passes) {
        return pipeline->item.class == STREAMER_CLASS_MARKER ? STREAMER_MISSING : choose_event(pipeline);
    }
    if (pipeline->item.found == 0) return STREAMER_MISSING;
    status = number_frame(pipeline);
    return status == STREAMER_OK && pipeline->text ? choose_text(pipeline) : status;
}

/* The next event, with its bytes as they came. */
static enum streamer_status next_event(struct streamer_pipeline *pipeline, const char **cursor, const char *end) {
    const char *start = *cursor;
    uint64_t events = streamer_reader_events(pipeline->reader);
    bool over = streamer_reader_done(pipeline->reader);
    enum streamer_status status = streamer_reader_next(pipeline->reader, cursor, end, &pipeline->item);
    if (!pipeline->raw || over) return status;
    enum streamer_format format = format_of(pipeline);
    pipeline->raw = format == STREAMER_FORMAT_SSE || format == STREAMER_FORMAT_SNIFFED;
    if (!pipeline->raw) return status;
    bool decoded = streamer_reader_events(pipeline->reader) > events;
    enum streamer_status taken =
        streamer_raw_take(pipeline->source, streamer_reader_decoder(pipeline->reader), start, *cursor, decoded);
    if (taken != STREAMER_OK) status = taken;
    if (streamer_reader_done(pipeline->reader)) streamer_raw_end(pipeline->source);
    if (decoded && status != STREAMER_EVENT) streamer_raw_withhold(pipeline->source);
    return status;
}

/* cursor: NULL when the body is over. */
static enum streamer_status step(struct streamer_pipeline *pipeline, const char **cursor, const char *end) {
    enum streamer_status status =
        cursor == NULL ? streamer_reader_finish(pipeline->reader, &pipeline->item) : next_event(pipeline, cursor, end);
    return status == STREAMER_EVENT ? choose(pipeline) : status;
}

static size_t frame_size(const struct streamer_pipeline *pipeline) {
    if (pipeline->raw) return streamer_raw_size(pipeline->source);
    if (pipeline->status != STREAMER_OK) return 0;
    return frames_values(pipeline) ? streamer_template_size(&pipeline->template, pipeline->values)
                                   : streamer_frame_size(&pipeline->frame);
}

static size_t write_frame(const struct streamer_pipeline *pipeline, char *out) {
    if (pipeline->raw) return streamer_raw_write(pipeline->source, out);
    return frames_values(pipeline) ? streamer_template_write(&pipeline->template, pipeline->values, out)
                                   : streamer_frame_write(&pipeline->frame, out);
}

/* The frame was written there, and is none yet. */
static enum streamer_status add_entry(struct streamer_pipeline *pipeline, const char *frame, size_t length) {
    if (pipeline->entries == NULL || pipeline->status != STREAMER_OK) return STREAMER_OK;
    const struct streamer_value *text = pipeline->passes ? &pipeline->text_value
                                        : pipeline->text_index < pipeline->framed
                                            ? &pipeline->values[pipeline->text_index]
                                            : NULL;
    return streamer_entries_add(pipeline->entries, text, frame, length);
}

/* Behind what was written: STREAMER_OK, or what run returns. */
static enum streamer_status settle(struct streamer_pipeline *pipeline) {
    pipeline->pending = false;
    pipeline->frames += pipeline->status == STREAMER_OK;
    streamer_buffer_clear(&pipeline->unescaped);
    enum streamer_status status = pipeline->status;
    if (pipeline->raw && (status == STREAMER_OK || status == STREAMER_MORE)) {
        enum streamer_status kept = streamer_raw_keep_rest(pipeline->source);
        if (kept != STREAMER_OK) status = kept;
    }
    if (status == STREAMER_OK || status == STREAMER_MISSING) return STREAMER_OK;
    if (status != STREAMER_MORE) pipeline->failure = status;
    return status;
}

static enum streamer_status run(struct streamer_pipeline *pipeline, const char **cursor, const char *end,
                                struct streamer_output *output, size_t *needed) {
    enum streamer_status status = pipeline->failure;
    while (status == STREAMER_OK) {
        if (!pipeline->pending) pipeline->status = step(pipeline, cursor, end);
        *needed = frame_size(pipeline);
        pipeline->pending = *needed > output->capacity - output->length;
        if (pipeline->pending) return STREAMER_FULL;
        if (*needed > 0) {
            size_t length = write_frame(pipeline, output->bytes + output->length);
            status = add_entry(pipeline, output->bytes + output->length, length);
            if (status != STREAMER_OK) return pipeline->failure = status;
            output->length += length;
        }
        status = settle(pipeline);
    }
    return status;
}

enum streamer_status streamer_pipeline_run(struct streamer_pipeline *pipeline, const char **cursor, const char *end,
                                           struct streamer_output *output, size_t *needed) {
    return run(pipeline, cursor, end, output, needed);
}

enum streamer_status streamer_pipeline_finish(struct streamer_pipeline *pipeline, struct streamer_output *output,
                                              size_t *needed) {
    return run(pipeline, NULL, NULL, output, needed);
}

bool streamer_pipeline_done(const struct streamer_pipeline *pipeline) {
    return streamer_reader_done(pipeline->reader);
}

uint64_t streamer_pipeline_events(const struct streamer_pipeline *pipeline) {
    return streamer_reader_events(pipeline->reader);
}

uint64_t streamer_pipeline_content_events(const struct streamer_pipeline *pipeline) {
    return streamer_reader_content_events(pipeline->reader);
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

struct streamer_added streamer_pipeline_added(const struct streamer_pipeline *pipeline) {
    const struct streamer_entries *entries = pipeline->entries;
    if (entries == NULL) return (struct streamer_added){0};
    return (struct streamer_added){entries->text.bytes, entries->text.length, entries->others.bytes,
                                   entries->others.length};
}

void streamer_pipeline_forget_added(struct streamer_pipeline *pipeline) {
    if (pipeline->entries == NULL) return;
    streamer_buffer_clear(&pipeline->entries->text);
    streamer_buffer_clear(&pipeline->entries->others);
}

const char *streamer_pipeline_error_payload(const struct streamer_pipeline *pipeline, size_t *length, bool *document) {
    return streamer_reader_error_payload(pipeline->reader, length, document);
}

const char *streamer_pipeline_kept(const struct streamer_pipeline *pipeline, size_t n, size_t *length) {
    *length = n < pipeline->kept_count ? pipeline->kept[n].json.length : 0;
    return *length > 0 ? pipeline->kept[n].json.bytes : NULL;
}

bool streamer_pipeline_kept_too_large(const struct streamer_pipeline *pipeline, size_t n) {
    return n < pipeline->kept_count && pipeline->kept[n].too_large;
}

size_t streamer_pipeline_size(const struct streamer_pipeline *pipeline) {
    size_t size = pipeline->heap + streamer_reader_size(pipeline->reader);
    if (pipeline->extractor != NULL) size += streamer_extractor_size(pipeline->extractor);
    if (pipeline->entries != NULL) size += streamer_entries_size(pipeline->entries);
    for (size_t i = 0; i < pipeline->kept_count; i++) size += pipeline->kept[i].json.capacity;
    return size + streamer_template_memory(&pipeline->template) + pipeline->unescaped.capacity +
           pipeline->last_id.capacity + (pipeline->source == NULL ? 0 : pipeline->source->carried.capacity) +
           pipeline->collected.capacity;
}
