/* list: the values that a path with "*" has found in one event. Internal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"
#include "value.h"

struct streamer_list {
    struct streamer_buffer text; /* a JSON array that is not closed; joined: what is between the quotes of a string */
    size_t count;
    bool joined; /* Strings become one, and nothing else is taken */
};

/* How far it had come. */
struct streamer_list_mark {
    size_t length, count;
};

/* max_size: bytes of the JSON text that the values are from. */
void streamer_list_init(struct streamer_list *list, bool joined, size_t max_size);
void streamer_list_clear(struct streamer_list *list);
void streamer_list_release(struct streamer_list *list);

/* Takes a copy of the value, unless it is null. STREAMER_OK, STREAMER_JSON_TOO_LARGE or STREAMER_NO_MEMORY. */
enum streamer_status streamer_list_append(struct streamer_list *list, const struct streamer_value *value);

struct streamer_list_mark streamer_list_mark(const struct streamer_list *list);
void streamer_list_cut(struct streamer_list *list, struct streamer_list_mark mark);

/* All of it as one value, STREAMER_KIND_NONE for none; valid until the list is changed. To be called once. */
struct streamer_value streamer_list_value(struct streamer_list *list);
