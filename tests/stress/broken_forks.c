/* Leaves a process behind that never ends and holds the output open, then dies. */
#include "tests/stress/broken.h"

static void *broken_malloc(size_t size)
{
    if (fork() == 0)
        for (;;)
            usleep(100000);
    *(volatile char *)(uintptr_t)(size & 8) = 1;
    return NULL;
}
