#include "json.h"

#include <stdbool.h>
#include <string.h>

#include "utf8.h"

#define REPLACEMENT 0xFFFD

/* What follows the backslash for a character that must be escaped: 'u' where there is no short form, 0 where none is
 * due. */
static char escape_letter(unsigned char character) {
    switch (character) {
        case '"': return '"';
        case '\\': return '\\';
        case '\b': return 'b';
        case '\f': return 'f';
        case '\n': return 'n';
        case '\r': return 'r';
        case '\t': return 't';
        default: return character < 0x20 ? 'u' : 0;
    }
}

/* The character a short escape stands for. */
static char short_escape(char letter) {
    switch (letter) {
        case 'b': return '\b';
        case 'f': return '\f';
        case 'n': return '\n';
        case 'r': return '\r';
        case 't': return '\t';
        default: return letter; /* " \ and / stand for themselves */
    }
}

static size_t put_ascii(char *out, unsigned char character) {
    static const char digits[] = "0123456789abcdef";
    char letter = escape_letter(character);
    if (letter == 0) {
        out[0] = (char)character;
        return 1;
    }
    out[0] = '\\';
    out[1] = letter;
    if (letter != 'u') return 2;
    out[2] = out[3] = '0';
    out[4] = digits[character >> 4];
    out[5] = digits[character & 0xF];
    return 6;
}

static unsigned hex4(const char *digits) {
    unsigned value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char digit = (unsigned char)digits[i];
        /* Letters of either case have 9 more than their low four bits. */
        value = value << 4 | ((digit & 0xFu) + (digit > '9' ? 9 : 0));
    }
    return value;
}

static bool high_surrogate(unsigned unit) {
    return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool low_surrogate(unsigned unit) {
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

struct escape {
    unsigned code_point; /* a lone surrogate stands for itself */
    size_t length;       /* of the escape, or of the pair of them */
};

static struct escape read_escape(const char *json, size_t length) {
    if (json[1] != 'u') return (struct escape){(unsigned char)short_escape(json[1]), 2};
    unsigned unit = hex4(json + 2);
    if (high_surrogate(unit) && length >= 12 && json[6] == '\\' && json[7] == 'u') {
        unsigned low = hex4(json + 8);
        if (low_surrogate(low)) return (struct escape){0x10000 + ((unit & 0x3FF) << 10 | (low & 0x3FF)), 12};
    }
    return (struct escape){unit, 6};
}

static size_t unescaped_run(const char *json, size_t length) {
    const char *backslash = memchr(json, '\\', length);
    return backslash != NULL ? (size_t)(backslash - json) : length;
}

size_t streamer_json_escaped_length(const char *text, size_t length) {
    size_t total = length;
    for (size_t i = 0; i < length; i++) {
        char letter = escape_letter((unsigned char)text[i]);
        if (letter != 0) total += letter == 'u' ? 5 : 1;
    }
    return total;
}

size_t streamer_json_escape(char *out, const char *text, size_t length) {
    size_t written = 0;
    for (size_t i = 0; i < length; i++) written += put_ascii(out + written, (unsigned char)text[i]);
    return written;
}

size_t streamer_json_unescape(char *out, const char *json, size_t length) {
    size_t written = 0;
    for (;;) {
        size_t run = unescaped_run(json, length);
        memcpy(out + written, json, run);
        written += run;
        json += run;
        length -= run;
        if (length == 0) return written;

        struct escape escape = read_escape(json, length);
        bool lone = high_surrogate(escape.code_point) || low_surrogate(escape.code_point);
        written += streamer_utf8_put(out + written, lone ? REPLACEMENT : escape.code_point);
        json += escape.length;
        length -= escape.length;
    }
}

size_t streamer_json_normalize(char *out, const char *json, size_t length) {
    size_t written = 0;
    for (;;) {
        size_t run = unescaped_run(json, length);
        memcpy(out + written, json, run);
        written += run;
        json += run;
        length -= run;
        if (length == 0) return written;

        struct escape escape = read_escape(json, length);
        if (escape.code_point < 0x80) {
            written += put_ascii(out + written, (unsigned char)escape.code_point);
        } else if (high_surrogate(escape.code_point) || low_surrogate(escape.code_point)) {
            memcpy(out + written, json, escape.length);
            written += escape.length;
        } else {
            written += streamer_utf8_put(out + written, escape.code_point);
        }
        json += escape.length;
        length -= escape.length;
    }
}

/* The length of a string's inside, from behind its opening quote. */
static size_t string_length(const char *json) {
    const char *cursor = json;
    while (*cursor != '"') cursor += *cursor == '\\' ? 2 : 1;
    return (size_t)(cursor - json);
}

size_t streamer_json_compact(char *out, const char *json, size_t length) {
    size_t written = 0;
    for (size_t i = 0; i < length; i++) {
        switch (json[i]) {
            case ' ':
            case '\t':
            case '\n':
            case '\v': /* yajl lets these two pass */
            case '\f':
            case '\r': break;
            case '"': {
                size_t inside = string_length(json + i + 1);
                out[written++] = '"';
                written += streamer_json_normalize(out + written, json + i + 1, inside);
                out[written++] = '"';
                i += inside + 1;
                break;
            }
            default: out[written++] = json[i];
        }
    }
    return written;
}
