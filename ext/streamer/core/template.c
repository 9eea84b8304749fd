#include "template.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ceilings.h"

#define ID_FIELD "id: "
#define DATA_FIELD "data: "
#define END "}\n\n"

static struct streamer_span since(const struct streamer_buffer *bytes, size_t start) {
    return (struct streamer_span){start, bytes->length - start};
}

/* The head of a frame of values, in place of what is there. */
static enum streamer_status encode_head(struct streamer_template *template,
                                        const struct streamer_template_options *options, bool with_id) {
    const struct streamer_frame frame = {.event = options->event,
                                         .event_length = options->event_length,
                                         .id = with_id ? options->id : NULL,
                                         .id_length = options->id_length,
                                         .retry = -1};
    streamer_buffer_clear(&template->bytes);
    return streamer_encode_frame(&template->bytes, &frame);
}

static enum streamer_status append(struct streamer_template *template, struct streamer_span *span, const char *text,
                                   size_t length) {
    size_t start = template->bytes.length;
    enum streamer_status status = streamer_buffer_append(&template->bytes, text, length);
    *span = since(&template->bytes, start);
    return status;
}

static enum streamer_status append_key(struct streamer_template *template, const char *name, size_t length) {
    size_t start = template->bytes.length;
    enum streamer_status status = streamer_encode_json_string(&template->bytes, name, length);
    if (status == STREAMER_OK) status = streamer_buffer_append(&template->bytes, ":", 1);
    template->keys[template->key_count++] = since(&template->bytes, start);
    return status;
}

static enum streamer_status compile(struct streamer_template *template,
                                    const struct streamer_template_options *options) {
    enum streamer_status status = encode_head(template, options, true); /* to see whether SSE can carry the id */
    if (status == STREAMER_OK) status = encode_head(template, options, false);
    if (status != STREAMER_OK) return status;
    template->bytes.length--; /* its blank line */
    template->head = since(&template->bytes, 0);
    for (size_t i = 0; status == STREAMER_OK && i < options->count; i++) {
        status = append_key(template, options->names[i], options->name_lengths[i]);
    }
    if (status == STREAMER_OK) status = append(template, &template->event, options->event, options->event_length);
    if (status == STREAMER_OK) status = append(template, &template->id, options->id, options->id_length);
    return status;
}

enum streamer_status streamer_template_init(struct streamer_template *template, struct streamer_span *keys,
                                            const struct streamer_template_options *options) {
    *template =
        (struct streamer_template){.keys = keys, .has_event = options->event != NULL, .has_id = options->id != NULL};
    streamer_buffer_init(&template->bytes, (STREAMER_MAX_PATHS + 3) * STREAMER_MAX_FIELD);
    streamer_buffer_init(&template->own_id, STREAMER_MAX_FIELD + 20);
    enum streamer_status status = compile(template, options);
    return status == STREAMER_FULL ? STREAMER_FIELD_INVALID : status;
}

void streamer_template_release(struct streamer_template *template) {
    streamer_buffer_release(&template->bytes);
    streamer_buffer_release(&template->own_id);
}

enum streamer_status streamer_template_number(struct streamer_template *template, uint64_t number) {
    if (!template->has_id) return STREAMER_OK;
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, number);
    streamer_buffer_clear(&template->own_id);
    enum streamer_status status =
        streamer_buffer_append(&template->own_id, template->bytes.bytes + template->id.start, template->id.length);
    return status == STREAMER_OK ? streamer_buffer_append(&template->own_id, digits, (size_t)length) : status;
}

void streamer_template_fill(const struct streamer_template *template, struct streamer_frame *frame) {
    if (template->has_event) {
        frame->event = template->bytes.bytes + template->event.start;
        frame->event_length = template->event.length;
    }
    if (template->has_id) {
        frame->id = template->own_id.bytes;
        frame->id_length = template->own_id.length;
    }
}

/* For each value its key, two quotes and a brace or comma. */
size_t streamer_template_size(const struct streamer_template *template, const struct streamer_value *values) {
    size_t size = template->head.length + strlen(DATA_FIELD END);
    if (template->has_id) size += strlen(ID_FIELD) + template->own_id.length + 1;
    for (size_t i = 0; i < template->key_count; i++) {
        if (values[i].kind == STREAMER_KIND_NONE) continue;
        size += 1 + template->keys[i].length + values[i].length + 2;
    }
    return size;
}

static char *put(char *out, const char *bytes, size_t length) {
    memcpy(out, bytes, length);
    return out + length;
}

static char *put_span(char *out, const struct streamer_template *template, struct streamer_span span) {
    return put(out, template->bytes.bytes + span.start, span.length);
}

size_t streamer_template_write(const struct streamer_template *template, const struct streamer_value *values,
                               char *start) {
    char separator = '{', *out = put_span(start, template, template->head);
    if (template->has_id) {
        out = put(out, ID_FIELD, strlen(ID_FIELD));
        out = put(out, template->own_id.bytes, template->own_id.length);
        *out++ = '\n';
    }
    out = put(out, DATA_FIELD, strlen(DATA_FIELD));
    for (size_t i = 0; i < template->key_count; i++) {
        if (values[i].kind == STREAMER_KIND_NONE) continue;
        *out++ = separator;
        out = put_span(out, template, template->keys[i]);
        out += streamer_value_json(&values[i], out);
        separator = ',';
    }
    return (size_t)(put(out, END, strlen(END)) - start);
}

size_t streamer_template_memory(const struct streamer_template *template) {
    return template->bytes.capacity + template->own_id.capacity;
}
