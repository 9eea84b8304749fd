#include "raw.h"

#include <string.h>

#include "ceilings.h"

/* LFs that a carried event may have beside what is counted: the one behind its last CR, and one in front of it. */
enum { UNCOUNTED = 2 };

void streamer_raw_init(struct streamer_raw *raw, size_t max_line, size_t max_event) {
    if (max_line == 0) max_line = STREAMER_MAX_LINE;
    if (max_event == 0) max_event = STREAMER_MAX_EVENT;
    *raw = (struct streamer_raw){.max_event = 2 * max_event}; /* fields and line ends beside the data */
    streamer_buffer_init(&raw->carried, raw->max_event + max_line + UNCOUNTED);
}

void streamer_raw_release(struct streamer_raw *raw) {
    streamer_buffer_release(&raw->carried);
}

/* An event's bytes without the LF behind its last CR, which may as well be read with the next event. */
static size_t counted(const char *bytes, size_t length) {
    return length > 1 && memcmp(bytes + length - 2, "\r\n", 2) == 0 ? length - 1 : length;
}

/* Moves `start` behind what belongs to no line. */
static const char *skip(struct streamer_raw *raw, const struct streamer_decoder *decoder, const char *start,
                        const char *end) {
    size_t skipped = streamer_decoder_skipped(decoder), length = (size_t)(end - start);
    if (raw->offset >= skipped) return start;
    streamer_buffer_clear(&raw->carried); /* the beginning of the BOM */
    return start + (skipped - raw->offset < length ? skipped - raw->offset : length);
}

enum streamer_status streamer_raw_take(struct streamer_raw *raw, const struct streamer_decoder *decoder,
                                       const char *start, const char *end, bool event) {
    if (start == end) { /* nothing was read, so what the decoder says is of the call before */
        raw->from = raw->to = raw->end = end;
        raw->passes_carried = false;
        return STREAMER_OK;
    }
    const char *first = skip(raw, decoder, start, end), *settled = streamer_decoder_settled(decoder);
    raw->offset += (size_t)(end - start);
    raw->from = first;
    raw->to = settled != NULL ? settled : first;
    raw->end = end;
    raw->passes_carried = settled != NULL;
    if (!event) return STREAMER_OK;

    raw->event = raw->to;
    raw->event_carried = settled == NULL;
    size_t size = counted(raw->to, (size_t)(end - raw->to)) + (raw->event_carried ? raw->carried.length : 0);
    raw->to = end;
    raw->passes_carried = true;
    return size > raw->max_event ? STREAMER_EVENT_TOO_LARGE : STREAMER_OK;
}

void streamer_raw_withhold(struct streamer_raw *raw) {
    raw->to = raw->event;
    raw->passes_carried = !raw->event_carried;
}

void streamer_raw_end(struct streamer_raw *raw) {
    raw->to = raw->from + counted(raw->from, (size_t)(raw->to - raw->from));
}

size_t streamer_raw_size(const struct streamer_raw *raw) {
    return (raw->passes_carried ? raw->carried.length : 0) + (size_t)(raw->to - raw->from);
}

size_t streamer_raw_write(const struct streamer_raw *raw, char *out) {
    size_t carried = raw->passes_carried ? raw->carried.length : 0, length = (size_t)(raw->to - raw->from);
    if (carried > 0) memcpy(out, raw->carried.bytes, carried);
    if (length > 0) memcpy(out + carried, raw->from, length);
    return carried + length;
}

enum streamer_status streamer_raw_keep_rest(struct streamer_raw *raw) {
    if (raw->passes_carried) streamer_buffer_clear(&raw->carried);
    enum streamer_status status = streamer_buffer_append(&raw->carried, raw->to, (size_t)(raw->end - raw->to));
    raw->passes_carried = false;
    raw->from = raw->to = raw->end = NULL;
    return status == STREAMER_FULL ? STREAMER_EVENT_TOO_LARGE : status;
}
