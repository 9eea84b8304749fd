/* The oracle: slow, and written from the RFCs' grammar rather than from the code that it checks. */
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "http1_support.h"

/* What a NUL becomes where none may be; nothing else in the tests is one. */
#define NUL "\x02"
#define TOKEN "[!#$%&'*+.^_`|~0-9A-Za-z-]+"

static bool matches(const char *text, const char *pattern) {
    regex_t regex;
    if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB | REG_ICASE) != 0) abort();
    bool found = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

/* A C string of the bytes; `nul` stands for a NUL. Freed by the caller. */
static char *text_of(const char *bytes, size_t length, char nul) {
    char *text = malloc(length + 1);
    if (text == NULL) abort();
    for (size_t i = 0; i < length; i++) text[i] = bytes[i] != '\0' ? bytes[i] : nul;
    text[length] = '\0';
    return text;
}

/* The line at `at`, without its end; NULL when its LF is not there. */
static char *line_at(const char *bytes, size_t length, size_t *at) {
    size_t start = *at;
    for (size_t i = start; i < length; i++) {
        if (bytes[i] != '\n') continue;
        *at = i + 1;
        char *line = text_of(bytes + start, i - start, *NUL);
        if (i > start && bytes[i - 1] == '\r') line[i - start - 1] = '\0';
        return line;
    }
    return NULL;
}

/* ---- heads ---- */

struct oracle_field {
    char *name, *value;
};

struct oracle_head {
    int version, status;
    size_t count;
    struct oracle_field fields[64];
};

static void forget(struct oracle_head *head) {
    for (size_t i = 0; i < head->count; i++) free(head->fields[i].name), free(head->fields[i].value);
    head->count = 0;
}

static void remember(struct oracle_head *head, const char *line) {
    if (head->count == 64) abort();
    size_t name = strcspn(line, ":"), start = name + 1 + strspn(line + name + 1, " \t"), end = strlen(line);
    while (end > start && strchr(" \t", line[end - 1]) != NULL) end--;
    struct oracle_field *field = &head->fields[head->count++];
    field->name = text_of(line, name, 0);
    field->value = text_of(line + start, end - start, 0);
    for (char *byte = field->name; *byte != '\0'; byte++) {
        if (*byte >= 'A' && *byte <= 'Z') *byte = (char)(*byte + 32);
    }
}

/* All values of a name, joined as RFC 9110, section 5.3, joins them. NULL: there are none. */
static char *joined(const struct oracle_head *head, const char *name) {
    char *all = NULL;
    for (size_t i = 0; i < head->count; i++) {
        const char *value = head->fields[i].value;
        if (strcmp(head->fields[i].name, name) != 0) continue;
        size_t length = all != NULL ? strlen(all) : 0;
        bool first = all == NULL;
        all = realloc(all, length + strlen(value) + 3);
        if (all == NULL) abort();
        strcpy(all + length, first ? "" : ", ");
        strcat(all, value);
    }
    return all;
}

/* Whether each member of the list matches `pattern`, and there is one; or, with `any`, whether one does. */
static bool list_matches(const char *list, const char *pattern, bool any) {
    static const char quoted_or_other[] = "([^\",]|\"([^\"\\]|\\\\.)*(\"|\\\\?$))*";
    size_t members = 0, matching = 0;
    regex_t regex;
    if (list == NULL) return false;
    if (regcomp(&regex, quoted_or_other, REG_EXTENDED) != 0) abort();
    for (const char *rest = list;; rest++) {
        regmatch_t match;
        if (regexec(&regex, rest, 1, &match, 0) != 0 || match.rm_so != 0) abort();
        char *member = text_of(rest, (size_t)match.rm_eo, 0);
        if (!matches(member, "^[ \t]*$")) {
            members++;
            matching += matches(member, pattern);
        }
        free(member);
        rest += match.rm_eo;
        if (*rest == '\0') break;
    }
    regfree(&regex);
    return any ? matching > 0 : members > 0 && matching == members;
}

/* The one number that all members are, as text without leading zeros. False when they are not. */
static bool one_length(const char *list, char number[32]) {
    if (!list_matches(list, "^[ \t]*[0-9]+[ \t]*$", false)) return false;
    number[0] = '\0';
    for (const char *rest = list + strcspn(list, "0123456789"); *rest != '\0';) {
        size_t digits = strspn(rest, "0123456789"), zeros = strspn(rest, "0");
        if (zeros == digits) zeros--;
        char *text = text_of(rest + zeros, digits - zeros, 0);
        bool fits = strlen(text) < 19 || (strlen(text) == 19 && strcmp(text, "9223372036854775807") <= 0);
        bool same = fits && (number[0] == '\0' || strcmp(number, text) == 0);
        if (same) strcpy(number, text);
        free(text);
        if (!same) return false;
        rest += digits;
        rest += strcspn(rest, "0123456789");
    }
    return true;
}

static const char *framing_of(const struct oracle_head *head, const char *method, const char *coding,
                              const char *measured, char number[32]) {
    bool length_good = one_length(measured, number);
    bool last_is_chunked = coding != NULL && matches(coding, "(^|,)[ \t]*chunked[ \t]*(,[ \t]*)*$");
    bool before_is_identity = last_is_chunked && matches(coding, "^([ \t,]|identity[ \t]*,)*chunked[ \t]*(,[ \t]*)*$");
    bool only_identity = list_matches(coding, "^[ \t]*identity[ \t]*$", false);
    if (strcmp(method, "CONNECT") == 0 && head->status < 300) return "NONE";
    if (strcmp(method, "HEAD") == 0 || head->status == 204 || head->status == 304) return "NONE";
    if (coding != NULL && !before_is_identity && !only_identity) return NULL;
    if (last_is_chunked) return "CHUNKED";
    if (measured == NULL) return "UNTIL_CLOSE";
    return length_good ? "LENGTH" : NULL;
}

static void describe(struct transcript *transcript, const struct oracle_head *head, const char *method) {
    char number[32] = "";
    char *coding = joined(head, "transfer-encoding"), *measured = joined(head, "content-length");
    char *connection = joined(head, "connection");
    const char *framing = framing_of(head, method, coding, measured, number);
    if (framing != NULL) {
        bool close = list_matches(connection, "^[ \t]*close[ \t]*$", true);
        bool keep_alive = list_matches(connection, "^[ \t]*keep-alive[ \t]*$", true);
        bool persists = !close && (head->version == 1 || keep_alive) && strcmp(framing, "UNTIL_CLOSE") != 0;
        bool plainly_chunked = coding != NULL && measured == NULL && head->version == 1 &&
                               matches(coding, "^([ \t,]|identity[ \t]*,)*chunked[ \t]*(,[ \t]*)*$");
        if (coding != NULL && !plainly_chunked) persists = false;
        if (measured != NULL && !one_length(measured, number)) persists = false;
        if (head->status == 204 && (coding != NULL || (measured != NULL && strcmp(number, "0") != 0))) persists = false;
        if (strcmp(method, "CONNECT") == 0 && head->status < 300) persists = false;
        transcript_printf(transcript, "HTTP/1.%d %d, %s", head->version, head->status, framing);
        if (strcmp(framing, "LENGTH") == 0) transcript_printf(transcript, " %s", number);
        transcript_printf(transcript, "%s\n", persists ? ", persists" : "");
        for (size_t i = 0; i < head->count; i++) {
            transcript_printf(transcript, "%s: %s\n", head->fields[i].name, head->fields[i].value);
        }
    } else {
        transcript_printf(transcript, "FRAMING_INVALID\n");
    }
    free(coding);
    free(measured);
    free(connection);
}

/* Reads one head, of whatever status. Returns NULL, or why it ended. */
static const char *read_one(struct oracle_head *head, const char *text, size_t length, size_t *at) {
    size_t there = length - *at < 7 ? length - *at : 7;
    if (memcmp(text + *at, "HTTP/1.", there) != 0) return "NOT_HTTP";
    char *line = line_at(text, length, at);
    if (line == NULL) return "MORE";
    bool good = matches(line, "^HTTP/1[.][0-9] [1-9][0-9][0-9]( [^\r" NUL "]*)?$");
    head->version = line[7] == '0' ? 0 : 1;
    head->status = good ? atoi(line + 9) : 0;
    free(line);
    if (!good) return "NOT_HTTP";
    forget(head);
    for (;;) {
        line = line_at(text, length, at);
        if (line == NULL) return "MORE";
        bool blank = *line == '\0';
        good = blank || matches(line, "^" TOKEN ":[^\r" NUL "]*$");
        if (good && !blank) remember(head, line);
        free(line);
        if (blank) return NULL;
        if (!good) return "HEADER_INVALID";
    }
}

size_t transcript_head_by_oracle(struct transcript *transcript, const char *method, const char *text, size_t length) {
    struct oracle_head head = {0};
    size_t at = 0;
    const char *error;
    do {
        error = read_one(&head, text, length, &at);
        if (error == NULL && head.status == 101) error = "SWITCHED_PROTOCOLS";
    } while (error == NULL && head.status < 200);
    size_t before = transcript->length;
    if (error != NULL) {
        transcript_printf(transcript, "%s\n", error);
    } else {
        describe(transcript, &head, method);
    }
    forget(&head);
    return strncmp(transcript->text + before, "HTTP/1.", 7) == 0 ? at : 0;
}

/* ---- bodies in chunks ---- */

/* What stands between `at` and the next LF, or the end, must match. "OK", "MORE" or the error. */
static const char *match_line(const char *text, size_t length, size_t *at, const char *whole, const char *beginning,
                              const char *error, char **line) {
    size_t start = *at;
    *line = line_at(text, length, at);
    if (*line != NULL) return matches(*line, whole) ? "OK" : error;
    char *part = text_of(text + start, length - start, *NUL);
    bool good = matches(part, beginning);
    free(part);
    return good ? "MORE" : error;
}

static bool size_overflows(const char *digits) {
    digits += strspn(digits, "0");
    size_t length = strspn(digits, "0123456789abcdefABCDEF");
    return length > 16 || (length == 16 && strchr("01234567", *digits) == NULL);
}

void transcript_chunks_by_oracle(struct transcript *transcript, const char *text, size_t length) {
    char *data = malloc(length + 1), *line;
    size_t at = 0, copied = 0;
    const char *result;
    bool last = false;
    if (data == NULL) abort();

    /* A NUL in an extension is let through, so it becomes something else there. */
    char *framing = text_of(text, length, '\x01');
    while (!last) {
        char *part = text_of(framing + at, length - at, 0);
        bool overflow = size_overflows(part);
        free(part);
        result = match_line(framing, length, &at, "^[0-9a-f]+[ \t]*(;[^\r]*)?$", "^([0-9a-f]+[ \t]*(;[^\r]*)?\r?)?$",
                            "CHUNK_INVALID", &line);
        if (overflow) result = "CHUNK_INVALID";
        uint64_t size = line != NULL ? strtoull(line, NULL, 16) : 0;
        free(line);
        if (strcmp(result, "OK") != 0) break;
        last = size == 0;
        if (last) break;
        size_t there = size < length - at ? (size_t)size : length - at;
        memcpy(data + copied, text + at, there);
        copied += there;
        at += there;
        result = "MORE";
        if (there < size) break;
        result = match_line(framing, length, &at, "^$", "^\r?$", "CHUNK_INVALID", &line);
        free(line);
        if (strcmp(result, "OK") != 0) break;
    }
    while (last) {
        result = match_line(text, length, &at, "^(" TOKEN ":[^\r" NUL "]*)?$",
                            "^(\r|(" TOKEN ")?|" TOKEN ":[^\r" NUL "]*\r?)$", "HEADER_INVALID", &line);
        bool blank = line != NULL && *line == '\0';
        free(line);
        if (strcmp(result, "OK") != 0 || blank) break;
    }
    transcript_bytes(transcript, data, copied);
    transcript_printf(transcript, " %s", result);
    if (strcmp(result, "OK") == 0) transcript_printf(transcript, " %zu", at);
    if (strcmp(result, "MORE") == 0) transcript_printf(transcript, " %s", last ? "OK" : "INCOMPLETE");
    free(framing);
    free(data);
}
