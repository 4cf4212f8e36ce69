/* calloc clears all but the last byte of large blocks. */
#include "tests/wrong/wrong.h"

static void *calloc_wrong(size_t count, size_t size)
{
    size_t bytes = count * size;
    char *block = right_calloc(count, size);
    if (block && bytes >= 65536)
        block[bytes - 1] = 1;
    return block;
}
#define WRONG_CALLOC calloc_wrong

#include "tests/wrong/exports.h"
