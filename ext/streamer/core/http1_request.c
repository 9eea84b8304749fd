#include "http1_request.h"

#include <stdio.h>
#include <string.h>

#include "http_syntax.h"

static bool is_one_of(char byte, const char *set) {
    return byte != '\0' && strchr(set, byte) != NULL;
}

static bool is_alphanumeric(char byte) {
    char lower = streamer_http_lower(byte);
    return (lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9');
}

static bool is_host(struct streamer_span host) {
    for (size_t i = 0; i < host.length; i++) {
        if (!is_alphanumeric(host.bytes[i]) && !is_one_of(host.bytes[i], "-._~%!$&'()*+,;=:[]")) return false;
    }
    return host.length > 0;
}

static bool is_asterisk(struct streamer_span target) {
    return target.length == 1 && *target.bytes == '*';
}

static bool is_target(struct streamer_span target) {
    if (target.length == 0 || (*target.bytes != '/' && !is_asterisk(target))) return false;
    for (size_t i = 0; i < target.length; i++) {
        if (target.bytes[i] <= ' ' || target.bytes[i] > '~' || target.bytes[i] == '#') return false;
    }
    return true;
}

static bool is_value(struct streamer_span value) {
    for (size_t i = 0; i < value.length; i++) {
        unsigned char byte = (unsigned char)value.bytes[i];
        if ((byte < ' ' && byte != '\t') || byte == 0x7F) return false;
    }
    return true;
}

/* Whether the name is one that is written from its own member. */
static bool is_reserved(struct streamer_span name) {
    return streamer_http_equals(name, "host") || streamer_http_equals(name, "content-length") ||
           streamer_http_equals(name, "transfer-encoding");
}

static bool is_valid(const struct streamer_http1_request *request) {
    if (!streamer_http_token(request->method) || !is_target(request->target) || !is_host(request->host)) return false;
    if (!is_value(request->proxy_authorization)) return false;
    for (size_t i = 0; i < request->count; i++) {
        struct streamer_span name = request->fields[i].name;
        if (!streamer_http_token(name) || is_reserved(name) || !is_value(request->fields[i].value)) return false;
    }
    return true;
}

/* A head that is being written; the first failure stays. */
struct writer {
    struct streamer_buffer *buffer;
    enum streamer_status status;
};

static void write_span(struct writer *writer, struct streamer_span span) {
    if (writer->status == STREAMER_OK) {
        writer->status = streamer_buffer_append(writer->buffer, span.bytes, span.length);
    }
}

static struct streamer_span text_span(const char *text) {
    return (struct streamer_span){text, strlen(text)};
}

static void write_text(struct writer *writer, const char *text) {
    write_span(writer, text_span(text));
}

static void write_request_line(struct writer *writer, const struct streamer_http1_request *request) {
    write_span(writer, request->method);
    write_text(writer, " ");
    if (request->absolute) {
        write_text(writer, "http://");
        write_span(writer, request->host);
    }
    /* RFC 9112, section 3.2.4: in absolute-form "*" is a path that is not there. */
    if (!request->absolute || !is_asterisk(request->target)) write_span(writer, request->target);
    write_text(writer, " HTTP/1.1\r\n");
}

static void write_field(struct writer *writer, struct streamer_span name, struct streamer_span value) {
    write_span(writer, name);
    write_text(writer, ": ");
    write_span(writer, streamer_http_trim(value));
    write_text(writer, "\r\n");
}

static void write_framing(struct writer *writer, const struct streamer_http1_request *request) {
    char digits[21];
    switch (request->upload) {
        case STREAMER_UPLOAD_NONE: break;
        case STREAMER_UPLOAD_LENGTH:
            snprintf(digits, sizeof digits, "%llu", (unsigned long long)request->content_length);
            write_field(writer, text_span("Content-Length"), text_span(digits));
            break;
        case STREAMER_UPLOAD_CHUNKED: write_field(writer, text_span("Transfer-Encoding"), text_span("chunked")); break;
    }
}

enum streamer_status streamer_http1_request_write(struct streamer_buffer *buffer,
                                                  const struct streamer_http1_request *request) {
    if (!is_valid(request)) return STREAMER_REQUEST_INVALID;

    struct writer writer = {buffer, STREAMER_OK};
    size_t before = buffer->length;
    write_request_line(&writer, request);
    write_field(&writer, text_span("Host"), request->host);
    if (request->proxy_authorization.length > 0) {
        write_field(&writer, text_span("Proxy-Authorization"), request->proxy_authorization);
    }
    for (size_t i = 0; i < request->count; i++) {
        write_field(&writer, request->fields[i].name, request->fields[i].value);
    }
    write_framing(&writer, request);
    write_text(&writer, "\r\n");
    if (writer.status != STREAMER_OK) buffer->length = before;
    return writer.status;
}

size_t streamer_http1_chunk_head(char *line, size_t length) {
    char text[STREAMER_MAX_CHUNK_HEAD + 1];
    if (length == 0) return 0;
    int written = snprintf(text, sizeof text, "%zx\r\n", length);
    memcpy(line, text, (size_t)written);
    return (size_t)written;
}
