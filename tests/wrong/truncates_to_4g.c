/* Sizes are kept in 32 bits. */
#include "tests/wrong/wrong.h"

static void *malloc_wrong(size_t size)
{
    return right_malloc((uint32_t)size);
}
#define WRONG_MALLOC malloc_wrong

#include "tests/wrong/exports.h"
