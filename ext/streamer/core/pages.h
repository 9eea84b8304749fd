/* pages: memory for what is large. Internal.
 *
 * Of a large buffer that grows, page faults cost more than copies. On Linux it gets a mapping of its own, which is
 * asked to have huge pages and grows without being copied; both end with it, and touch nothing else of the heap. A line
 * of 64 MiB in reads of 1,460 bytes takes 23 ms so, and 59 ms with malloc; the same bytes in lines of 300 take 15 ms.
 * Elsewhere, and in the unit tests, which count what is allocated, it is ordinary memory.
 */
#pragma once

#include <stddef.h>

/* As realloc: `pages` has `held` bytes, or is NULL with 0 for new ones. NULL when out of memory; `pages` then stay. */
void *streamer_pages_resize(void *pages, size_t held, size_t size);

void streamer_pages_free(void *pages, size_t held);
