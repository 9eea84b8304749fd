#include "test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

static int passed, failed;
static bool case_good;
static const char *case_name;
static const char *about;
static bool reported; /* a failure of this case, or of what it is about */

void test_run(const char *name, void (*function)(void)) {
    case_good = true;
    case_name = name;
    test_about(NULL);
    size_t blocks = heap_blocks();
    function();
    heap_fail_at(0);
    test_about(NULL);
    CHECK(heap_blocks() == blocks);
    if (case_good) {
        passed++;
    } else {
        failed++;
    }
}

void test_about(const char *name) {
    about = name;
    reported = false;
}

/* Says where, once for each thing a case is about. True when the check should say what as well. */
static bool report(const char *file, int line) {
    case_good = false;
    if (reported) return false;
    reported = true;
    printf("FAILED %s%s%s, %s:%d\n", case_name, about != NULL ? ": " : "", about != NULL ? about : "", file, line);
    return true;
}

void test_check(bool good, const char *file, int line, const char *condition) {
    if (!good && report(file, line)) printf("  not so: %s\n", condition);
}

void test_check_text(const char *expected, const char *actual, const char *file, int line) {
    if (strcmp(expected, actual) != 0 && report(file, line)) printf("  expected:\n%s\n  got:\n%s\n", expected, actual);
}

void transcript_printf(struct transcript *transcript, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    transcript->text = realloc(transcript->text, transcript->length + (size_t)length + 1);
    if (transcript->text == NULL) abort();
    vsnprintf(transcript->text + transcript->length, (size_t)length + 1, format, again);
    va_end(again);
    transcript->length += (size_t)length;
}

void transcript_bytes(struct transcript *transcript, const char *bytes, size_t length) {
    char *quoted = malloc(length * 4 + 3), *out = quoted;
    if (quoted == NULL) abort();
    *out++ = '"';
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == '\n' || byte == '\r') {
            *out++ = '\\';
            *out++ = byte == '\n' ? 'n' : 'r';
        } else if (byte < 0x20 || byte > 0x7E) {
            out += sprintf(out, "\\x%02X", byte);
        } else {
            *out++ = (char)byte;
        }
    }
    *out++ = '"';
    *out = '\0';
    transcript_printf(transcript, "%s", quoted);
    free(quoted);
}

void transcript_free(struct transcript *transcript) {
    free(transcript->text);
    *transcript = (struct transcript){0};
}

char *exact_copy(const char *bytes, size_t length) {
    char *copy = malloc(length);
    if (copy == NULL && length > 0) abort();
    if (length > 0) memcpy(copy, bytes, length);
    return copy;
}

size_t cut_end(struct cut cut, size_t start, size_t length) {
    if (cut.each_byte) return start + 1;
    return start < cut.first && cut.first < length ? cut.first : length;
}

/* Each block has its size in front, so that all that is held can be summed up. */
struct block {
    _Alignas(16) size_t size;
};

static size_t blocks, bytes, requests, requests_left;
static bool failing, has_failed;

void heap_fail_at(size_t request) {
    failing = request > 0;
    requests_left = request;
    has_failed = false;
}

bool heap_failed(void) {
    return has_failed;
}

void heap_fail_at_each(enum streamer_status (*run)(const void *context), const void *context) {
    enum streamer_status good = run(context);
    for (size_t request = 1;; request++) {
        heap_fail_at(request);
        enum streamer_status status = run(context);
        bool refused = heap_failed();
        heap_fail_at(0);
        CHECK(blocks == 0);
        CHECK_STATUS(refused ? STREAMER_NO_MEMORY : good, status);
        if (!refused) break;
    }
}

size_t heap_blocks(void) {
    return blocks;
}

size_t heap_bytes(void) {
    return bytes;
}

size_t heap_requests(void) {
    return requests;
}

void *streamer_realloc(void *memory, size_t size) {
    requests++;
    if (failing && requests_left > 0) requests_left--;
    if (failing && requests_left == 0) {
        has_failed = true;
        return NULL;
    }
    /* Always moves, so that nobody gets away with an old pointer. */
    struct block *block = malloc(sizeof *block + size);
    if (block == NULL) abort();
    block->size = size;
    blocks++;
    bytes += size;
    if (memory != NULL) {
        const struct block *old = (struct block *)memory - 1;
        memcpy(block + 1, memory, old->size < size ? old->size : size);
        streamer_free(memory);
    }
    return block + 1;
}

void *streamer_malloc(size_t size) {
    return streamer_realloc(NULL, size);
}

void streamer_free(void *memory) {
    if (memory == NULL) return;
    struct block *block = (struct block *)memory - 1;
    blocks--;
    bytes -= block->size;
    free(block);
}

uint32_t random_below(uint32_t *state, uint32_t limit) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state % limit;
}

int main(void) {
    buffer_tests();
    utf8_tests();
    decode_tests();
    formats_tests();
    extract_tests();
    encode_tests();
    classifier_tests();
    reader_tests();
    pipeline_tests();
    contract_tests();
    memory_tests();
    fields_tests();
    media_type_tests();
    http1_head_tests();
    http1_body_tests();
    http1_transcript_tests();
    http1_random_tests();
    http1_request_tests();
    printf("%d passed, %d failed\n", passed, failed);
    return failed > 0;
}
