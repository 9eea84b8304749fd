/* HTTP/2: what becomes of a server's frames, whole and torn at every byte. */
#include "../../ext/streamer/upstream/http2_internal.h"
#include "http2_scene.h"

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

/* How much of a frame that is longer than the response's Content-Length is given hangs on the pieces it comes in. */
static void test_more_than_the_announced_length_is_never_given(void) {
    struct wire wire = script("H1 :status: 200|content-length: 3; D1 ab; D1. cdef");
    for (size_t split = 1; split < wire.length; split++) {
        struct scene scene;
        open_scene(&scene);
        struct seen *seen = get(&scene);
        flush(&scene);
        play(&scene, "S");
        receive(&scene, wire.bytes, split);
        receive(&scene, wire.bytes + split, wire.length - split);
        CHECK(seen->received <= 3 && seen->closes == 1 && seen->reason == STREAMER_HTTP2_CUT, "%s", log_of(seen));
        leave(&scene);
    }
    wire_free(&wire);
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
    struct wire wire = script("S; G2147483647 0; H1. :status: 200");
    streamer_http2_receive(scene.http2, wire.bytes, wire.length);
    wire_free(&wire);
    CHECK(unsent->closes == 1 && !streamer_http2_failed(scene.http2), "at once, not at the next output");
    flush(&scene);
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

/* Which versions of nghttp2 make an error of the stream or of the connection. */
static bool says_that_it_was_too_much(const struct scene *scene) {
    return sent_error(scene, RST_STREAM, 1) == NGHTTP2_FLOW_CONTROL_ERROR ||
           sent_error(scene, GOAWAY, 0) == NGHTTP2_FLOW_CONTROL_ERROR;
}

static void test_more_data_than_the_window_ends_the_stream(void) {
    for (int consumed = 0; consumed <= 30000; consumed += 30000) {
        struct scene scene;
        struct wire wire = {0};
        open_with(&scene, &(struct streamer_http2_limits){.streams = 10, .window = 100000, .head = 1000});
        struct seen *seen = get(&scene);
        flush(&scene);
        play(&scene, "S; A; H1 :status: 200");
        fill(&wire, 1, 100000);
        receive_wire(&scene, &wire);
        streamer_http2_consume(scene.http2, 1, (size_t)consumed); /* which the server has not been told */
        flush(&scene);
        fill(&wire, 1, 50000);
        receive_wire(&scene, &wire);
        play(&scene, "D1. x");
        CHECK(seen->closes == 1 && seen->reason != STREAMER_HTTP2_COMPLETE, "%s", log_of(seen) + seen->received);
        CHECK(seen->received <= 100000 + (size_t)consumed, "%zu are outstanding", seen->received - (size_t)consumed);
        CHECK(says_that_it_was_too_much(&scene), "neither RST_STREAM nor GOAWAY");
        leave(&scene);
    }
}

static void test_a_window_above_the_largest_ends_the_stream(void) {
    struct scene scene;
    open_scene(&scene);
    struct seen *seen = get(&scene);
    flush(&scene);
    play(&scene, "S; W1 2147483647; H1. :status: 200");
    CHECK(strncmp(log_of(seen), " PROTOCOL ", 10) == 0 && seen->closes == 1, "%s", log_of(seen));
    CHECK(says_that_it_was_too_much(&scene), "neither RST_STREAM nor GOAWAY");
    leave(&scene);
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

/* More than the connection's window in all, half of it before the RST_STREAMs were sent and half after. */
static void test_data_of_streams_that_were_given_up_uses_up_no_window(void) {
    struct scene scene;
    open_scene(&scene);
    for (int i = 0; i < 100; i++) get(&scene);
    flush(&scene);
    play(&scene, "S; A");
    for (int i = 0; i < 100; i++) streamer_http2_reset(scene.http2, scene.seen[i]->id, NGHTTP2_CANCEL);
    for (int i = 0; i < 100; i++) {
        struct seen *seen = scene.seen[i];
        char head[32];
        snprintf(head, sizeof head, "H%d :status: 200", seen->id);
        struct wire wire = script(head);
        fill(&wire, (uint32_t)seen->id, 256 << 10);
        CHECK(streamer_http2_receive(scene.http2, wire.bytes, wire.length), "it failed at %d", i);
        if (i >= 50) flush(&scene);
        if (i >= 50) CHECK(connection_window(&scene) >= (uint64_t)(i + 1) * (256 << 10) + (8 << 20), "behind %d", i);
        CHECK(seen->log.length == 0, "%.100s", log_of(seen));
        wire_free(&wire);
    }
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

static void test_a_connection_keeps_no_large_buffer(void) {
    struct scene scene;
    open_scene(&scene);
    char *body = letters(60000);
    post(&scene, body, 60000, "");
    flush(&scene);
    CHECK(scene.http2->output.capacity <= 2048, "%zu bytes of output", scene.http2->output.capacity);
    free(body);
    leave(&scene);
}

/* ---- main ---- */

int main(void) {
    test_responses_at_every_split();
    test_more_than_the_announced_length_is_never_given();
    test_a_connection_that_goes_away_cuts_what_is_not_complete();
    test_every_error_code_of_a_reset();
    test_goaway_at_every_point_of_two_responses();
    test_goaway_refuses_requests_that_were_not_sent();
    test_a_close_may_give_up_the_others();
    test_the_settings_that_are_sent();
    test_no_more_streams_than_both_sides_allow();
    test_a_connection_whose_ids_are_used_up_drains();
    test_a_reset_is_in_the_next_output_and_the_stream_is_silent();
    test_a_request_that_is_given_up_before_it_is_sent_is_not_sent();
    test_nothing_is_heard_after_free();
    test_a_stream_is_given_what_was_consumed();
    test_more_data_than_the_window_ends_the_stream();
    test_a_window_above_the_largest_ends_the_stream();
    test_streams_that_are_slow_stall_no_other();
    test_data_of_streams_that_were_given_up_uses_up_no_window();
    test_output_stays_until_all_of_it_was_sent();
    test_frames_go_out_together();
    test_a_connection_keeps_no_large_buffer();
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
