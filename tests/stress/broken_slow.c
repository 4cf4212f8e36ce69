/* Works, but is slow and wastes: what a regression check must find. */
#include "tests/stress/broken.h"

static void *broken_malloc(size_t size)
{
    for (volatile int i = 0; i < 20000; i++)
        continue;
    return __libc_malloc(4 * size + 256);
}
