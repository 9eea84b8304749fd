/* HTTP/2: a server that floods, that fills memory or that speaks something else; and no memory. */
#include "http2_scene.h"

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

/* Where data follows in the same read. */
static void test_a_flood_is_one_however_it_is_read(void) {
    struct scene scene;
    open_scene(&scene);
    struct seen *seen = get(&scene);
    flush(&scene);
    play(&scene, "S; H1 :status: 200");
    struct wire wire = {0};
    while (wire.length < MIB + MIB / 2) wire_frame(&wire, 77, 0, 0, "ninety-nine", 11);
    wire_data(&wire, END_STREAM, 1, "x");
    CHECK(!receive_wire(&scene, &wire), "it goes on");
    CHECK(strcmp(log_of(seen), "200 {} PROTOCOL 11") == 0, "%s", log_of(seen));
    CHECK(sent_error(&scene, GOAWAY, 0) == NGHTTP2_ENHANCE_YOUR_CALM, "GOAWAY");
    leave(&scene);
}

static void test_a_flood_between_heads_is_none(void) {
    struct scene scene;
    open_scene(&scene);
    for (int i = 0; i < 5; i++) get(&scene);
    flush(&scene);
    play(&scene, "S");
    struct wire pings = {0};
    for (int i = 0; i < 500; i++) WORDS(&pings, PING, 0, 1, 2);
    for (int i = 0; i < 5; i++) {
        CHECK(flood(&scene, &pings, MIB * 3 / 4, true) >= MIB * 3 / 4, "before head %d", i);
        char head[32];
        snprintf(head, sizeof head, "H%d. :status: 204", scene.seen[i]->id);
        play(&scene, head);
        CHECK(scene.seen[i]->reason == STREAMER_HTTP2_COMPLETE, "%s", log_of(scene.seen[i]));
    }
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
        CHECK(sent_error(&scene, GOAWAY, 0) == NGHTTP2_ENHANCE_YOUR_CALM, "GOAWAY");
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

/* ---- no memory ---- */

#ifdef HAVE_SYS_EPOLL_H       /* where the Makefile wraps these */
static long memory_left = -1; /* allocations until one fails; -1: none does */
static bool memory_returns;   /* after one */
static bool memory_failed;

static bool refused(void) {
    if (memory_left < 0) return false;
    if (memory_left > 0) {
        memory_left--;
        return false;
    }
    memory_failed = true;
    if (memory_returns) memory_left = -1;
    return true;
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
int __wrap_nghttp2_session_client_new2(nghttp2_session **session, const nghttp2_session_callbacks *callbacks,
                                       void *user, const nghttp2_option *options);

void *__wrap_calloc(size_t count, size_t size) {
    return refused() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
    return refused() ? NULL : __real_realloc(memory, size);
}

static void *session_malloc(size_t size, void *user) {
    (void)user;
    return refused() ? NULL : malloc(size);
}

static void session_free(void *memory, void *user) {
    (void)user;
    free(memory);
}

static void *session_calloc(size_t count, size_t size, void *user) {
    (void)user;
    return __wrap_calloc(count, size);
}

static void *session_realloc(void *memory, size_t size, void *user) {
    (void)user;
    return __wrap_realloc(memory, size);
}

int __wrap_nghttp2_session_client_new2(nghttp2_session **session, const nghttp2_session_callbacks *callbacks,
                                       void *user, const nghttp2_option *options) {
    nghttp2_mem memory = {NULL, session_malloc, session_free, session_calloc, session_realloc};
    return nghttp2_session_client_new3(session, callbacks, user, options, &memory);
}

/* What is told is not logged: that would take memory. */
static void count_head(void *stream, int status, struct streamer_buffer *fields) {
    (void)stream, (void)status, (void)fields;
}

static void count_data(void *stream, const char *bytes, size_t length) {
    (void)stream, (void)bytes, (void)length;
}

static bool noticed; /* that memory was missing */

static void count_close(void *stream, enum streamer_http2_close reason, uint32_t error_code) {
    (void)error_code;
    ++*(int *)stream;
    if (reason == STREAMER_HTTP2_NO_MEMORY) noticed = true;
}

static size_t count_upload(void *stream, char *into, size_t room, bool *last) {
    (void)stream;
    memset(into, 'x', room);
    *last = room < 16384;
    return room;
}

static void count_change(void *owner) {
    (void)owner;
}

static const struct streamer_http2_vtable counting = {count_head, count_data, count_close, count_upload, count_change};

static void drop_output(struct streamer_http2 *http2) {
    const char *bytes;
    for (size_t length; (length = streamer_http2_output(http2, &bytes)) > 0;) streamer_http2_sent(http2, length);
}

/* A connection with a bit of everything. Returns whether an allocation failed in it. */
static bool run_out_of_memory_after(long allocations, bool returns, const struct wire *wire) {
    memory_left = allocations;
    memory_returns = returns;
    noticed = memory_failed = false;
    struct streamer_http2 *http2 = streamer_http2_new(&counting, NULL, &streamer_http2_default_limits);
    if (http2 != NULL) {
        int closes[4] = {0};
        int32_t ids[4];
        for (int i = 0; i < 4; i++) {
            struct streamer_http2_field field = FIELD("a-field", "a value");
            ids[i] = streamer_http2_submit(
                http2, &closes[i], &(struct streamer_http2_request){"POST", "https", "a", "/", &field, 1, i % 2 == 0});
            bool failed_before = streamer_http2_failed(http2);
            if (ids[i] < 0) noticed = true;
            CHECK(ids[i] > 0 || ids[i] == (failed_before ? STREAMER_HTTP2_NOT_ACCEPTED : STREAMER_HTTP2_NOT_SUBMITTED),
                  "%d", ids[i]);
            if (i == 2) drop_output(http2);
        }
        streamer_http2_receive(http2, wire->bytes, wire->length);
        for (int i = 0; i < 4; i++) {
            if (ids[i] <= 0) continue;
            streamer_http2_consume(http2, ids[i], SIZE_MAX);
            streamer_http2_resume_upload(http2, ids[i]);
        }
        int given_up = 0;
        if (ids[3] > 0 && closes[3] == 0) {
            given_up = 1;
            streamer_http2_reset(http2, ids[3], NGHTTP2_CANCEL);
        }
        drop_output(http2);
        CHECK(!memory_failed || noticed || streamer_http2_failed(http2), "%ld: nobody noticed", allocations);
        streamer_http2_shutdown(http2);
        drop_output(http2);
        for (int i = 0; i < 4; i++) {
            CHECK(closes[i] == (ids[i] > 0 && !(i == 3 && given_up)), "%ld: stream %d closed %d times", allocations, i,
                  closes[i]);
        }
        streamer_http2_free(http2);
    }
    memory_left = -1;
    return memory_failed;
}

static void test_every_allocation_may_fail(void) {
    struct wire wire = script("S; A; S4 20; P; h1 :status: 200|content-type: text/plain; c1 a: b");
    fill(&wire, 1, 200000);
    struct wire rest =
        script("H3 :status: 103; H3 :status: 200|some: field; D3. abc; R5 8; W0 100000; W1 100000; D1. ");
    wire_bytes(&wire, rest.bytes, rest.length);
    wire_free(&rest);
    for (int returns = 0; returns < 2; returns++) {
        long allocations = 0;
        while (run_out_of_memory_after(allocations, returns, &wire)) allocations++;
        CHECK(allocations > 40, "%ld", allocations);
    }
    wire_free(&wire);
}
#endif

/* ---- main ---- */

int main(void) {
    test_a_server_that_does_not_speak_http2();
    test_frames_of_an_invalid_size();
    test_too_many_settings_in_one_frame();
    test_floods_end_the_connection();
    test_a_flood_between_data_is_none();
    test_a_flood_is_one_however_it_is_read();
    test_a_flood_between_heads_is_none();
    test_a_server_that_does_not_read_its_acknowledgements_is_cut_off();
    test_continuations_without_an_end();
    test_a_large_head_in_full_continuations();
    test_heads_above_the_ceiling();
    test_a_head_that_unpacks_to_megabytes();
    test_1xx_without_an_end();
#ifdef HAVE_SYS_EPOLL_H
    test_every_allocation_may_fail();
#endif
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
