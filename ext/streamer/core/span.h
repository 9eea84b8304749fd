/* A span: bytes that somebody else owns. */
#pragma once

#include <stddef.h>

struct streamer_span {
    const char *bytes; /* may be NULL when length is 0 */
    size_t length;
};
