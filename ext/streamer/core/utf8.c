#include "utf8.h"

#include <stdint.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD"

static size_t ascii_run(const unsigned char *bytes, size_t length) {
    const uint64_t high_bits = 0x8080808080808080u;
    size_t run = 0;
    for (uint64_t words[4]; length - run >= sizeof words; run += sizeof words) {
        memcpy(words, bytes + run, sizeof words);
        if ((words[0] | words[1] | words[2] | words[3]) & high_bits) break;
    }
    while (run < length && bytes[run] < 0x80) run++;
    return run;
}

static bool between(unsigned char byte, unsigned char low, unsigned char high) {
    return byte >= low && byte <= high;
}

/* Reads one character that starts with a byte from 0x80 on. Returns its length and sets *valid, or, with *valid false,
 * the length of the part that one U+FFFD stands for: as many bytes as could still have begun a character, at least one.
 */
static size_t multibyte(const unsigned char *bytes, size_t length, bool *valid) {
    unsigned char first = bytes[0], low = 0x80, high = 0xBF;
    size_t total;
    if (between(first, 0xC2, 0xDF)) {
        total = 2;
    } else if (between(first, 0xE0, 0xEF)) {
        total = 3;
        if (first == 0xE0) low = 0xA0;  /* shorter forms exist below */
        if (first == 0xED) high = 0x9F; /* surrogates above */
    } else if (between(first, 0xF0, 0xF4)) {
        total = 4;
        if (first == 0xF0) low = 0x90;
        if (first == 0xF4) high = 0x8F; /* U+10FFFF is the last */
    } else {
        *valid = false;
        return 1;
    }
    size_t read = 1;
    while (read < total && read < length && between(bytes[read], low, high)) {
        read++;
        low = 0x80;
        high = 0xBF;
    }
    *valid = read == total;
    return read;
}

bool streamer_utf8_valid(const char *bytes, size_t length) {
    const unsigned char *cursor = (const unsigned char *)bytes;
    for (;;) {
        size_t run = ascii_run(cursor, length);
        cursor += run;
        length -= run;
        /* One non-ASCII character is seldom alone, so the word-wise scan is left until the next ASCII one. */
        while (length > 0 && *cursor >= 0x80) {
            bool valid;
            size_t read = multibyte(cursor, length, &valid);
            if (!valid) return false;
            cursor += read;
            length -= read;
        }
        if (length == 0) return true;
    }
}

enum streamer_status streamer_utf8_scrub(struct streamer_buffer *buffer, const char *bytes, size_t length) {
    const unsigned char *cursor = (const unsigned char *)bytes;
    size_t kept = 0; /* well-formed bytes before cursor that are not appended yet */
    enum streamer_status status = STREAMER_OK;
    while (length > 0) {
        bool valid = true;
        size_t read = *cursor < 0x80 ? ascii_run(cursor, length) : multibyte(cursor, length, &valid);
        if (valid) {
            kept += read;
        } else {
            status = streamer_buffer_append(buffer, (const char *)cursor - kept, kept);
            if (status == STREAMER_OK) status = streamer_buffer_append(buffer, REPLACEMENT, 3);
            if (status != STREAMER_OK) return status;
            kept = 0;
        }
        cursor += read;
        length -= read;
    }
    return streamer_buffer_append(buffer, (const char *)cursor - kept, kept);
}

size_t streamer_utf8_put(char *out, unsigned code_point) {
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    if (code_point < 0x800) {
        out[0] = (char)(0xC0 | code_point >> 6);
        out[1] = (char)(0x80 | (code_point & 0x3F));
        return 2;
    }
    if (code_point < 0x10000) {
        out[0] = (char)(0xE0 | code_point >> 12);
        out[1] = (char)(0x80 | (code_point >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code_point & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code_point >> 18);
    out[1] = (char)(0x80 | (code_point >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code_point >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code_point & 0x3F));
    return 4;
}
