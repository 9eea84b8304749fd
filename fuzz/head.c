/* An HTTP/1.1 response head, whatever the reads: the same fields and framing or the same failure, behind the same byte;
 * and what is kept is normal: kept again it is the same.
 *
 * Input: one byte for the method, three of cuts (support.h), then the stream. */
#include "fields.h"
#include "format.h"
#include "http1_head.h"
#include "support.h"

static void check_fields(const struct streamer_buffer *fields) {
    struct streamer_buffer again;
    streamer_buffer_init(&again, fields->limit);
    for (size_t at = 0; at < fields->length;) {
        const char *line = fields->bytes + at;
        const char *end = memchr(line, '\n', fields->length - at), *colon = memchr(line, ':', fields->length - at);
        MUST(end != NULL && colon != NULL && colon < end && colon[1] == ' ', "a line is a name and a value");
        MUST(streamer_fields_add(&again, line, (size_t)(colon - line), colon + 1, (size_t)(end - colon - 1)) ==
                 STREAMER_OK,
             "what is kept is a field");
        at += (size_t)(end - line) + 1;
    }
    MUST(again.length == fields->length && (again.length == 0 || memcmp(again.bytes, fields->bytes, again.length) == 0),
         "what is kept is normal");
    streamer_buffer_release(&again);

    struct streamer_media_type type;
    enum streamer_format format;
    struct streamer_span member;
    struct streamer_fields_list list = {0};
    bool known = streamer_fields_content_type(fields, &type);
    MUST(known == (type.essence_length > 0), "a known media type has an essence");
    MUST(known || streamer_format_of_fields(fields, &format), "a format is told where no media type is");
    while (streamer_fields_next_member(fields, "connection", &list, &member)) {
        MUST(member.length > 0 && member.bytes >= fields->bytes &&
                 member.bytes + member.length <= fields->bytes + fields->length,
             "a member lies in the fields");
    }
}

static struct record run(const char *method, struct input stream, struct cut cut) {
    struct record record = {0};
    struct streamer_http1_head head;
    enum streamer_status status = STREAMER_MORE;
    size_t used = 0;
    streamer_http1_head_init(&head, method);

    for (size_t offset = 0, length; offset < stream.length && status == STREAMER_MORE; offset += length) {
        length = cut_length(&cut, offset, stream.length);
        char *read = exact_copy(stream.bytes + offset, length);
        const char *cursor = read;
        status = streamer_http1_head_read(&head, &cursor, read + length);
        MUST(cursor >= read && cursor <= read + length, "the cursor stays in the read");
        MUST(status != STREAMER_MORE || cursor == read + length, "a head that asks for more has read everything");
        used += (size_t)(cursor - read);
        if (status != STREAMER_MORE) {
            MUST(streamer_http1_head_read(&head, &cursor, read + length) == status, "an end is final");
        }
        free(read);
    }

    record_field(&record, (const char *)&status, sizeof status);
    if (status == STREAMER_OK) {
        MUST(head.status >= 200 && head.status <= 999 && (head.version == 10 || head.version == 11),
             "a final response");
        MUST(!head.persists || head.framing != STREAMER_BODY_UNTIL_CLOSE, "a connection persists behind an end");
        MUST(head.content_length <= INT64_MAX, "a length is no overflow");
        check_fields(&head.fields);
        record_field(&record, (const char *)&used, sizeof used);
        record_field(&record, (const char *)&head.version, sizeof head.version);
        record_field(&record, (const char *)&head.status, sizeof head.status);
        record_field(&record, (const char *)&head.framing, sizeof head.framing);
        record_field(&record, (const char *)&head.content_length, sizeof head.content_length);
        record_field(&record, (const char *)&head.persists, sizeof head.persists);
        record_field(&record, head.fields.bytes, head.fields.length);
    }
    streamer_http1_head_release(&head);
    return record;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    static const char *const methods[] = {"GET", "HEAD", "CONNECT", "POST"};
    struct input input = {bytes, length};
    const char *method = methods[take_byte(&input) % 4];
    struct cut cut = take_cut(&input);

    struct record whole = run(method, input, (struct cut){0, 0});
    struct record parts = run(method, input, cut);
    struct record single = run(method, input, (struct cut){1, 1});
    compare_and_free(&whole, &parts, &single);
    return 0;
}
