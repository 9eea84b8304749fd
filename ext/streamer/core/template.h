/* template: what all frames of a pipeline have in common, encoded once. Internal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "encode.h"
#include "value.h"

/* Bytes within the template. */
struct streamer_span {
    size_t start;
    size_t length;
};

struct streamer_template {
    struct streamer_buffer bytes;
    bool has_event, has_id;
    struct streamer_span event;
    struct streamer_span id;   /* in front of a frame's number */
    struct streamer_span head; /* a frame of values up to its id */
    struct streamer_span *keys;
    size_t key_count;
    struct streamer_buffer own_id; /* of the frame that is being made */
};

struct streamer_template_options {
    const char *event; /* NULL: none */
    size_t event_length;
    const char *id; /* NULL: none */
    size_t id_length;
    const char *const *names; /* the values' keys in a frame's object */
    const size_t *name_lengths;
    size_t count;
};

/* `keys` has room for options->count. STREAMER_OK, STREAMER_FIELD_INVALID or STREAMER_NO_MEMORY; to be released in any
 * case. */
enum streamer_status streamer_template_init(struct streamer_template *template, struct streamer_span *keys,
                                            const struct streamer_template_options *options);
void streamer_template_release(struct streamer_template *template);

/* Before each frame: its number, which goes into its id. */
enum streamer_status streamer_template_number(struct streamer_template *template, uint64_t number);

/* Sets the frame's event and id. */
void streamer_template_fill(const struct streamer_template *template, struct streamer_frame *frame);

/* A frame with an object of the values, without those that are STREAMER_KIND_NONE. No less than what is written. */
size_t streamer_template_size(const struct streamer_template *template, const struct streamer_value *values);
size_t streamer_template_write(const struct streamer_template *template, const struct streamer_value *values,
                               char *out);

/* Bytes of heap held. */
size_t streamer_template_memory(const struct streamer_template *template);
