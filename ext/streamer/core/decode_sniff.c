/* Sniffed: an event stream, unless the body's first byte that ends no line begins a JSON object or array. No field of
 * an event stream begins so, and some servers answer with a JSON error under the media type of an event stream, or
 * under none. */
#include "alloc.h"
#include "decoder.h"

struct sniffed {
    struct streamer_decoder base;
    struct streamer_decoder *inner; /* NULL while nothing is known */
    size_t max_line;
    size_t max_event;
};

static bool choose(struct sniffed *sniffed, char first) {
    enum streamer_format format = first == '{' || first == '[' ? STREAMER_FORMAT_JSON : STREAMER_FORMAT_SSE;
    sniffed->inner = streamer_decoder_new(format, sniffed->max_line, sniffed->max_event);
    return sniffed->inner != NULL;
}

static enum streamer_status next(struct streamer_decoder *decoder, const char **cursor, const char *end,
                                 struct streamer_event *event) {
    struct sniffed *sniffed = (struct sniffed *)decoder;
    if (sniffed->inner == NULL) {
        for (; *cursor < end && (**cursor == '\n' || **cursor == '\r'); ++*cursor) decoder->skipped++;
        if (*cursor == end) return STREAMER_MORE;
        if (!choose(sniffed, **cursor)) return STREAMER_NO_MEMORY;
    }
    return sniffed->inner->vtable->next(sniffed->inner, cursor, end, event);
}

static enum streamer_status finish(struct streamer_decoder *decoder, struct streamer_event *event) {
    struct sniffed *sniffed = (struct sniffed *)decoder;
    return sniffed->inner == NULL ? STREAMER_MORE : sniffed->inner->vtable->finish(sniffed->inner, event);
}

static void free_sniffed(struct streamer_decoder *decoder) {
    struct sniffed *sniffed = (struct sniffed *)decoder;
    streamer_decoder_free(sniffed->inner);
    streamer_free(sniffed);
}

static size_t size(const struct streamer_decoder *decoder) {
    const struct sniffed *sniffed = (const struct sniffed *)decoder;
    return sizeof *sniffed + (sniffed->inner == NULL ? 0 : streamer_decoder_size(sniffed->inner));
}

static const struct streamer_decoder_vtable vtable = {STREAMER_FORMAT_SNIFFED, next, finish, free_sniffed, size};

struct streamer_decoder *streamer_sniffed_decoder_new(size_t max_line, size_t max_event) {
    struct sniffed *sniffed = streamer_malloc(sizeof *sniffed);
    if (sniffed == NULL) return NULL;
    *sniffed = (struct sniffed){.base = {.vtable = &vtable}, .max_line = max_line, .max_event = max_event};
    return &sniffed->base;
}

const struct streamer_decoder *streamer_sniffed_inner(const struct streamer_decoder *decoder) {
    const struct sniffed *sniffed = (const struct sniffed *)decoder;
    return sniffed->inner == NULL ? decoder : sniffed->inner;
}
