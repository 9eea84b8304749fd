/* extract, against libyajl's own class on the same text: what is found lies in the text, is JSON itself and comes
 * back the same; what is refused is refused by libyajl as well; and after a refusal the extractor is as good as new.
 *
 * Of a path with "*" the list is JSON, or, where lists are joined, a string.
 *
 * Input: one line of paths with spaces between them, then the JSON. */
#include "extract.h"

#include <yajl/yajl_parse.h>

#include "ceilings.h"
#include "support.h"
#include "utf8.h"

static const char known_path[] = "choices.0.delta.content";
static const char known_json[] = "{\"id\":1,\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}";

static bool yajl_accepts(const char *before, const char *json, size_t length, const char *after) {
    yajl_handle parser = yajl_alloc(NULL, NULL, NULL);
    yajl_status status = yajl_parse(parser, (const unsigned char *)before, strlen(before));
    if (status == yajl_status_ok) status = yajl_parse(parser, (const unsigned char *)json, length);
    if (status == yajl_status_ok) status = yajl_parse(parser, (const unsigned char *)after, strlen(after));
    if (status == yajl_status_ok) status = yajl_complete_parse(parser);
    yajl_free(parser);
    return status == yajl_status_ok;
}

/* Alone, libyajl takes an unfinished string behind the document for its end; within an array it does not. */
static bool valid_json(const char *json, size_t length) {
    return yajl_accepts("", json, length, "") && yajl_accepts("[", json, length, "]");
}

/* VT and FF, which libyajl takes for white space. */
static bool holds_yajl_blank(const char *json, size_t length) {
    return memchr(json, '\v', length) != NULL || memchr(json, '\f', length) != NULL;
}

static struct streamer_extractor *new_extractor(const char *const *paths, const size_t *lengths, size_t count,
                                                size_t joined) {
    struct streamer_extractor *extractor = NULL;
    enum streamer_status status = streamer_extractor_new(
        &extractor,
        &(struct streamer_extractor_options){.paths = paths, .lengths = lengths, .count = count, .joined = joined});
    MUST(status == STREAMER_OK || status == STREAMER_PATH_INVALID, "paths are taken or invalid");
    return status == STREAMER_OK ? extractor : NULL;
}

static void check_text(const struct streamer_value *before, const struct streamer_value *after) {
    struct streamer_buffer text, again;
    streamer_buffer_init(&text, STREAMER_MAX_EVENT);
    streamer_buffer_init(&again, STREAMER_MAX_EVENT);
    MUST(streamer_value_text(before, &text) == STREAMER_OK, "a value has a text");
    MUST(streamer_value_text(after, &again) == STREAMER_OK, "a value has a text");
    MUST(!streamer_utf8_valid(before->json, before->length) || text.length == 0 ||
             streamer_utf8_valid(text.bytes, text.length),
         "what was well-formed UTF-8 stays so");
    MUST(text.length == again.length && (text.length == 0 || memcmp(text.bytes, again.bytes, text.length) == 0),
         "a value keeps its text");
    streamer_buffer_release(&text);
    streamer_buffer_release(&again);
}

/* `{"v":...}` around the value as JSON: the same JSON must come back, and of a string the same text. */
static void check_round_trip(const struct streamer_value *value) {
    static const char *const path[] = {"v"};
    static const size_t path_length[] = {1};
    char *json = malloc(value->length + 2);
    size_t json_length = streamer_value_json(value, json);
    MUST(json_length <= value->length + 2, "a value as JSON is no longer than it was, and two quotes");
    MUST(memchr(json, '\n', json_length) == NULL, "a value as JSON is one line");
    MUST(valid_json(json, json_length), "a value as JSON is JSON");

    char *document = malloc(json_length + 6);
    memcpy(document, "{\"v\":", 5);
    memcpy(document + 5, json, json_length);
    document[5 + json_length] = '}';

    struct streamer_extractor *extractor = new_extractor(path, path_length, 1, 0);
    struct streamer_value again;
    MUST(streamer_extractor_read(extractor, document, json_length + 6, &again) == STREAMER_OK,
         "a value is found again");
    MUST(again.kind == value->kind, "a value keeps its kind");

    char *json_again = malloc(again.length + 2);
    MUST(streamer_value_json(&again, json_again) == json_length && memcmp(json, json_again, json_length) == 0,
         "a value as JSON stays as it is");
    free(json_again);
    if (value->kind == STREAMER_KIND_STRING) check_text(value, &again);

    streamer_extractor_free(extractor);
    free(document);
    free(json);
}

/* starred: the path may lead to a list, which lies in the extractor. */
static void check_value(const struct streamer_value *value, const char *json, size_t length, bool starred) {
    if (value->kind == STREAMER_KIND_NONE) return;
    MUST(starred || (value->json >= json && value->json + value->length <= json + length), "a value lies in its JSON");
    MUST(value->length <= length, "a value is no longer than its JSON");
    if (value->kind == STREAMER_KIND_STRING) {
        MUST(value->escaped == (memchr(value->json, '\\', value->length) != NULL),
             "escaped says whether a backslash is in it");
    }
    check_round_trip(value);
}

/* Splits the line in place; returns the number of paths. */
static size_t split_paths(char *line, size_t length, const char **paths, size_t *lengths, size_t room) {
    size_t count = 0;
    size_t start = 0;
    for (size_t i = 0; i <= length && count < room; i++) {
        if (i < length && line[i] != ' ') continue;
        paths[count] = line + start;
        lengths[count++] = i - start;
        start = i + 1;
    }
    return count;
}

static void read_json(struct streamer_extractor *extractor, size_t count, const bool *starred, const char *json,
                      size_t length) {
    struct streamer_value values[STREAMER_MAX_PATHS];
    enum streamer_status status = streamer_extractor_read(extractor, json, length, values);
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        check_value(&values[i], json, length, starred[i]);
        found += values[i].kind != STREAMER_KIND_NONE;
    }
    switch (status) {
        case STREAMER_OK: MUST(found > 0, "OK means that something was found"); break;
        case STREAMER_MISSING:
            MUST(found == 0, "MISSING means that nothing was found");
            MUST(valid_json(json, length), "MISSING means that all of it was valid");
            break;
        case STREAMER_JSON_INVALID:
            MUST(found == 0, "invalid JSON gives no values");
            MUST(holds_yajl_blank(json, length) || !valid_json(json, length),
                 "what is invalid is invalid to libyajl too");
            break;
        case STREAMER_JSON_TOO_DEEP:
            MUST(found == 0, "JSON that is too deep gives no values");
            MUST(length > STREAMER_MAX_DEPTH, "depth costs at least a byte a level");
            break;
        default: MUST(false, "reading JSON has no other outcome");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    const uint8_t *newline = length > 0 ? memchr(bytes, '\n', length) : NULL;
    if (newline == NULL) return -1;
    size_t line_length = (size_t)(newline - bytes);
    size_t json_length = length - line_length - 1;

    const char *paths[STREAMER_MAX_PATHS + 1];
    size_t lengths[STREAMER_MAX_PATHS + 1];
    char *line = exact_copy(bytes, line_length);
    size_t count = split_paths(line, line_length, paths, lengths, STREAMER_MAX_PATHS + 1);
    struct streamer_extractor *extractor = new_extractor(paths, lengths, count, line_length % 3);
    bool starred[STREAMER_MAX_PATHS + 1];
    for (size_t i = 0; i < count; i++) starred[i] = memchr(paths[i], '*', lengths[i]) != NULL;
    free(line); /* paths are copied */
    if (extractor == NULL) return 0;

    char *json = exact_copy(newline + 1, json_length);
    read_json(extractor, count, starred, json, json_length);
    read_json(extractor, count, starred, json, json_length);
    streamer_extractor_free(extractor);

    const char *const known[] = {known_path};
    const size_t known_length[] = {sizeof known_path - 1};
    struct streamer_value value;
    extractor = new_extractor(known, known_length, 1, 0);
    streamer_extractor_read(extractor, json, json_length, &value);
    MUST(streamer_extractor_read(extractor, known_json, sizeof known_json - 1, &value) == STREAMER_OK &&
             value.length == 3 && memcmp(value.json, "Hel", 3) == 0,
         "an extractor can be used again after anything");
    streamer_extractor_free(extractor);
    free(json);
    return 0;
}
