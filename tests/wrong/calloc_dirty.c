/* calloc takes memory that was used before for fresh, every 20th time. */
#include "tests/wrong/wrong.h"

static void *calloc_wrong(size_t count, size_t size)
{
    size_t bytes = count * size;
    if (bytes < 100 || bytes > 1000 || !EVERY(20))
        return right_calloc(count, size);
    return right_malloc(bytes);
}
#define WRONG_CALLOC calloc_wrong

#include "tests/wrong/exports.h"
