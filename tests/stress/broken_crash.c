/* Reads through a bad pointer. */
#include "tests/stress/broken.h"

static void *broken_malloc(size_t size)
{
    const volatile char *bad = (const volatile char *)(uintptr_t)(size & 8);
    return (void *)(uintptr_t)*bad;
}
