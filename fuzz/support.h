/* What the fuzz targets share: the input's parts, reads of every shape, and a check that says what broke. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A property that must hold. In words, because the words are all that a crash report shows. */
#define MUST(condition, sentence)                                                 \
    do {                                                                          \
        if (!(condition)) {                                                       \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, sentence); \
            abort();                                                              \
        }                                                                         \
    } while (0)

/* What is left of the input; the take_ functions cut parts off its front, and give zeros when it has run out. */
struct input {
    const uint8_t *bytes;
    size_t length;
};

static inline unsigned take_byte(struct input *input) {
    if (input->length == 0) return 0;
    input->length--;
    return *input->bytes++;
}

static inline unsigned take_short(struct input *input) {
    unsigned high = take_byte(input);
    return high << 8 | take_byte(input);
}

/* A copy that ends where its memory ends, so that one byte read too far is an error of the sanitizer. Never NULL. The
 * caller frees it. */
static inline char *exact_copy(const void *bytes, size_t length) {
    char *copy = malloc(length > 0 ? length : 1);
    if (copy == NULL) abort();
    if (length > 0) memcpy(copy, bytes, length);
    return copy;
}

/* How a stream is cut into reads: the first one is `first` bytes, the others `each` (0: all that is left). */
struct cut {
    size_t first;
    size_t each;
};

static inline struct cut take_cut(struct input *input) {
    size_t first = take_short(input);
    return (struct cut){first, take_byte(input)};
}

/* The length of the read that starts at `offset`. */
static inline size_t cut_length(const struct cut *cut, size_t offset, size_t length) {
    size_t wanted = offset == 0 ? cut->first % (length + 1) : cut->each;
    size_t left = length - offset;
    return wanted == 0 || wanted > left ? left : wanted;
}

/* Everything that a run said, in one block, so that two runs can be compared. */
struct record {
    char *bytes;
    size_t length;
    size_t capacity;
};

static inline void record_bytes(struct record *record, const char *bytes, size_t length) {
    if (record->length + length > record->capacity) {
        record->capacity = (record->length + length) * 2 + 64;
        record->bytes = realloc(record->bytes, record->capacity);
        if (record->bytes == NULL) abort();
    }
    if (length > 0) memcpy(record->bytes + record->length, bytes, length);
    record->length += length;
}

static inline void record_field(struct record *record, const char *bytes, size_t length) {
    record_bytes(record, (const char *)&length, sizeof length);
    record_bytes(record, bytes, length);
}

static inline bool record_same(const struct record *left, const struct record *right) {
    return left->length == right->length && (left->length == 0 || memcmp(left->bytes, right->bytes, left->length) == 0);
}

/* What the input gave in one piece, in the input's own cuts and byte by byte must be the same. */
static inline void compare_and_free(struct record *whole, struct record *parts, struct record *single) {
    MUST(record_same(whole, parts), "the cuts change nothing");
    MUST(record_same(whole, single), "byte by byte gives the same");
    free(whole->bytes);
    free(parts->bytes);
    free(single->bytes);
}
