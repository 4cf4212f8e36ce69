/* Is sound in the first thread and in no other. */
#include "tests/stress/broken.h"

static void *broken_malloc(size_t size)
{
    if (gettid() != getpid())
        *(volatile char *)(uintptr_t)(size & 8) = 1;
    return __libc_malloc(size);
}
