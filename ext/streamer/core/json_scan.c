#include "json_scan.h"

#include <string.h>

bool streamer_json_blank(char byte) {
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

bool streamer_json_scan_begin(struct streamer_json_scan *scan, char first) {
    *scan = (struct streamer_json_scan){0};
    if (first == '{' || first == '[' || first == '"') return true;
    scan->scalar = true;
    return (first >= '0' && first <= '9') || first == '-' || first == 't' || first == 'f' || first == 'n';
}

static const char *find(const char *from, const char *end, char byte) {
    const char *found = memchr(from, byte, (size_t)(end - from));
    return found != NULL ? found : end;
}

/* The rest of a string, from within; there is at least one byte. */
static const char *read_string(struct streamer_json_scan *scan, const char *at, const char *end) {
    if (scan->escaped) at++;
    scan->escaped = false;
    /* The next quote is remembered: searching for it again behind each backslash would be quadratic. */
    const char *quote = find(at, end, '"');
    while (at < end) {
        const char *backslash = find(at, quote, '\\');
        if (backslash == quote) {
            scan->string = quote == end;
            return quote == end ? end : quote + 1;
        }
        scan->escaped = backslash + 1 == end;
        if (scan->escaped) return end;
        at = backslash + 2;
        if (at > quote) quote = find(at, end, '"');
    }
    return end;
}

static bool ends_scalar(char byte) {
    return streamer_json_blank(byte) || strchr(",]}[{\":", byte) != NULL;
}

bool streamer_json_scan_read(struct streamer_json_scan *scan, const char **cursor, const char *end) {
    const char *at = *cursor;
    bool over = false;
    while (at < end && !over) {
        if (scan->string) {
            at = read_string(scan, at, end);
            over = !scan->string && scan->depth == 0;
        } else if (scan->scalar) {
            over = ends_scalar(*at);
            if (!over) at++;
        } else {
            switch (*at++) {
                case '"': scan->string = true; break;
                case '{':
                case '[': scan->depth++; break;
                case '}':
                case ']': over = --scan->depth == 0; break;
                default: break;
            }
        }
    }
    *cursor = at;
    return over;
}

bool streamer_json_scan_whole(const char *json, size_t length) {
    struct streamer_json_scan scan;
    const char *cursor = json;
    if (!streamer_json_scan_begin(&scan, *json)) return true;
    return streamer_json_scan_read(&scan, &cursor, json + length) || scan.scalar;
}
