/* What the core's unit tests share: cases, checks, transcripts, exact-size copies of the input and a heap that can
 * fail.
 *
 * A case is a function run by RUN. Its checks go on after a failure; one failed check fails the case. Tests compare
 * transcripts: what a run gave, written as text, with the names of status codes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* cases */

#define RUN(function) test_run(#function, function)
void test_run(const char *name, void (*function)(void));

/* In a table's loop: what the following checks are about. */
void test_about(const char *name);

#define CHECK(condition) test_check((condition), __FILE__, __LINE__, #condition)
void test_check(bool good, const char *file, int line, const char *condition);

#define CHECK_TEXT(expected, actual) test_check_text((expected), (actual), __FILE__, __LINE__)
void test_check_text(const char *expected, const char *actual, const char *file, int line);

#define CHECK_STATUS(expected, actual) \
    test_check_text(streamer_status_name(expected), streamer_status_name(actual), __FILE__, __LINE__)

/* transcripts */

struct transcript {
    char *text; /* NUL-terminated */
    size_t length;
};

void transcript_printf(struct transcript *transcript, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Bytes in quotes, what is not printable ASCII as \xNN (LF as \n, CR as \r). */
void transcript_bytes(struct transcript *transcript, const char *bytes, size_t length);

void transcript_free(struct transcript *transcript);

/* input */

/* A block of its own, exactly so long, that AddressSanitizer sees a byte read behind it. Freed by the caller. */
char *exact_copy(const char *bytes, size_t length);

/* How an input is cut: whole (first 0), into two at `first`, or with each_byte byte by byte. */
struct cut {
    size_t first;
    bool each_byte;
};

/* The end of the read that begins at `start`. */
size_t cut_end(struct cut cut, size_t start, size_t length);

/* Runs `body` with `cut` set to every way of cutting `length` bytes. */
#define EVERY_CUT(cut, size) \
    for (struct cut cut = {0, false}; !cut.each_byte; cut = (struct cut){cut.first + 1, cut.first + 1 >= (size)})

/* the core's heap */

/* The n-th request from now on fails, and those after it; 0: none does. */
void heap_fail_at(size_t request);
bool heap_failed(void);

/* Runs it with all memory, then with its first request failing, its second, and so on; checks that it says so each
 * time, and that no block is held behind it. */
void heap_fail_at_each(enum streamer_status (*run)(const void *context), const void *context);

size_t heap_blocks(void); /* held now */
size_t heap_bytes(void);
size_t heap_requests(void); /* made so far */

/* deterministic numbers for made-up input */

uint32_t random_below(uint32_t *state, uint32_t limit);

/* the suites, one for each file */
void buffer_tests(void);
void utf8_tests(void);
void decode_tests(void);
void formats_tests(void);
void classifier_tests(void);
void reader_tests(void);
void extract_tests(void);
void encode_tests(void);
void pipeline_tests(void);
void contract_tests(void);
void memory_tests(void);
void fields_tests(void);
void media_type_tests(void);
void http1_head_tests(void);
void http1_body_tests(void);
void http1_transcript_tests(void);
void http1_random_tests(void);
void http1_request_tests(void);
