#include "buffer.h"

#include <string.h>

#include "ceilings.h"
#include "test.h"

static void appends_up_to_its_limit_and_not_beyond(void) {
    struct streamer_buffer buffer;
    streamer_buffer_init(&buffer, 100);
    for (int i = 0; i < 10; i++) CHECK_STATUS(STREAMER_OK, streamer_buffer_append(&buffer, "0123456789", 10));
    CHECK(buffer.length == 100 && buffer.capacity <= 100);
    CHECK(memcmp(buffer.bytes + 90, "0123456789", 10) == 0);
    CHECK_STATUS(STREAMER_FULL, streamer_buffer_append(&buffer, "x", 1));
    CHECK_STATUS(STREAMER_OK, streamer_buffer_append(&buffer, "", 0));
    CHECK_STATUS(STREAMER_FULL, streamer_buffer_reserve(&buffer, SIZE_MAX));
    CHECK(buffer.length == 100);
    streamer_buffer_release(&buffer);
}

static void owns_nothing_before_the_first_append(void) {
    struct streamer_buffer buffer;
    streamer_buffer_init(&buffer, 100);
    CHECK_STATUS(STREAMER_OK, streamer_buffer_append(&buffer, "", 0));
    CHECK(buffer.bytes == NULL && buffer.capacity == 0);
}

static void asks_seldom_when_it_grows_byte_by_byte(void) {
    struct streamer_buffer buffer;
    streamer_buffer_init(&buffer, 1 << 20);
    size_t before = heap_requests();
    for (int i = 0; i < 1 << 20; i++) streamer_buffer_append(&buffer, "x", 1);
    CHECK(buffer.length == 1 << 20);
    CHECK(heap_requests() - before <= 20);
    streamer_buffer_release(&buffer);
}

static void gives_back_what_is_beyond_keep_when_cleared(void) {
    struct streamer_buffer buffer;
    streamer_buffer_init(&buffer, STREAMER_KEEP * 4);
    streamer_buffer_reserve(&buffer, STREAMER_KEEP);
    streamer_buffer_clear(&buffer);
    CHECK(buffer.capacity == STREAMER_KEEP && buffer.length == 0);
    streamer_buffer_reserve(&buffer, STREAMER_KEEP + 1);
    streamer_buffer_clear(&buffer);
    CHECK(buffer.capacity == 0 && buffer.bytes == NULL && buffer.limit == STREAMER_KEEP * 4);
}

static void stays_as_it_was_when_memory_fails(void) {
    struct streamer_buffer buffer;
    streamer_buffer_init(&buffer, 1000);
    streamer_buffer_append(&buffer, "abc", 3);
    heap_fail_at(1);
    CHECK_STATUS(STREAMER_NO_MEMORY, streamer_buffer_reserve(&buffer, 500));
    CHECK(buffer.length == 3 && memcmp(buffer.bytes, "abc", 3) == 0);
    heap_fail_at(0);
    streamer_buffer_release(&buffer);
}

static void every_status_has_a_name_and_a_message(void) {
    CHECK_TEXT("OK", streamer_status_name(STREAMER_OK));
    CHECK_TEXT("LINE_TOO_LONG", streamer_status_name(STREAMER_LINE_TOO_LONG));
    CHECK_TEXT("UNKNOWN", streamer_status_name((enum streamer_status)99));
    for (int status = STREAMER_OK; status <= STREAMER_REQUEST_INVALID; status++) {
        const char *message = streamer_status_message((enum streamer_status)status);
        CHECK(strlen(message) > 0 && message[strlen(message) - 1] != '.');
    }
}

static void keeps_its_bytes_when_it_becomes_large(void) {
    struct streamer_buffer buffer;
    streamer_buffer_init(&buffer, (size_t)20 << 20);
    for (uint32_t n = 0; buffer.length < (size_t)17 << 20; n++) {
        CHECK_STATUS(STREAMER_OK, streamer_buffer_append(&buffer, (const char *)&n, sizeof n));
    }
    size_t wrong = 0;
    for (uint32_t n = 0; n < buffer.length / sizeof n; n++) {
        wrong += memcmp(buffer.bytes + n * sizeof n, &n, sizeof n) != 0;
    }
    CHECK(wrong == 0 && heap_blocks() == 1 && heap_bytes() == buffer.capacity);
    streamer_buffer_clear(&buffer);
    CHECK(heap_blocks() == 0);
}

void buffer_tests(void) {
    RUN(keeps_its_bytes_when_it_becomes_large);
    RUN(appends_up_to_its_limit_and_not_beyond);
    RUN(owns_nothing_before_the_first_append);
    RUN(asks_seldom_when_it_grows_byte_by_byte);
    RUN(gives_back_what_is_beyond_keep_when_cleared);
    RUN(stays_as_it_was_when_memory_fails);
    RUN(every_status_has_a_name_and_a_message);
}
