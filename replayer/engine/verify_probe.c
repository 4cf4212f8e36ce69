/*
 * Calls that no tape has: those that must fail. A program meets them when memory runs out, an
 * allocator's author seldom does.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include "replayer/engine/pattern.h"
#include "replayer/engine/thread_tls.h"
#include "replayer/engine/verify.h"
#include "replayer/engine/violation.h"
#include "traces/event.h"

/* More than any object can have (C: PTRDIFF_MAX). Volatile: compilers know that it must fail. */
static volatile size_t impossible = (size_t)PTRDIFF_MAX + 1;

/* NULL is right. Else a block for a size that nothing can have. */
static void expect_null(void *address, int error, uint8_t kind, uint64_t size)
{
    verify_now.kind = kind;
    struct engine_violation violation = verify_violation(ENGINE_VIOLATION_IMPOSSIBLE, NULL);
    violation.address = (uintptr_t)address;
    violation.size = size;
    violation.found = (uint64_t)error;
    if (address) {
        violation_tell(&violation);
    } else if (error != ENOMEM) {
        violation.kind = ENGINE_VIOLATION_NULL_ERRNO;
        violation_tell(&violation);
    }
}

/* Whether the allocator gives the block's memory to somebody else. */
static bool is_free(const struct verify_block *block, uintptr_t address)
{
    char *trial = malloc(block->size);
    bool again = trial && (uintptr_t)trial < address + block->size &&
                 address < (uintptr_t)trial + block->size;
    if (!again)
        replay_free(trial); /* else it is the block itself, which is lost */
    return again;
}

/* What a failed realloc has done to the block. */
static bool is_kept(struct verify_block *block)
{
    uintptr_t address = atomic_load_explicit(&block->address, memory_order_relaxed);
    uint64_t wrong = verify_compare(block);
    if (wrong == VERIFY_FAULT || (block->size && is_free(block, address))) {
        struct engine_violation violation = verify_violation(ENGINE_VIOLATION_REALLOC_FREED, block);
        violation_tell(&violation);
        verify_taken(block);
        return false;
    }
    if (wrong != PATTERN_OK) {
        struct engine_violation violation =
            verify_violation(ENGINE_VIOLATION_REALLOC_CHANGED, block);
        violation.offset = wrong;
        violation_tell(&violation);
        block->flags |= VERIFY_SHARED;
    }
    return true;
}

bool verify_failing_realloc(struct verify_block *block)
{
    uintptr_t before = atomic_load_explicit(&block->address, memory_order_relaxed);
    uint8_t kind = verify_now.kind;
    verify_sound(block);
    errno = 0;
    void *address = realloc((void *)before, impossible);
    expect_null(address, errno, TAPE_REALLOC, impossible);
    block->flags |= VERIFY_ATTEMPT;
    bool kept = !address && is_kept(block);
    if (address) /* whose the memory is now nobody knows */
        verify_taken(block);
    verify_now.kind = kind;
    return kept;
}

void verify_impossible_sizes(void)
{
    void *address = NULL;
    errno = 0;
    address = malloc(impossible);
    expect_null(address, errno, TAPE_MALLOC, impossible);
    errno = 0;
    address = replay_calloc(impossible / 2, 4); /* 2^64: 0 to who forgets the carry */
    expect_null(address, errno, TAPE_CALLOC, UINT64_MAX);
    errno = 0;
    address = replay_calloc(impossible / 2 + 1, 4); /* 4 likewise */
    expect_null(address, errno, TAPE_CALLOC, UINT64_MAX);
    errno = 0;
    address = realloc(NULL, impossible + (impossible - 4096));
    expect_null(address, errno, TAPE_REALLOC_NEW, SIZE_MAX - 4096);
    address = NULL;
    int error = posix_memalign(&address, 4096, impossible);
    expect_null(error ? NULL : address, error, TAPE_ALIGNED, impossible);
}
