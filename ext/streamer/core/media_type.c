#include "media_type.h"

#include <string.h>

#include "http_syntax.h"

/* The standard's HTTP whitespace. No field has CR or LF in it, but a String from Ruby may. */
static bool is_whitespace(char byte) {
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static struct streamer_span trim_end(struct streamer_span span) {
    while (span.length > 0 && is_whitespace(span.bytes[span.length - 1])) span.length--;
    return span;
}

static void skip(struct streamer_span *text, size_t length) {
    *text = (struct streamer_span){text->bytes + length, text->length - length};
}

static void skip_whitespace(struct streamer_span *text) {
    while (text->length > 0 && is_whitespace(*text->bytes)) skip(text, 1);
}

/* Takes what is before the first of the stop bytes, or everything. */
static struct streamer_span take_until(struct streamer_span *text, const char *stops) {
    size_t length = 0;
    while (length < text->length && (text->bytes[length] == '\0' || strchr(stops, text->bytes[length]) == NULL)) {
        length++;
    }
    struct streamer_span taken = {text->bytes, length};
    skip(text, length);
    return taken;
}

/* The standard's HTTP quoted-string token code points, of which every byte above ASCII is one. */
static bool is_value_byte(char byte) {
    return byte == '\t' || ((unsigned char)byte >= ' ' && byte != 0x7F);
}

/* A parameter's value. Longer than STREAMER_MAX_CHARSET it is counted and not kept. */
struct value {
    bool valid;
    size_t length;
    char bytes[STREAMER_MAX_CHARSET];
};

static void append(struct value *value, char byte) {
    if (!is_value_byte(byte)) value->valid = false;
    if (value->length < sizeof value->bytes) value->bytes[value->length] = byte;
    value->length++;
}

/* Takes a quoted string, which the text's end closes as well. */
static struct value take_quoted(struct streamer_span *text) {
    struct value value = {.valid = true};
    skip(text, 1);
    while (text->length > 0 && *text->bytes != '"') {
        if (*text->bytes == '\\' && text->length > 1) skip(text, 1);
        append(&value, *text->bytes);
        skip(text, 1);
    }
    take_until(text, ";");
    return value;
}

static struct value take_unquoted(struct streamer_span *text) {
    struct streamer_span taken = trim_end(take_until(text, ";"));
    struct value value = {.valid = taken.length > 0};
    for (size_t i = 0; i < taken.length; i++) append(&value, taken.bytes[i]);
    return value;
}

/* Takes the next parameter, from its semicolon to the next one. True when it is a charset. */
static bool take_charset(struct streamer_span *text, struct value *value) {
    skip(text, 1);
    skip_whitespace(text);
    struct streamer_span name = take_until(text, ";=");
    if (text->length == 0 || *text->bytes == ';') return false;
    skip(text, 1);
    *value = text->length > 0 && *text->bytes == '"' ? take_quoted(text) : take_unquoted(text);
    return value->valid && streamer_http_equals(name, "charset");
}

/* The essence, up to the first semicolon. */
static bool take_essence(struct streamer_span *text, struct streamer_media_type *type) {
    skip_whitespace(text);
    struct streamer_span essence = trim_end(take_until(text, ";"));
    const char *slash = essence.length > 0 ? memchr(essence.bytes, '/', essence.length) : NULL;
    if (slash == NULL || essence.length > sizeof type->essence) return false;

    size_t main_length = (size_t)(slash - essence.bytes);
    struct streamer_span main_type = {essence.bytes, main_length};
    struct streamer_span subtype = {slash + 1, essence.length - main_length - 1};
    if (!streamer_http_token(main_type) || !streamer_http_token(subtype)) return false;

    type->essence_length = essence.length;
    for (size_t i = 0; i < essence.length; i++) type->essence[i] = streamer_http_lower(essence.bytes[i]);
    return true;
}

bool streamer_media_type_parse(struct streamer_span text, struct streamer_media_type *type) {
    struct streamer_media_type parsed = {0};
    text = trim_end(text);
    if (!take_essence(&text, &parsed)) return false;

    struct value value;
    bool found = false;
    while (!found && text.length > 0) found = take_charset(&text, &value);
    if (found && value.length <= sizeof value.bytes) {
        struct streamer_span charset = streamer_http_trim((struct streamer_span){value.bytes, value.length});
        parsed.charset_length = charset.length;
        memcpy(parsed.charset, charset.bytes, charset.length);
    }
    *type = parsed;
    return true;
}

void streamer_media_type_add(struct streamer_media_type *type, struct streamer_span member) {
    struct streamer_media_type last;
    if (!streamer_media_type_parse(member, &last) || streamer_media_type_is(&last, "*/*")) return;
    bool same =
        last.essence_length == type->essence_length && memcmp(last.essence, type->essence, last.essence_length) == 0;
    if (same && last.charset_length == 0) {
        last.charset_length = type->charset_length;
        memcpy(last.charset, type->charset, type->charset_length);
    }
    *type = last;
}

bool streamer_media_type_extract(struct streamer_span value, struct streamer_media_type *type) {
    bool quoted = false;
    struct streamer_span member;
    *type = (struct streamer_media_type){0};
    while (streamer_http_next_member(&value, &quoted, &member)) streamer_media_type_add(type, member);
    return type->essence_length > 0;
}

bool streamer_media_type_is(const struct streamer_media_type *type, const char *essence) {
    return type->essence_length == strlen(essence) && memcmp(type->essence, essence, type->essence_length) == 0;
}
