/* What servers send on a connection, heads and bodies one behind the other, at every split. */
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "http1_body.h"
#include "http1_support.h"

/* A connection's responses to requests of one method. */
struct connection {
    struct transcript transcript;
    const char *method;
    bool in_body, closed;
    struct streamer_http1_head head;
    struct streamer_http1_body body;
    char data[1000];
    size_t length;
};

static void begin_response(struct connection *connection) {
    streamer_http1_head_init(&connection->head, connection->method);
    connection->in_body = false;
    connection->length = 0;
}

static void end_response(struct connection *connection, enum streamer_status status) {
    struct transcript *transcript = &connection->transcript;
    struct streamer_media_type type;
    transcript_printf(transcript, "%d ", connection->head.status);
    if (streamer_fields_content_type(&connection->head.fields, &type)) {
        transcript_printf(transcript, "%.*s ", (int)type.essence_length, type.essence);
    }
    transcript_bytes(transcript, connection->data, connection->length);
    transcript_printf(transcript, " %s\n", streamer_status_name(status));
    connection->closed = status != STREAMER_OK || !connection->head.persists;
    streamer_http1_head_release(&connection->head);
    if (!connection->closed) begin_response(connection);
}

/* Returns how many bytes the head or body took. */
static size_t read_some(struct connection *connection, char *bytes, size_t length) {
    enum streamer_status status;
    if (!connection->in_body) {
        const char *cursor = bytes;
        status = streamer_http1_head_read(&connection->head, &cursor, bytes + length);
        connection->in_body = status == STREAMER_OK;
        streamer_http1_body_init(&connection->body, connection->head.framing, connection->head.content_length);
        if (status != STREAMER_OK && status != STREAMER_MORE) end_response(connection, status);
        return (size_t)(cursor - bytes);
    }
    size_t used, data;
    status = streamer_http1_body_read(&connection->body, bytes, length, &used, &data);
    if (connection->length + data > sizeof connection->data) abort();
    memcpy(connection->data + connection->length, bytes, data);
    connection->length += data;
    if (status != STREAMER_MORE) end_response(connection, status);
    return used;
}

/* A body that is not there ends without a byte: so once more after each head. */
static void read_all(struct connection *connection, char *bytes, size_t length) {
    size_t used = 0;
    bool was_in_body;
    do {
        was_in_body = connection->in_body;
        used += read_some(connection, bytes + used, length - used);
    } while (!connection->closed && (used < length || connection->in_body != was_in_body));
}

static void check_connection(const char *method, const char *text, size_t length, const char *expected) {
    EVERY_CUT(cut, length) {
        struct connection connection = {.method = method};
        begin_response(&connection);
        for (size_t start = 0; start < length && !connection.closed; start = cut_end(cut, start, length)) {
            size_t size = cut_end(cut, start, length) - start;
            char *bytes = exact_copy(text + start, size);
            read_all(&connection, bytes, size);
            free(bytes);
        }
        if (!connection.closed && connection.in_body) {
            end_response(&connection, streamer_http1_body_close(&connection.body));
        }
        if (!connection.closed) streamer_http1_head_release(&connection.head);
        CHECK_TEXT(expected, connection.transcript.text);
        transcript_free(&connection.transcript);
    }
}

#define TEXT(text) text, sizeof(text) - 1

static void a_provider_behind_a_content_network(void) {
    check_connection("POST",
                     TEXT("HTTP/1.1 200 OK\r\n"
                          "Date: Fri, 27 Nov 2026 20:00:00 GMT\r\n"
                          "Content-Type: text/event-stream; charset=utf-8\r\n"
                          "Transfer-Encoding: chunked\r\n"
                          "Connection: keep-alive\r\n"
                          "strict-transport-security: max-age=31536000; includeSubDomains; preload\r\n"
                          "Set-Cookie: __cf_bm=a.b-c; path=/; expires=Fri, 27-Nov-26 20:30:00 GMT; HttpOnly\r\n"
                          "alt-svc: h3=\":443\"; ma=86400\r\n"
                          "Server: cloudflare\r\n"
                          "\r\n"
                          "12\r\ndata: {\"a\":\"Hi\"}\n\n\r\n"
                          "e\r\ndata: [DONE]\n\n\r\n"
                          "0\r\n\r\n"
                          "HTTP/1.1 429 Too Many Requests\r\n"
                          "Content-Type: application/json\r\n"
                          "Content-Length: 12\r\n"
                          "retry-after: 20\r\n"
                          "\r\n"
                          "{\"error\":{}}"),
                     "200 text/event-stream \"data: {\"a\":\"Hi\"}\\n\\ndata: [DONE]\\n\\n\" OK\n"
                     "429 application/json \"{\"error\":{}}\" OK\n");
}

static void a_server_that_sends_early_hints(void) {
    check_connection("GET",
                     TEXT("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
                          "HTTP/1.1 200 OK\r\nServer: Caddy\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"
                          "HTTP/1.1 204 No Content\r\nServer: Caddy\r\n\r\n"
                          "HTTP/1.1 304 Not Modified\r\nEtag: \"x\"\r\n\r\n"
                          "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\nignored"),
                     "200 text/plain \"ok\" OK\n204 \"\" OK\n304 \"\" OK\n502 \"\" OK\n");
}

static void an_old_server_that_ends_a_body_by_closing(void) {
    check_connection("GET",
                     TEXT("HTTP/1.0 200 OK\r\nServer: SimpleHTTP/0.6 Python/3.11.2\r\nContent-type: text/html\r\n\r\n"
                          "<html>\r\n\r\nHTTP/1.1 200 OK\r\n"),
                     "200 text/html \"<html>\\r\\n\\r\\nHTTP/1.1 200 OK\\r\\n\" OK\n");
}

static void responses_to_head_requests(void) {
    check_connection("HEAD",
                     TEXT("HTTP/1.1 200 OK\r\nContent-Length: 500\r\nContent-Type: text/html\r\n\r\n"
                          "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n"),
                     "200 text/html \"\" OK\n404 \"\" OK\n");
}

static void a_stream_that_is_cut(void) {
    check_connection("POST",
                     TEXT("HTTP/1.1 200 OK\r\nContent-Type:\ttext/event-stream\r\nTransfer-Encoding: chunked \r\n\r\n"
                          "6\r\ndata: \r\n14\r\nhalf an ev"),
                     "200 text/event-stream \"data: half an ev\" INCOMPLETE\n");
}

static void chunks_with_signatures_and_trailers(void) {
    check_connection("GET",
                     TEXT("HTTP/1.1 200 OK\r\nTrailer: x-checksum\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "5;chunk-signature=ad80c730a21e5b8d\r\nhello\r\n"
                          "0;chunk-signature=b6c6ea8a5354eaf1\r\nx-checksum: sha256=abc\r\n\r\n"
                          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n."),
                     "200 \"hello\" OK\n200 \".\" OK\n");
}

static void a_response_that_could_be_read_in_two_ways_is_the_last_one(void) {
    check_connection("GET",
                     TEXT("HTTP/1.1 200 OK\r\nContent-Length: 30\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
                     "200 \"\" OK\n");
}

void http1_transcript_tests(void) {
    RUN(a_provider_behind_a_content_network);
    RUN(a_server_that_sends_early_hints);
    RUN(an_old_server_that_ends_a_body_by_closing);
    RUN(responses_to_head_requests);
    RUN(a_stream_that_is_cut);
    RUN(chunks_with_signatures_and_trailers);
    RUN(a_response_that_could_be_read_in_two_ways_is_the_last_one);
}
