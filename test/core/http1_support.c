#include "http1_support.h"

#include <stdlib.h>
#include <string.h>

#include "http1_body.h"

/* Not inlined, or GCC 12 takes the subtraction for a use after free. */
static __attribute__((noinline)) enum streamer_status read_part(struct streamer_http1_head *head, const char *part,
                                                                size_t length, size_t *used) {
    char *bytes = exact_copy(part, length);
    const char *cursor = bytes;
    enum streamer_status status = streamer_http1_head_read(head, &cursor, bytes + length);
    *used = (size_t)(cursor - bytes);
    CHECK(*used <= length && (status != STREAMER_MORE || *used == length));
    if (status != STREAMER_MORE) {
        const char *again = bytes;
        CHECK_STATUS(status, streamer_http1_head_read(head, &again, bytes + length));
        CHECK(again == bytes);
    }
    free(bytes);
    return status;
}

size_t transcript_head(struct transcript *transcript, const char *method, const char *text, size_t length,
                       struct cut cut) {
    static const char *const framings[] = {"NONE", "LENGTH", "CHUNKED", "UNTIL_CLOSE"};
    struct streamer_http1_head head;
    enum streamer_status status = STREAMER_MORE;
    size_t all = 0, used;
    streamer_http1_head_init(&head, method);
    for (size_t start = 0; start < length && status == STREAMER_MORE; start = cut_end(cut, start, length)) {
        status = read_part(&head, text + start, cut_end(cut, start, length) - start, &used);
        all += used;
    }
    CHECK(head.line.capacity == 0 || status == STREAMER_MORE);
    if (status == STREAMER_OK) {
        transcript_printf(transcript, "HTTP/1.%d %d, %s", head.version - 10, head.status, framings[head.framing]);
        if (head.framing == STREAMER_BODY_LENGTH) {
            transcript_printf(transcript, " %llu", (unsigned long long)head.content_length);
        }
        transcript_printf(transcript, "%s\n", head.persists ? ", persists" : "");
        transcript_printf(transcript, "%.*s", (int)head.fields.length, head.fields.bytes);
    } else {
        transcript_printf(transcript, "%s\n", streamer_status_name(status));
        all = 0;
    }
    streamer_http1_head_release(&head);
    return all;
}

void transcript_body(struct transcript *transcript, enum streamer_body_framing framing, uint64_t content_length,
                     const char *text, size_t length, struct cut cut) {
    struct streamer_http1_body body;
    size_t all = 0, decoded_length = 0, used, data;
    char *decoded = malloc(length + 1);
    if (decoded == NULL) abort();
    streamer_http1_body_init(&body, framing, content_length);
    enum streamer_status status = streamer_http1_body_read(&body, NULL, 0, &used, &data);
    CHECK(used == 0 && data == 0);
    for (size_t start = 0; start < length && status == STREAMER_MORE; start = cut_end(cut, start, length)) {
        size_t size = cut_end(cut, start, length) - start;
        char *bytes = exact_copy(text + start, size);
        status = streamer_http1_body_read(&body, bytes, size, &used, &data);
        CHECK(data <= used && used <= size && (status != STREAMER_MORE || used == size));
        memcpy(decoded + decoded_length, bytes, data);
        decoded_length += data;
        all += used;
        free(bytes);
    }
    transcript_bytes(transcript, decoded, decoded_length);
    free(decoded);
    transcript_printf(transcript, " %s", streamer_status_name(status));
    if (status == STREAMER_MORE) {
        transcript_printf(transcript, " %s", streamer_status_name(streamer_http1_body_close(&body)));
        return;
    }
    char more[] = "more";
    CHECK_STATUS(status, streamer_http1_body_read(&body, more, 4, &used, &data));
    CHECK(used == 0 && data == 0);
    CHECK_STATUS(status, streamer_http1_body_close(&body));
    if (status == STREAMER_OK) transcript_printf(transcript, " %zu", all);
}
