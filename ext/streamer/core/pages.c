#define _GNU_SOURCE /* mremap */
#include "pages.h"

#include <stdbool.h>

#if defined(__linux__) && !defined(STREAMER_ALLOC_TEST)

#include <sys/mman.h>

void *streamer_pages_resize(void *pages, size_t held, size_t size) {
    bool is_new = pages == NULL;
    void *resized = is_new ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                           : mremap(pages, held, size, MREMAP_MAYMOVE);
    if (resized == MAP_FAILED) return NULL;
#ifdef MADV_HUGEPAGE
    if (is_new) madvise(resized, size, MADV_HUGEPAGE); /* advice; the mapping keeps it as it grows */
#endif
    return resized;
}

void streamer_pages_free(void *pages, size_t held) {
    munmap(pages, held);
}

#else

#include "alloc.h"

void *streamer_pages_resize(void *pages, size_t held, size_t size) {
    (void)held;
    return streamer_realloc(pages, size);
}

void streamer_pages_free(void *pages, size_t held) {
    (void)held;
    streamer_free(pages);
}

#endif
