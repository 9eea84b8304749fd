#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#include "test.h"

/* The decoder of the Encoding Standard, 8.1.1, a byte at a time as it is written there. Its output is UTF-8 again. */
static void standard_decode(struct streamer_buffer *out, const char *bytes, size_t length) {
    unsigned code_point = 0;
    int seen = 0, needed = 0, lower = 0x80, upper = 0xBF;
    char put[4];
    for (size_t i = 0; i < length;) {
        int byte = (unsigned char)bytes[i];
        if (needed == 0) {
            i++;
            if (byte <= 0x7F) {
                streamer_buffer_append(out, bytes + i - 1, 1);
            } else if (byte >= 0xC2 && byte <= 0xDF) {
                needed = 1;
                code_point = byte & 0x1F;
            } else if (byte >= 0xE0 && byte <= 0xEF) {
                if (byte == 0xE0) lower = 0xA0;
                if (byte == 0xED) upper = 0x9F;
                needed = 2;
                code_point = byte & 0xF;
            } else if (byte >= 0xF0 && byte <= 0xF4) {
                if (byte == 0xF0) lower = 0x90;
                if (byte == 0xF4) upper = 0x8F;
                needed = 3;
                code_point = byte & 0x7;
            } else {
                streamer_buffer_append(out, "\xEF\xBF\xBD", 3);
            }
            continue;
        }
        if (byte < lower || byte > upper) {
            code_point = 0;
            needed = seen = 0;
            lower = 0x80;
            upper = 0xBF;
            streamer_buffer_append(out, "\xEF\xBF\xBD", 3);
            continue; /* with the same byte */
        }
        i++;
        lower = 0x80;
        upper = 0xBF;
        code_point = code_point << 6 | (byte & 0x3F);
        if (++seen < needed) continue;
        streamer_buffer_append(out, put, streamer_utf8_put(put, code_point));
        code_point = 0;
        needed = seen = 0;
    }
    if (needed > 0) streamer_buffer_append(out, "\xEF\xBF\xBD", 3);
}

static void compare_with_the_standard(const char *bytes, size_t length) {
    struct streamer_buffer expected, scrubbed;
    streamer_buffer_init(&expected, 1 << 20);
    streamer_buffer_init(&scrubbed, 1 << 20);
    char *input = exact_copy(bytes, length);
    standard_decode(&expected, input, length);
    CHECK_STATUS(STREAMER_OK, streamer_utf8_scrub(&scrubbed, input, length));
    bool same = expected.length == scrubbed.length &&
                (expected.length == 0 || memcmp(expected.bytes, scrubbed.bytes, expected.length) == 0);
    bool untouched = expected.length == length && (length == 0 || memcmp(expected.bytes, input, length) == 0);
    if (!same || streamer_utf8_valid(input, length) != untouched) {
        struct transcript about = {0};
        transcript_bytes(&about, bytes, length);
        test_about(about.text);
        CHECK(same);
        CHECK(streamer_utf8_valid(input, length) == untouched);
        test_about(NULL);
        transcript_free(&about);
    }
    free(input);
    streamer_buffer_release(&expected);
    streamer_buffer_release(&scrubbed);
}

static void replaces_as_the_standard_does_every_mix_of_boundary_bytes(void) {
    static const unsigned char boundary[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC1,
                                             0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF4, 0xF5, 0xFF};
    const unsigned count = sizeof boundary;
    for (unsigned i = 0; i < count * count * count * count; i++) {
        char bytes[4] = {(char)boundary[i % count], (char)boundary[i / count % count],
                         (char)boundary[i / count / count % count], (char)boundary[i / count / count / count]};
        compare_with_the_standard(bytes, 4);
    }
}

static void finds_a_bad_byte_at_any_place(void) {
    for (size_t length = 0; length <= 100; length++) {
        char bytes[100];
        memset(bytes, 'a', sizeof bytes);
        compare_with_the_standard(bytes, length);
        for (size_t at = 0; at < length; at++) {
            memset(bytes, 'a', sizeof bytes);
            bytes[at] = '\xE2';
            compare_with_the_standard(bytes, length);
            bytes[at] = '\xC3';
            if (at + 1 < length) bytes[at + 1] = '\xA9';
            compare_with_the_standard(bytes, length);
        }
    }
}

static void writes_every_code_point(void) {
    bool good = true;
    for (unsigned code_point = 0; code_point <= 0x10FFFF; code_point++) {
        if (code_point >= 0xD800 && code_point <= 0xDFFF) continue;
        char bytes[4];
        size_t length = streamer_utf8_put(bytes, code_point);
        good = good && streamer_utf8_valid(bytes, length);
    }
    CHECK(good);
    char bytes[4];
    CHECK(streamer_utf8_put(bytes, 0x10FFFF) == 4 && memcmp(bytes, "\xF4\x8F\xBF\xBF", 4) == 0);
    CHECK(streamer_utf8_put(bytes, 0x20AC) == 3 && memcmp(bytes, "\xE2\x82\xAC", 3) == 0);
}

static void stops_at_the_limit(void) {
    struct streamer_buffer buffer;
    streamer_buffer_init(&buffer, 8);
    CHECK_STATUS(STREAMER_FULL, streamer_utf8_scrub(&buffer, "\xFF\xFF\xFF", 3));
    streamer_buffer_release(&buffer);
}

void utf8_tests(void) {
    RUN(replaces_as_the_standard_does_every_mix_of_boundary_bytes);
    RUN(finds_a_bad_byte_at_any_place);
    RUN(writes_every_code_point);
    RUN(stops_at_the_limit);
}
