/* HTTP/2 frames written by hand, for what no library would send. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };

struct wire {
    char *bytes;
    size_t length;
    size_t capacity;
};

static inline void wire_bytes(struct wire *wire, const void *bytes, size_t length) {
    if (wire->length + length > wire->capacity) {
        wire->capacity = (wire->length + length) * 2;
        wire->bytes = realloc(wire->bytes, wire->capacity);
        if (wire->bytes == NULL) abort();
    }
    if (length > 0) memcpy(wire->bytes + wire->length, bytes, length);
    wire->length += length;
}

static inline void wire_free(struct wire *wire) {
    free(wire->bytes);
    *wire = (struct wire){0};
}

static inline void wire_number(struct wire *wire, uint32_t number, int bytes) {
    while (bytes-- > 0) wire_bytes(wire, &(char){(char)(number >> (8 * bytes))}, 1);
}

static inline void wire_frame_head(struct wire *wire, size_t length, int type, int flags, uint32_t id) {
    wire_number(wire, (uint32_t)length, 3);
    wire_number(wire, (uint32_t)type, 1);
    wire_number(wire, (uint32_t)flags, 1);
    wire_number(wire, id, 4);
}

static inline void wire_frame(struct wire *wire, int type, int flags, uint32_t id, const void *payload, size_t length) {
    wire_frame_head(wire, length, type, flags, id);
    wire_bytes(wire, payload, length);
}

/* A frame whose payload is numbers of four bytes. */
static inline void wire_words(struct wire *wire, int type, int flags, uint32_t id, const uint32_t *words,
                              size_t count) {
    wire_frame_head(wire, count * 4, type, flags, id);
    for (size_t i = 0; i < count; i++) wire_number(wire, words[i], 4);
}

#define WORDS(wire, type, id, ...) \
    wire_words(wire, type, 0, id, (const uint32_t[]){__VA_ARGS__}, sizeof(uint32_t[]){__VA_ARGS__} / sizeof(uint32_t))

static inline void wire_setting(struct wire *wire, int name, uint32_t value) {
    wire_frame_head(wire, 6, SETTINGS, 0, 0);
    wire_number(wire, (uint32_t)name, 2);
    wire_number(wire, value, 4);
}

/* HPACK without a table: a literal that is not indexed. */
static inline void wire_literal(struct wire *wire, const char *name, const char *value) {
    wire_bytes(wire, "\0", 1);
    const char *strings[] = {name, value};
    for (int i = 0; i < 2; i++) {
        size_t length = strlen(strings[i]);
        if (length < 127) {
            wire_number(wire, (uint32_t)length, 1);
        } else {
            wire_number(wire, 127, 1);
            size_t rest = length - 127;
            for (; rest >= 128; rest /= 128) wire_number(wire, (uint32_t)(rest % 128 + 128), 1);
            wire_number(wire, (uint32_t)rest, 1);
        }
        wire_bytes(wire, strings[i], length);
    }
}

/* A block of "name: value" fields with | in between. */
static inline void wire_fields(struct wire *wire, const char *fields) {
    char *copy = strdup(fields), *state = NULL;
    for (char *field = strtok_r(copy, "|", &state); field != NULL; field = strtok_r(NULL, "|", &state)) {
        char *colon = strstr(field + 1, ": ");
        if (colon == NULL) abort();
        *colon = '\0';
        wire_literal(wire, field, colon + 2);
    }
    free(copy);
}

static inline void wire_data(struct wire *wire, int flags, uint32_t id, const char *string) {
    wire_frame(wire, DATA, flags, id, string, strlen(string));
}
