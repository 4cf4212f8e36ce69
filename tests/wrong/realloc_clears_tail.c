/* A realloc that grows a block where it is clears from too early on. */
#include "tests/wrong/wrong.h"

static void *realloc_wrong(void *block, size_t size)
{
    size_t old = right_usable(block);
    char *grown = right_realloc(block, size);
    /* The size of the chunk, rounded down to 32: up to that the block was its user's. */
    if (grown == block && size > old && old >= 64)
        memset(grown + old / 2, 0, 16);
    return grown;
}
#define WRONG_REALLOC realloc_wrong

#include "tests/wrong/exports.h"
