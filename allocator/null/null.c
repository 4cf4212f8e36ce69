/*
 * The null allocator: the whole malloc family at the least cost that still gives memory which may
 * be written. It measures the replay engine's own cost (the floor) and is no allocator for
 * programs: it hands the same memory out again and again.
 *
 * How. One large address range is reserved, never all resident. A thread bumps a cursor through
 * memory of its own; where the cursor reaches the end of it, it starts again from the ring's base.
 *
 *   [ early 64 KiB | ring of thread 1 | ring of thread 2 | ... | tail: room behind any ring ]
 *
 * The first thread starts in the early part, which is never handed out twice: what the loader and
 * libc asked for before main() stays theirs (and zeroed). Rings are RING_BYTES each and populated
 * when first used, so that the floor holds no page faults. A block larger than what is left in the
 * ring reaches into what lies behind; a block may be up to TAIL_BYTES minus the rings, and writing
 * to all of a large block makes that memory resident as it would be with any allocator. More than
 * that gives ENOMEM. More than RINGS threads share rings, which is harmless: nothing is kept
 * anyway.
 *
 * - free: nothing.
 * - calloc: malloc; zeroed only in the early part.
 * - realloc: the same pointer (contents are whatever lies there).
 * - malloc_usable_size: 0, not known.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>

#define EXPORT      __attribute__((visibility("default")))
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define EARLY_BYTES ((size_t)64 << 10)
#define RING_BYTES  ((size_t)16 << 10) /* half of a common L1 data cache */
#define RINGS       256
#define SMALL_BYTES ((size_t)4 << 10) /* larger blocks start at the ring's base */
#define TAIL_BYTES  ((size_t)1 << 40)
#define RINGS_BYTES (EARLY_BYTES + RINGS * RING_BYTES)
#define ALIGNMENT   ((size_t)16)

_Static_assert(SMALL_BYTES <= RING_BYTES, "a small block fits in a ring");
_Static_assert((RING_BYTES & (RING_BYTES - 1)) == 0, "rings are aligned to their size");

EXPORT void *malloc(size_t size);
EXPORT void free(void *block);
EXPORT void *calloc(size_t count, size_t size);
EXPORT void *realloc(void *block, size_t size);
EXPORT void *reallocarray(void *block, size_t count, size_t size);
EXPORT void *memalign(size_t alignment, size_t size);
EXPORT void *aligned_alloc(size_t alignment, size_t size);
EXPORT int posix_memalign(void **ret_block, size_t alignment, size_t size);
EXPORT void *valloc(size_t size);
EXPORT void *pvalloc(size_t size);
EXPORT size_t malloc_usable_size(void *block);
EXPORT void free_sized(void *block, size_t size);
EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size);

static _Atomic(uintptr_t) area; /* the reserved range */
static _Atomic(uintptr_t) area_end;
static _Atomic(uint32_t) threads;

/* The thread's bump range. Both 0 before its first call. */
static __thread uintptr_t cursor, limit, ring;

/* Reserves the range, as much of it as the address space limit allows. 0 where there is none. */
static uintptr_t area_reserve(void)
{
    uintptr_t expected = 0;
    for (size_t tail = TAIL_BYTES; tail >= RING_BYTES; tail /= 2) {
        size_t bytes = RINGS_BYTES + tail;
        void *base = mmap(NULL, bytes + RING_BYTES, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base == MAP_FAILED)
            continue;
        uintptr_t start = ((uintptr_t)base + RING_BYTES - 1) & ~(RING_BYTES - 1);
        if (atomic_compare_exchange_strong(&area, &expected, start)) {
            atomic_store(&area_end, start + bytes);
            return start;
        }
        munmap(base, bytes + RING_BYTES);
        while (!atomic_load(&area_end))
            __builtin_ia32_pause();
        return expected;
    }
    return 0;
}

/* The thread's first call: the first thread gets the early part, every thread a ring. */
static int thread_begin(void)
{
    uintptr_t start = atomic_load(&area);
    if (!start)
        start = area_reserve();
    if (!start)
        return -1;
    uint32_t index = atomic_fetch_add(&threads, 1);
    ring = start + EARLY_BYTES + (index % RINGS) * RING_BYTES;
#ifdef MADV_POPULATE_WRITE
    if (index == 0)
        madvise((void *)start, EARLY_BYTES, MADV_POPULATE_WRITE);
    madvise((void *)ring, RING_BYTES, MADV_POPULATE_WRITE);
#endif
    cursor = index == 0 ? start : ring;
    limit = index == 0 ? start + EARLY_BYTES : ring + RING_BYTES;
    return 0;
}

/* A large block, or the end of the range: from the ring's base on. */
static __attribute__((noinline)) void *bump_slow(size_t size)
{
    if (!limit && thread_begin()) {
        errno = ENOMEM;
        return NULL;
    }
    size_t room = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    bool early = cursor < ring;
    if (size < EARLY_BYTES && room < limit - cursor && (early || size <= SMALL_BYTES)) {
        void *block = (void *)cursor;
        cursor += room;
        return block;
    }
    if (size > atomic_load_explicit(&area_end, memory_order_relaxed) - ring) {
        errno = ENOMEM;
        return NULL;
    }
    if (size > SMALL_BYTES)
        return (void *)ring;
    limit = ring + RING_BYTES;
    cursor = ring + room;
    return (void *)ring;
}

static inline void *bump(size_t size)
{
    uintptr_t block = cursor;
    size_t room = (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1);
    if (UNLIKELY(size > SMALL_BYTES || room >= limit - block))
        return bump_slow(size);
    cursor = block + room;
    return (void *)block;
}

/*
 * Up to SMALL_BYTES from within the ring; larger alignments from the whole range, whose tail holds
 * a multiple of anything below its size.
 */
static void *bump_aligned(size_t alignment, size_t size)
{
    if (alignment <= ALIGNMENT)
        return bump(size);
    if (UNLIKELY(!limit) && !bump(0))
        return NULL;
    uintptr_t base = alignment <= RING_BYTES ? ring : atomic_load(&area) + RINGS_BYTES;
    uintptr_t block = (base + alignment - 1) & ~((uintptr_t)alignment - 1);
    uintptr_t end = atomic_load_explicit(&area_end, memory_order_relaxed);
    if (block < base || block > end || size > end - block) {
        errno = ENOMEM;
        return NULL;
    }
    return (void *)block;
}

void *malloc(size_t size)
{
    return bump(size);
}

void free(void *block)
{
    (void)block;
}

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (UNLIKELY(__builtin_mul_overflow(count, size, &bytes))) {
        errno = ENOMEM;
        return NULL;
    }
    return bump(bytes);
}

void *realloc(void *block, size_t size)
{
    if (!block || UNLIKELY(size > SMALL_BYTES))
        return bump(size);
    return block;
}

void *reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (UNLIKELY(__builtin_mul_overflow(count, size, &bytes))) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(block, bytes);
}

void *memalign(size_t alignment, size_t size)
{
    return bump_aligned(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return bump_aligned(alignment, size);
}

int posix_memalign(void **ret_block, size_t alignment, size_t size)
{
    int saved = errno;
    void *block = bump_aligned(alignment, size);
    errno = saved;
    if (!block)
        return ENOMEM;
    *ret_block = block;
    return 0;
}

void *valloc(size_t size)
{
    return bump_aligned(4096, size);
}

void *pvalloc(size_t size)
{
    if (size > SIZE_MAX - 4095) {
        errno = ENOMEM;
        return NULL;
    }
    return bump_aligned(4096, (size + 4095) & ~(size_t)4095);
}

size_t malloc_usable_size(void *block)
{
    (void)block;
    return 0;
}

void free_sized(void *block, size_t size)
{
    (void)block;
    (void)size;
}

void free_aligned_sized(void *block, size_t alignment, size_t size)
{
    (void)block;
    (void)alignment;
    (void)size;
}
