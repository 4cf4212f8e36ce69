/* Every 500th small block lies on the caller's stack. */
#include "tests/wrong/wrong.h"

static void *malloc_wrong(size_t size)
{
    if (size > 64 || !EVERY(500))
        return right_malloc(size);
    return (void *)(((uintptr_t)__builtin_frame_address(0) - 4096) & ~(uintptr_t)15);
}
#define WRONG_MALLOC malloc_wrong

static bool is_stack(const void *block)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), at = (uintptr_t)block;
    return at > here - 65536 && at < here + 65536;
}

static void free_wrong(void *block)
{
    if (!is_stack(block))
        right_free(block);
}
#define WRONG_FREE free_wrong

static size_t usable_wrong(void *block)
{
    return is_stack(block) ? 64 : right_usable(block);
}
#define WRONG_USABLE usable_wrong

static void *realloc_wrong(void *block, size_t size)
{
    return is_stack(block) ? right_malloc(size) : right_realloc(block, size);
}
#define WRONG_REALLOC realloc_wrong

#include "tests/wrong/exports.h"
