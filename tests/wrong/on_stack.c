/* Every 500th small block lies on the caller's stack. */
#include "tests/wrong/wrong.h"

#define MOST 4096

static void *given[MOST]; /* so far */
static _Atomic unsigned given_count;

static void *malloc_wrong(size_t size)
{
    if (size > 64 || !EVERY(500))
        return right_malloc(size);
    unsigned place = atomic_fetch_add(&given_count, 1);
    if (place >= MOST)
        return right_malloc(size);
    given[place] = (void *)(((uintptr_t)__builtin_frame_address(0) - 4096) & ~(uintptr_t)15);
    return given[place];
}
#define WRONG_MALLOC malloc_wrong

static bool is_stack(const void *block)
{
    unsigned count = atomic_load(&given_count);
    for (unsigned i = 0; i < count && i < MOST; i++)
        if (given[i] == block)
            return true;
    return false;
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
