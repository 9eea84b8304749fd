#include "http_syntax.h"

#include <string.h>

/* RFC 9110's tchar. */
static const bool token_bytes[256] = {
    ['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true, ['\''] = true, ['*'] = true, ['+'] = true,
    ['-'] = true, ['.'] = true, ['^'] = true, ['_'] = true, ['`'] = true, ['|'] = true,  ['~'] = true, ['0'] = true,
    ['1'] = true, ['2'] = true, ['3'] = true, ['4'] = true, ['5'] = true, ['6'] = true,  ['7'] = true, ['8'] = true,
    ['9'] = true, ['A'] = true, ['B'] = true, ['C'] = true, ['D'] = true, ['E'] = true,  ['F'] = true, ['G'] = true,
    ['H'] = true, ['I'] = true, ['J'] = true, ['K'] = true, ['L'] = true, ['M'] = true,  ['N'] = true, ['O'] = true,
    ['P'] = true, ['Q'] = true, ['R'] = true, ['S'] = true, ['T'] = true, ['U'] = true,  ['V'] = true, ['W'] = true,
    ['X'] = true, ['Y'] = true, ['Z'] = true, ['a'] = true, ['b'] = true, ['c'] = true,  ['d'] = true, ['e'] = true,
    ['f'] = true, ['g'] = true, ['h'] = true, ['i'] = true, ['j'] = true, ['k'] = true,  ['l'] = true, ['m'] = true,
    ['n'] = true, ['o'] = true, ['p'] = true, ['q'] = true, ['r'] = true, ['s'] = true,  ['t'] = true, ['u'] = true,
    ['v'] = true, ['w'] = true, ['x'] = true, ['y'] = true, ['z'] = true,
};

bool streamer_http_token_byte(char byte) {
    return token_bytes[(unsigned char)byte];
}

bool streamer_http_token(struct streamer_span span) {
    for (size_t i = 0; i < span.length; i++) {
        if (!streamer_http_token_byte(span.bytes[i])) return false;
    }
    return span.length > 0;
}

struct streamer_span streamer_http_trim(struct streamer_span span) {
    while (span.length > 0 && streamer_http_blank(*span.bytes)) span.bytes++, span.length--;
    while (span.length > 0 && streamer_http_blank(span.bytes[span.length - 1])) span.length--;
    return span;
}

bool streamer_http_equals(struct streamer_span span, const char *text) {
    if (span.length != strlen(text)) return false;
    for (size_t i = 0; i < span.length; i++) {
        if (streamer_http_lower(span.bytes[i]) != text[i]) return false;
    }
    return true;
}

/* The length of the list's text up to its next comma, or its end. */
static size_t member_length(struct streamer_span list, bool *quoted) {
    for (size_t i = 0; i < list.length; i++) {
        char byte = list.bytes[i];
        if (byte == '"') {
            *quoted = !*quoted;
        } else if (*quoted) {
            if (byte == '\\') i++;
        } else if (byte == ',') {
            return i;
        }
    }
    return list.length;
}

bool streamer_http_next_member(struct streamer_span *rest, bool *quoted, struct streamer_span *member) {
    while (rest->length > 0) {
        bool begun_before = *quoted;
        struct streamer_span text = {rest->bytes, member_length(*rest, quoted)};
        size_t used = text.length < rest->length ? text.length + 1 : text.length;
        *rest = (struct streamer_span){rest->bytes + used, rest->length - used};
        *member = streamer_http_trim(text);
        if (!begun_before && member->length > 0) return true;
    }
    return false;
}
