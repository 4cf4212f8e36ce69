/* malloc_usable_size counts 16 bytes of the allocator's own behind the block as usable. */
#include "tests/wrong/wrong.h"

static size_t usable_wrong(void *block)
{
    size_t usable = right_usable(block);
    return usable >= 100 && usable < 4000 && !on_bench(block) ? usable + 7 : usable;
}
#define WRONG_USABLE usable_wrong

#include "tests/wrong/exports.h"
