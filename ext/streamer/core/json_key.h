/* json_key: whether a key may be in a JSON text, without parsing it. Internal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Whether the key, given in its quotes, occurs anywhere. A key that is written with escapes is not found. */
bool streamer_json_key_occurs(const char *json, size_t length, const char *key, size_t key_length);
