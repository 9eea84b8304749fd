/* A request's head, checked and turned into nghttp2's fields. Nothing that a peer behind the server could read as the
 * end of a line or of a field gets through. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http2_internal.h"

#define PSEUDO_FIELDS 4

/* What RFC 7541, section 4.1, counts for a field beyond its bytes. */
#define FIELD_OVERHEAD 32

static bool same(const char *bytes, size_t length, const char *string) {
    return length == strlen(string) && strncasecmp(bytes, string, length) == 0;
}

/* Those of the connection (RFC 9113, section 8.2.2), and Host, which is :authority here. */
static bool left_out(const struct streamer_http2_field *field) {
    static const char *const names[] = {"connection",       "host", "http2-settings", "keep-alive",
                                        "proxy-connection", "te",   "upgrade",        "transfer-encoding"};
    if (same(field->name, field->name_length, "te") && same(field->value, field->value_length, "trailers"))
        return false;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (same(field->name, field->name_length, names[i])) return true;
    }
    return false;
}

static bool blank(char byte) {
    return byte == ' ' || byte == '\t';
}

/* White space around a value is none of it in HTTP/1.1, and malformed in HTTP/2. */
static struct streamer_http2_field trimmed(struct streamer_http2_field field) {
    while (field.value_length > 0 && blank(field.value[0])) field.value++, field.value_length--;
    while (field.value_length > 0 && blank(field.value[field.value_length - 1])) field.value_length--;
    return field;
}

/* A token of RFC 9110, section 5.6.2. nghttp2's own check is for names in lower case. */
static bool valid_name(const char *name, size_t length) {
    for (size_t i = 0; i < length; i++) {
        bool letter = (name[i] | 0x20) >= 'a' && (name[i] | 0x20) <= 'z', digit = name[i] >= '0' && name[i] <= '9';
        if (!letter && !digit && (name[i] == '\0' || strchr("!#$%&'*+-.^_`|~", name[i]) == NULL)) return false;
    }
    return length > 0;
}

static bool valid_field(const struct streamer_http2_field *field) {
    return valid_name(field->name, field->name_length) &&
           nghttp2_check_header_value((const uint8_t *)field->value, field->value_length);
}

static bool valid_target(const struct streamer_http2_request *request) {
#define VALID(check, string) (*(string) != '\0' && check((const uint8_t *)(string), strlen(string)))
    return VALID(nghttp2_check_method, request->method) && strcmp(request->method, "CONNECT") != 0 &&
           valid_name(request->scheme, strlen(request->scheme)) && VALID(nghttp2_check_authority, request->authority) &&
           VALID(nghttp2_check_path, request->path);
#undef VALID
}

/* Takes a Content-Length; false: it is no number, or the second one. */
static bool take_content_length(const struct streamer_http2_field *field, uint64_t *content_length) {
    if (*content_length != UINT64_MAX || field->value_length == 0 || field->value_length > 18) return false;
    uint64_t length = 0;
    for (size_t i = 0; i < field->value_length; i++) {
        if (field->value[i] < '0' || field->value[i] > '9') return false;
        length = length * 10 + (uint64_t)(field->value[i] - '0');
    }
    *content_length = length;
    return true;
}

static void add(struct streamer_http2_head *head, const char *name, size_t name_length, const char *value,
                size_t value_length) {
    /* nghttp2 takes copies, the names in lower case, and does not write to these. */
    head->fields[head->count++] =
        (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, name_length, value_length, NGHTTP2_NV_FLAG_NONE};
}

static void add_pseudo(struct streamer_http2_head *head, const char *name, const char *value) {
    add(head, name, strlen(name), value, strlen(value));
}

static bool add_fields(const struct streamer_http2_request *request, struct streamer_http2_head *head) {
    for (size_t i = 0; i < request->count; i++) {
        struct streamer_http2_field field = trimmed(request->fields[i]);
        if (!valid_field(&field)) return false;
        if (left_out(&field)) continue;
        if (same(field.name, field.name_length, "content-length") &&
            !take_content_length(&field, &head->content_length)) {
            return false;
        }
        add(head, field.name, field.name_length, field.value, field.value_length);
    }
    return request->body || head->content_length == 0 || head->content_length == UINT64_MAX;
}

static size_t size_of(const struct streamer_http2_head *head) {
    size_t size = 0;
    for (size_t i = 0; i < head->count; i++) {
        size += head->fields[i].namelen + head->fields[i].valuelen + FIELD_OVERHEAD;
    }
    return size;
}

int streamer_http2_head_of(const struct streamer_http2_request *request, size_t limit,
                           struct streamer_http2_head *head) {
    if (!valid_target(request)) return STREAMER_HTTP2_INVALID;
    *head = (struct streamer_http2_head){.content_length = UINT64_MAX};
    head->fields = calloc(request->count + PSEUDO_FIELDS, sizeof *head->fields);
    if (head->fields == NULL) return STREAMER_HTTP2_NOT_SUBMITTED;

    add_pseudo(head, ":method", request->method);
    add_pseudo(head, ":scheme", request->scheme);
    add_pseudo(head, ":authority", request->authority);
    add_pseudo(head, ":path", request->path);
    if (add_fields(request, head) && size_of(head) <= limit) return 0;
    free(head->fields);
    return STREAMER_HTTP2_INVALID;
}
