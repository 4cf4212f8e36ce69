/*
 * The C names. Each hook passes the call to the next allocator and records it: frees and the begin
 * of a realloc before, everything else after. malloc, calloc, realloc and free try the fast path
 * first. It holds nothing over the real call, which so may be interrupted by a handler that
 * allocates; that it may not call itself by the public names is why it is for glibc's alone.
 *
 * A call that is not to be recorded (see lane.h) is passed on as it is; before the next allocator
 * is known, the bootstrap arena serves it.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder/preload/bootstrap.h"
#include "recorder/preload/lane.h"
#include "recorder/preload/next.h"

#define EXPORT __attribute__((visibility("default")))
/* What several names share. Inlined, so that lane_enter() sees the caller's address; given where
 * the next function will be, since lane_enter() may be what finds it. */
#define HOOK static inline __attribute__((always_inline))

static unsigned log2_of(size_t alignment)
{
    return alignment ? (unsigned)__builtin_ctzl(alignment) : 0;
}

/* ---- calls that are not recorded -------------------------------------------------------------
 */

static void *bootstrap_or_fail(size_t size, size_t alignment)
{
    void *block = bootstrap_allocate(size, alignment);
    if (!block)
        errno = ENOMEM;
    return block;
}

static __attribute__((noinline, cold)) void *unrecorded_malloc(size_t size)
{
    return next.malloc ? next.malloc(size) : bootstrap_or_fail(size, 16);
}

static __attribute__((noinline, cold)) void *unrecorded_calloc(size_t count, size_t size)
{
    if (next.malloc)
        return next.calloc(count, size);
    if (__builtin_mul_overflow(count, size, &size)) {
        errno = ENOMEM;
        return NULL;
    }
    return bootstrap_or_fail(size, 16);
}

static __attribute__((noinline, cold)) void *unrecorded_realloc(void *old, size_t size)
{
    return next.malloc ? next.realloc(old, size) : bootstrap_or_fail(size, 16);
}

/* A block of the bootstrap arena moves into the real heap, where it is a new one. */
static __attribute__((noinline, cold)) void *realloc_bootstrap(void *old, size_t size)
{
    size_t keep = bootstrap_size(old);
    void *block = next.malloc ? malloc(size) : bootstrap_or_fail(size, 16);
    if (block)
        memcpy(block, old, keep < size ? keep : size);
    return block;
}

/* ---- the hooks -------------------------------------------------------------------------------
 */

static bool is_fast(void)
{
    return likely(lane_mode_is_fast(atomic_load_explicit(&wiped.mode, memory_order_relaxed)));
}

/* After a call that the fast path could not record. */
static __attribute__((noinline, cold)) void *record_late(void *block, unsigned kind, uint64_t value)
{
    struct ring_lane *lane = lane_enter();
    if (lane)
        lane_leave(lane_record(lane, kind, block, value, 0));
    return block;
}

static __attribute__((noinline)) void *general_malloc(size_t size, const void *caller)
{
    struct ring_lane *lane = lane_enter_from(caller);
    if (unlikely(!lane))
        return unrecorded_malloc(size);
    void *block = next.malloc(size);
    lane_leave(lane_record_from(lane, RAW_MALLOC, block, size, 0, caller));
    return block;
}

EXPORT void *malloc(size_t size)
{
    if (!is_fast())
        return general_malloc(size, __builtin_return_address(0));
    void *block = next.malloc(size);
    if (unlikely(!lane_record_fast(RAW_MALLOC, block, size)))
        return record_late(block, RAW_MALLOC, size);
    return block;
}

static __attribute__((noinline)) void *general_calloc(size_t count, size_t size, const void *caller)
{
    struct ring_lane *lane = lane_enter_from(caller);
    if (unlikely(!lane))
        return unrecorded_calloc(count, size);
    void *block = next.calloc(count, size);
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        bytes = SIZE_MAX;
    lane_leave(lane_record_from(lane, RAW_CALLOC, block, bytes, 0, caller));
    return block;
}

EXPORT void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (!is_fast() || unlikely(__builtin_mul_overflow(count, size, &bytes)))
        return general_calloc(count, size, __builtin_return_address(0));
    void *block = next.calloc(count, size);
    if (unlikely(!lane_record_fast(RAW_CALLOC, block, bytes)))
        return record_late(block, RAW_CALLOC, bytes);
    return block;
}

static __attribute__((noinline)) void general_free(void *block, const void *caller)
{
    if (unlikely(bootstrap_owns(block)))
        return;
    struct ring_lane *lane = lane_enter_from(caller);
    if (unlikely(!lane)) {
        if (next.free) /* else it came from where nobody knows, and it stays */
            next.free(block);
        return;
    }
    lane = lane_record(lane, RAW_FREE, block, 0, 0);
    next.free(block);
    lane_leave(lane);
}

HOOK void record_free(void *block)
{
    if (!is_fast() || unlikely(bootstrap_owns_in_arena(block))) {
        general_free(block, __builtin_return_address(0));
        return;
    }
    if (unlikely(!lane_record_fast(RAW_FREE, block, 0)))
        record_late(block, RAW_FREE, 0);
    next.free(block);
}

EXPORT void free(void *block)
{
    record_free(block);
}

static __attribute__((noinline)) void *general_realloc(void *old, size_t size, const void *caller)
{
    if (unlikely(bootstrap_owns(old)))
        return realloc_bootstrap(old, size);
    struct ring_lane *lane = lane_enter_from(caller);
    if (unlikely(!lane))
        return unrecorded_realloc(old, size);
    lane = lane_record_from(lane, RAW_REALLOC_BEGIN, old, size, 0, caller);
    void *block = next.realloc(old, size);
    lane_leave(lane_record_from(lane, RAW_REALLOC_END, block, size, 0, caller));
    return block;
}

HOOK void *record_realloc(void *old, size_t size)
{
    if (!is_fast() || unlikely(bootstrap_owns_in_arena(old)))
        return general_realloc(old, size, __builtin_return_address(0));
    if (unlikely(!lane_record_fast(RAW_REALLOC_BEGIN, old, size)))
        record_late(old, RAW_REALLOC_BEGIN, size);
    void *block = next.realloc(old, size);
    if (unlikely(!lane_record_fast(RAW_REALLOC_END, block, size)))
        return record_late(block, RAW_REALLOC_END, size);
    return block;
}

EXPORT void *realloc(void *old, size_t size)
{
    return record_realloc(old, size);
}

/* What glibc's does, without its call of realloc by the public name. */
EXPORT void *reallocarray(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (!__builtin_mul_overflow(count, size, &bytes))
        return record_realloc(old, bytes);
    struct ring_lane *lane = lane_enter();
    if (lane) {
        lane = lane_record(lane, RAW_REALLOC_BEGIN, old, SIZE_MAX, 0);
        lane_leave(lane_record(lane, RAW_REALLOC_END, NULL, SIZE_MAX, 0));
    }
    errno = ENOMEM;
    return NULL;
}

HOOK void *record_aligned(void *(**function)(size_t, size_t), size_t alignment, size_t size)
{
    struct ring_lane *lane = lane_enter();
    if (unlikely(!lane))
        return next.malloc ? (*function)(alignment, size) : bootstrap_or_fail(size, alignment);
    void *block = (*function)(alignment, size);
    lane_leave(lane_record(lane, RAW_ALIGNED, block, size, log2_of(alignment)));
    return block;
}

EXPORT void *memalign(size_t alignment, size_t size)
{
    return record_aligned(&next.memalign, alignment, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    return record_aligned(&next.aligned_alloc, alignment, size);
}

EXPORT int posix_memalign(void **ret_block, size_t alignment, size_t size)
{
    struct ring_lane *lane = lane_enter();
    if (unlikely(!lane)) {
        if (next.malloc)
            return next.posix_memalign(ret_block, alignment, size);
        void *block = bootstrap_allocate(size, alignment);
        if (block)
            *ret_block = block;
        return block ? 0 : ENOMEM;
    }
    int result = next.posix_memalign(ret_block, alignment, size);
    lane_leave(
        lane_record(lane, RAW_ALIGNED, result ? NULL : *ret_block, size, log2_of(alignment)));
    return result;
}

HOOK void *record_page_aligned(void *(**function)(size_t), size_t size)
{
    struct ring_lane *lane = lane_enter();
    if (unlikely(!lane))
        return next.malloc ? (*function)(size) : bootstrap_or_fail(size, 4096);
    void *block = (*function)(size);
    lane_leave(lane_record(lane, RAW_ALIGNED, block, size, log2_of((size_t)sysconf(_SC_PAGESIZE))));
    return block;
}

EXPORT void *valloc(size_t size)
{
    return record_page_aligned(&next.valloc, size);
}

EXPORT void *pvalloc(size_t size)
{
    return record_page_aligned(&next.pvalloc, size);
}

EXPORT size_t malloc_usable_size(void *block)
{
    if (unlikely(bootstrap_owns(block)))
        return bootstrap_size(block);
    if (!block)
        return 0;
    struct ring_lane *lane = lane_enter();
    if (unlikely(!lane))
        return next.malloc_usable_size ? next.malloc_usable_size(block) : 0;
    size_t usable = next.malloc_usable_size(block);
    lane_leave(lane_record(lane, RAW_USABLE_SIZE, block, 0, 0));
    return usable;
}

/* ---- newer and older names -------------------------------------------------------------------
 */

/* C23's; where the allocator has none, it is free() that the program would be linked with. */
EXPORT void free_sized(void *block, size_t size);
EXPORT void free_sized(void *block, size_t size)
{
    static void (*function)(void *, size_t);
    static bool looked;
    if (!looked) {
        *(void **)&function = next_symbol("free_sized");
        looked = true;
    }
    if (!function || !next_contains((const void *)(uintptr_t)function) || bootstrap_owns(block)) {
        record_free(block);
        return;
    }
    struct ring_lane *lane = lane_enter();
    if (!lane) {
        function(block, size);
        return;
    }
    lane = lane_record(lane, RAW_FREE, block, 0, 0);
    function(block, size);
    lane_leave(lane);
}

EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size);
EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size)
{
    (void)alignment;
    (void)size;
    record_free(block);
}

EXPORT void cfree(void *block);
EXPORT void cfree(void *block)
{
    record_free(block);
}
