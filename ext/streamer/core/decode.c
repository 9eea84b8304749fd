#include "decode.h"

#include <string.h>

#include "alloc.h"
#include "limits.h"
#include "utf8.h"

static const char bom[] = {'\xEF', '\xBB', '\xBF'};

/* Where the data of the event being read is. */
enum data_state {
    DATA_NONE,  /* no data line yet */
    DATA_INPUT, /* one line, where it was read */
    DATA_LINE,  /* one line, in `line` */
    DATA_JOINED /* in `data` */
};

struct streamer_decoder {
    enum streamer_status failure; /* STREAMER_OK while the stream can go on */
    size_t bom_matched;           /* sizeof bom once the stream's start is behind */
    bool after_cr;                /* the last read ended in CR: a LF now belongs to it */
    bool cut;                     /* `line` holds the start of a line that the last read's end cut */
    bool dispatched;              /* the last call handed out an event, whose memory is still held */
    bool id_pending;              /* next_id becomes id at the next blank line */
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
     * remembered: looking for the rare one anew at each of the other's would be quadratic. */
    const char *input;
    const char *input_end;
    const char *next_lf;
    const char *next_cr;
};

bool streamer_event_is_news(const struct streamer_event *event) {
    return event->data_length > 0 && !(event->type_length == 4 && memcmp(event->type, "ping", 4) == 0);
}

struct streamer_decoder *streamer_decoder_new(size_t max_line, size_t max_event) {
    struct streamer_decoder *decoder = streamer_malloc(sizeof *decoder);
    if (decoder == NULL) return NULL;
    *decoder = (struct streamer_decoder){.failure = STREAMER_OK, .retry = -1};
    streamer_buffer_init(&decoder->line, max_line > 0 ? max_line : STREAMER_MAX_LINE);
    streamer_buffer_init(&decoder->data, max_event > 0 ? max_event : STREAMER_MAX_EVENT);
    streamer_buffer_init(&decoder->type, STREAMER_MAX_FIELD);
    streamer_buffer_init(&decoder->id, STREAMER_MAX_FIELD);
    streamer_buffer_init(&decoder->next_id, STREAMER_MAX_FIELD);
    return decoder;
}

void streamer_decoder_free(struct streamer_decoder *decoder) {
    if (decoder == NULL) return;
    streamer_buffer_release(&decoder->line);
    streamer_buffer_release(&decoder->data);
    streamer_buffer_release(&decoder->type);
    streamer_buffer_release(&decoder->id);
    streamer_buffer_release(&decoder->next_id);
    streamer_free(decoder);
}

static const char *find(const char *from, const char *end, char byte) {
    const char *found = memchr(from, byte, (size_t)(end - from));
    return found != NULL ? found : end;
}

static enum streamer_status event_limit(enum streamer_status status) {
    return status == STREAMER_FULL ? STREAMER_EVENT_TOO_LARGE : status;
}

/* Makes the pending data independent of the input and of `line`. */
static enum streamer_status keep_view(struct streamer_decoder *decoder) {
    if (decoder->data_state != DATA_INPUT && decoder->data_state != DATA_LINE) return STREAMER_OK;
    decoder->data_state = DATA_JOINED;
    return event_limit(streamer_buffer_append(&decoder->data, decoder->view, decoder->view_length));
}

/* `place`, of the value: DATA_INPUT or DATA_LINE. */
static enum streamer_status take_data(struct streamer_decoder *decoder, const char *value, size_t length,
                                      enum data_state place) {
    bool valid = streamer_utf8_valid(value, length);
    if (decoder->data_state == DATA_NONE && valid) {
        if (length > decoder->data.limit) return STREAMER_EVENT_TOO_LARGE;
        decoder->data_state = place;
        decoder->view = value;
        decoder->view_length = length;
        return STREAMER_OK;
    }
    enum streamer_status status = keep_view(decoder);
    if (status != STREAMER_OK) return status;
    if (decoder->data_state == DATA_JOINED) status = streamer_buffer_append(&decoder->data, "\n", 1);
    decoder->data_state = DATA_JOINED;
    if (status == STREAMER_OK) {
        status = valid ? streamer_buffer_append(&decoder->data, value, length)
                       : streamer_utf8_scrub(&decoder->data, value, length);
    }
    return event_limit(status);
}

static enum streamer_status take_type(struct streamer_decoder *decoder, const char *value, size_t length) {
    streamer_buffer_clear(&decoder->type);
    return event_limit(streamer_utf8_scrub(&decoder->type, value, length));
}

static enum streamer_status take_id(struct streamer_decoder *decoder, const char *value, size_t length) {
    if (memchr(value, '\0', length) != NULL) return STREAMER_OK;
    streamer_buffer_clear(&decoder->next_id);
    decoder->id_pending = true;
    return event_limit(streamer_utf8_scrub(&decoder->next_id, value, length));
}

static void take_retry(struct streamer_decoder *decoder, const char *value, size_t length) {
    int64_t milliseconds = 0;
    if (length == 0) return;
    for (size_t i = 0; i < length; i++) {
        if (value[i] < '0' || value[i] > '9') return;
        int digit = value[i] - '0';
        milliseconds = milliseconds > (INT64_MAX - digit) / 10 ? INT64_MAX : milliseconds * 10 + digit;
    }
    decoder->retry = milliseconds;
}

/* One line that is not blank, without its end. */
static enum streamer_status take_line(struct streamer_decoder *decoder, const char *line, size_t length) {
    /* No field's name is longer than five bytes, so a colon farther on does not matter. */
    size_t name = 0;
    while (name < length && name <= 5 && line[name] != ':') name++;

    const char *value = line + name;
    size_t value_length = length - name;
    if (value_length > 0) value++, value_length--;
    if (value_length > 0 && *value == ' ') value++, value_length--;

    enum data_state place = line == decoder->line.bytes ? DATA_LINE : DATA_INPUT;

    if (name == 4 && memcmp(line, "data", 4) == 0) return take_data(decoder, value, value_length, place);
    if (name == 5 && memcmp(line, "event", 5) == 0) return take_type(decoder, value, value_length);
    if (name == 2 && memcmp(line, "id", 2) == 0) return take_id(decoder, value, value_length);
    if (name == 5 && memcmp(line, "retry", 5) == 0) take_retry(decoder, value, value_length);
    return STREAMER_OK;
}

/* A blank line. True when that completed an event. */
static bool dispatch(struct streamer_decoder *decoder, struct streamer_event *event) {
    if (decoder->id_pending) {
        struct streamer_buffer id = decoder->id;
        decoder->id = decoder->next_id;
        decoder->next_id = id;
        decoder->id_pending = false;
    }
    if (decoder->data_state == DATA_NONE) {
        streamer_buffer_clear(&decoder->type);
        return false;
    }
    bool named = decoder->type.length > 0;
    bool view = decoder->data_state != DATA_JOINED;
    const char *joined = decoder->data.length > 0 ? decoder->data.bytes : "";
    *event = (struct streamer_event){
        .type = named ? decoder->type.bytes : "message",
        .type_length = named ? decoder->type.length : strlen("message"),
        .data = view ? decoder->view : joined,
        .data_length = view ? decoder->view_length : decoder->data.length,
        .id = decoder->id.length > 0 ? decoder->id.bytes : "",
        .id_length = decoder->id.length,
    };
    decoder->dispatched = true;
    return true;
}

/* Lets go of the event that the last call handed out. */
static void forget_event(struct streamer_decoder *decoder) {
    decoder->dispatched = false;
    decoder->data_state = DATA_NONE;
    streamer_buffer_clear(&decoder->type);
    streamer_buffer_clear(&decoder->data);
    streamer_buffer_clear(&decoder->line);
}

/* Appends to the cut line; the first piece replaces what was there. */
static enum streamer_status carry(struct streamer_decoder *decoder, const char *bytes, size_t length) {
    enum streamer_status status = STREAMER_OK;
    if (!decoder->cut) {
        if (decoder->data_state == DATA_LINE) status = keep_view(decoder);
        streamer_buffer_clear(&decoder->line);
    }
    decoder->cut = true;
    if (status == STREAMER_OK) status = streamer_buffer_append(&decoder->line, bytes, length);
    return status == STREAMER_FULL ? STREAMER_LINE_TOO_LONG : status;
}

/* Skips the BOM at the stream's very start. What turns out to be only the beginning of one belongs to the first line.
 */
static enum streamer_status skip_bom(struct streamer_decoder *decoder, const char **cursor, const char *end) {
    while (decoder->bom_matched < sizeof bom && *cursor < end) {
        if (**cursor != bom[decoder->bom_matched]) {
            size_t matched = decoder->bom_matched;
            decoder->bom_matched = sizeof bom;
            return matched > 0 ? carry(decoder, bom, matched) : STREAMER_OK;
        }
        decoder->bom_matched++;
        ++*cursor;
    }
    return STREAMER_OK;
}

/* The input is at its end, or goes on with `rest`, a line without an end. */
static enum streamer_status suspend(struct streamer_decoder *decoder, const char *rest, const char *end) {
    /* Data in `line` stays there unless the rest needs the place: it may be large, and the blank line is often the next
     * read. */
    enum streamer_status status = decoder->data_state == DATA_INPUT ? keep_view(decoder) : STREAMER_OK;
    if (status == STREAMER_OK && rest < end) status = carry(decoder, rest, (size_t)(end - rest));
    if (!decoder->cut && decoder->data_state != DATA_LINE) streamer_buffer_clear(&decoder->line);
    decoder->input = decoder->input_end = NULL;
    return status == STREAMER_OK ? STREAMER_MORE : status;
}

/* Moves *cursor behind the next line and its end and sets *line to it. False when no line ends in this input. */
static bool next_line(struct streamer_decoder *decoder, const char **cursor, const char *end, const char **line,
                      size_t *length) {
    const char *start = *cursor;
    if (decoder->next_lf < start) decoder->next_lf = find(start, end, '\n');
    if (decoder->next_cr < start) decoder->next_cr = find(start, end, '\r');
    const char *line_end = decoder->next_lf < decoder->next_cr ? decoder->next_lf : decoder->next_cr;
    if (line_end == end) return false;

    *line = start;
    *length = (size_t)(line_end - start);
    *cursor = line_end + 1;
    if (*line_end == '\r') {
        /* The line ends at once, even where it is not known yet whether a LF follows. */
        decoder->after_cr = *cursor == end;
        if (!decoder->after_cr && **cursor == '\n') ++*cursor;
    }
    return true;
}

static enum streamer_status read_event(struct streamer_decoder *decoder, const char **cursor, const char *end,
                                       struct streamer_event *event) {
    enum streamer_status status = skip_bom(decoder, cursor, end);
    if (status != STREAMER_OK) return status;
    if (decoder->after_cr && *cursor < end) {
        decoder->after_cr = false;
        if (**cursor == '\n') ++*cursor;
    }
    if (*cursor == end) return suspend(decoder, end, end);

    if (decoder->input != *cursor || decoder->input_end != end) {
        decoder->next_lf = find(*cursor, end, '\n');
        decoder->next_cr = find(*cursor, end, '\r');
    }
    const char *line;
    size_t length;
    while (next_line(decoder, cursor, end, &line, &length)) {
        if (decoder->cut) {
            status = carry(decoder, line, length);
            if (status != STREAMER_OK) return status;
            decoder->cut = false;
            line = decoder->line.bytes;
            length = decoder->line.length;
        }
        if (length > decoder->line.limit) return STREAMER_LINE_TOO_LONG;
        if (length > 0) {
            status = take_line(decoder, line, length);
            if (status != STREAMER_OK) return status;
        } else if (dispatch(decoder, event)) {
            decoder->input = *cursor;
            decoder->input_end = end;
            return STREAMER_EVENT;
        }
    }
    const char *rest = *cursor;
    *cursor = end;
    return suspend(decoder, rest, end);
}

enum streamer_status streamer_decoder_next(struct streamer_decoder *decoder, const char **cursor, const char *end,
                                           struct streamer_event *event) {
    if (decoder->failure != STREAMER_OK) return decoder->failure;
    if (decoder->dispatched) forget_event(decoder);
    enum streamer_status status = read_event(decoder, cursor, end, event);
    if (status != STREAMER_EVENT && status != STREAMER_MORE) decoder->failure = status;
    return status;
}

const char *streamer_decoder_last_event_id(const struct streamer_decoder *decoder, size_t *length) {
    *length = decoder->id.length;
    return decoder->id.length > 0 ? decoder->id.bytes : "";
}

int64_t streamer_decoder_retry(const struct streamer_decoder *decoder) {
    return decoder->retry;
}

size_t streamer_decoder_size(const struct streamer_decoder *decoder) {
    return sizeof *decoder + decoder->line.capacity + decoder->data.capacity + decoder->type.capacity +
           decoder->id.capacity + decoder->next_id.capacity;
}
