/* Text: each read is an event, at most max_event bytes of it at a time. A character is never cut, and neither is a
 * CRLF: what may be the beginning of one waits for the next read, or the body's end. */
#include <string.h>

#include "alloc.h"
#include "decoder.h"

enum { MAX_HELD = 3 };

struct text {
    struct streamer_decoder base;
    size_t max_event;
    char held[MAX_HELD];
    size_t held_length;
    struct streamer_buffer joined; /* what was held, and the read behind it */
    struct streamer_buffer scrubbed;
};

/* How many bytes at the end may be the beginning of something. */
static size_t unfinished(const char *bytes, size_t length) {
    if (bytes[length - 1] == '\r') return 1;
    for (size_t back = 1; back <= MAX_HELD && back <= length; back++) {
        unsigned char byte = (unsigned char)bytes[length - back];
        if (byte < 0x80) return 0;
        if (byte < 0xC0) continue;
        size_t whole = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
        return whole > back ? back : 0;
    }
    return 0;
}

static enum streamer_status join(struct text *text, const char *bytes, size_t length) {
    enum streamer_status status = streamer_buffer_append(&text->joined, text->held, text->held_length);
    return status == STREAMER_OK ? streamer_buffer_append(&text->joined, bytes, length) : status;
}

static enum streamer_status next(struct streamer_decoder *decoder, const char **cursor, const char *end,
                                 struct streamer_event *event) {
    struct text *text = (struct text *)decoder;
    streamer_buffer_clear(&text->joined);
    streamer_buffer_clear(&text->scrubbed);
    while (*cursor < end) {
        const char *run = *cursor;
        size_t length = (size_t)(end - run) < text->max_event ? (size_t)(end - run) : text->max_event;
        *cursor += length;
        if (text->held_length > 0) {
            streamer_buffer_clear(&text->joined);
            enum streamer_status status = join(text, run, length);
            if (status != STREAMER_OK) return status;
            run = text->joined.bytes;
            length = text->joined.length;
        }
        text->held_length = unfinished(run, length);
        length -= text->held_length;
        if (text->held_length > 0) memcpy(text->held, run + length, text->held_length);
        if (length > 0) return streamer_data_event(event, &text->scrubbed, run, length);
    }
    return STREAMER_MORE;
}

static enum streamer_status finish(struct streamer_decoder *decoder, struct streamer_event *event) {
    struct text *text = (struct text *)decoder;
    streamer_buffer_clear(&text->scrubbed);
    size_t length = text->held_length;
    text->held_length = 0;
    return length > 0 ? streamer_data_event(event, &text->scrubbed, text->held, length) : STREAMER_MORE;
}

static void free_text(struct streamer_decoder *decoder) {
    struct text *text = (struct text *)decoder;
    streamer_buffer_release(&text->joined);
    streamer_buffer_release(&text->scrubbed);
    streamer_free(text);
}

static size_t size(const struct streamer_decoder *decoder) {
    const struct text *text = (const struct text *)decoder;
    return sizeof *text + text->joined.capacity + text->scrubbed.capacity;
}

static const struct streamer_decoder_vtable vtable = {STREAMER_FORMAT_TEXT, next, finish, free_text, size};

struct streamer_decoder *streamer_text_decoder_new(size_t max_event) {
    struct text *text = streamer_malloc(sizeof *text);
    if (text == NULL) return NULL;
    *text = (struct text){.base = {.vtable = &vtable}, .max_event = max_event};
    /* Each byte of a run may become a U+FFFD. */
    streamer_buffer_init(&text->joined, max_event + MAX_HELD);
    streamer_buffer_init(&text->scrubbed, 3 * (max_event + MAX_HELD));
    return &text->base;
}
