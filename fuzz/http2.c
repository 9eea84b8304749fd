/* http2, whatever a server sends and however it arrives: every stream is closed exactly once, unless it was given up;
 * its head comes once and before its data; no more data is outstanding than its window; and all of that is the same
 * when the server's bytes arrive in other pieces.
 *
 * Input: three bytes of cuts (support.h), a byte of limits, then steps, each a letter's worth of one byte: a frame,
 * bytes that need not be one, something that an owner does. */
#include "http2.h"

#include "support.h"

#include <nghttp2/nghttp2.h>

enum { MAX_STREAMS = 8 };

struct stream {
    int32_t id;
    bool given_up, has_head;
    int closes;
    enum streamer_http2_close reason;
    uint32_t error_code;
    size_t outstanding;
    struct record head, data;
};

static struct run {
    struct streamer_http2 *http2;
    struct stream streams[MAX_STREAMS];
    int count;
    size_t window;
    unsigned uploads; /* what they do */
} * run;

/* nghttp2 counts a CONTINUATION each time it looks for its first bytes: how many it allows hangs on the pieces. */
void __real_nghttp2_option_set_max_continuations(nghttp2_option *option, size_t count);
void __wrap_nghttp2_option_set_max_continuations(nghttp2_option *option, size_t count);

void __wrap_nghttp2_option_set_max_continuations(nghttp2_option *option, size_t count) {
    (void)count;
    __real_nghttp2_option_set_max_continuations(option, 100000);
}

static struct stream *heard_of(void *stream) {
    struct stream *heard = stream;
    MUST(!heard->given_up && heard->closes == 0, "nothing after the end");
    return heard;
}

static void on_head(void *stream, int status, struct streamer_buffer *fields) {
    struct stream *heard = heard_of(stream);
    MUST(!heard->has_head, "one head");
    MUST(status >= 200 && status <= 999, "a final head");
    heard->has_head = true;
    record_field(&heard->head, (const char *)&status, sizeof status);
    record_field(&heard->head, fields->bytes, fields->length);
    MUST(fields->length == 0 || fields->bytes[fields->length - 1] == '\n', "whole lines");
    for (size_t i = 0; i < fields->length; i++) {
        MUST(fields->bytes[i] != '\r' && fields->bytes[i] != '\0', "no end of a line within a field");
    }
    if (status == 299) {
        heard->given_up = true;
        streamer_http2_reset(run->http2, heard->id, NGHTTP2_CANCEL);
    }
}

static void on_data(void *stream, const char *bytes, size_t length) {
    struct stream *heard = heard_of(stream);
    MUST(heard->has_head, "a head before data");
    MUST(length > 0, "data");
    heard->outstanding += length;
    MUST(heard->outstanding <= run->window, "no more than the window is outstanding");
    record_bytes(&heard->data, bytes, length);
}

static void on_close(void *stream, enum streamer_http2_close reason, uint32_t error_code) {
    struct stream *heard = heard_of(stream);
    MUST(reason != STREAMER_HTTP2_COMPLETE || heard->has_head, "a response has a head");
    MUST(reason != STREAMER_HTTP2_REFUSED || !heard->has_head, "who responds has not refused");
    heard->closes++;
    heard->reason = reason;
    heard->error_code = error_code;
}

static size_t on_upload(void *stream, char *into, size_t room, bool *last) {
    struct stream *heard = heard_of(stream);
    unsigned does = run->uploads = run->uploads * 5 + 3;
    MUST(room > 0 && !*last, "room");
    if (does % 13 == 12) {
        heard->given_up = true;
        streamer_http2_reset(run->http2, heard->id, NGHTTP2_CANCEL);
    }
    size_t length = does % 3 * 40 < room ? does % 3 * 40 : room;
    memset(into, 'u', length);
    *last = does % 7 == 6;
    return length;
}

static void on_change(void *owner) {
    (void)owner;
}

static const struct streamer_http2_vtable vtable = {on_head, on_data, on_close, on_upload, on_change};

static void submit(bool body, bool length) {
    if (run->count == MAX_STREAMS) return;
    struct stream *stream = &run->streams[run->count];
    static const struct streamer_http2_field field = {"Content-Length", 14, "80", 2};
    struct streamer_http2_request request = {body ? "POST" : "HEAD", "https", "a", "/", &field, body && length, body};
    stream->id = streamer_http2_submit(run->http2, stream, &request);
    if (stream->id > 0) run->count++;
}

static void flush(void) {
    const char *bytes;
    for (size_t length; (length = streamer_http2_output(run->http2, &bytes)) > 0;) {
        free(exact_copy(bytes, length));
        streamer_http2_sent(run->http2, length > 100 ? length / 2 : length);
    }
}

static void receive(const char *bytes, size_t length, struct cut cut) {
    for (size_t offset = 0, piece; offset < length; offset += piece) {
        piece = cut_length(&cut, offset, length);
        char *read = exact_copy(bytes + offset, piece);
        streamer_http2_receive(run->http2, read, piece);
        free(read);
    }
}

static void receive_frame(struct input *input, struct cut cut) {
    char frame[9 + 255];
    unsigned type = take_byte(input), flags = take_byte(input), id = take_byte(input), length = take_byte(input);
    if (length > input->length) length = (unsigned)input->length;
    const char head[9] = {0, 0, (char)length, (char)type, (char)flags, 0, 0, 0, (char)id};
    memcpy(frame, head, sizeof head);
    if (length > 0) memcpy(frame + sizeof head, input->bytes, length);
    input->bytes += length;
    input->length -= length;
    receive(frame, sizeof head + length, cut);
}

static void receive_bytes(struct input *input, struct cut cut) {
    size_t length = take_short(input);
    if (length > input->length) length = input->length;
    receive((const char *)input->bytes, length, cut);
    input->bytes += length;
    input->length -= length;
}

static void step(struct input *input, struct cut cut) {
    unsigned does = take_byte(input);
    struct stream *stream = &run->streams[does / 16 % MAX_STREAMS];
    bool open = stream->id > 0 && !stream->given_up && stream->closes == 0;
    switch (does % 16) {
        case 0: submit(false, false); break;
        case 1: submit(true, does & 16); break;
        case 2:
            if (open) {
                stream->given_up = true;
                streamer_http2_reset(run->http2, stream->id, NGHTTP2_CANCEL);
            }
            break;
        case 3:
            if (stream->id > 0) {
                size_t length = take_short(input);
                streamer_http2_consume(run->http2, stream->id, length);
                stream->outstanding -= length < stream->outstanding ? length : stream->outstanding;
            }
            break;
        case 4:
            if (stream->id > 0) streamer_http2_resume_upload(run->http2, stream->id);
            break;
        case 5: receive_bytes(input, cut); break;
        case 6:
        case 7: flush(); break;
        default: receive_frame(input, cut);
    }
}

static struct run *play(struct input input, struct cut cut) {
    run = calloc(1, sizeof *run);
    unsigned limits = take_byte(&input);
    run->window = limits % 2 ? 300 : 65535;
    run->http2 =
        streamer_http2_new(&vtable, NULL,
                           &(struct streamer_http2_limits){
                               .streams = 6, .window = (uint32_t)run->window, .head = limits % 4 < 2 ? 400 : 65535});
    if (limits % 8 < 4) {
        submit(false, false);
        submit(true, limits & 8);
        submit(false, false);
        flush();
        static const char settings[9] = {0, 0, 0, 4};
        receive(settings, sizeof settings, cut);
    }
    while (input.length > 0) step(&input, cut);
    flush();
    streamer_http2_shutdown(run->http2);
    MUST(streamer_http2_streams(run->http2) == 0, "all are closed");
    flush();
    streamer_http2_free(run->http2);
    for (int i = 0; i < run->count; i++) {
        MUST(run->streams[i].closes == !run->streams[i].given_up, "one close, or given up");
    }
    return run;
}

static void finish(struct run *finished) {
    for (int i = 0; i < finished->count; i++) {
        free(finished->streams[i].head.bytes);
        free(finished->streams[i].data.bytes);
    }
    free(finished);
}

static bool announces_length(const struct record *head) {
    static const char name[] = "content-length";
    for (size_t i = 0; i + sizeof name <= head->length; i++) {
        if (memcmp(head->bytes + i, name, sizeof name - 1) == 0) return true;
    }
    return false;
}

static void compare(const struct stream *left, const struct stream *right) {
    MUST(left->id == right->id && left->given_up == right->given_up, "the same streams");
    MUST(left->reason == right->reason && left->error_code == right->error_code, "the same end");
    MUST(record_same(&left->head, &right->head), "the same head");
    /* Of a frame that is longer than the content-length nghttp2 gives what came before the piece in which that shows.
     */
    bool complete = left->closes > 0 && left->reason == STREAMER_HTTP2_COMPLETE;
    if (!complete && announces_length(&left->head)) return;
    MUST(record_same(&left->data, &right->data), "the same data");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct input input = {bytes, length};
    struct cut cut = take_cut(&input);
    struct run *whole = play(input, (struct cut){0, 0}), *torn = play(input, cut);
    MUST(whole->count == torn->count, "as many streams");
    for (int i = 0; i < whole->count; i++) compare(&whole->streams[i], &torn->streams[i]);
    finish(whole);
    finish(torn);
    return 0;
}
