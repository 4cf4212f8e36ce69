/* Keeps 32 KiB more with each block: grows slowly and for ever. */
#include "tests/stress/broken.h"

#define LEAKED ((size_t)32 << 10)

static void *broken_malloc(size_t size)
{
    void *leaked = __libc_malloc(LEAKED);
    if (leaked)
        memset(leaked, 1, LEAKED);
    return __libc_malloc(size);
}
