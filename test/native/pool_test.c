/* The pool with its connections, over plain sockets, TLS with HTTP/1.1 and TLS with HTTP/2, against a server that says
 * what each test wants in the order in which it wants it (peer.h). One thread: the test runs the iterations.
 *
 *   pool_test [ROUNDS]      random requests, pauses and cancellations over each protocol, 400 when not given
 */
#define _GNU_SOURCE
#include <curl/curl.h>
#include <signal.h>

#include "../../ext/streamer/core/fields.h"
#include "../../ext/streamer/loop/clock.h"
#include "../../ext/streamer/loop/fork.h"
#include "../../ext/streamer/upstream/pool.h"
#include "../../ext/streamer/upstream/transfer.h"
#include "check.h"
#include "peer.h"

/* ---- memory that runs out ---- */

static long allocations_left = -1; /* -1: as many as wanted */

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_realloc(void *memory, size_t size) {
    if (allocations_left == 0) return NULL;
    if (allocations_left > 0) allocations_left--;
    return __real_realloc(memory, size);
}

static uint64_t seed = 88172645463325252u;

static unsigned below(unsigned limit) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (unsigned)(seed % limit);
}

/* ---- the world ---- */

static struct peer peer;
static struct streamer_pool *pool;

static void tick(void) {
    peer_step(&peer);
    streamer_loop_iterate(pool->loop, 1);
}

static void run_for(int milliseconds) {
    int64_t end = streamer_now() + milliseconds;
    while (streamer_now() < end) tick();
}

/* Runs until the condition holds; that is a test too. */
#define EVENTUALLY(condition)                                                    \
    do {                                                                         \
        int64_t deadline = streamer_now() + 5000;                                \
        while (!(condition) && streamer_now() < deadline) tick();                \
        CHECK(condition, "%s: does not come to this: %s", __func__, #condition); \
    } while (0)

static void say_settings(struct end *end) {
    struct wire wire = {0};
    wire_frame(&wire, SETTINGS, 0, 0, NULL, 0);
    end_say_wire(end, &wire);
}

static void begin(enum peer_protocol protocol) {
    peer_open(&peer, protocol);
    if (protocol == TLS_HTTP2) peer.opened = say_settings;
    pool = streamer_pool_new();
    if (pool == NULL) abort();
}

static void finish(void) {
    streamer_pool_close(pool);
    CHECK(pool->stats.open == 0 && pool->stats.queued == 0 && pool->stats.connections == 0,
          "open %llu, queued %llu, connections %llu", (unsigned long long)pool->stats.open,
          (unsigned long long)pool->stats.queued, (unsigned long long)pool->stats.connections);
    CHECK(pool->idle == 0 && pool->idle_first == NULL, "idle connections are left");
    streamer_pool_release(pool);
    peer_close(&peer);
}

/* The destination of all that is asked; NULL when it is forgotten. */
static struct streamer_destination *destination(void) {
    for (int i = 0; i < STREAMER_DESTINATION_BUCKETS; i++) {
        if (pool->buckets[i] != NULL) return pool->buckets[i];
    }
    return NULL;
}

static struct streamer_connection *connection(void) {
    return destination() == NULL ? NULL : destination()->connections;
}

static struct streamer_route route(void) {
    static char url[64];
    snprintf(url, sizeof url, "%s://127.0.0.1:%d", peer.protocol == PLAIN ? "http" : "https", peer.port);
    return (struct streamer_route){.url = url, .origin = url, .verify = false};
}

/* ---- streams ---- */

struct asked {
    struct streamer_stream stream;
    struct streamer_message message;
    int begun, heads, closed;
    int status;
    enum streamer_outcome outcome;
    bool unprocessed, unanswered;
    size_t upload, uploaded; /* bytes of the request's body: all, and those that were given away */
    size_t received;
    char body[64]; /* its beginning */
    bool full;     /* has no room for what comes */
    void (*at_close)(struct asked *asked);
};

static struct asked *asked_of(struct streamer_stream *stream) {
    return (struct asked *)stream;
}

static void on_begin(struct streamer_stream *stream) {
    asked_of(stream)->begun++;
}

static void on_progress(struct streamer_stream *stream, size_t bytes) {
    (void)stream, (void)bytes;
}

static void on_head(struct streamer_stream *stream, int status, int version, struct streamer_buffer *fields) {
    (void)version, (void)fields;
    asked_of(stream)->heads++;
    asked_of(stream)->status = status;
}

static bool on_data(struct streamer_stream *stream, const char *bytes, size_t length) {
    struct asked *asked = asked_of(stream);
    for (size_t i = 0; i < length && asked->received + i < sizeof asked->body - 1; i++)
        asked->body[asked->received + i] = bytes[i];
    asked->received += length;
    return !asked->full;
}

/* A byte of a request's body, by its place. */
static char upload_byte(size_t place) {
    return (char)('a' + place % 23);
}

static size_t on_upload(struct streamer_stream *stream, char *into, size_t room, bool *last) {
    struct asked *asked = asked_of(stream);
    size_t length = 0;
    while (length < room && asked->uploaded < asked->upload) into[length++] = upload_byte(asked->uploaded++);
    *last = asked->uploaded == asked->upload;
    return length;
}

static void on_close(struct streamer_stream *stream, const struct streamer_stream_end *end) {
    struct asked *asked = asked_of(stream);
    asked->closed++;
    asked->outcome = end->outcome;
    asked->unprocessed = end->unprocessed;
    asked->unanswered = end->unanswered;
    if (asked->at_close != NULL) asked->at_close(asked);
}

static const struct streamer_stream_vtable vtable = {.begin = on_begin,
                                                     .progress = on_progress,
                                                     .head = on_head,
                                                     .data = on_data,
                                                     .upload = on_upload,
                                                     .close = on_close};

static void ask_with(struct asked *asked, const char *method, const char *target, int64_t connect_timeout) {
    struct streamer_route where = route();
    asked->stream.vtable = &vtable;
    asked->stream.message = &asked->message;
    asked->message.method = method;
    asked->message.scheme = peer.protocol == PLAIN ? "http" : "https";
    asked->message.authority = "localhost";
    asked->message.target = target;
    streamer_buffer_init(&asked->message.fields, 1 << 20);
    CHECK(streamer_pool_request(pool, &asked->stream, &where, connect_timeout), "out of memory");
}

static void ask(struct asked *asked, const char *target) {
    *asked = (struct asked){0};
    ask_with(asked, "GET", target, 5000);
}

/* ---- what the server says ---- */

#define RESPONSE(body, length) "HTTP/1.1 200 OK\r\nContent-Length: " length "\r\n\r\n" body

static void put_head(struct wire *wire, uint32_t id, int flags) {
    wire_frame(wire, HEADERS, END_HEADERS | flags, id, "\x88", 1); /* :status: 200 */
}

/* A whole HTTP/2 response. */
static void respond(struct end *end, uint32_t id, const char *body) {
    struct wire wire = {0};
    put_head(&wire, id, 0);
    wire_data(&wire, END_STREAM, id, body);
    CHECK(end_say_wire(end, &wire), "the client has gone");
}

/* Two records. */
static void say_settings_and_ping(struct end *end) {
    struct wire ping = {0};
    say_settings(end);
    wire_frame(&ping, PING, 0, 0, "01234567", 8);
    end_say_wire(end, &ping);
}

/* ---- reuse ---- */

/* Over TLS each read is a record, so what stands behind a response can be in the next one. */
static void test_bytes_behind_a_response_are_nobodys(void) {
    struct asked first, second;
    begin(TLS_HTTP1);
    ask(&first, "/first");
    EVENTUALLY(peer.count == 1 && end_requests(&peer.ends[0]) == 1);
    end_say_text(&peer.ends[0], RESPONSE("yes", "3"));
    end_say_text(&peer.ends[0], RESPONSE("no!", "3"));
    ask(&second, "/second"); /* waits when the first one is complete */
    EVENTUALLY(first.closed);
    EVENTUALLY(peer.count == 2 && end_requests(&peer.ends[1]) == 1);
    end_say_text(&peer.ends[1], RESPONSE("its", "3"));
    EVENTUALLY(second.closed);
    CHECK(strcmp(first.body, "yes") == 0, "the first got %s", first.body);
    CHECK(strcmp(second.body, "its") == 0, "the second got %s", second.body);
    finish();
}

static void test_an_idle_connection_that_speaks_is_not_used(enum peer_protocol protocol) {
    struct asked first, second;
    begin(protocol);
    ask(&first, "/first");
    EVENTUALLY(peer.count == 1 && end_requests(&peer.ends[0]) == 1);
    end_say_text(&peer.ends[0], RESPONSE("yes", "3"));
    EVENTUALLY(first.closed);
    end_say_text(&peer.ends[0], RESPONSE("no!", "3"));
    ask(&second, "/second");
    EVENTUALLY(peer.count == 2 && end_requests(&peer.ends[1]) == 1);
    end_say_text(&peer.ends[1], RESPONSE("its", "3"));
    EVENTUALLY(second.closed);
    CHECK(strcmp(second.body, "its") == 0, "the second got %s", second.body);
    finish();
}

static void test_a_server_that_speaks_first_fails_at_once(void) {
    struct asked asked;
    begin(PLAIN);
    ask(&asked, "/");
    EVENTUALLY(peer.count == 1);
    end_say_text(&peer.ends[0], "220 mail.example.com ESMTP\r\n");
    EVENTUALLY(asked.closed);
    CHECK(asked.outcome == STREAMER_OUTCOME_PROTOCOL_ERROR, "%s", streamer_outcome_name(asked.outcome));
    CHECK(peer.count == 1, "%d connections", peer.count);
    finish();
}

/* Those that wait do not keep a connection beyond its age. */
static void test_an_old_connection_is_given_to_nobody_who_waits(enum peer_protocol protocol) {
    struct asked first, second;
    begin(protocol);
    streamer_pool_limit_age(0, 1);
    ask(&first, "/first");
    if (protocol == TLS_HTTP2) {
        EVENTUALLY(peer.count == 1 && end_frames(&peer.ends[0], HEADERS, 0) == 1);
        struct wire wire = {0};
        wire_setting(&wire, 3, 1); /* one stream at a time */
        end_say_wire(&peer.ends[0], &wire);
        EVENTUALLY(end_frames(&peer.ends[0], SETTINGS, ACK) == 1);
    } else {
        EVENTUALLY(peer.count == 1 && end_requests(&peer.ends[0]) == 1);
    }
    connection()->opened -= 2000000;
    peer.accepts = false;
    ask(&second, "/second");
    tick();
    if (protocol == TLS_HTTP2)
        respond(&peer.ends[0], 1, "yes");
    else
        end_say_text(&peer.ends[0], RESPONSE("yes", "3"));
    EVENTUALLY(first.closed);
    run_for(20);
    peer.accepts = true;
    EVENTUALLY(second.begun && peer.count == 2);
    size_t used = protocol == TLS_HTTP2 ? end_frames(&peer.ends[0], HEADERS, 0) : end_requests(&peer.ends[0]);
    CHECK(used == 1, "the second request is on the old connection");
    streamer_pool_limit_age(0, 0);
    finish();
}

static void test_no_connection_too_many_is_opened(void) {
    struct asked asked[3];
    begin(PLAIN);
    for (int i = 0; i < 2; i++) ask(&asked[i], "/");
    EVENTUALLY(peer.count == 2 && end_requests(&peer.ends[0]) == 1 && end_requests(&peer.ends[1]) == 1);
    for (int i = 0; i < 2; i++) end_say_text(&peer.ends[i], RESPONSE("yes", "3"));
    EVENTUALLY(asked[0].closed && asked[1].closed && pool->idle == 2);
    streamer_pool_limit_age(0, 1);
    connection()->opened -= 2000000; /* the first that is looked at */
    ask(&asked[2], "/");
    CHECK(asked[2].begun, "the other one was free");
    run_for(30);
    CHECK(peer.count == 2, "%d connections", peer.count);
    streamer_pool_limit_age(0, 0);
    finish();
}

/* ---- pauses ---- */

/* The body of a response that pauses and goes on arrives whole, whatever OpenSSL has read ahead by then. */
static void test_nothing_is_lost_or_late_over_pauses(enum peer_protocol protocol, bool foreign) {
    enum { LENGTH = 3 << 20 };
    struct asked asked;
    char *body = malloc(LENGTH), head[64];
    memset(body, 'x', LENGTH);
    begin(protocol);
    ask(&asked, "/");
    EVENTUALLY(peer.count == 1 && end_requests(&peer.ends[0]) == 1);
    if (foreign) connection()->ssl = NULL; /* as with a TLS library that we know nothing of */
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LENGTH);
    end_say_text(&peer.ends[0], head);
    size_t said = 0;
    int64_t deadline = streamer_now() + 10000;
    while (!asked.closed && streamer_now() < deadline) {
        if (said < LENGTH) {
            size_t most = 1 + below(20000);
            said += end_say_some(&peer.ends[0], body + said, most < LENGTH - said ? most : LENGTH - said);
        }
        asked.full = below(3) == 0;
        if (!asked.full) streamer_stream_resume(&asked.stream);
        streamer_loop_iterate(pool->loop, 0);
    }
    CHECK(asked.closed && asked.received == LENGTH, "%zu of %d bytes, %zu said", asked.received, LENGTH, said);
    free(body);
    finish();
}

/* ---- uploads ---- */

/* A socket that is full in the middle of a TLS record gets the same bytes again. */
static void test_an_upload_arrives_whole_though_the_server_reads_slowly(enum peer_protocol protocol) {
    enum { LENGTH = 8 << 20 };
    struct asked asked = {.upload = LENGTH, .message = {.body = STREAMER_BODY_SIZED, .body_length = LENGTH}};
    begin(protocol);
    ask_with(&asked, "POST", "/", 5000);
    EVENTUALLY(asked.begun);
    for (int i = 0; i < 200; i++) { /* the server does not read, beyond the head */
        streamer_loop_iterate(pool->loop, 0);
        if (peer.count == 0) peer_step(&peer);
    }
    CHECK(asked.uploaded < LENGTH, "the sockets took all of it");
    struct wire *in = &peer.ends[0].in;
    EVENTUALLY(in->length > LENGTH);
    size_t head = (size_t)((char *)memmem(in->bytes, in->length, "\r\n\r\n", 4) + 4 - in->bytes);
    EVENTUALLY(in->length == head + LENGTH);
    size_t wrong = 0;
    for (size_t i = 0; i < LENGTH; i++) wrong += in->bytes[head + i] != upload_byte(i);
    CHECK(wrong == 0, "%zu bytes are wrong", wrong);
    end_say_text(&peer.ends[0], RESPONSE("yes", "3"));
    EVENTUALLY(asked.closed);
    CHECK(asked.outcome == STREAMER_OUTCOME_COMPLETED && pool->idle == 1, "%s", streamer_outcome_name(asked.outcome));
    finish();
}

/* ---- HTTP/2 ---- */

static void test_frames_behind_the_first_read_are_read(void) {
    struct asked asked;
    begin(TLS_HTTP2);
    SSL_CTX_set_max_proto_version(peer.tls, TLS1_2_VERSION); /* there the server is through first */
    peer.opened = say_settings_and_ping;
    ask(&asked, "/");
    EVENTUALLY(peer.count == 1 && end_frames(&peer.ends[0], HEADERS, 0) == 1);
    EVENTUALLY(end_frames(&peer.ends[0], PING, ACK) == 1);
    finish();
}

static void refuse_streams(struct end *end) {
    struct wire wire = {0};
    wire_setting(&wire, 3, 0);
    end_say_wire(end, &wire);
}

static void test_a_ping_is_answered(void) {
    struct asked asked;
    begin(TLS_HTTP2);
    ask(&asked, "/");
    EVENTUALLY(peer.count == 1 && end_frames(&peer.ends[0], HEADERS, 0) == 1);
    EVENTUALLY(end_frames(&peer.ends[0], SETTINGS, ACK) == 1);
    struct wire ping = {0};
    wire_frame(&ping, PING, 0, 0, "01234567", 8);
    end_say_wire(&peer.ends[0], &ping);
    EVENTUALLY(end_frames(&peer.ends[0], PING, ACK) == 1);
    finish();
}

static void test_a_server_that_takes_no_streams_is_not_stormed(void) {
    struct asked asked;
    begin(TLS_HTTP2);
    SSL_CTX_set_max_proto_version(peer.tls, TLS1_2_VERSION);
    peer.opened = refuse_streams;
    ask(&asked, "/");
    EVENTUALLY(peer.count == 1);
    run_for(300);
    CHECK(peer.count <= 2, "%d connections", peer.count);
    struct wire wire = {0};
    wire_setting(&wire, 3, 100); /* it has thought better of it */
    end_say_wire(&peer.ends[0], &wire);
    EVENTUALLY(asked.begun);
    streamer_stream_cancel(&asked.stream);
    finish();
}

static void go_away(struct end *end) {
    struct wire wire = {0};
    wire_frame(&wire, SETTINGS, 0, 0, NULL, 0);
    WORDS(&wire, GOAWAY, 0, 0, 0);
    end_say_wire(end, &wire);
}

static void talk_nonsense(struct end *end) {
    end_say_text(end, "HTTP/1.1 400 Bad Request\r\n\r\n");
}

static void test_a_server_that_is_done_at_once_is_not_stormed(void (*opened)(struct end *end)) {
    struct asked asked;
    begin(TLS_HTTP2);
    SSL_CTX_set_max_proto_version(peer.tls, TLS1_2_VERSION);
    peer.opened = opened;
    ask(&asked, "/");
    EVENTUALLY(asked.closed);
    CHECK(peer.count <= 4, "%d connections", peer.count);
    finish();
}

static struct asked after;

static void ask_once_more(struct asked *asked) {
    (void)asked;
    connection()->opened -= 2000000;
    ask(&after, "/after");
}

/* Ending it would write within nghttp2's reading. */
static void test_an_old_connection_is_not_ended_within_its_own_callbacks(void) {
    struct asked asked;
    begin(TLS_HTTP2);
    streamer_pool_limit_age(0, 1);
    ask(&asked, "/");
    asked.at_close = ask_once_more;
    EVENTUALLY(peer.count == 1 && end_frames(&peer.ends[0], HEADERS, 0) == 1);
    struct wire wire = {0};
    put_head(&wire, 1, END_STREAM);
    wire_frame(&wire, PING, 0, 0, "01234567", 8);
    end_say_wire(&peer.ends[0], &wire);
    EVENTUALLY(asked.closed);
    EVENTUALLY(peer.count == 2 && end_frames(&peer.ends[1], HEADERS, 0) == 1);
    CHECK(end_frames(&peer.ends[0], PING, ACK) == 1, "what stood behind the response was not read");
    CHECK(end_frames(&peer.ends[0], HEADERS, 0) == 1, "the old connection was used again");
    respond(&peer.ends[1], 1, "yes");
    EVENTUALLY(after.closed);
    streamer_pool_limit_age(0, 0);
    finish();
}

static void test_a_request_that_cannot_be_sent_leaves_its_connection_idle(void) {
    struct asked good, bad;
    begin(TLS_HTTP2);
    ask(&good, "/");
    EVENTUALLY(peer.count == 1 && end_frames(&peer.ends[0], HEADERS, 0) == 1);
    respond(&peer.ends[0], 1, "yes");
    EVENTUALLY(good.closed && pool->idle == 1);
    bad = (struct asked){0};
    ask_with(&bad, "CONNECT", "/", 5000);
    EVENTUALLY(bad.closed);
    CHECK(bad.outcome == STREAMER_OUTCOME_REQUEST_INVALID, "%s", streamer_outcome_name(bad.outcome));
    EVENTUALLY(pool->idle == 1);
    finish();
}

static void test_a_connection_that_failed_is_closed_though_it_cannot_write(void) {
    struct asked asked;
    begin(TLS_HTTP2);
    ask(&asked, "/");
    EVENTUALLY(peer.count == 1 && end_frames(&peer.ends[0], HEADERS, 0) == 1);
    /* PINGs whose answers nobody reads, until the client's socket is full. */
    struct wire pings = {0};
    for (int i = 0; i < 500; i++) wire_frame(&pings, PING, 0, 0, "01234567", 8);
    struct streamer_connection *its = connection();
    streamer_connection_retain(its);
    int small = 4096;
    setsockopt(its->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    bool full = false;
    for (int i = 0; i < 4000 && !full; i++) {
        end_say(&peer.ends[0], pings.bytes, pings.length);
        if (i % 4 == 0) { /* something useful, or it counts as a flood */
            struct wire head = {0};
            wire_frame(&head, HEADERS, END_HEADERS, 1, "\x88", 1);
            if (i == 0) end_say_wire(&peer.ends[0], &head);
            wire_free(&head);
            struct wire data = {0};
            wire_data(&data, 0, 1, "x");
            end_say_wire(&peer.ends[0], &data);
        }
        streamer_loop_iterate(pool->loop, 1);
        full = (its->watched & STREAMER_WRITABLE) != 0;
    }
    wire_free(&pings);
    CHECK(full, "the socket is not full");
    struct wire nonsense = {0};
    wire_frame(&nonsense, DATA, 0, 0, "x", 1); /* on no stream */
    end_say_wire(&peer.ends[0], &nonsense);
    for (int i = 0; i < 50; i++) streamer_loop_iterate(pool->loop, 1);
    CHECK(asked.closed, "the stream is open");
    CHECK(pool->stats.connections == 0, "the connection is open");
    streamer_connection_release(its);
    finish();
}

/* ---- opening ---- */

/* Who comes late has all of its time, whoever's connection it waits for. */
static void test_a_connect_timeout_is_of_each_request(enum peer_protocol protocol) {
    struct asked first, second;
    begin(protocol);
    peer.handshakes = false;
    first = second = (struct asked){0};
    ask_with(&first, "GET", "/first", 100);
    run_for(90);
    ask_with(&second, "GET", "/second", 100);
    run_for(30);
    streamer_stream_cancel(&first.stream); /* its owner's clock */
    run_for(110);
    CHECK(!second.closed, "failed before its time: %s", streamer_outcome_name(second.outcome));
    peer.handshakes = true;
    EVENTUALLY(second.begun);
    finish();
}

/* ---- the end ---- */

static void test_all_is_freed_when_the_pool_closes_beneath_streams(enum peer_protocol protocol) {
    struct asked asked[4];
    begin(protocol);
    for (int i = 0; i < 3; i++) ask(&asked[i], "/");
    EVENTUALLY(asked[0].begun && asked[1].begun && asked[2].begun);
    ask(&asked[3], "/");
    streamer_stream_cancel(&asked[1].stream);
    for (int i = 0; i < 4; i++) {
        if (i != 1) streamer_stream_cancel(&asked[i].stream); /* as its owner does when the pool shuts it down */
    }
    finish();
}

static void test_memory_that_runs_out_fails_the_request(enum peer_protocol protocol) {
    for (long most = 0; most < 12; most++) {
        struct asked first, second = {0};
        begin(protocol);
        ask(&first, "/first");
        if (protocol == TLS_HTTP2) {
            EVENTUALLY(peer.count == 1 && end_frames(&peer.ends[0], HEADERS, 0) == 1);
            respond(&peer.ends[0], 1, "yes");
        } else {
            EVENTUALLY(peer.count == 1 && end_requests(&peer.ends[0]) == 1);
            end_say_text(&peer.ends[0], RESPONSE("yes", "3"));
        }
        EVENTUALLY(first.closed && pool->idle == 1);
        second.message.body = STREAMER_BODY_UNSIZED;
        second.upload = 6;
        allocations_left = most;
        ask_with(&second, "POST", "/second", 5000);
        allocations_left = -1;
        run_for(5);
        CHECK(second.closed == 1 ? second.outcome == STREAMER_OUTCOME_NO_MEMORY : second.begun == 1, "%ld: %s", most,
              streamer_outcome_name(second.outcome));
        streamer_stream_cancel(&second.stream);
        finish();
    }
}

/* ---- transfers ---- */

static struct streamer_transfer *new_transfer(const char *method, struct streamer_timeouts timeouts) {
    struct streamer_buffer fields;
    streamer_buffer_init(&fields, 1 << 16);
    struct streamer_request request = {.method = method,
                                       .authority = "localhost",
                                       .target = "/",
                                       .fields = &fields,
                                       .route = route(),
                                       .timeouts = timeouts};
    struct streamer_transfer *transfer = streamer_transfer_new(pool, &request);
    if (transfer == NULL) abort();
    return transfer;
}

static void test_the_connect_timeout_begins_again_when_a_request_is_repeated(void) {
    begin(TLS_HTTP1);
    struct asked first;
    ask(&first, "/first");
    EVENTUALLY(peer.count == 1 && end_requests(&peer.ends[0]) == 1);
    end_say_text(&peer.ends[0], RESPONSE("yes", "3"));
    EVENTUALLY(first.closed);
    struct streamer_transfer *transfer =
        new_transfer("GET", (struct streamer_timeouts){.connect = 500, .first_byte = 800});
    streamer_transfer_start(transfer);
    EVENTUALLY(end_requests(&peer.ends[0]) == 2);
    run_for(700); /* the server takes longer than a connection may */
    peer.handshakes = false;
    end_close(&peer.ends[0]);
    EVENTUALLY(transfer->restarts == 1);
    run_for(200);
    peer.handshakes = true;
    EVENTUALLY(peer.count == 2 && end_requests(&peer.ends[1]) == 1);
    CHECK(transfer->outcome == STREAMER_OUTCOME_OPEN, "%s", streamer_outcome_name(transfer->outcome));
    if (peer.count == 2) end_say_text(&peer.ends[1], RESPONSE("yes", "3"));
    EVENTUALLY(transfer->ended);
    CHECK(transfer->outcome == STREAMER_OUTCOME_COMPLETED, "%s", streamer_outcome_name(transfer->outcome));
    streamer_transfer_release(transfer);
    finish();
}

/* With requests on their way, in the queue and waiting for a connection. */
static void test_all_is_freed_when_the_pool_closes_beneath_transfers(enum peer_protocol protocol) {
    struct streamer_transfer *transfers[4];
    begin(protocol);
    streamer_admission_limit(3, 0);
    for (int i = 0; i < 4; i++) {
        transfers[i] = new_transfer("POST", (struct streamer_timeouts){.connect = 5000});
        streamer_transfer_start(transfers[i]);
        if (i == 1) EVENTUALLY(transfers[0]->connected && transfers[1]->connected);
    }
    tick();
    finish();
    for (int i = 0; i < 4; i++) {
        CHECK(transfers[i]->outcome == STREAMER_OUTCOME_CANCELLED, "%s", streamer_outcome_name(transfers[i]->outcome));
        streamer_transfer_release(transfers[i]);
    }
    streamer_admission_limit(0, 0);
}

/* ---- at random ---- */

enum { STREAMS = 24 };

/* What the server does next on a connection: a piece of a response, its end, or worse. */
static void say_something_http1(struct end *end) {
    if (end->requests >= end_requests(end)) return;
    end->requests++;
    switch (below(8)) {
        case 0: end_close(end); return;
        case 1:
            end_say_text(end, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut");
            end_close(end);
            return;
        case 2: end_say_text(end, RESPONSE("yes", "3") "more than was asked for"); return;
        case 3: end_say_text(end, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\n\r\n"); return;
        case 4:
            end_say_text(end, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end");
            end_close(end);
            return;
        case 5: end_say_text(end, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n"); return;
        default: end_say_text(end, RESPONSE("yes", "3")); return;
    }
}

static void say_something_http2(struct end *end) {
    struct frame frame;
    struct wire wire = {0};
    static char large[16384];
    while (end_frame(end, &frame)) {
        if (frame.type != HEADERS) continue;
        switch (below(12)) {
            case 0: WORDS(&wire, RST_STREAM, frame.id, below(14)); break;
            case 1: WORDS(&wire, GOAWAY, 0, below(2) ? frame.id : frame.id - 1, 0); break;
            case 2: put_head(&wire, frame.id, 0); break;
            case 3: wire_data(&wire, END_STREAM, frame.id, "no head"); break;
            case 4:
                put_head(&wire, frame.id, 0);
                for (int i = 0; i < 8; i++) wire_frame(&wire, DATA, 0, frame.id, large, sizeof large);
                break;
            case 5:
                put_head(&wire, frame.id, 0);
                WORDS(&wire, RST_STREAM, frame.id, 0);
                break;
            default:
                put_head(&wire, frame.id, 0);
                wire_data(&wire, END_STREAM, frame.id, "yes");
                break;
        }
    }
    if (wire.length > 0) end_say_wire(end, &wire);
    wire_free(&wire);
    if (below(200) == 0) end_close(end);
}

static void act_at_random(struct asked *asked) {
    if (asked->message.method == NULL || asked->closed) {
        *asked = (struct asked){.message.body = below(4) == 0 ? STREAMER_BODY_UNSIZED : STREAMER_BODY_ABSENT,
                                .upload = below(100000)};
        asked->full = below(4) == 0;
        ask_with(asked, below(2) ? "GET" : "POST", "/", 5000);
        return;
    }
    switch (below(4)) {
        case 0:
            streamer_stream_cancel(&asked->stream);
            asked->closed++;
            break;
        case 1:
            asked->full = false;
            streamer_stream_resume(&asked->stream);
            break;
        case 2: asked->full = true; break;
        default: streamer_stream_drain(&asked->stream); break;
    }
}

static void cancel_and_ask(struct asked *asked);

static struct asked crowd[STREAMS];

/* Others come and go while one ends. */
static void cancel_and_ask(struct asked *asked) {
    if (below(3) != 0) return;
    struct asked *other = &crowd[below(STREAMS)];
    if (other != asked && !other->closed && other->message.method != NULL) act_at_random(other);
}

static void test_at_random(enum peer_protocol protocol, int rounds) {
    begin(protocol);
    memset(crowd, 0, sizeof crowd);
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < 4; i++) {
            struct asked *asked = &crowd[below(STREAMS)];
            act_at_random(asked);
            asked->at_close = cancel_and_ask;
        }
        for (int i = 0; i < peer.count; i++) {
            struct end *end = &peer.ends[i];
            if (!end->open || below(2)) continue;
            if (protocol == TLS_HTTP2)
                say_something_http2(end);
            else
                say_something_http1(end);
        }
        tick();
    }
    /* All that still waits gets a connection, or is told that there is none. */
    for (int i = 0; i < STREAMS; i++) crowd[i].at_close = NULL;
    for (int i = 0; i < STREAMS; i++) {
        if (crowd[i].message.method == NULL || crowd[i].closed) continue;
        EVENTUALLY(crowd[i].begun || crowd[i].closed);
        streamer_stream_cancel(&crowd[i].stream);
    }
    struct streamer_destination *left = destination();
    CHECK(left == NULL || (left->waiting == 0 && left->first == NULL && left->opening == 0),
          "streams wait, or connections are opened for nobody");
    finish();
}

static void test_http2(void) {
    test_an_old_connection_is_given_to_nobody_who_waits(TLS_HTTP2);
    test_a_ping_is_answered();
    test_frames_behind_the_first_read_are_read();
    test_a_server_that_takes_no_streams_is_not_stormed();
    test_a_server_that_is_done_at_once_is_not_stormed(go_away);
    test_a_server_that_is_done_at_once_is_not_stormed(talk_nonsense);
    test_an_old_connection_is_not_ended_within_its_own_callbacks();
    test_a_request_that_cannot_be_sent_leaves_its_connection_idle();
    test_a_connection_that_failed_is_closed_though_it_cannot_write();
    test_a_connect_timeout_is_of_each_request(TLS_HTTP2);
}

int main(int count, char **arguments) {
    int rounds = count > 1 ? atoi(arguments[1]) : 400;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    streamer_fork_watch();
    signal(SIGPIPE, SIG_IGN);
    /* With another TLS library there is no HTTP/2. */
    const char *library = curl_version_info(CURLVERSION_NOW)->ssl_version;
    enum peer_protocol last = strncmp(library, "OpenSSL", 7) == 0 ? TLS_HTTP2 : TLS_HTTP1;

    test_bytes_behind_a_response_are_nobodys();
    test_an_idle_connection_that_speaks_is_not_used(PLAIN);
    test_an_idle_connection_that_speaks_is_not_used(TLS_HTTP1);
    test_a_server_that_speaks_first_fails_at_once();
    test_an_old_connection_is_given_to_nobody_who_waits(PLAIN);
    test_no_connection_too_many_is_opened();
    test_a_connect_timeout_is_of_each_request(TLS_HTTP1);
    test_the_connect_timeout_begins_again_when_a_request_is_repeated();
    test_nothing_is_lost_or_late_over_pauses(PLAIN, false);
    test_nothing_is_lost_or_late_over_pauses(TLS_HTTP1, false);
    test_nothing_is_lost_or_late_over_pauses(TLS_HTTP1, true);
    test_an_upload_arrives_whole_though_the_server_reads_slowly(PLAIN);
    test_an_upload_arrives_whole_though_the_server_reads_slowly(TLS_HTTP1);
    if (last == TLS_HTTP2) test_http2();
    for (enum peer_protocol protocol = PLAIN; protocol <= last; protocol++) {
        test_all_is_freed_when_the_pool_closes_beneath_streams(protocol);
        test_all_is_freed_when_the_pool_closes_beneath_transfers(protocol);
        test_memory_that_runs_out_fails_the_request(protocol);
        test_at_random(protocol, rounds);
    }
    curl_global_cleanup();
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}
