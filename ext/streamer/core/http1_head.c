#include "http1_head.h"

#include <string.h>

#include "fields.h"
#include "http_syntax.h"

void streamer_http1_head_init(struct streamer_http1_head *head, const char *method) {
    *head = (struct streamer_http1_head){.state = STREAMER_HEAD_STATUS_LINE};
    /* Methods are case-sensitive. */
    if (strcmp(method, "HEAD") == 0) head->method = STREAMER_METHOD_HEAD;
    if (strcmp(method, "CONNECT") == 0) head->method = STREAMER_METHOD_CONNECT;
    streamer_buffer_init(&head->fields, STREAMER_MAX_HEAD);
    streamer_buffer_init(&head->line, STREAMER_MAX_HEAD);
}

void streamer_http1_head_release(struct streamer_http1_head *head) {
    streamer_buffer_release(&head->fields);
    streamer_buffer_release(&head->line);
}

/* ---- framing: RFC 9112, section 6.3 ---- */

enum presence { ABSENT, PRESENT, INVALID };

static bool has(const struct streamer_buffer *fields, const char *name) {
    size_t cursor = 0;
    struct streamer_span value;
    return streamer_fields_next(fields, name, &cursor, &value);
}

static bool parse_length(struct streamer_span digits, uint64_t *length) {
    *length = 0;
    for (size_t i = 0; i < digits.length; i++) {
        unsigned digit = (unsigned char)digits.bytes[i] - (unsigned)'0';
        if (digit > 9 || *length > ((uint64_t)INT64_MAX - digit) / 10) return false;
        *length = *length * 10 + digit;
    }
    return digits.length > 0;
}

static enum presence read_content_length(const struct streamer_buffer *fields, uint64_t *length) {
    struct streamer_fields_list list = {0};
    struct streamer_span digits;
    enum presence presence = has(fields, "content-length") ? INVALID : ABSENT;
    while (streamer_fields_next_member(fields, "content-length", &list, &digits)) {
        uint64_t repeated;
        if (!parse_length(digits, &repeated) || (presence == PRESENT && repeated != *length)) return INVALID;
        *length = repeated;
        presence = PRESENT;
    }
    return presence;
}

static enum presence read_transfer_encoding(const struct streamer_buffer *fields, bool *chunked) {
    struct streamer_fields_list list = {0};
    struct streamer_span coding;
    enum presence presence = has(fields, "transfer-encoding") ? INVALID : ABSENT;
    while (streamer_fields_next_member(fields, "transfer-encoding", &list, &coding)) {
        if (*chunked) return INVALID; /* it must be the last */
        *chunked = streamer_http_equals(coding, "chunked");
        if (!*chunked && !streamer_http_equals(coding, "identity")) return INVALID;
        presence = PRESENT;
    }
    return presence;
}

/* What the fields say about the body's end. */
struct announced {
    enum presence coding, length;
    bool chunked;
    uint64_t content_length;
};

static bool opens_tunnel(const struct streamer_http1_head *head) {
    return head->method == STREAMER_METHOD_CONNECT && head->status < 300;
}

static bool has_no_body(const struct streamer_http1_head *head) {
    return head->method == STREAMER_METHOD_HEAD || head->status == 204 || head->status == 304 || opens_tunnel(head);
}

static enum streamer_status decide_framing(struct streamer_http1_head *head, const struct announced *announced) {
    if (has_no_body(head)) {
        head->framing = STREAMER_BODY_NONE;
        return STREAMER_OK;
    }
    if (announced->coding == INVALID) return STREAMER_FRAMING_INVALID;
    if (announced->chunked) {
        head->framing = STREAMER_BODY_CHUNKED;
        return STREAMER_OK;
    }
    if (announced->length == INVALID) return STREAMER_FRAMING_INVALID;
    head->framing = announced->length == PRESENT ? STREAMER_BODY_LENGTH : STREAMER_BODY_UNTIL_CLOSE;
    head->content_length = announced->content_length;
    return STREAMER_OK;
}

/* RFC 9112, section 9.3; and where two readers could see two different ends of the body, the connection does not
 * persist either. */
static bool decide_persistence(const struct streamer_http1_head *head, const struct announced *announced) {
    bool is_old = head->version == 10;
    if (streamer_fields_include(&head->fields, "connection", "close")) return false;
    if (is_old && !streamer_fields_include(&head->fields, "connection", "keep-alive")) return false;
    if (head->framing == STREAMER_BODY_UNTIL_CLOSE || opens_tunnel(head)) return false;

    if (announced->coding == INVALID || announced->length == INVALID) return false;
    if (announced->coding == PRESENT && (is_old || !announced->chunked || announced->length == PRESENT)) return false;
    return head->status != 204 || (announced->coding == ABSENT && announced->content_length == 0);
}

static enum streamer_status complete(struct streamer_http1_head *head) {
    struct announced announced = {0};
    announced.coding = read_transfer_encoding(&head->fields, &announced.chunked);
    announced.length = read_content_length(&head->fields, &announced.content_length);
    enum streamer_status status = decide_framing(head, &announced);
    if (status == STREAMER_OK) head->persists = decide_persistence(head, &announced);
    return status;
}

/* ---- lines ---- */

static const char prefix[] = "HTTP/1.";
#define PREFIX_LENGTH (sizeof prefix - 1)

static bool is_digit(char byte) {
    return byte >= '0' && byte <= '9';
}

/* HTTP/1.1 SP 200 [SP reason]. */
static enum streamer_status read_status_line(struct streamer_http1_head *head, struct streamer_span line) {
    size_t shortest = strlen("HTTP/1.1 200");
    if (line.length < shortest) return STREAMER_NOT_HTTP;
    const char *version = line.bytes + PREFIX_LENGTH, *status = version + strlen("1 ");
    bool valid = is_digit(version[0]) && version[1] == ' ' && status[0] != '0' && is_digit(status[0]) &&
                 is_digit(status[1]) && is_digit(status[2]) && (line.length == shortest || status[3] == ' ') &&
                 memchr(line.bytes, '\r', line.length) == NULL && memchr(line.bytes, '\0', line.length) == NULL;
    if (!valid) return STREAMER_NOT_HTTP;

    head->version = *version == '0' ? 10 : 11;
    head->status = (status[0] - '0') * 100 + (status[1] - '0') * 10 + (status[2] - '0');
    head->state = STREAMER_HEAD_FIELDS;
    return STREAMER_MORE;
}

static enum streamer_status read_field(struct streamer_http1_head *head, struct streamer_span line) {
    const char *colon = memchr(line.bytes, ':', line.length);
    if (colon == NULL) return STREAMER_HEADER_INVALID;
    size_t name_length = (size_t)(colon - line.bytes);
    enum streamer_status status =
        streamer_fields_add(&head->fields, line.bytes, name_length, colon + 1, line.length - name_length - 1);
    return status == STREAMER_OK ? STREAMER_MORE : status;
}

static enum streamer_status read_blank_line(struct streamer_http1_head *head) {
    if (head->status == 101) return STREAMER_SWITCHED_PROTOCOLS;
    if (head->status >= 200) return complete(head);
    streamer_buffer_clear(&head->fields);
    head->state = STREAMER_HEAD_STATUS_LINE;
    return STREAMER_MORE;
}

/* A line, with its end taken off. */
static enum streamer_status read_line(struct streamer_http1_head *head, struct streamer_span line) {
    if (head->state == STREAMER_HEAD_STATUS_LINE) return read_status_line(head, line);
    return line.length > 0 ? read_field(head, line) : read_blank_line(head);
}

/* Whether what has come of a status line is its beginning. Asked at every read, since what is not HTTP may never send
 * the end of a line. */
static bool begins_like_http(const struct streamer_http1_head *head, const char *bytes, size_t length) {
    size_t before = head->line.length;
    if (before >= PREFIX_LENGTH) return true;
    size_t compared = length < PREFIX_LENGTH - before ? length : PREFIX_LENGTH - before;
    return compared == 0 || memcmp(bytes, prefix + before, compared) == 0;
}

/* Takes the next line off *cursor and reads it. STREAMER_MORE with *cursor at `end` when it has not ended. */
static enum streamer_status take_line(struct streamer_http1_head *head, const char **cursor, const char *end) {
    size_t length = (size_t)(end - *cursor), room = STREAMER_MAX_HEAD - head->size - head->line.length;
    if (head->state == STREAMER_HEAD_STATUS_LINE && !begins_like_http(head, *cursor, length)) return STREAMER_NOT_HTTP;

    const char *newline = memchr(*cursor, '\n', length < room ? length : room);
    if (newline == NULL && length > room) return STREAMER_HEADERS_TOO_LARGE;

    struct streamer_span line = {*cursor, newline != NULL ? (size_t)(newline - *cursor) : length};
    *cursor = newline != NULL ? newline + 1 : end;
    if (newline == NULL || head->line.length > 0) {
        enum streamer_status status = streamer_buffer_append(&head->line, line.bytes, line.length);
        if (status != STREAMER_OK) return status;
        if (newline == NULL) return STREAMER_MORE;
        line = (struct streamer_span){head->line.bytes, head->line.length};
    }
    head->size += line.length + 1;
    if (line.length > 0 && line.bytes[line.length - 1] == '\r') line.length--;
    enum streamer_status status = read_line(head, line);
    head->line.length = 0;
    return status;
}

enum streamer_status streamer_http1_head_read(struct streamer_http1_head *head, const char **cursor, const char *end) {
    enum streamer_status status = head->state == STREAMER_HEAD_DONE ? head->result : STREAMER_MORE;
    while (status == STREAMER_MORE && *cursor < end) status = take_line(head, cursor, end);
    if (status != STREAMER_MORE && head->state != STREAMER_HEAD_DONE) {
        head->state = STREAMER_HEAD_DONE;
        head->result = status;
        streamer_buffer_release(&head->line);
    }
    return status;
}
