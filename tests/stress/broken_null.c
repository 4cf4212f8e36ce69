/* Runs out of memory. */
#include "tests/stress/broken.h"

static void *broken_malloc(size_t size)
{
    (void)size;
    return NULL;
}
