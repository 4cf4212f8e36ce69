/* Finds itself corrupted and says so, as many allocators do. */
#include "tests/stress/broken.h"

static void *broken_malloc(size_t size)
{
    static const char words[] = "broken_abort: free list is corrupt\n";
    if (write(STDERR_FILENO, words, sizeof words - 1) < 0 || size)
        abort();
    abort();
}
