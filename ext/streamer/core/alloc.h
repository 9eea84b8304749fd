/* Where the core's memory comes from. Internal.
 *
 * With STREAMER_ALLOC_TEST the unit tests stand in between: they count what is held and make the n-th request fail. */
#pragma once

#include <stdlib.h>

#ifdef STREAMER_ALLOC_TEST
void *streamer_malloc(size_t size);
void *streamer_realloc(void *memory, size_t size);
void streamer_free(void *memory);
#else
#define streamer_malloc malloc
#define streamer_realloc realloc
#define streamer_free free
#endif
