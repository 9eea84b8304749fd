/* HTTP/2: what becomes of a server's frames, whole and torn at every byte, of requests and their bodies, and of a
 * server that breaks the rules or floods. Frames that a library would not send are written by hand; the rest comes from
 * nghttp2's own server, in this process. */
#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../ext/streamer/upstream/http2.h"
#include "../../ext/streamer/upstream/http2_internal.h"
#include "http2_frames.h"

static int passed, failed;

#define CHECK(condition, ...)                               \
    do {                                                    \
        if (condition) {                                    \
            passed++;                                       \
        } else {                                            \
            failed++;                                       \
            fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
            fprintf(stderr, __VA_ARGS__);                   \
            fputc('\n', stderr);                            \
        }                                                   \
    } while (0)

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

static void say(struct seen *seen, const char *string) {
    wire_bytes(&seen->log, string, strlen(string));
}

static const char *log_of(struct seen *seen) {
    wire_bytes(&seen->log, "", 1);
    seen->log.length--;
    return seen->log.bytes;
}

static void on_head(void *stream, int status, struct streamer_buffer *fields) {
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

static void on_data(void *stream, const char *bytes, size_t length) {
    struct seen *seen = stream;
    CHECK(length > 0, "data of no bytes");
    CHECK(seen->closes == 0, "data after the close");
    wire_bytes(&seen->log, bytes, length);
    seen->received += length;
    if (seen->scene->on_data != NULL) seen->scene->on_data(seen);
}

static void on_close(void *stream, enum streamer_http2_close reason, uint32_t error_code) {
    struct seen *seen = stream;
    char text[48];
    snprintf(text, sizeof text, " %s %u", reasons[reason], error_code);
    say(seen, text);
    seen->closes++;
    seen->reason = reason;
    seen->error_code = error_code;
    if (seen->scene->on_close != NULL) seen->scene->on_close(seen);
}

static size_t on_upload(void *stream, char *into, size_t room, bool *last) {
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

static void on_change(void *owner) {
    ((struct scene *)owner)->changes++;
}

static const struct streamer_http2_vtable vtable = {on_head, on_data, on_close, on_upload, on_change};

static void open_with(struct scene *scene, const struct streamer_http2_limits *limits) {
    *scene = (struct scene){0};
    scene->http2 = streamer_http2_new(&vtable, scene, limits);
    if (scene->http2 == NULL) abort();
}

static void open_scene(struct scene *scene) {
    open_with(scene, &streamer_http2_default_limits);
}

static void leave(struct scene *scene) {
    streamer_http2_free(scene->http2);
    for (int i = 0; i < scene->count; i++) {
        wire_free(&scene->seen[i]->log);
        free(scene->seen[i]);
    }
    wire_free(&scene->sent);
}

static struct seen *submit_request(struct scene *scene, const struct streamer_http2_request *request) {
    if (scene->count == MAX_SEEN) abort();
    struct seen *seen = calloc(1, sizeof *seen);
    seen->scene = scene;
    scene->seen[scene->count++] = seen;
    seen->id = streamer_http2_submit(scene->http2, seen, request);
    return seen;
}

static struct seen *get(struct scene *scene) {
    return submit_request(scene, &(struct streamer_http2_request){"GET", "https", "api.example", "/", NULL, 0, false});
}

static struct seen *post(struct scene *scene, const char *body, size_t length, const char *content_length) {
    struct streamer_http2_field field = {"Content-Length", 14, content_length, strlen(content_length)};
    struct seen *seen = submit_request(scene, &(struct streamer_http2_request){"POST", "https", "api.example", "/",
                                                                               &field, *content_length ? 1 : 0, true});
    seen->upload = body;
    seen->upload_left = length;
    return seen;
}

static void flush(struct scene *scene) {
    const char *bytes;
    size_t length;
    while ((length = streamer_http2_output(scene->http2, &bytes)) > 0) {
        wire_bytes(&scene->sent, bytes, length);
        streamer_http2_sent(scene->http2, length);
    }
}

/* As an engine does it. */
static bool receive(struct scene *scene, const char *bytes, size_t length) {
    /* Ends where its memory ends. */
    char *copy = malloc(length > 0 ? length : 1);
    if (length > 0) memcpy(copy, bytes, length);
    bool result = streamer_http2_receive(scene->http2, copy, length);
    free(copy);
    flush(scene);
    return result;
}

/* Takes the wire's memory. */
static bool receive_wire(struct scene *scene, struct wire *wire) {
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

static uint32_t number_at(const uint8_t *bytes, int count) {
    uint32_t number = 0;
    while (count-- > 0) number = number << 8 | *bytes++;
    return number;
}

#define PREFACE 24

static bool next_frame(const struct scene *scene, size_t *offset, struct frame *frame) {
    if (*offset < PREFACE) *offset = PREFACE;
    if (scene->sent.length < *offset + 9) return false;
    const uint8_t *head = (const uint8_t *)scene->sent.bytes + *offset;
    *frame = (struct frame){head[3], head[4], number_at(head + 5, 4), head + 9, number_at(head, 3)};
    *offset += 9 + frame->length;
    if (*offset > scene->sent.length) abort();
    return true;
}

/* The number of frames of a type on a stream that were sent; the last one. */
static int sent_frames(const struct scene *scene, int type, int32_t id, struct frame *last) {
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
static int64_t sent_error(const struct scene *scene, int type, int32_t id) {
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

static void script_frame(struct wire *wire, char *line) {
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

static struct wire script(const char *frames) {
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

static bool play(struct scene *scene, const char *frames) {
    struct wire wire = script(frames);
    return receive_wire(scene, &wire);
}

/* ---- responses, torn at every byte ---- */

struct transcript {
    const char *does;
    const char *frames; /* after SETTINGS, for streams 1, 3 and 5 */
    const char *log;    /* a line a stream that was told something */
    int64_t reset;      /* RST_STREAM of stream 1: its code, -1 for none */
    int64_t goaway;     /* likewise */
};

static const struct transcript transcripts[] = {
    {"a head and data", "H1 :status: 200|content-type: text/event-stream; D1 one; D1 two; D1. ",
     "1 200 {content-type: text/event-stream|}onetwo COMPLETE 0\n", -1, -1},
    {"END_STREAM with the last data", "H1 :status: 200; D1. all", "1 200 {}all COMPLETE 0\n", -1, -1},
    {"END_STREAM with the head", "H1. :status: 204|a: b", "1 204 {a: b|} COMPLETE 0\n", -1, -1},
    {"padding is not data", "H1 :status: 200; p1 one; p1. two", "1 200 {}onetwo COMPLETE 0\n", -1, -1},
    {"a head in CONTINUATIONs", "h1 :status: 200|a: b; c1 c: d; D1. x", "1 200 {a: b|c: d|}x COMPLETE 0\n", -1, -1},
    {"1xx is passed over", "H1 :status: 100; H1 :status: 103|link: a; H1 :status: 200|b: c; D1. x",
     "1 200 {b: c|}x COMPLETE 0\n", -1, -1},
    {"trailers are dropped", "H1 :status: 200; D1 x; H1. a: b", "1 200 {}x COMPLETE 0\n", -1, -1},
    {"the same field twice is two lines", "H1. :status: 200|a: b|a: c", "1 200 {a: b|a: c|} COMPLETE 0\n", -1, -1},
    {"streams in between each other", "H3 :status: 200; H1 :status: 500; D3 c; D1 a; D3 d; D1. b; D3. e",
     "1 500 {}ab COMPLETE 0\n3 200 {}cde COMPLETE 0\n", -1, -1},
    {"the length that was announced", "H1 :status: 200|content-length: 3; D1 ab; D1. c",
     "1 200 {content-length: 3|}abc COMPLETE 0\n", -1, -1},
    {"unknown frames mean nothing", "U77 abc; H1 :status: 200; U16 abc; U10 x; U12 x; D1. x", "1 200 {}x COMPLETE 0\n",
     -1, -1},
    {"PING and SETTINGS in between", "P; H1 :status: 200; S4 100; P; D1. x", "1 200 {}x COMPLETE 0\n", -1, -1},
    {"a status of three digits is one", "H1. :status: 599", "1 599 {} COMPLETE 0\n", -1, -1},

    {"shorter than announced", "H1 :status: 200|content-length: 3; D1. ab", "1 200 {content-length: 3|}ab CUT 1\n", 1,
     -1},
    {"longer than announced", "H1 :status: 200|content-length: 3; D1 abc; D1 d; D1. e",
     "1 200 {content-length: 3|}abc CUT 1\n", 1, -1},
    {"announced, and ended with the head", "H1. :status: 200|content-length: 3", "1 PROTOCOL 1\n", 1, -1},
    {"RST_STREAM(NO_ERROR) before the end", "H1 :status: 200; D1 ab; R1 0", "1 200 {}ab CUT 0\n", -1, -1},
    {"RST_STREAM before the end", "H1 :status: 200; D1 ab; R1 2; H3. :status: 200",
     "1 200 {}ab RESET 2\n3 200 {} COMPLETE 0\n", -1, -1},
    {"RST_STREAM after the end", "H1 :status: 200; D1. ab; R1 0; H3. :status: 200",
     "1 200 {}ab COMPLETE 0\n3 200 {} COMPLETE 0\n", -1, -1},
    {"refused", "R1 7; H3. :status: 200", "1 REFUSED 7\n3 200 {} COMPLETE 0\n", -1, -1},
    {"refused after the head is a reset", "H1 :status: 200; R1 7", "1 200 {} RESET 7\n", -1, -1},
    {"malformed trailers cut", "H1 :status: 200; D1 x; H1. A: b", "1 200 {}x CUT 1\n", 1, -1},
    {"trailers that do not end cut", "H1 :status: 200; D1 x; H1 a: b; D1. y", "1 200 {}x CUT 1\n", 1, -1},
    {"a pseudo-header field in trailers cuts", "H1 :status: 200; H1. :status: 200", "1 200 {} CUT 1\n", 1, -1},
    {"data where there is none", "H1 :status: 204; D1. x", "1 204 {} CUT 1\n", 1, -1},

    {"no status", "H1. a: b; H3. :status: 200", "1 PROTOCOL 1\n3 200 {} COMPLETE 0\n", 1, -1},
    {"no field at all", "H1. ; H3. :status: 200", "1 PROTOCOL 1\n3 200 {} COMPLETE 0\n", 1, -1},
    {"a status that is no number", "H1. :status: abc", "1 PROTOCOL 1\n", 1, -1},
    {"a status of two digits", "H1. :status: 20", "1 PROTOCOL 1\n", 1, -1},
    {"a status below 100", "H1. :status: 099; H3. :status: 000", "1 PROTOCOL 1\n3 PROTOCOL 1\n", 1, -1},
    {"two statuses", "H1. :status: 200|:status: 200", "1 PROTOCOL 1\n", 1, -1},
    {"a status behind a field", "H1. a: b|:status: 200", "1 PROTOCOL 1\n", 1, -1},
    {"101", "H1 :status: 101", "1 PROTOCOL 1\n", 1, -1},
    {"1xx that ends the stream", "H1. :status: 103", "1 PROTOCOL 1\n", 1, -1},
    {"a pseudo-header field of requests", "H1. :status: 200|:path: /", "1 PROTOCOL 1\n", 1, -1},
    {"upper case", "H1. :status: 200|Content-Type: a", "1 PROTOCOL 1\n", 1, -1},
    {"a name that is none", "H1. :status: 200|a b: c; H3. :status: 200", "1 PROTOCOL 1\n3 200 {} COMPLETE 0\n", 1, -1},
    {"a line's end in a value", "H1. :status: 200|a: b\r\nc: d", "1 PROTOCOL 1\n", 1, -1},
    {"white space around a value", "H1. :status: 200|a:  b", "1 PROTOCOL 1\n", 1, -1},
    {"a field of the connection", "H1. :status: 200|transfer-encoding: chunked", "1 PROTOCOL 1\n", 1, -1},
    {"two lengths", "H1. :status: 200|content-length: 0|content-length: 0", "1 PROTOCOL 1\n", 1, -1},
    {"a length that is no number", "H1. :status: 200|content-length: -1", "1 PROTOCOL 1\n", 1, -1},

    {"frames on a stream that has ended are ignored",
     "H1. :status: 200; D1 x; H1. :status: 200; W1 5; R1 3; H3. :status: 200",
     "1 200 {} COMPLETE 0\n3 200 {} COMPLETE 0\n", -1, -1},
    {"an update of a window that is nil fails the connection", "H1 :status: 200; W1 0; D1. x",
     "1 200 {} PROTOCOL 1\n3 PROTOCOL 1\n5 PROTOCOL 1\n", -1, 1},
    {"a stream's window above its largest resets it", "W1 2147483647; H1. :status: 200; H3. :status: 200",
     "1 PROTOCOL 3\n3 200 {} COMPLETE 0\n", 3, -1},
    {"the connection's window above its largest", "W0 2147483647", "1 PROTOCOL 1\n3 PROTOCOL 1\n5 PROTOCOL 1\n", -1, 3},
    {"data before the head", "D1 x", "1 PROTOCOL 1\n3 PROTOCOL 1\n5 PROTOCOL 1\n", -1, 1},
    {"data on no stream", "D0 x", "1 PROTOCOL 1\n3 PROTOCOL 1\n5 PROTOCOL 1\n", -1, 1},
    {"a head on a stream that is not open", "H7. :status: 200", "1 PROTOCOL 1\n3 PROTOCOL 1\n5 PROTOCOL 1\n", -1, 1},
    {"a head on a stream of the server's", "H2. :status: 200", "1 PROTOCOL 1\n3 PROTOCOL 1\n5 PROTOCOL 1\n", -1, 1},
    {"RST_STREAM of a stream that is not open", "R7 8", "1 PROTOCOL 1\n3 PROTOCOL 1\n5 PROTOCOL 1\n", -1, 1},
    {"RST_STREAM of the connection", "R0 8", "1 PROTOCOL 1\n3 PROTOCOL 1\n5 PROTOCOL 1\n", -1, 1},
    {"push before our settings are acknowledged is refused", "Q1 2; H2. :status: 200; H1. :status: 200",
     "1 200 {} COMPLETE 0\n", -1, -1},
    {"push, once our settings are acknowledged", "A; Q1 2", "1 PROTOCOL 1\n3 PROTOCOL 1\n5 PROTOCOL 1\n", -1, 1},
    {"CONTINUATION of nothing", "c1 a: b", "1 PROTOCOL 1\n3 PROTOCOL 1\n5 PROTOCOL 1\n", -1, 1},
    {"something within a head", "h1 :status: 200; P", "1 PROTOCOL 1\n3 PROTOCOL 1\n5 PROTOCOL 1\n", -1, 1},
    {"another stream's CONTINUATION", "h1 :status: 200; c3 a: b", "1 PROTOCOL 1\n3 PROTOCOL 1\n5 PROTOCOL 1\n", -1, 1},
    {"a frame size that is not allowed", "S5 100", "1 PROTOCOL 1\n3 PROTOCOL 1\n5 PROTOCOL 1\n", -1, 1},
    {"ENABLE_PUSH of a server", "S2 1", "1 PROTOCOL 1\n3 PROTOCOL 1\n5 PROTOCOL 1\n", -1, 1},
    {"SETTINGS acknowledged that were not sent", "A; A", "1 PROTOCOL 1\n3 PROTOCOL 1\n5 PROTOCOL 1\n", -1, 1},

    {"GOAWAY: those above its last stream are refused", "H1 :status: 200; G1 0; D1. x; H3. :status: 200",
     "1 200 {}x COMPLETE 0\n3 REFUSED 7\n5 REFUSED 7\n", -1, -1},
    {"GOAWAY(2^31-1): all that are open go on", "G2147483647 0; H1. :status: 200; H3. :status: 200; H5. :status: 200",
     "1 200 {} COMPLETE 0\n3 200 {} COMPLETE 0\n5 200 {} COMPLETE 0\n", -1, -1},
    {"a second GOAWAY refuses more", "G2147483647 0; G3 0; H3. :status: 200; G0 0",
     "1 REFUSED 7\n3 200 {} COMPLETE 0\n5 REFUSED 7\n", -1, -1},
    {"GOAWAY below a stream with a head cuts it", "H3 :status: 200; D3 x; G1 2; D3 y", "3 200 {}x CUT 7\n5 REFUSED 7\n",
     -1, -1},
    {"GOAWAY may not take back", "G1 0; G3 0", "1 PROTOCOL 1\n3 REFUSED 7\n5 REFUSED 7\n", -1, 1},
    {"an error after GOAWAY", "G3 0; H1 :status: 200; W0 0", "1 200 {} PROTOCOL 1\n3 PROTOCOL 1\n5 REFUSED 7\n", -1, 1},
};

static void log_all(const struct scene *scene, struct wire *log) {
    for (int i = 0; i < scene->count; i++) {
        struct seen *seen = scene->seen[i];
        if (seen->log.length == 0) continue;
        char id[16];
        snprintf(id, sizeof id, seen->log.bytes[0] == ' ' ? "%d" : "%d ", seen->id);
        wire_bytes(log, id, strlen(id));
        wire_bytes(log, seen->log.bytes, seen->log.length);
        wire_bytes(log, "\n", 1);
    }
    wire_bytes(log, "", 1);
}

/* Feeds the frames in pieces: the first up to `split`, the rest in `each` bytes. */
static void run_transcript(const struct transcript *transcript, size_t split, size_t each) {
    struct scene scene;
    open_scene(&scene);
    for (int i = 0; i < 3; i++) get(&scene);
    flush(&scene);
    play(&scene, "S");
    struct wire wire = script(transcript->frames), log = {0};
    for (size_t offset = 0, piece; offset < wire.length; offset += piece) {
        piece = offset < split ? split - offset : each;
        if (piece > wire.length - offset) piece = wire.length - offset;
        receive(&scene, wire.bytes + offset, piece);
    }
    log_all(&scene, &log);
    CHECK(strcmp(log.bytes, transcript->log) == 0, "%s, split at %zu, %zu:\n%sand not:\n%s", transcript->does, split,
          each, log.bytes, transcript->log);
    CHECK(sent_error(&scene, RST_STREAM, 1) == transcript->reset, "%s: RST_STREAM %d", transcript->does,
          (int)sent_error(&scene, RST_STREAM, 1));
    CHECK(sent_error(&scene, GOAWAY, 0) == transcript->goaway, "%s: GOAWAY %d", transcript->does,
          (int)sent_error(&scene, GOAWAY, 0));
    CHECK(streamer_http2_failed(scene.http2) == (transcript->goaway != -1), "%s: failed", transcript->does);
    streamer_http2_shutdown(scene.http2);
    for (int i = 0; i < 3; i++) CHECK(scene.seen[i]->closes == 1, "%s: closes", transcript->does);
    wire_free(&wire);
    wire_free(&log);
    leave(&scene);
}

static void test_responses_at_every_split(void) {
    for (size_t i = 0; i < sizeof transcripts / sizeof *transcripts; i++) {
        struct wire wire = script(transcripts[i].frames);
        for (size_t split = 1; split <= wire.length; split++) run_transcript(&transcripts[i], split, wire.length);
        for (size_t each = 1; each < 12; each++) run_transcript(&transcripts[i], 0, each);
        wire_free(&wire);
    }
}

/* At any byte the connection may go away. */
static void test_a_connection_that_goes_away_cuts_what_is_not_complete(void) {
    struct wire wire = script("h1 :status: 200; c1 a: b; D1 some; D1. thing");
    for (size_t length = 0; length <= wire.length; length++) {
        struct scene scene;
        open_scene(&scene);
        struct seen *seen = get(&scene);
        flush(&scene);
        play(&scene, "S");
        struct seen *unsent = get(&scene);
        streamer_http2_receive(scene.http2, wire.bytes, length);
        streamer_http2_shutdown(scene.http2);
        streamer_http2_shutdown(scene.http2);
        CHECK(seen->closes == 1 &&
                  seen->reason == (length < wire.length ? STREAMER_HTTP2_CUT : STREAMER_HTTP2_COMPLETE),
              "%zu bytes: %s", length, log_of(seen));
        CHECK(unsent->closes == 1 && unsent->reason == STREAMER_HTTP2_REFUSED, "not sent: %s", log_of(unsent));
        CHECK(streamer_http2_streams(scene.http2) == 0 && !streamer_http2_accepts(scene.http2), "open");
        CHECK(scene.changes == 1, "%d changes, of which one is SETTINGS", scene.changes);
        flush(&scene);
        CHECK(sent_error(&scene, GOAWAY, 0) == 0, "GOAWAY(NO_ERROR) is sent");
        CHECK(!streamer_http2_receive(scene.http2, "x", 1), "what comes is ignored");
        leave(&scene);
    }
    wire_free(&wire);
}

static void test_every_error_code_of_a_reset(void) {
    for (uint32_t code = 0; code <= 16; code++) {
        for (int head = 0; head < 2; head++) {
            struct scene scene;
            open_scene(&scene);
            struct seen *seen = get(&scene);
            flush(&scene);
            play(&scene, head ? "S; H1 :status: 200" : "S");
            struct wire wire = {0};
            uint32_t sent = code == 16 ? 0xdeadbeef : code;
            WORDS(&wire, RST_STREAM, 1, sent);
            receive_wire(&scene, &wire);
            enum streamer_http2_close reason = STREAMER_HTTP2_RESET;
            if (code == 0) reason = STREAMER_HTTP2_CUT;
            if (code == 7 && !head) reason = STREAMER_HTTP2_REFUSED;
            CHECK(seen->closes == 1 && seen->reason == reason && seen->error_code == sent, "%u: %s", code,
                  log_of(seen));
            CHECK(sent_frames(&scene, RST_STREAM, 1, NULL) == 0 && !streamer_http2_failed(scene.http2), "%u", code);
            leave(&scene);
        }
    }
}

/* ---- GOAWAY ---- */

static void test_goaway_at_every_point_of_two_responses(void) {
    static const char *const frames[] = {"S", "H1 :status: 200", "D1 a", "H3 :status: 200", "D1. b", "D3. c"};
    enum { COUNT = sizeof frames / sizeof *frames };
    for (size_t at = 1; at <= COUNT; at++) {
        for (uint32_t last = 1; last <= 3; last += 2) {
            struct scene scene;
            open_scene(&scene);
            get(&scene);
            get(&scene);
            flush(&scene);
            for (size_t i = 0; i < at; i++) play(&scene, frames[i]);
            int changes = scene.changes;
            char goaway[16];
            snprintf(goaway, sizeof goaway, "G%u 0", last);
            play(&scene, goaway);
            CHECK(streamer_http2_draining(scene.http2) && !streamer_http2_accepts(scene.http2), "draining");
            CHECK(scene.changes == changes + 1 && !streamer_http2_failed(scene.http2), "a change, no failure");
            CHECK(get(&scene)->id == STREAMER_HTTP2_NOT_ACCEPTED, "a new stream");
            for (size_t i = at; i < COUNT; i++) {
                if (frames[i][1] != '3' || last >= 3) play(&scene, frames[i]);
            }
            struct seen *one = scene.seen[0], *three = scene.seen[1];
            CHECK(strcmp(log_of(one), "200 {}ab COMPLETE 0") == 0, "at %zu: %s", at, log_of(one));
            const char *expected = "200 {}c COMPLETE 0";
            if (last < 3 && at < COUNT) expected = at < 4 ? " REFUSED 7" : "200 {} CUT 7";
            CHECK(strcmp(log_of(three), expected) == 0, "at %zu: %s", at, log_of(three));
            CHECK(streamer_http2_streams(scene.http2) == 0, "all are closed");
            leave(&scene);
        }
    }
}

static void test_goaway_refuses_requests_that_were_not_sent(void) {
    struct scene scene;
    open_scene(&scene);
    struct seen *sent = get(&scene);
    flush(&scene);
    struct seen *unsent = get(&scene);
    play(&scene, "S; G2147483647 0; H1. :status: 200");
    CHECK(sent->reason == STREAMER_HTTP2_COMPLETE && unsent->reason == STREAMER_HTTP2_REFUSED, "%s", log_of(unsent));
    CHECK(sent_frames(&scene, HEADERS, unsent->id, NULL) == 0, "it was sent after all");
    leave(&scene);
}

static void close_the_others(struct seen *seen) {
    for (int i = 0; i < seen->scene->count; i++) streamer_http2_reset(seen->scene->http2, seen->scene->seen[i]->id, 8);
}

static void test_a_close_may_give_up_the_others(void) {
    static const char *const ends[] = {"G0 0", "W0 0", "R3 7"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct scene scene;
        open_scene(&scene);
        scene.on_close = close_the_others;
        for (int j = 0; j < 5; j++) get(&scene);
        flush(&scene);
        for (int j = 0; j < 2; j++) get(&scene);
        play(&scene, "S");
        play(&scene, ends[i]);
        int closes = 0;
        for (int j = 0; j < scene.count; j++) closes += scene.seen[j]->closes;
        CHECK(closes == 1 && streamer_http2_streams(scene.http2) == 0, "%s: %d", ends[i], closes);
        leave(&scene);
    }
}

/* ---- settings and limits ---- */

static void test_the_settings_that_are_sent(void) {
    struct scene scene;
    open_with(&scene, &(struct streamer_http2_limits){.streams = 3, .window = 100000, .head = 5000});
    flush(&scene);
    CHECK(scene.sent.length > PREFACE && memcmp(scene.sent.bytes, NGHTTP2_CLIENT_MAGIC, PREFACE) == 0, "the preface");
    struct frame frame;
    CHECK(sent_frames(&scene, SETTINGS, 0, &frame) == 1 && frame.length == 18, "%zu", frame.length);
    for (int i = 0; i < 3; i++) {
        static const uint32_t expected[][2] = {{2, 0}, {4, 100000}, {6, 5000}};
        CHECK(number_at(frame.payload + 6 * i, 2) == expected[i][0], "setting %d", i);
        CHECK(number_at(frame.payload + 6 * i + 2, 4) == expected[i][1], "value %d", i);
    }
    CHECK(sent_frames(&scene, WINDOW_UPDATE, 0, &frame) == 1, "the connection's window");
    CHECK(number_at(frame.payload, 4) == (16 << 20) - 65535, "%u", number_at(frame.payload, 4));
    leave(&scene);
}

static void test_no_more_streams_than_both_sides_allow(void) {
    struct scene scene;
    open_with(&scene, &(struct streamer_http2_limits){.streams = 3, .window = 1000, .head = 1000});
    for (int i = 0; i < 3; i++) CHECK(get(&scene)->id == 2 * i + 1, "our own ceiling");
    CHECK(!streamer_http2_accepts(scene.http2) && get(&scene)->id == STREAMER_HTTP2_NOT_ACCEPTED, "a fourth");
    flush(&scene);
    play(&scene, "S3 2");
    CHECK(scene.changes == 1, "%d changes", scene.changes);
    play(&scene, "R1 8");
    CHECK(!streamer_http2_accepts(scene.http2), "the server's two");
    play(&scene, "H3. :status: 200");
    CHECK(streamer_http2_accepts(scene.http2) && get(&scene)->id == 7, "one of two");
    flush(&scene);
    CHECK(sent_frames(&scene, HEADERS, 7, NULL) == 1, "sent at once");
    play(&scene, "S3 0; R5 8; R7 8");
    CHECK(streamer_http2_streams(scene.http2) == 0 && !streamer_http2_accepts(scene.http2), "none at all");
    CHECK(!streamer_http2_draining(scene.http2), "that is not draining");
    play(&scene, "S3 100");
    CHECK(streamer_http2_accepts(scene.http2), "again");
    leave(&scene);
}

static void test_a_connection_whose_ids_are_used_up_drains(void) {
    struct scene scene;
    open_scene(&scene);
    nghttp2_session_set_next_stream_id(scene.http2->session, INT32_MAX);
    struct seen *seen = get(&scene);
    CHECK(seen->id == INT32_MAX && streamer_http2_draining(scene.http2), "id %d", seen->id);
    flush(&scene);
    play(&scene, "S; H2147483647. :status: 200");
    CHECK(seen->reason == STREAMER_HTTP2_COMPLETE && !streamer_http2_failed(scene.http2), "%s", log_of(seen));
    leave(&scene);
}

/* ---- requests ---- */

/* What an independent decoder makes of the last HEADERS on a stream. */
static void decoded_request(const struct scene *scene, int32_t id, struct wire *fields) {
    nghttp2_hd_inflater *inflater;
    if (nghttp2_hd_inflate_new(&inflater) != 0) abort();
    struct frame frame;
    for (size_t offset = 0; next_frame(scene, &offset, &frame);) {
        if (frame.type != HEADERS) continue;
        const uint8_t *bytes = frame.payload;
        size_t left = frame.length;
        for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
            nghttp2_nv field;
            ssize_t length = nghttp2_hd_inflate_hd2(inflater, &field, &flags, bytes, left, 1);
            if (length < 0) abort();
            bytes += length;
            left -= (size_t)length;
            if ((flags & NGHTTP2_HD_INFLATE_EMIT) == 0 || frame.id != (uint32_t)id) continue;
            wire_bytes(fields, field.name, field.namelen);
            wire_bytes(fields, ": ", 2);
            wire_bytes(fields, field.value, field.valuelen);
            wire_bytes(fields, "|", 1);
        }
        nghttp2_hd_inflate_end_headers(inflater);
    }
    wire_bytes(fields, "", 1);
    nghttp2_hd_inflate_del(inflater);
}

#define FIELD(name, value) \
    { name, sizeof(name) - 1, value, sizeof(value) - 1 }

static void test_a_request_as_the_server_reads_it(void) {
    struct scene scene;
    open_scene(&scene);
    static const struct streamer_http2_field fields[] = {FIELD("Accept", "text/event-stream"),
                                                         FIELD("Host", "elsewhere"),
                                                         FIELD("Connection", "close"),
                                                         FIELD("Keep-Alive", "timeout=5"),
                                                         FIELD("proxy-connection", "x"),
                                                         FIELD("Transfer-Encoding", "chunked"),
                                                         FIELD("UPGRADE", "h2c"),
                                                         FIELD("HTTP2-Settings", "AAMAAABk"),
                                                         FIELD("TE", "trailers"),
                                                         FIELD("te", "gzip"),
                                                         FIELD("X-Empty", ""),
                                                         FIELD("x-trimmed", " \ta b\t "),
                                                         FIELD("Authorization", "Bearer s3"),
                                                         FIELD("x-bytes", "\xc3\xa4")};
    for (int i = 0; i < 2; i++) {
        struct seen *seen =
            submit_request(&scene, &(struct streamer_http2_request){"POST", "https", "api.example:8443", "/v1?a=b",
                                                                    fields, sizeof fields / sizeof *fields, false});
        flush(&scene);
        struct wire decoded = {0};
        decoded_request(&scene, seen->id, &decoded);
        CHECK(strcmp(decoded.bytes, ":method: POST|:scheme: https|:authority: api.example:8443|:path: /v1?a=b|"
                                    "accept: text/event-stream|te: trailers|x-empty: |x-trimmed: a b|"
                                    "authorization: Bearer s3|x-bytes: \xc3\xa4|") == 0,
              "%s", decoded.bytes);
        wire_free(&decoded);
        struct frame frame;
        CHECK(sent_frames(&scene, HEADERS, seen->id, &frame) == 1 && frame.flags == (END_STREAM | END_HEADERS),
              "flags");
    }
    leave(&scene);
}

static void test_requests_that_are_refused(void) {
    static const struct streamer_http2_request requests[] = {{"", "https", "a", "/", NULL, 0, false},
                                                             {"GE T", "https", "a", "/", NULL, 0, false},
                                                             {"GET\r\n", "https", "a", "/", NULL, 0, false},
                                                             {"CONNECT", "https", "a", "/", NULL, 0, false},
                                                             {"GET", "", "a", "/", NULL, 0, false},
                                                             {"GET", "ht tp", "a", "/", NULL, 0, false},
                                                             {"GET", "https", "", "/", NULL, 0, false},
                                                             {"GET", "https", "a b", "/", NULL, 0, false},
                                                             {"GET", "https", "a\n", "/", NULL, 0, false},
                                                             {"GET", "https", "a", "", NULL, 0, false},
                                                             {"GET", "https", "a", "/ HTTP/1", NULL, 0, false},
                                                             {"GET", "https", "a", "/\r\nx: y", NULL, 0, false}};
    static const struct streamer_http2_field fields[] = {FIELD("", "x"),
                                                         FIELD(":path", "/"),
                                                         FIELD("a b", "x"),
                                                         FIELD("a:", "x"),
                                                         FIELD("a\n", "x"),
                                                         FIELD("a", "x\r\ny: z"),
                                                         FIELD("a", "x\ny"),
                                                         FIELD("a", "x\0y"),
                                                         FIELD("Host", "a\r\nb"),
                                                         FIELD("connection", "\n"),
                                                         FIELD("content-length", "x"),
                                                         FIELD("content-length", "-1"),
                                                         FIELD("content-length", ""),
                                                         FIELD("content-length", "5"),
                                                         FIELD("content-length", "99999999999999999999")};
    static const struct streamer_http2_field lengths[] = {FIELD("content-length", "0"), FIELD("Content-Length", "0")};
    struct scene scene;
    open_with(&scene, &(struct streamer_http2_limits){.streams = 100, .window = 65535, .head = 1000});
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        CHECK(submit_request(&scene, &requests[i])->id == STREAMER_HTTP2_INVALID, "request %zu", i);
    }
    struct streamer_http2_request request = {"GET", "https", "a", "/", NULL, 1, false};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        request.fields = &fields[i];
        CHECK(submit_request(&scene, &request)->id == STREAMER_HTTP2_INVALID, "field %zu", i);
    }
    request.fields = lengths;
    CHECK(submit_request(&scene, &request)->id > 0, "one length of 0 without a body");
    request.count = 2;
    CHECK(submit_request(&scene, &request)->id == STREAMER_HTTP2_INVALID, "two lengths");

    char large[1000];
    memset(large, 'x', sizeof large);
    request.count = 1;
    request.fields = &(struct streamer_http2_field){"a", 1, large, 1000 - 33 - 4 * 32 - 7 - 3 - 7 - 5 - 10 - 1 - 5 - 1};
    CHECK(submit_request(&scene, &request)->id > 0, "as large as is allowed");
    request.fields = &(struct streamer_http2_field){"a", 1, large, request.fields->value_length + 1};
    CHECK(submit_request(&scene, &request)->id == STREAMER_HTTP2_INVALID, "larger than is allowed");
    CHECK(streamer_http2_streams(scene.http2) == 2, "%zu", streamer_http2_streams(scene.http2));
    leave(&scene);
}

/* As large as the default allows: above what nghttp2 would send by itself. */
static void test_a_large_request_head_is_sent(void) {
    struct scene scene;
    open_scene(&scene);
    size_t length = 250000;
    char *value = malloc(length);
    memset(value, '~', length);
    struct streamer_http2_field field = {"a", 1, value, length};
    struct seen *seen =
        submit_request(&scene, &(struct streamer_http2_request){"GET", "https", "a", "/", &field, 1, false});
    flush(&scene);
    CHECK(seen->id == 1 && sent_frames(&scene, CONTINUATION, 1, NULL) >= 15, "%d", seen->id);
    play(&scene, "S; H1. :status: 431");
    CHECK(seen->reason == STREAMER_HTTP2_COMPLETE, "%s", log_of(seen));
    free(value);
    leave(&scene);
}

/* ---- uploads ---- */

static char *letters(size_t length) {
    char *bytes = malloc(length + 1);
    for (size_t i = 0; i < length; i++) bytes[i] = (char)('a' + i % 26);
    bytes[length] = '\0';
    return bytes;
}

/* The bytes of DATA that were sent on a stream, and whether END_STREAM was. */
static size_t sent_data(const struct scene *scene, int32_t id, const char *expected, bool *ended) {
    struct frame frame;
    size_t length = 0;
    *ended = false;
    for (size_t offset = 0; next_frame(scene, &offset, &frame);) {
        if (frame.type != DATA || frame.id != (uint32_t)id) continue;
        CHECK(frame.length <= 16384 && memcmp(frame.payload, expected + length, frame.length) == 0, "other bytes");
        CHECK(!*ended, "DATA behind END_STREAM");
        length += frame.length;
        *ended = frame.flags & END_STREAM;
    }
    return length;
}

static void test_uploads_within_the_windows(void) {
    struct scene scene;
    bool ended;
    open_scene(&scene);
    char *body = letters(200000);
    struct seen *seen = post(&scene, body, 200000, "200000");
    flush(&scene);
    CHECK(sent_data(&scene, 1, body, &ended) == 65535 && !ended, "both windows are 65,535");
    play(&scene, "S; W1 100000");
    CHECK(sent_data(&scene, 1, body, &ended) == 65535, "the connection's window is used up");
    play(&scene, "W0 50000");
    CHECK(sent_data(&scene, 1, body, &ended) == 115535, "the connection's window");
    play(&scene, "W0 2000000");
    CHECK(sent_data(&scene, 1, body, &ended) == 165535, "the stream's window");
    play(&scene, "S4 0; W1 65535");
    CHECK(sent_data(&scene, 1, body, &ended) == 165535, "settings took 65,535 from it");
    int asked = seen->asked;
    for (int i = 0; i < 10; i++) flush(&scene);
    streamer_http2_resume_upload(scene.http2, 1);
    flush(&scene);
    CHECK(seen->asked == asked, "a window of zero asks for nothing");
    play(&scene, "S4 1");
    CHECK(sent_data(&scene, 1, body, &ended) == 165536 && !ended, "one more");
    play(&scene, "S4 100000");
    CHECK(sent_data(&scene, 1, body, &ended) == 200000 && ended, "all");
    play(&scene, "H1. :status: 200");
    CHECK(strcmp(log_of(seen), "200 {} COMPLETE 0") == 0, "%s", log_of(seen));
    CHECK(sent_error(&scene, RST_STREAM, 1) == -1, "no reset");
    free(body);
    leave(&scene);
}

static void test_an_upload_that_waits_is_resumed(void) {
    struct scene scene;
    bool ended;
    open_scene(&scene);
    struct seen *seen = post(&scene, "abcdef", 0, "");
    seen->upload_waits = true;
    streamer_http2_resume_upload(scene.http2, 1); /* before anything was sent: nothing */
    flush(&scene);
    CHECK(seen->asked == 1 && sent_frames(&scene, DATA, 1, NULL) == 0, "asked once");
    flush(&scene);
    CHECK(seen->asked == 1, "asked again");
    for (int i = 0; i < 3; i++) {
        seen->upload_left = 2;
        streamer_http2_resume_upload(scene.http2, 1);
        streamer_http2_resume_upload(scene.http2, 1);
        flush(&scene);
        CHECK(sent_data(&scene, 1, "abcdef", &ended) == 2 * ((size_t)i + 1) && !ended, "two more");
    }
    seen->upload_waits = false;
    streamer_http2_resume_upload(scene.http2, 1);
    flush(&scene);
    CHECK(sent_data(&scene, 1, "abcdef", &ended) == 6 && ended, "the end");
    int asked = seen->asked;
    streamer_http2_resume_upload(scene.http2, 1);
    flush(&scene);
    CHECK(seen->asked == asked, "asked after the end");
    leave(&scene);
}

static void test_an_empty_upload(void) {
    struct scene scene;
    bool ended;
    open_scene(&scene);
    post(&scene, "", 0, "0");
    flush(&scene);
    CHECK(sent_data(&scene, 1, "", &ended) == 0 && ended, "END_STREAM");
    leave(&scene);
}

static void test_an_upload_of_another_length_than_announced_resets_the_stream(void) {
    static const char *const lengths[] = {"5", "7", "0"};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct scene scene;
        open_scene(&scene);
        struct seen *seen = post(&scene, "abcdef", 6, lengths[i]), *other = get(&scene);
        flush(&scene);
        CHECK(strcmp(log_of(seen), " UPLOAD 2") == 0, "%s: %s", lengths[i], log_of(seen));
        CHECK(sent_error(&scene, RST_STREAM, 1) == NGHTTP2_INTERNAL_ERROR, "RST_STREAM");
        bool ended;
        sent_data(&scene, 1, "abcdef", &ended);
        CHECK(!ended, "END_STREAM was sent");
        play(&scene, "S; H3. :status: 200; H1. :status: 200");
        CHECK(other->reason == STREAMER_HTTP2_COMPLETE && seen->closes == 1, "the other");
        leave(&scene);
    }
}

static void test_a_response_that_is_complete_ends_the_upload(void) {
    struct scene scene;
    open_scene(&scene);
    char *body = letters(100000);
    struct seen *seen = post(&scene, body, 100000, "100000");
    flush(&scene);
    int asked = seen->asked;
    play(&scene, "S; H1 :status: 413; D1. no; W1 100000; W0 100000");
    CHECK(strcmp(log_of(seen), "413 {}no COMPLETE 0") == 0, "%s", log_of(seen));
    CHECK(sent_error(&scene, RST_STREAM, 1) == NGHTTP2_NO_ERROR && seen->asked == asked, "it goes on");
    free(body);
    leave(&scene);
}

static void test_an_upload_may_go_on_behind_a_head(void) {
    struct scene scene;
    bool ended;
    open_scene(&scene);
    char *body = letters(100000);
    struct seen *seen = post(&scene, body, 100000, "100000");
    flush(&scene);
    play(&scene, "S; H1 :status: 200; D1 x; W1 100000; W0 100000");
    CHECK(sent_data(&scene, 1, body, &ended) == 100000 && ended, "all");
    play(&scene, "D1. y");
    CHECK(strcmp(log_of(seen), "200 {}xy COMPLETE 0") == 0, "%s", log_of(seen));
    free(body);
    leave(&scene);
}

static void give_up(struct seen *seen) {
    streamer_http2_reset(seen->scene->http2, seen->id, NGHTTP2_CANCEL);
}

static void test_a_stream_may_be_given_up_within_its_own_callbacks(void) {
    static const char *const logs[] = {"", "200 {}", "200 {}x"};
    for (int i = 0; i < 3; i++) {
        struct scene scene;
        open_scene(&scene);
        struct seen *seen = post(&scene, "abcdef", 6, ""), *other = get(&scene);
        *(i == 0 ? &scene.on_upload : i == 1 ? &scene.on_head : &scene.on_data) = give_up;
        flush(&scene);
        play(&scene, "S; H1 :status: 200; D1 x; D1. y; R1 2");
        scene.on_head = NULL;
        play(&scene, "H3. :status: 200");
        CHECK(seen->closes == 0 && strncmp(log_of(seen), logs[i], strlen(logs[i])) == 0, "%s", log_of(seen));
        CHECK(sent_error(&scene, RST_STREAM, 1) == NGHTTP2_CANCEL, "RST_STREAM");
        CHECK(other->reason == STREAMER_HTTP2_COMPLETE && other->closes == 1, "%s", log_of(other));
        leave(&scene);
    }
}

static void submit_another(struct seen *seen) {
    if (seen->scene->count < 3) get(seen->scene);
}

static void test_a_request_may_be_submitted_within_a_callback(void) {
    struct scene scene;
    open_with(&scene, &(struct streamer_http2_limits){.streams = 1, .window = 65535, .head = 65535});
    scene.on_close = submit_another;
    get(&scene);
    flush(&scene);
    play(&scene, "S3 1; H1. :status: 200");
    play(&scene, "R3 7");
    play(&scene, "H5. :status: 200");
    for (int i = 0; i < 3; i++) CHECK(scene.seen[i]->closes == 1, "%d: %s", i, log_of(scene.seen[i]));
    CHECK(streamer_http2_streams(scene.http2) == 0, "%zu", streamer_http2_streams(scene.http2));
    leave(&scene);
}

/* ---- giving up ---- */

static void test_a_reset_is_in_the_next_output_and_the_stream_is_silent(void) {
    struct scene scene;
    open_scene(&scene);
    struct seen *seen = get(&scene);
    flush(&scene);
    play(&scene, "S; H1 :status: 200; D1 x");
    streamer_http2_reset(scene.http2, 1, NGHTTP2_CANCEL);
    streamer_http2_reset(scene.http2, 1, NGHTTP2_CANCEL);
    CHECK(streamer_http2_streams(scene.http2) == 0, "it counts");
    struct wire wire = script("D1 y; H1. a: b");
    streamer_http2_receive(scene.http2, wire.bytes, wire.length); /* before the RST_STREAM was sent */
    flush(&scene);
    CHECK(sent_error(&scene, RST_STREAM, 1) == NGHTTP2_CANCEL, "RST_STREAM");
    receive_wire(&scene, &wire); /* and after */
    streamer_http2_consume(scene.http2, 1, 1);
    streamer_http2_resume_upload(scene.http2, 1);
    streamer_http2_reset(scene.http2, 1, NGHTTP2_CANCEL);
    flush(&scene);
    CHECK(strcmp(log_of(seen), "200 {}x") == 0 && !streamer_http2_failed(scene.http2), "%s", log_of(seen));
    CHECK(sent_error(&scene, RST_STREAM, 1) == NGHTTP2_CANCEL, "once");
    leave(&scene);
}

static void test_a_request_that_is_given_up_before_it_is_sent_is_not_sent(void) {
    struct scene scene;
    open_scene(&scene);
    struct seen *first = get(&scene), *second = get(&scene);
    streamer_http2_reset(scene.http2, first->id, NGHTTP2_CANCEL);
    flush(&scene);
    CHECK(sent_frames(&scene, HEADERS, first->id, NULL) == 0 && sent_frames(&scene, RST_STREAM, first->id, NULL) == 0,
          "frames of the first");
    play(&scene, "S; H3. :status: 200");
    CHECK(first->closes == 0 && second->reason == STREAMER_HTTP2_COMPLETE, "%s", log_of(second));
    leave(&scene);
}

static void test_nothing_is_heard_after_free(void) {
    struct scene scene;
    open_scene(&scene);
    struct seen *sent = get(&scene);
    flush(&scene);
    struct seen *unsent = get(&scene);
    play(&scene, "S; h1 :status: 200");
    leave(&(struct scene){.http2 = scene.http2});
    CHECK(sent->closes == 0 && unsent->closes == 0, "closed");
    scene.http2 = NULL;
    leave(&scene);
}

/* ---- windows ---- */

static void fill(struct wire *wire, uint32_t id, size_t length) {
    char *bytes = letters(16384);
    for (size_t piece; length > 0; length -= piece) {
        piece = length < 16384 ? length : 16384;
        wire_frame(wire, DATA, 0, id, bytes, piece);
    }
    free(bytes);
}

static void test_a_stream_is_given_what_was_consumed(void) {
    struct scene scene;
    struct wire wire = {0};
    struct frame frame;
    open_with(&scene, &(struct streamer_http2_limits){.streams = 10, .window = 100000, .head = 1000});
    struct seen *seen = get(&scene);
    flush(&scene);
    play(&scene, "S; A; H1 :status: 200");
    fill(&wire, 1, 100000);
    receive_wire(&scene, &wire);
    CHECK(seen->received == 100000 && sent_frames(&scene, WINDOW_UPDATE, 1, NULL) == 0, "%zu", seen->received);
    streamer_http2_consume(scene.http2, 1, 1000);
    flush(&scene);
    CHECK(sent_frames(&scene, WINDOW_UPDATE, 1, NULL) == 0, "it is not worth a frame yet");
    streamer_http2_consume(scene.http2, 1, 59000);
    flush(&scene);
    CHECK(sent_frames(&scene, WINDOW_UPDATE, 1, &frame) == 1 && number_at(frame.payload, 4) == 60000, "60,000");
    fill(&wire, 1, 60000);
    receive_wire(&scene, &wire);
    CHECK(seen->received == 160000 && seen->closes == 0, "%zu", seen->received);
    streamer_http2_consume(scene.http2, 1, SIZE_MAX); /* more than there is: all */
    flush(&scene);
    CHECK(sent_frames(&scene, WINDOW_UPDATE, 1, &frame) == 2 && number_at(frame.payload, 4) == 100000, "100,000");
    leave(&scene);
}

static void test_more_data_than_the_window_resets_the_stream(void) {
    for (int consumed = 0; consumed <= 30000; consumed += 30000) {
        struct scene scene;
        struct wire wire = {0};
        open_with(&scene, &(struct streamer_http2_limits){.streams = 10, .window = 100000, .head = 1000});
        struct seen *seen = get(&scene), *other = get(&scene);
        flush(&scene);
        play(&scene, "S; A; H1 :status: 200; H3 :status: 200");
        fill(&wire, 1, 100000);
        receive_wire(&scene, &wire);
        streamer_http2_consume(scene.http2, 1, (size_t)consumed); /* which the server has not been told */
        flush(&scene);
        fill(&wire, 1, 50000);
        receive_wire(&scene, &wire);
        play(&scene, "D1. x; D3. y");
        CHECK(seen->reason == STREAMER_HTTP2_CUT && seen->closes == 1 && seen->error_code == NGHTTP2_FLOW_CONTROL_ERROR,
              "%s", log_of(seen) + seen->received);
        CHECK(seen->received <= 100000 + (size_t)consumed, "%zu are outstanding", seen->received - (size_t)consumed);
        CHECK(sent_error(&scene, RST_STREAM, 1) == NGHTTP2_FLOW_CONTROL_ERROR, "RST_STREAM");
        CHECK(strcmp(log_of(other), "200 {}y COMPLETE 0") == 0, "%s", log_of(other));
        leave(&scene);
    }
}

/* The bytes that the server was allowed on the connection. */
static uint64_t connection_window(const struct scene *scene) {
    struct frame frame;
    uint64_t given = 65535;
    for (size_t offset = 0; next_frame(scene, &offset, &frame);) {
        if (frame.type == WINDOW_UPDATE && frame.id == 0) given += number_at(frame.payload, 4);
    }
    return given;
}

/* 100 streams of which nobody consumes anything: the connection's window is not what stops them. */
static void test_streams_that_are_slow_stall_no_other(void) {
    struct scene scene;
    open_scene(&scene);
    for (int i = 0; i < 100; i++) get(&scene);
    flush(&scene);
    play(&scene, "S; A");
    for (int i = 0; i < 100; i++) {
        char head[32];
        snprintf(head, sizeof head, "H%d :status: 200", scene.seen[i]->id);
        struct wire wire = script(head);
        fill(&wire, (uint32_t)scene.seen[i]->id, 256 << 10);
        receive_wire(&scene, &wire);
        CHECK(connection_window(&scene) >= (uint64_t)(i + 1) * (256 << 10) + (8 << 20), "behind %d", i);
        CHECK(sent_frames(&scene, WINDOW_UPDATE, scene.seen[i]->id, NULL) == 0, "the stream's window");
    }
    for (int i = 0; i < 100; i++) CHECK(scene.seen[i]->received == 256 << 10, "%zu", scene.seen[i]->received);
    leave(&scene);
}

/* More than the connection's window in all, half of it before the RST_STREAM was sent and half after. */
static void test_data_of_streams_that_were_given_up_uses_up_no_window(void) {
    struct scene scene;
    open_scene(&scene);
    flush(&scene);
    play(&scene, "S; A");
    for (int i = 0; i < 100; i++) {
        struct seen *seen = get(&scene);
        flush(&scene);
        streamer_http2_reset(scene.http2, seen->id, NGHTTP2_CANCEL);
        char head[32];
        snprintf(head, sizeof head, "H%d :status: 200", seen->id);
        struct wire wire = script(head);
        fill(&wire, (uint32_t)seen->id, 128 << 10);
        streamer_http2_receive(scene.http2, wire.bytes, wire.length);
        flush(&scene);
        wire.length = 0;
        fill(&wire, (uint32_t)seen->id, 128 << 10);
        CHECK(receive_wire(&scene, &wire), "it failed");
        CHECK(connection_window(&scene) >= (uint64_t)(i + 1) * (256 << 10) + (8 << 20), "behind %d", i);
        CHECK(seen->log.length == 0, "%.100s", log_of(seen));
    }
    leave(&scene);
}

/* ---- floods ---- */

/* Feeds the same bytes again and again; returns how many were taken before the connection failed, at most `limit`. */
static size_t flood(struct scene *scene, const struct wire *wire, size_t limit, bool reads_our_output) {
    size_t total = 0;
    while (total < limit) {
        total += wire->length;
        if (!streamer_http2_receive(scene->http2, wire->bytes, wire->length)) break;
        if (reads_our_output) {
            flush(scene);
            if (scene->sent.length > 1 << 20) scene->sent.length = PREFACE;
        }
    }
    flush(scene);
    return total;
}

#define MIB ((size_t)1 << 20)

static void test_floods_end_the_connection(void) {
    static const char *const floods[] = {"P",
                                         "S",
                                         "S4 100",
                                         "A",
                                         "D1 ",
                                         "p1 ",
                                         "U77 abcdefgh",
                                         "W1 1",
                                         "W0 1",
                                         "R3 8",
                                         "D3 some data",
                                         "H3. :status: 200",
                                         "H3 :status: 103",
                                         "P; R3 0; U99 x; D1 ; S"};
    for (size_t i = 0; i < sizeof floods / sizeof *floods; i++) {
        for (int reads = 0; reads < 2; reads++) {
            struct scene scene;
            open_scene(&scene);
            struct seen *seen = get(&scene), *over = get(&scene);
            flush(&scene);
            play(&scene, "S; H1 :status: 200; H3. :status: 200");
            struct wire wire = script(floods[i]);
            size_t taken = flood(&scene, &wire, 8 * MIB, reads);
            CHECK(taken < 2 * MIB, "%s: %zu", floods[i], taken);
            CHECK(streamer_http2_failed(scene.http2) && scene.changes > 0, "%s: it goes on", floods[i]);
            CHECK(seen->closes == 1 && seen->reason == STREAMER_HTTP2_PROTOCOL, "%s: %s", floods[i], log_of(seen));
            CHECK(over->closes == 1, "%s: %s", floods[i], log_of(over));
            wire_free(&wire);
            leave(&scene);
        }
    }
}

static void test_a_flood_between_data_is_none(void) {
    struct scene scene;
    open_scene(&scene);
    struct seen *seen = get(&scene);
    flush(&scene);
    play(&scene, "S; H1 :status: 200");
    struct wire pings = {0};
    for (int i = 0; i < 500; i++) WORDS(&pings, PING, 0, 1, 2);
    for (int i = 0; i < 300; i++) {
        receive(&scene, pings.bytes, pings.length);
        play(&scene, "D1 x");
        scene.sent.length = PREFACE;
    }
    CHECK(seen->received == 300 && !streamer_http2_failed(scene.http2), "%zu", seen->received);
    wire_free(&pings);
    leave(&scene);
}

static void test_a_server_that_does_not_read_its_acknowledgements_is_cut_off(void) {
    struct scene scene;
    open_scene(&scene);
    get(&scene);
    flush(&scene);
    play(&scene, "S");
    struct wire ping = script("P");
    CHECK(flood(&scene, &ping, MIB, false) <= 1002 * ping.length, "PING");
    wire_free(&ping);
    CHECK(sent_error(&scene, GOAWAY, 0) == NGHTTP2_ENHANCE_YOUR_CALM, "GOAWAY %d", (int)sent_error(&scene, GOAWAY, 0));
    leave(&scene);
}

static void test_continuations_without_an_end(void) {
    for (int size = 0; size < 2; size++) {
        struct scene scene;
        open_scene(&scene);
        struct seen *seen = get(&scene);
        flush(&scene);
        play(&scene, "S; h1 :status: 200");
        struct wire wire = {0};
        struct wire block = {0};
        if (size) wire_literal(&block, "a", "b");
        wire_frame(&wire, CONTINUATION, 0, 1, block.bytes, block.length);
        size_t taken = flood(&scene, &wire, MIB, true);
        CHECK(taken <= 200 * wire.length && streamer_http2_failed(scene.http2), "%zu frames", taken / wire.length);
        CHECK(seen->closes == 1 && seen->reason == STREAMER_HTTP2_PROTOCOL, "%s", log_of(seen));
        wire_free(&wire);
        wire_free(&block);
        leave(&scene);
    }
}

static void test_a_large_head_in_full_continuations(void) {
    struct scene scene;
    open_scene(&scene);
    struct seen *seen = get(&scene);
    flush(&scene);
    play(&scene, "S");
    char *value = letters(255000);
    struct wire block = {0}, wire = {0};
    wire_literal(&block, ":status", "200");
    wire_literal(&block, "a", "b");
    for (int i = 0; i < 4; i++) {
        char *piece = letters(60000);
        wire_literal(&block, "c", piece);
        free(piece);
    }
    for (size_t offset = 0, length; offset < block.length; offset += length) {
        length = block.length - offset < 16384 ? block.length - offset : 16384;
        wire_frame(&wire, offset == 0 ? HEADERS : CONTINUATION,
                   (offset == 0 ? END_STREAM : 0) | (offset + length == block.length ? END_HEADERS : 0), 1,
                   block.bytes + offset, length);
    }
    for (size_t offset = 0; offset < wire.length; offset += 3) {
        receive(&scene, wire.bytes + offset, wire.length - offset < 3 ? wire.length - offset : 3);
    }
    CHECK(seen->reason == STREAMER_HTTP2_COMPLETE && seen->closes == 1 && seen->log.length > 240000, "%s",
          log_of(seen) + (seen->log.length > 20 ? seen->log.length - 20 : 0));
    free(value);
    wire_free(&block);
    wire_free(&wire);
    leave(&scene);
}

/* ---- heads above the ceiling ---- */

static void check_too_large(struct scene *scene, const char *what) {
    struct seen *seen = scene->seen[0];
    CHECK(seen->closes == 1 && seen->reason == STREAMER_HTTP2_TOO_LARGE, "%s: %.200s", what, log_of(seen));
    CHECK(sent_error(scene, RST_STREAM, 1) == NGHTTP2_ENHANCE_YOUR_CALM, "%s: RST_STREAM", what);
    play(scene, "H3. :status: 200");
    CHECK(scene->seen[1]->reason == STREAMER_HTTP2_COMPLETE && scene->seen[1]->closes == 1, "%s: the other %s", what,
          log_of(scene->seen[1]));
}

static void test_heads_above_the_ceiling(void) {
    static const struct {
        const char *what, *frames;
    } heads[] = {
        {"one", "H1 :status: 200|a: %s|b: %s|c: %s|d: %s"},
        {"in parts", "h1 :status: 200|a: %s|b: %s; c1. c: %s|d: %s"},
        {"1xx counts", "H1 :status: 103|a: %s|b: %s; H1. :status: 200|c: %s|d: %s"},
        {"trailers count", "H1 :status: 200|a: %s|b: %s; D1 x; H1. c: %s|d: %s"},
    };
    char *value = letters(300);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        struct scene scene;
        open_with(&scene, &(struct streamer_http2_limits){.streams = 10, .window = 65535, .head = 1200});
        get(&scene);
        get(&scene);
        flush(&scene);
        play(&scene, "S");
        char frames[2000];
        snprintf(frames, sizeof frames, heads[i].frames, value, value, value, value);
        play(&scene, frames);
        check_too_large(&scene, heads[i].what);
        leave(&scene);
    }
    free(value);
}

/* A few bytes on the wire that stand for megabytes: an entry of the table, again and again. */
static void test_a_head_that_unpacks_to_megabytes(void) {
    struct scene scene;
    open_scene(&scene);
    get(&scene);
    get(&scene);
    flush(&scene);
    play(&scene, "S");
    struct wire block = {0}, wire = {0};
    wire_bytes(&block, "\x88", 1); /* :status 200 */
    char *value = letters(4000);
    wire_bytes(&block, "\x40\1a\x7f", 4);
    wire_bytes(&block, "\xa1\x1e", 2); /* 127 + 3873 */
    wire_bytes(&block, value, 4000);
    while (block.length < 16384) wire_bytes(&block, "\xbe", 1); /* entry 62 */
    wire_frame(&wire, HEADERS, END_HEADERS, 1, block.bytes, block.length);
    receive_wire(&scene, &wire);
    check_too_large(&scene, "unpacked");
    free(value);
    wire_free(&block);
    leave(&scene);
}

static void test_1xx_without_an_end(void) {
    struct scene scene;
    open_scene(&scene);
    get(&scene);
    get(&scene);
    flush(&scene);
    play(&scene, "S");
    struct wire wire = script("H1 :status: 103");
    size_t frames = 0;
    while (scene.seen[0]->closes == 0 && frames < 100000) {
        frames++;
        receive(&scene, wire.bytes, wire.length);
    }
    CHECK(frames <= (256 << 10) / 42 + 1, "%zu", frames);
    wire_free(&wire);
    check_too_large(&scene, "1xx");
    leave(&scene);
}

/* ---- first bytes ---- */

static void test_a_server_that_does_not_speak_http2(void) {
    static const char *const greetings[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "\x16\x03\x01\x02\x03\x01\x02\x03\x04",
                                            "SSH-2.0-OpenSSH"};
    for (size_t i = 0; i < sizeof greetings / sizeof *greetings; i++) {
        struct scene scene;
        open_scene(&scene);
        struct seen *seen = get(&scene);
        flush(&scene);
        bool result = true;
        for (const char *byte = greetings[i]; *byte != '\0'; byte++) result = receive(&scene, byte, 1);
        CHECK(!result && seen->closes == 1 && seen->reason == STREAMER_HTTP2_PROTOCOL, "%s", log_of(seen));
        CHECK(sent_error(&scene, GOAWAY, 0) == NGHTTP2_PROTOCOL_ERROR, "GOAWAY");
        CHECK(streamer_http2_draining(scene.http2) && scene.changes == 1, "a change");
        leave(&scene);
    }
}

static void test_frames_of_an_invalid_size(void) {
    static const struct {
        int type;
        uint32_t id;
        size_t length;
    } frames[] = {{PING, 0, 7},        {PING, 0, 9},          {RST_STREAM, 1, 3}, {RST_STREAM, 1, 5},
                  {SETTINGS, 0, 5},    {WINDOW_UPDATE, 0, 3}, {GOAWAY, 0, 7},     {PRIORITY, 1, 4},
                  {DATA, 1, 16385},    {HEADERS, 1, 16385},   {77, 1, 16385},     {77, 1, 0xffffff},
                  {PUSH_PROMISE, 1, 3}};
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        struct scene scene;
        open_scene(&scene);
        struct seen *seen = get(&scene);
        flush(&scene);
        play(&scene, "S; H1 :status: 200");
        struct wire wire = {0};
        wire_frame_head(&wire, frames[i].length, frames[i].type, 0, frames[i].id);
        for (size_t j = 0; j < frames[i].length && j < 100; j++) wire_bytes(&wire, "\0", 1);
        CHECK(!receive_wire(&scene, &wire), "%zu", i);
        CHECK(seen->closes == 1 && seen->reason == STREAMER_HTTP2_PROTOCOL, "%zu: %s", i, log_of(seen));
        CHECK(sent_error(&scene, GOAWAY, 0) == NGHTTP2_FRAME_SIZE_ERROR, "%zu: %d", i,
              (int)sent_error(&scene, GOAWAY, 0));
        leave(&scene);
    }
}

static void test_too_many_settings_in_one_frame(void) {
    struct scene scene;
    open_scene(&scene);
    flush(&scene);
    struct wire wire = {0};
    wire_frame_head(&wire, 33 * 6, SETTINGS, 0, 0);
    for (int i = 0; i < 33; i++) wire_number(&wire, 4, 2), wire_number(&wire, 100, 4);
    CHECK(!receive_wire(&scene, &wire), "taken");
    CHECK(sent_error(&scene, GOAWAY, 0) == NGHTTP2_ENHANCE_YOUR_CALM, "GOAWAY");
    leave(&scene);
}

/* ---- output ---- */

static void test_output_stays_until_all_of_it_was_sent(void) {
    struct scene scene;
    open_scene(&scene);
    get(&scene);
    const char *first, *again;
    size_t length = streamer_http2_output(scene.http2, &first);
    char *copy = malloc(length);
    memcpy(copy, first, length);
    for (size_t sent = 0; sent < length; sent++) {
        CHECK(streamer_http2_output(scene.http2, &again) == length - sent, "the rest behind %zu", sent);
        CHECK(memcmp(again, copy + sent, length - sent) == 0, "other bytes behind %zu", sent);
        get(&scene);
        streamer_http2_sent(scene.http2, 1);
    }
    CHECK(streamer_http2_output(scene.http2, &again) > 0, "what was queued meanwhile");
    free(copy);
    leave(&scene);
}

static void test_frames_go_out_together(void) {
    struct scene scene;
    open_scene(&scene);
    for (int i = 0; i < 10; i++) get(&scene);
    const char *bytes;
    size_t length = streamer_http2_output(scene.http2, &bytes);
    streamer_http2_sent(scene.http2, length);
    CHECK(streamer_http2_output(scene.http2, &bytes) == 0, "a second chunk");
    leave(&scene);
}

/* ---- main ---- */

int main(void) {
    test_responses_at_every_split();
    test_a_connection_that_goes_away_cuts_what_is_not_complete();
    test_every_error_code_of_a_reset();
    test_goaway_at_every_point_of_two_responses();
    test_goaway_refuses_requests_that_were_not_sent();
    test_a_close_may_give_up_the_others();
    test_the_settings_that_are_sent();
    test_no_more_streams_than_both_sides_allow();
    test_a_connection_whose_ids_are_used_up_drains();
    test_a_request_as_the_server_reads_it();
    test_requests_that_are_refused();
    test_a_large_request_head_is_sent();
    test_uploads_within_the_windows();
    test_an_upload_that_waits_is_resumed();
    test_an_empty_upload();
    test_an_upload_of_another_length_than_announced_resets_the_stream();
    test_a_response_that_is_complete_ends_the_upload();
    test_an_upload_may_go_on_behind_a_head();
    test_a_stream_may_be_given_up_within_its_own_callbacks();
    test_a_request_may_be_submitted_within_a_callback();
    test_a_reset_is_in_the_next_output_and_the_stream_is_silent();
    test_a_request_that_is_given_up_before_it_is_sent_is_not_sent();
    test_nothing_is_heard_after_free();
    test_a_stream_is_given_what_was_consumed();
    test_more_data_than_the_window_resets_the_stream();
    test_streams_that_are_slow_stall_no_other();
    test_data_of_streams_that_were_given_up_uses_up_no_window();
    test_floods_end_the_connection();
    test_a_flood_between_data_is_none();
    test_a_server_that_does_not_read_its_acknowledgements_is_cut_off();
    test_continuations_without_an_end();
    test_a_large_head_in_full_continuations();
    test_heads_above_the_ceiling();
    test_a_head_that_unpacks_to_megabytes();
    test_1xx_without_an_end();
    test_a_server_that_does_not_speak_http2();
    test_frames_of_an_invalid_size();
    test_too_many_settings_in_one_frame();
    test_output_stays_until_all_of_it_was_sent();
    test_frames_go_out_together();
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
