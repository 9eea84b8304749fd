/* json_key: whether a key or a String may be in a JSON text, without parsing it. Internal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether the key, given in its quotes, occurs anywhere, as a key or as a String. One that is written with escapes is
 * not found. */
bool streamer_json_key_occurs(const char *json, size_t length, const char *key, size_t key_length);
