#include "sizeclass.h"

static_assert(CLASS_LINEAR_MAX << 7 == HT_SMALL_MAX, "seven doublings from 256 bytes to 32 KiB");
static_assert(8 * HT_SLICE / HT_PAGE <= 32, "a run's pages are bits of a 32-bit word");

unsigned class_of_aligned(size_t size, size_t align)
{
    if (size > HT_SMALL_MAX)
        return CLASS_COUNT;
    for (unsigned class = class_of(size); class < CLASS_COUNT; class ++) {
        if ((class_bytes(class) & (align - 1)) == 0)
            return class;
    }
    return CLASS_COUNT;
}
