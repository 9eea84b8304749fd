/* chunks, whatever the reads: the same data and the same state; and whole chunks, taken away from the body's front, are
 * missing from its data and nowhere else. That the last one is not among them is what a connection's reuse hangs on.
 *
 * Input: three bytes of cuts (support.h), then the body. */
#include "chunks.h"

#include "support.h"

static struct record read_body(const char *body, size_t length, struct cut cut, struct streamer_chunks *chunks) {
    struct record data = {0};
    *chunks = (struct streamer_chunks){0};
    for (size_t offset = 0, piece; offset < length; offset += piece) {
        piece = cut_length(&cut, offset, length);
        char *read = exact_copy(body + offset, piece);
        size_t found = streamer_chunks_read(chunks, read, piece, read);
        MUST(found <= piece, "no more data than bytes");
        record_bytes(&data, read, found);
        free(read);
    }
    return data;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    struct input input = {bytes, length};
    struct cut cut = take_cut(&input);
    char *body = exact_copy(input.bytes, input.length);
    struct streamer_chunks at_once, in_parts, front, behind;

    struct record data = read_body(body, input.length, (struct cut){0, 0}, &at_once);
    struct record parts = read_body(body, input.length, cut, &in_parts);
    MUST(record_same(&data, &parts), "the same data");
    MUST(at_once.state == in_parts.state && at_once.digits == in_parts.digits && at_once.size == in_parts.size,
         "the same state");

    size_t whole = streamer_chunks_whole(body, input.length);
    MUST(whole <= input.length, "no more than there is");
    struct record taken = read_body(body, whole, (struct cut){0, 0}, &front);
    MUST(streamer_chunks_between(&front), "behind whole chunks another can begin");
    struct record left = read_body(body + whole, input.length - whole, (struct cut){0, 0}, &behind);
    MUST(behind.state == at_once.state, "the rest ends as the body does");
    record_bytes(&taken, left.bytes, left.length);
    MUST(record_same(&taken, &data), "nothing is lost and nothing comes twice");

    free(body);
    free(data.bytes);
    free(parts.bytes);
    free(taken.bytes);
    free(left.bytes);
    return 0;
}
