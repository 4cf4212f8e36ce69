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

#define TRIALS_MAX  32
#define TRIAL_BYTES ((uint64_t)64 << 20) /* of all trials together, but for the first */

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

/* Whether the allocator gives the block's memory to somebody else, if asked often enough. */
static bool is_free(const struct verify_block *block)
{
    uint64_t affordable = 1 + TRIAL_BYTES / (block->size + 1);
    int tries = affordable < TRIALS_MAX ? (int)affordable : TRIALS_MAX;
    uintptr_t address = atomic_load_explicit(&block->address, memory_order_relaxed);
    uintptr_t trials[TRIALS_MAX];
    int made = 0;
    bool again = false;
    while (!again && made < tries) {
        uintptr_t trial = (uintptr_t)malloc(block->size);
        trials[made++] = trial;
        again = trial && trial < address + block->size && address < trial + block->size;
    }
    made -= again; /* the last one is the block itself, which is lost */
    for (int i = 0; i < made; i++)
        replay_free((void *)trials[i]);
    return again; /* NOLINT(clang-analyzer-unix.Malloc) */
}

/* What a failed realloc has done to the block. False: freed it. */
static bool is_kept(struct verify_block *block)
{
    uint64_t wrong = verify_compare(block);
    bool freed = wrong == VERIFY_FAULT || (block->size && is_free(block));
    if (!freed && wrong == PATTERN_OK)
        return true;
    struct engine_violation violation = verify_violation(
        freed ? ENGINE_VIOLATION_REALLOC_FREED : ENGINE_VIOLATION_REALLOC_CHANGED, block);
    violation.offset = freed ? 0 : wrong;
    violation_tell(&violation);
    if (freed)
        verify_taken(block);
    else
        block->flags |= VERIFY_SHARED;
    return !freed;
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
