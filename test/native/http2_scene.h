/* A connection with a recorder for every stream, frames from a script, and a look at what was sent. */
#pragma once

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../ext/streamer/upstream/http2.h"
#include "check.h"
#include "http2_frames.h"

/* ---- a connection and what its streams are told ---- */

struct scene;

struct seen {
    struct scene *scene;
    int32_t id;
    struct wire log; /* "200 {name: value|}body COMPLETE 0" */
    size_t received;
    int closes;
    enum streamer_http2_close reason;
    uint32_t error_code;
    const char *upload; /* what is left of it */
    size_t upload_left;
    bool upload_waits; /* nothing more for the time being */
    int asked;
};

#define MAX_SEEN 256

struct scene {
    struct streamer_http2 *http2;
    struct seen *seen[MAX_SEEN];
    int count;
    struct wire sent; /* everything that was output */
    int changes;
    void (*on_head)(struct seen *seen);
    void (*on_data)(struct seen *seen);
    void (*on_close)(struct seen *seen);
    void (*on_upload)(struct seen *seen);
};

static const char *const reasons[] = {"COMPLETE",  "REFUSED",  "RESET",  "CUT",
                                      "TOO_LARGE", "PROTOCOL", "UPLOAD", "NO_MEMORY"};

static inline void say(struct seen *seen, const char *string) {
    wire_bytes(&seen->log, string, strlen(string));
}

static inline const char *log_of(struct seen *seen) {
    wire_bytes(&seen->log, "", 1);
    seen->log.length--;
    return seen->log.bytes;
}

static inline void on_head(void *stream, int status, struct streamer_buffer *fields) {
    struct seen *seen = stream;
    char number[16];
    snprintf(number, sizeof number, "%d {", status);
    say(seen, number);
    for (size_t i = 0; i < fields->length; i++) {
        wire_bytes(&seen->log, fields->bytes[i] == '\n' ? "|" : fields->bytes + i, 1);
    }
    say(seen, "}");
    if (seen->scene->on_head != NULL) seen->scene->on_head(seen);
}

static inline void on_data(void *stream, const char *bytes, size_t length) {
    struct seen *seen = stream;
    CHECK(length > 0, "data of no bytes");
    CHECK(seen->closes == 0, "data after the close");
    wire_bytes(&seen->log, bytes, length);
    seen->received += length;
    if (seen->scene->on_data != NULL) seen->scene->on_data(seen);
}

static inline void on_close(void *stream, enum streamer_http2_close reason, uint32_t error_code) {
    struct seen *seen = stream;
    char text[48];
    snprintf(text, sizeof text, " %s %u", reasons[reason], error_code);
    say(seen, text);
    seen->closes++;
    seen->reason = reason;
    seen->error_code = error_code;
    if (seen->scene->on_close != NULL) seen->scene->on_close(seen);
}

static inline size_t on_upload(void *stream, char *into, size_t room, bool *last) {
    struct seen *seen = stream;
    seen->asked++;
    CHECK(room > 0 && !*last, "room %zu", room);
    size_t length = seen->upload_left < room ? seen->upload_left : room;
    memcpy(into, seen->upload, length);
    seen->upload += length;
    seen->upload_left -= length;
    *last = seen->upload_left == 0 && !seen->upload_waits;
    if (seen->scene->on_upload != NULL) seen->scene->on_upload(seen);
    return length;
}

static inline void on_change(void *owner) {
    ((struct scene *)owner)->changes++;
}

static const struct streamer_http2_vtable vtable = {on_head, on_data, on_close, on_upload, on_change};

static inline void open_with(struct scene *scene, const struct streamer_http2_limits *limits) {
    *scene = (struct scene){0};
    scene->http2 = streamer_http2_new(&vtable, scene, limits);
    if (scene->http2 == NULL) abort();
}

static inline void open_scene(struct scene *scene) {
    open_with(scene, &streamer_http2_default_limits);
}

static inline void leave(struct scene *scene) {
    streamer_http2_free(scene->http2);
    for (int i = 0; i < scene->count; i++) {
        wire_free(&scene->seen[i]->log);
        free(scene->seen[i]);
    }
    wire_free(&scene->sent);
}

static inline struct seen *submit_request(struct scene *scene, const struct streamer_http2_request *request) {
    if (scene->count == MAX_SEEN) abort();
    struct seen *seen = calloc(1, sizeof *seen);
    seen->scene = scene;
    scene->seen[scene->count++] = seen;
    seen->id = streamer_http2_submit(scene->http2, seen, request);
    return seen;
}

static inline struct seen *get(struct scene *scene) {
    return submit_request(scene, &(struct streamer_http2_request){"GET", "https", "api.example", "/", NULL, 0, false});
}

static inline struct seen *post(struct scene *scene, const char *body, size_t length, const char *content_length) {
    struct streamer_http2_field field = {"Content-Length", 14, content_length, strlen(content_length)};
    struct seen *seen = submit_request(scene, &(struct streamer_http2_request){"POST", "https", "api.example", "/",
                                                                               &field, *content_length ? 1 : 0, true});
    seen->upload = body;
    seen->upload_left = length;
    return seen;
}

static inline void flush(struct scene *scene) {
    const char *bytes;
    size_t length;
    while ((length = streamer_http2_output(scene->http2, &bytes)) > 0) {
        wire_bytes(&scene->sent, bytes, length);
        streamer_http2_sent(scene->http2, length);
    }
}

/* As an engine does it. */
static inline bool receive(struct scene *scene, const char *bytes, size_t length) {
    /* Ends where its memory ends. */
    char *copy = malloc(length > 0 ? length : 1);
    if (length > 0) memcpy(copy, bytes, length);
    bool result = streamer_http2_receive(scene->http2, copy, length);
    free(copy);
    flush(scene);
    return result;
}

/* Takes the wire's memory. */
static inline bool receive_wire(struct scene *scene, struct wire *wire) {
    bool result = receive(scene, wire->bytes, wire->length);
    wire_free(wire);
    return result;
}

/* ---- frames that were sent ---- */

struct frame {
    int type, flags;
    uint32_t id;
    const uint8_t *payload;
    size_t length;
};

static inline uint32_t number_at(const uint8_t *bytes, int count) {
    uint32_t number = 0;
    while (count-- > 0) number = number << 8 | *bytes++;
    return number;
}

#define PREFACE 24

static inline bool next_frame(const struct scene *scene, size_t *offset, struct frame *frame) {
    if (*offset < PREFACE) *offset = PREFACE;
    if (scene->sent.length < *offset + 9) return false;
    const uint8_t *head = (const uint8_t *)scene->sent.bytes + *offset;
    *frame = (struct frame){head[3], head[4], number_at(head + 5, 4), head + 9, number_at(head, 3)};
    *offset += 9 + frame->length;
    if (*offset > scene->sent.length) abort();
    return true;
}

/* The number of frames of a type on a stream that were sent; the last one. */
static inline int sent_frames(const struct scene *scene, int type, int32_t id, struct frame *last) {
    struct frame frame;
    int count = 0;
    for (size_t offset = 0; next_frame(scene, &offset, &frame);) {
        if (frame.type != type || frame.id != (uint32_t)id) continue;
        count++;
        if (last != NULL) *last = frame;
    }
    return count;
}

/* The error code of the RST_STREAM or GOAWAY that was sent; -1: none, -2: several. */
static inline int64_t sent_error(const struct scene *scene, int type, int32_t id) {
    struct frame frame;
    int count = sent_frames(scene, type, id, &frame);
    if (count != 1) return count == 0 ? -1 : -2;
    return number_at(frame.payload + (type == GOAWAY ? 4 : 0), 4);
}

/* ---- frames from a script ----
 *
 * Separated by "; ". A dot behind a stream's number is END_STREAM.
 *   S · S4 100 · A          SETTINGS: empty, one, its acknowledgement
 *   H1 :status: 200|a: b    HEADERS; h1: without END_HEADERS; c1: the CONTINUATION that has it
 *   D1. text                DATA
 *   p1. text                the same with padding of 5
 *   R1 8 · G3 0 · W1 100    RST_STREAM, GOAWAY, WINDOW_UPDATE
 *   P                       PING
 *   U77 text                a frame of type 77
 *   Q1 2                    PUSH_PROMISE of stream 2 */

static inline void script_frame(struct wire *wire, char *line) {
    char letter = *line, *rest = line + 1;
    uint32_t id = (uint32_t)strtoul(rest, &rest, 10);
    int end = *rest == '.' ? END_STREAM : 0;
    if (end) rest++;
    if (*rest == ' ') rest++;
    uint32_t number = (uint32_t)strtoul(rest, NULL, 10);
    struct wire block = {0};
    switch (letter) {
        case 'S':
            if (id == 0) {
                wire_frame(wire, SETTINGS, 0, 0, NULL, 0);
            } else {
                wire_setting(wire, (int)id, number);
            }
            break;
        case 'A': wire_frame(wire, SETTINGS, ACK, 0, NULL, 0); break;
        case 'H':
        case 'h':
        case 'c':
            wire_fields(&block, rest);
            wire_frame(wire, letter == 'c' ? CONTINUATION : HEADERS, (letter == 'h' ? 0 : END_HEADERS) | end, id,
                       block.bytes, block.length);
            break;
        case 'D': wire_data(wire, end, id, rest); break;
        case 'p':
            wire_bytes(&block, "\5", 1);
            wire_bytes(&block, rest, strlen(rest));
            wire_bytes(&block, "\0\0\0\0\0", 5);
            wire_frame(wire, DATA, PADDED | end, id, block.bytes, block.length);
            break;
        case 'R': WORDS(wire, RST_STREAM, id, number); break;
        case 'G': WORDS(wire, GOAWAY, 0, id, number); break;
        case 'W': WORDS(wire, WINDOW_UPDATE, id, number); break;
        case 'P': WORDS(wire, PING, 0, 1, 2); break;
        case 'U': wire_frame(wire, (int)id, 0xff, 1, rest, strlen(rest)); break;
        case 'Q':
            wire_number(&block, number, 4);
            wire_fields(&block, ":method: GET|:scheme: https|:authority: a|:path: /");
            wire_frame(wire, PUSH_PROMISE, END_HEADERS, id, block.bytes, block.length);
            break;
        default: abort();
    }
    wire_free(&block);
}

static inline struct wire script(const char *frames) {
    struct wire wire = {0};
    char *copy = strdup(frames);
    for (char *line = copy, *next; line != NULL; line = next) {
        next = strstr(line, "; ");
        if (next != NULL) {
            *next = '\0';
            next += 2;
        }
        if (*line != '\0') script_frame(&wire, line);
    }
    free(copy);
    return wire;
}

static inline bool play(struct scene *scene, const char *frames) {
    struct wire wire = script(frames);
    return receive_wire(scene, &wire);
}

static inline char *letters(size_t length) {
    char *bytes = malloc(length + 1);
    for (size_t i = 0; i < length; i++) bytes[i] = (char)('a' + i % 26);
    bytes[length] = '\0';
    return bytes;
}

/* DATA frames of so many bytes. */
static inline void fill(struct wire *wire, uint32_t id, size_t length) {
    char *bytes = letters(16384);
    for (size_t piece; length > 0; length -= piece) {
        piece = length < 16384 ? length : 16384;
        wire_frame(wire, DATA, 0, id, bytes, piece);
    }
    free(bytes);
}

#define FIELD(name, value) \
    { name, sizeof(name) - 1, value, sizeof(value) - 1 }
