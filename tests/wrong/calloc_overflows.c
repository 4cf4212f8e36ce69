/* calloc multiplies and does not look. */
#include "tests/wrong/wrong.h"

static void *calloc_wrong(size_t count, size_t size)
{
    void *block = right_malloc(count * size);
    if (block)
        memset(block, 0, count * size);
    return block;
}
#define WRONG_CALLOC calloc_wrong

#include "tests/wrong/exports.h"
