/* Event streams. The grammar is the WHATWG HTML Standard, 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting
 * an event stream", complete: lines ended by CR, LF or CRLF (also when a
 * read ends between the two), comments, fields without a colon, one leading space, `id` with NUL
 * ignored, digits-only `retry`, the last event ID kept across events, events without data not
 * dispatched, an unfinished event at the end discarded. */
#include <string.h>

#include "alloc.h"
#include "ceilings.h"
#include "decoder.h"
#include "utf8.h"

/* Where the data of the event being read is. */
enum data_state {
    DATA_NONE,  /* no data line yet */
    DATA_INPUT, /* one line, where it was read */
    DATA_LINE,  /* one line, in `line` */
    DATA_JOINED /* in `data` */
};

struct sse {
    struct streamer_decoder base;
    bool after_cr;   /* the last read ended in CR: a LF now belongs to it */
    bool cut;        /* `line` holds the start of a line that the last read's end cut */
    bool dispatched; /* the last call handed out an event, whose memory is still held */
    bool id_pending; /* next_id becomes id at the next blank line */
    enum data_state data_state;
    const char *view; /* the data while it is one line */
    size_t view_length;
    int64_t retry;

    struct streamer_buffer line;
    struct streamer_buffer data;
    struct streamer_buffer type;
    struct streamer_buffer id;
    struct streamer_buffer next_id;

    /* The input between two calls, and the next LF and the next CR in it (input_end where there is none). Both are
     * remembered: searching for the rare one again at each of the other's would be quadratic. */
    const char *input;
    const char *input_end;
    const char *next_lf;
    const char *next_cr;
    const char *settled; /* in the input: behind the last line with which no event was begun */
};

static const char *find(const char *from, const char *end, char byte) {
    const char *found = memchr(from, byte, (size_t)(end - from));
    return found != NULL ? found : end;
}

static enum streamer_status event_limit(enum streamer_status status) {
    return status == STREAMER_FULL ? STREAMER_EVENT_TOO_LARGE : status;
}

/* Makes the pending data independent of the input and of `line`. */
static enum streamer_status keep_view(struct sse *sse) {
    if (sse->data_state != DATA_INPUT && sse->data_state != DATA_LINE) return STREAMER_OK;
    sse->data_state = DATA_JOINED;
    return event_limit(streamer_buffer_append(&sse->data, sse->view, sse->view_length));
}

/* `place`, of the value: DATA_INPUT or DATA_LINE. */
static enum streamer_status take_data(struct sse *sse, const char *value, size_t length, enum data_state place) {
    bool valid = streamer_utf8_valid(value, length);
    if (sse->data_state == DATA_NONE && valid) {
        if (length > sse->data.limit) return STREAMER_EVENT_TOO_LARGE;
        sse->data_state = place;
        sse->view = value;
        sse->view_length = length;
        return STREAMER_OK;
    }
    enum streamer_status status = keep_view(sse);
    if (status != STREAMER_OK) return status;
    if (sse->data_state == DATA_JOINED) status = streamer_buffer_append(&sse->data, "\n", 1);
    sse->data_state = DATA_JOINED;
    if (status == STREAMER_OK) {
        status =
            valid ? streamer_buffer_append(&sse->data, value, length) : streamer_utf8_scrub(&sse->data, value, length);
    }
    return event_limit(status);
}

static enum streamer_status take_type(struct sse *sse, const char *value, size_t length) {
    streamer_buffer_clear(&sse->type);
    return event_limit(streamer_utf8_scrub(&sse->type, value, length));
}

static enum streamer_status take_id(struct sse *sse, const char *value, size_t length) {
    if (memchr(value, '\0', length) != NULL) return STREAMER_OK;
    streamer_buffer_clear(&sse->next_id);
    sse->id_pending = true;
    return event_limit(streamer_utf8_scrub(&sse->next_id, value, length));
}

static void take_retry(struct sse *sse, const char *value, size_t length) {
    int64_t milliseconds = 0;
    if (length == 0) return;
    for (size_t i = 0; i < length; i++) {
        if (value[i] < '0' || value[i] > '9') return;
        int digit = value[i] - '0';
        milliseconds = milliseconds > (INT64_MAX - digit) / 10 ? INT64_MAX : milliseconds * 10 + digit;
    }
    sse->retry = milliseconds;
}

/* One line that is not blank, without its end. */
static enum streamer_status take_line(struct sse *sse, const char *line, size_t length) {
    /* No field's name is longer than five bytes, so a colon farther on does not matter. */
    size_t name = 0;
    while (name < length && name <= 5 && line[name] != ':') name++;

    const char *value = line + name;
    size_t value_length = length - name;
    if (value_length > 0) value++, value_length--;
    if (value_length > 0 && *value == ' ') value++, value_length--;

    enum data_state place = line == sse->line.bytes ? DATA_LINE : DATA_INPUT;

    if (name == 4 && memcmp(line, "data", 4) == 0) return take_data(sse, value, value_length, place);
    if (name == 5 && memcmp(line, "event", 5) == 0) return take_type(sse, value, value_length);
    if (name == 2 && memcmp(line, "id", 2) == 0) return take_id(sse, value, value_length);
    if (name == 5 && memcmp(line, "retry", 5) == 0) take_retry(sse, value, value_length);
    return STREAMER_OK;
}

/* A blank line. True when that completed an event. */
static bool dispatch(struct sse *sse, struct streamer_event *event) {
    if (sse->id_pending) {
        struct streamer_buffer id = sse->id;
        sse->id = sse->next_id;
        sse->next_id = id;
        sse->id_pending = false;
    }
    if (sse->data_state == DATA_NONE) {
        streamer_buffer_clear(&sse->type);
        return false;
    }
    bool named = sse->type.length > 0;
    bool view = sse->data_state != DATA_JOINED;
    const char *joined = sse->data.length > 0 ? sse->data.bytes : "";
    *event = (struct streamer_event){
        .type = named ? sse->type.bytes : "message",
        .type_length = named ? sse->type.length : strlen("message"),
        .data = view ? sse->view : joined,
        .data_length = view ? sse->view_length : sse->data.length,
        .id = sse->id.length > 0 ? sse->id.bytes : "",
        .id_length = sse->id.length,
    };
    sse->dispatched = true;
    return true;
}

/* Lets go of the event that the last call handed out. */
static void forget_event(struct sse *sse) {
    sse->dispatched = false;
    sse->data_state = DATA_NONE;
    streamer_buffer_clear(&sse->type);
    streamer_buffer_clear(&sse->data);
    streamer_buffer_clear(&sse->line);
}

/* Appends to the cut line; the first part replaces what was there. */
static enum streamer_status carry(struct sse *sse, const char *bytes, size_t length) {
    enum streamer_status status = STREAMER_OK;
    if (!sse->cut) {
        if (sse->data_state == DATA_LINE) status = keep_view(sse);
        streamer_buffer_clear(&sse->line);
    }
    sse->cut = true;
    if (status == STREAMER_OK) status = streamer_buffer_append(&sse->line, bytes, length);
    return status == STREAMER_FULL ? STREAMER_LINE_TOO_LONG : status;
}

/* The input is at its end, or goes on with `rest`, a line without an end. */
static enum streamer_status suspend(struct sse *sse, const char *rest, const char *end) {
    /* Data in `line` stays there unless the rest needs the place: it may be large, and the blank line is often the next
     * read. */
    enum streamer_status status = sse->data_state == DATA_INPUT ? keep_view(sse) : STREAMER_OK;
    if (status == STREAMER_OK && rest < end) status = carry(sse, rest, (size_t)(end - rest));
    if (!sse->cut && sse->data_state != DATA_LINE) streamer_buffer_clear(&sse->line);
    sse->input = sse->input_end = NULL;
    return status == STREAMER_OK ? STREAMER_MORE : status;
}

/* Moves *cursor behind the next line and its end and sets *line to it. False when no line ends in this input. */
static bool next_line(struct sse *sse, const char **cursor, const char *end, const char **line, size_t *length) {
    const char *start = *cursor;
    if (sse->next_lf < start) sse->next_lf = find(start, end, '\n');
    if (sse->next_cr < start) sse->next_cr = find(start, end, '\r');
    const char *line_end = sse->next_lf < sse->next_cr ? sse->next_lf : sse->next_cr;
    if (line_end == end) return false;

    *line = start;
    *length = (size_t)(line_end - start);
    *cursor = line_end + 1;
    if (*line_end == '\r') {
        /* The line ends at once, even where it is not known yet whether a LF follows. */
        sse->after_cr = *cursor == end;
        if (!sse->after_cr && **cursor == '\n') ++*cursor;
    }
    return true;
}

/* Whether no line of an event has been read. */
static bool between_events(const struct sse *sse) {
    return sse->data_state == DATA_NONE && sse->type.length == 0 && !sse->id_pending;
}

static enum streamer_status read_event(struct sse *sse, const char **cursor, const char *end,
                                       struct streamer_event *event) {
    sse->settled = NULL;
    if (sse->after_cr && *cursor < end) {
        sse->after_cr = false;
        if (**cursor == '\n') ++*cursor;
        if (between_events(sse)) sse->settled = *cursor;
    }
    if (*cursor == end) return suspend(sse, end, end);

    if (sse->input != *cursor || sse->input_end != end) {
        sse->next_lf = find(*cursor, end, '\n');
        sse->next_cr = find(*cursor, end, '\r');
    }
    const char *line;
    size_t length;
    while (next_line(sse, cursor, end, &line, &length)) {
        if (sse->cut) {
            enum streamer_status status = carry(sse, line, length);
            if (status != STREAMER_OK) return status;
            sse->cut = false;
            line = sse->line.bytes;
            length = sse->line.length;
        }
        if (length > sse->line.limit) return STREAMER_LINE_TOO_LONG;
        if (length > 0) {
            enum streamer_status status = take_line(sse, line, length);
            if (status != STREAMER_OK) return status;
        } else if (dispatch(sse, event)) {
            sse->input = *cursor;
            sse->input_end = end;
            return STREAMER_EVENT;
        }
        if (between_events(sse)) sse->settled = *cursor;
    }
    const char *rest = *cursor;
    *cursor = end;
    return suspend(sse, rest, end);
}

static enum streamer_status next(struct streamer_decoder *decoder, const char **cursor, const char *end,
                                 struct streamer_event *event) {
    struct sse *sse = (struct sse *)decoder;
    if (sse->dispatched) forget_event(sse);
    return read_event(sse, cursor, end, event);
}

static enum streamer_status finish(struct streamer_decoder *decoder, struct streamer_event *event) {
    (void)decoder;
    (void)event;
    return STREAMER_MORE;
}

static void free_sse(struct streamer_decoder *decoder) {
    struct sse *sse = (struct sse *)decoder;
    streamer_buffer_release(&sse->line);
    streamer_buffer_release(&sse->data);
    streamer_buffer_release(&sse->type);
    streamer_buffer_release(&sse->id);
    streamer_buffer_release(&sse->next_id);
    streamer_free(sse);
}

static size_t size(const struct streamer_decoder *decoder) {
    const struct sse *sse = (const struct sse *)decoder;
    return sizeof *sse + sse->line.capacity + sse->data.capacity + sse->type.capacity + sse->id.capacity +
           sse->next_id.capacity;
}

static const struct streamer_decoder_vtable vtable = {STREAMER_FORMAT_SSE, next, finish, free_sse, size};

struct streamer_decoder *streamer_sse_decoder_new(size_t max_line, size_t max_event) {
    struct sse *sse = streamer_malloc(sizeof *sse);
    if (sse == NULL) return NULL;
    *sse = (struct sse){.base = {.vtable = &vtable}, .retry = -1};
    streamer_buffer_init(&sse->line, max_line);
    streamer_buffer_init(&sse->data, max_event);
    streamer_buffer_init(&sse->type, STREAMER_MAX_FIELD);
    streamer_buffer_init(&sse->id, STREAMER_MAX_FIELD);
    streamer_buffer_init(&sse->next_id, STREAMER_MAX_FIELD);
    return &sse->base;
}

enum streamer_status streamer_sse_resume(struct streamer_decoder *decoder, const char *id, size_t length) {
    struct sse *sse = (struct sse *)decoder;
    if (memchr(id, '\0', length) != NULL) return STREAMER_OK;
    streamer_buffer_clear(&sse->id);
    enum streamer_status status = streamer_utf8_scrub(&sse->id, id, length);
    return status == STREAMER_FULL ? STREAMER_FIELD_INVALID : status;
}

const char *streamer_sse_last_event_id(const struct streamer_decoder *decoder, size_t *length) {
    const struct sse *sse = (const struct sse *)decoder;
    *length = sse->id.length;
    return sse->id.length > 0 ? sse->id.bytes : "";
}

const char *streamer_sse_settled(const struct streamer_decoder *decoder) {
    return ((const struct sse *)decoder)->settled;
}

int64_t streamer_sse_retry(const struct streamer_decoder *decoder) {
    return ((const struct sse *)decoder)->retry;
}
