/* Takes and touches a megabyte for each block and never gives one back. */
#include "tests/stress/broken.h"

#define TAKEN ((size_t)1 << 20)

static void *broken_malloc(size_t size)
{
    char *taken = mmap(NULL, TAKEN, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (taken == MAP_FAILED)
        return NULL;
    return size < TAKEN ? __libc_malloc(size) : NULL;
}
