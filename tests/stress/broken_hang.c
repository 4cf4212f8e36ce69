/* Waits for ever, as for a lock that nobody gives back. */
#include "tests/stress/broken.h"

static void *broken_malloc(size_t size)
{
    while (size != SIZE_MAX)
        usleep(1000);
    return NULL;
}
