/* HTTP/2: requests and their bodies, read by hand and by nghttp2's own server. */
#include "http2_scene.h"

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
        play(&scene, "S; H1 :status: 200; D1 x; D1 y");
        scene.on_head = NULL;
        play(&scene, "H3. :status: 200");
        CHECK(seen->closes == 0 && strncmp(log_of(seen), logs[i], strlen(logs[i])) == 0, "%s", log_of(seen));
        CHECK(sent_error(&scene, RST_STREAM, 1) == NGHTTP2_CANCEL, "RST_STREAM");
        if (i == 0) CHECK(sent_frames(&scene, DATA, 1, NULL) == 0, "DATA of what was given up");
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

/* ---- nghttp2's server ---- */

/* Responds to each request, once it is complete, with letters: as many as its path says, or, if it had a body, as many
 * as that. */
struct server {
    nghttp2_session *session;
    struct server_stream {
        size_t wanted, sent, uploaded;
    } streams[MAX_SEEN];
    struct scene *scene;
    struct wire to_client, to_server;
    unsigned random;
};

static struct server_stream *server_stream(struct server *server, int32_t id) {
    return &server->streams[id / 2];
}

static int server_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_length,
                         const uint8_t *value, size_t value_length, uint8_t flags, void *user) {
    (void)session, (void)flags, (void)value_length;
    if (name_length == 5 && memcmp(name, ":path", 5) == 0) {
        server_stream(user, frame->hd.stream_id)->wanted = strtoul((const char *)value + 1, NULL, 10);
    }
    return 0;
}

static ssize_t server_body(nghttp2_session *session, int32_t id, uint8_t *into, size_t room, uint32_t *flags,
                           nghttp2_data_source *source, void *user) {
    (void)session, (void)source;
    struct server_stream *stream = server_stream(user, id);
    size_t length = stream->wanted - stream->sent;
    if (length > room) length = room;
    for (size_t i = 0; i < length; i++) into[i] = (uint8_t)('a' + (stream->sent + i) % 26);
    stream->sent += length;
    if (stream->sent == stream->wanted) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)length;
}

static int server_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t length,
                       void *user) {
    (void)session, (void)flags;
    struct server_stream *stream = server_stream(user, id);
    bool same = true;
    for (size_t i = 0; i < length; i++) same = same && bytes[i] == 'a' + (stream->uploaded + i) % 26;
    CHECK(same, "other bytes than were uploaded");
    stream->uploaded += length;
    return 0;
}

static int server_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user) {
    if ((frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) ||
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) {
        return 0;
    }
    struct server_stream *stream = server_stream(user, frame->hd.stream_id);
    if (stream->uploaded > 0) stream->wanted = stream->uploaded;
    nghttp2_nv early = {(uint8_t *)":status", (uint8_t *)"103", 7, 3, NGHTTP2_NV_FLAG_NONE};
    nghttp2_nv status = {(uint8_t *)":status", (uint8_t *)"200", 7, 3, NGHTTP2_NV_FLAG_NONE};
    nghttp2_data_provider body = {.read_callback = server_body};
    nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NULL, &early, 1, NULL);
    return nghttp2_submit_response(session, frame->hd.stream_id, &status, 1, &body);
}

static void server_open(struct server *server, struct scene *scene) {
    *server = (struct server){.scene = scene, .random = 1};
    nghttp2_session_callbacks *callbacks;
    if (nghttp2_session_callbacks_new(&callbacks) != 0) abort();
    nghttp2_session_callbacks_set_on_header_callback(callbacks, server_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, server_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, server_frame);
    if (nghttp2_session_server_new(&server->session, callbacks, server) != 0) abort();
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_settings_entry setting = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100};
    nghttp2_submit_settings(server->session, NGHTTP2_FLAG_NONE, &setting, 1);
}

static void server_close(struct server *server) {
    nghttp2_session_del(server->session);
    wire_free(&server->to_client);
    wire_free(&server->to_server);
}

/* A length from 1 to `most`, another one each time. */
static size_t random_length(struct server *server, size_t most) {
    server->random = server->random * 1103515245 + 12345;
    size_t length =
        (server->random >> 16) % 3 == 0 ? 1 + (server->random >> 8) % 20 : 1 + (server->random >> 8) % 20000;
    return length < most ? length : most;
}

/* Exchanges bytes in pieces of every size until neither side has any. */
static void talk(struct server *server) {
    struct streamer_http2 *http2 = server->scene->http2;
    for (bool quiet = false; !quiet;) {
        quiet = true;
        const char *bytes;
        size_t length = streamer_http2_output(http2, &bytes);
        if (length > 0) {
            length = random_length(server, length);
            CHECK(nghttp2_session_mem_recv(server->session, (const uint8_t *)bytes, length) == (ssize_t)length,
                  "input");
            streamer_http2_sent(http2, length);
            quiet = false;
        }
        const uint8_t *response;
        ssize_t ready = nghttp2_session_mem_send(server->session, &response);
        for (size_t taken = 0; ready > 0 && taken < (size_t)ready;) {
            length = random_length(server, (size_t)ready - taken);
            CHECK(streamer_http2_receive(http2, (const char *)response + taken, length), "it failed");
            taken += length;
            quiet = false;
        }
    }
}

static void consume_at_once(struct seen *seen) {
    static size_t consumed[MAX_SEEN];
    if (seen->id == 1) return; /* the slow one */
    size_t *already = &consumed[seen->id / 2];
    if (seen->received < *already) *already = 0; /* the next test's */
    streamer_http2_consume(seen->scene->http2, seen->id, seen->received - *already);
    *already = seen->received;
}

static void test_a_hundred_streams_of_a_real_server_one_of_them_slow(void) {
    struct scene scene;
    struct server server;
    open_scene(&scene);
    server_open(&server, &scene);
    scene.on_data = consume_at_once;
    char *expected = letters(1000000);
    for (int i = 0; i < 100; i++) {
        char path[16];
        snprintf(path, sizeof path, "/%d", i < 3 ? 1000000 : i * 1000);
        submit_request(&scene, &(struct streamer_http2_request){"GET", "https", "a", path, NULL, 0, false});
    }
    talk(&server);
    struct seen *slow = scene.seen[0];
    for (int i = 1; i < 100; i++) {
        struct seen *seen = scene.seen[i];
        size_t length = i < 3 ? 1000000 : (size_t)i * 1000;
        CHECK(seen->reason == STREAMER_HTTP2_COMPLETE && seen->closes == 1 && seen->received == length, "%d: %zu", i,
              seen->received);
        CHECK(memcmp(log_of(seen) + strlen("200 {}"), expected, seen->received) == 0, "%d: other bytes", i);
    }
    CHECK(slow->closes == 0 && slow->received == 256 << 10, "%zu", slow->received);
    for (size_t before = 0; before < slow->received;) {
        before = slow->received;
        streamer_http2_consume(scene.http2, slow->id, 200000);
        talk(&server);
    }
    CHECK(slow->reason == STREAMER_HTTP2_COMPLETE && slow->received == 1000000, "%zu", slow->received);
    CHECK(streamer_http2_streams(scene.http2) == 0 && streamer_http2_accepts(scene.http2), "open");
    free(expected);
    server_close(&server);
    leave(&scene);
}

static void test_uploads_to_a_real_server(void) {
    static const size_t lengths[] = {1, 16384, 65535, 65536, 500000};
    struct scene scene;
    struct server server;
    open_scene(&scene);
    server_open(&server, &scene);
    char *body = letters(500000);
    for (int round = 0; round < 2; round++) { /* with a Content-Length and without */
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            char length[16] = "";
            if (round == 0) snprintf(length, sizeof length, "%zu", lengths[i]);
            post(&scene, body, lengths[i], length);
        }
    }
    for (size_t before = 0, received = 1; before < received;) {
        before = received;
        talk(&server);
        received = 1;
        for (int i = 0; i < scene.count; i++) {
            streamer_http2_consume(scene.http2, scene.seen[i]->id, SIZE_MAX);
            received += scene.seen[i]->received;
        }
    }
    for (int i = 0; i < scene.count; i++) {
        struct seen *seen = scene.seen[i];
        CHECK(seen->reason == STREAMER_HTTP2_COMPLETE && seen->received == lengths[i % 5], "%d: %zu", i,
              seen->received);
    }
    free(body);
    server_close(&server);
    leave(&scene);
}

/* ---- main ---- */

int main(void) {
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
    test_a_hundred_streams_of_a_real_server_one_of_them_slow();
    test_uploads_to_a_real_server();
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
