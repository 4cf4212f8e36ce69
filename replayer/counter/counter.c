/* The malloc family under its usual names: passed on to the next definition, then counted. */
#include "replayer/counter/counter.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "recorder/preload/operators.h"

#define EXPORT      __attribute__((visibility("default")))
#define HOOK        static inline __attribute__((always_inline))
#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

/* ---- around a call of the allocator's ---- */

/* NULL: this call is not to be counted, and leave() must not be called. */
HOOK struct counts_thread *enter(void)
{
    if (unlikely(self.inside))
        return NULL;
    struct counts_thread *counts = counter_thread();
    if (likely(counts))
        self.inside = 1;
    return counts;
}

static void leave(struct counts_thread *counts, const void *block, const struct heap_before *before,
                  size_t bytes)
{
    heap_look_after(self.process, block, before, bytes);
    int64_t held = atomic_load_explicit(&self.process->held, memory_order_relaxed);
    uint64_t add = held > 0 ? (uint64_t)held : 0;
    uint64_t low = atomic_load_explicit(&counts->heap_sum_low, memory_order_relaxed);
    count_add(&counts->heap_sum_low, add);
    if (unlikely(low + add < low))
        count_add(&counts->heap_sum_high, 1);
    self.inside = 0;
}

HOOK void *count_new(struct counts_thread *counts, void *block, size_t size)
{
    size_t bytes = 0;
    if (likely(block)) {
        bytes = heap_usable(block);
        count_add(&counts->allocations, 1);
        count_add(&counts->bytes_in, bytes);
    } else if (size) {
        count_add(&counts->failed, 1);
    }
    leave(counts, block, NULL, bytes);
    return block;
}

HOOK size_t count_taken(struct counts_thread *counts, void *block, struct heap_before *before)
{
    size_t bytes = heap_look_before(block, before);
    count_add(&counts->frees, 1);
    count_add(&counts->bytes_out, bytes);
    return bytes;
}

/* ---- the names ---- */

EXPORT void *malloc(size_t size)
{
    struct counts_thread *counts = enter();
    if (unlikely(!counts))
        return next.malloc ? next.malloc(size) : early_allocate(size, 16);
    return count_new(counts, next.malloc(size), size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    struct counts_thread *counts = enter();
    if (unlikely(!counts))
        return next.calloc ? next.calloc(count, size) : early_allocate(count * size, 16);
    return count_new(counts, next.calloc(count, size), count && size);
}

/* A block from before the allocator was known moves into its heap. */
static void *move_early(const void *old, size_t size)
{
    size_t had = early_bytes(old);
    void *block = malloc(size);
    if (block)
        memcpy(block, old, had < size ? had : size);
    return block;
}

HOOK void *change(void *old, size_t count, size_t size, bool array)
{
    if (unlikely(!old) && !array)
        return malloc(size);
    if (unlikely(early_owns(old)))
        return move_early(old, count * size);
    struct counts_thread *counts = old ? enter() : NULL;
    if (unlikely(!next.realloc)) { /* not a block of ours: a malloc in front of us made it */
        errno = ENOMEM;
        return NULL;
    }
    if (!counts)
        return array ? next.reallocarray(old, count, size) : next.realloc(old, size);
    struct heap_before before;
    size_t had = heap_look_before(old, &before), has = 0;
    void *block = array ? next.reallocarray(old, count, size) : next.realloc(old, size);
    if (likely(block)) {
        has = heap_usable(block);
        count_add(&counts->reallocs, 1);
        count_add(&counts->bytes_in, has);
        count_add(&counts->bytes_out, had);
        leave(counts, block, &before, has);
    } else if (size == 0 || count == 0) { /* freed it */
        count_add(&counts->frees, 1);
        count_add(&counts->bytes_out, had);
        leave(counts, NULL, &before, had);
    } else {
        count_add(&counts->failed, 1);
        leave(counts, NULL, NULL, 0);
    }
    return block;
}

EXPORT void *realloc(void *old, size_t size)
{
    return change(old, 1, size, false);
}

EXPORT void *reallocarray(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return old ? change(old, count, size, next.reallocarray != NULL) : malloc(bytes);
}

/* `call` takes the block, once it has been counted. */
#define TAKE(block, call)                                                                          \
    do {                                                                                           \
        struct counts_thread *counts = (block) && !early_owns(block) ? enter() : NULL;             \
        struct heap_before before;                                                                 \
        if (unlikely(!counts)) {                                                                   \
            if ((block) && !early_owns(block) && next.free)                                        \
                call;                                                                              \
            break;                                                                                 \
        }                                                                                          \
        size_t bytes = count_taken(counts, block, &before);                                        \
        call;                                                                                      \
        leave(counts, NULL, &before, bytes);                                                       \
    } while (0)

EXPORT void free(void *block)
{
    TAKE(block, next.free(block));
}

EXPORT void cfree(void *block);
void cfree(void *block)
{
    TAKE(block, next.free(block));
}

EXPORT void free_sized(void *block, size_t size);
void free_sized(void *block, size_t size)
{
    if (next.free_sized)
        TAKE(block, next.free_sized(block, size));
    else
        free(block);
}

EXPORT void free_aligned_sized(void *block, size_t alignment, size_t size);
void free_aligned_sized(void *block, size_t alignment, size_t size)
{
    if (next.free_aligned_sized)
        TAKE(block, next.free_aligned_sized(block, alignment, size));
    else
        free(block);
}

#define GIVE(size, call, instead)                                                                  \
    struct counts_thread *counts = enter();                                                        \
    if (unlikely(!counts))                                                                         \
        return next.malloc ? (call) : (instead);                                                   \
    return count_new(counts, call, size)

EXPORT void *memalign(size_t alignment, size_t size)
{
    GIVE(size, next.memalign(alignment, size), early_allocate(size, alignment));
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    GIVE(size, next.aligned_alloc(alignment, size), early_allocate(size, alignment));
}

EXPORT void *valloc(size_t size)
{
    GIVE(size, next.valloc(size), early_allocate(size, COUNTS_PAGE));
}

EXPORT void *pvalloc(size_t size)
{
    GIVE(size, next.pvalloc(size), early_allocate(size, COUNTS_PAGE));
}

EXPORT int posix_memalign(void **ret_block, size_t alignment, size_t size)
{
    struct counts_thread *counts = enter();
    if (unlikely(!counts))
        return next.posix_memalign ? next.posix_memalign(ret_block, alignment, size) : ENOMEM;
    int result = next.posix_memalign(ret_block, alignment, size);
    count_new(counts, result == 0 ? *ret_block : NULL, result == ENOMEM ? size : 0);
    return result;
}

EXPORT size_t malloc_usable_size(void *block)
{
    if (unlikely(block && early_owns(block)))
        return early_bytes(block);
    (void)counter_thread();
    return next.malloc_usable_size ? next.malloc_usable_size(block) : 0;
}

/* ---- C++ ---- */

/*
 * libstdc++'s operators call malloc and free and are counted there. An allocator that has its own
 * is counted here, by its form that does not throw; only where that has none to give the other is
 * called, outside of the count.
 */
typedef void *any_new(size_t, uintptr_t, uintptr_t);
typedef void any_delete(void *, uintptr_t, uintptr_t);

static void *find(void *_Atomic *cell, const char *name)
{
    void *found = atomic_load_explicit(cell, memory_order_acquire);
    if (likely(found))
        return found;
    (void)counter_thread();
    unsigned inside = self.inside++;
    found = next_symbol(name);
    self.inside = inside;
    atomic_store_explicit(cell, found, memory_order_release);
    return found;
}

static const char nothrow_tag;

HOOK void *new_hook(any_new *operator, any_new * gentle, size_t size, uintptr_t alignment)
{
    uintptr_t tag = (uintptr_t)&nothrow_tag, second = alignment ? alignment : tag;
    if (!operator) /* a plug-in with a C++ library of its own */
        return alignment ? aligned_alloc(alignment, size) : malloc(size ? size : 1);
    struct counts_thread *counts = gentle && next_contains(*(void **)&operator) ? enter() : NULL;
    if (!counts)
        return operator(size, second, tag);
    void *block = gentle(size, second, tag);
    count_new(counts, block, size);
    return block ? block : operator(size, second, tag);
}

HOOK void delete_hook(any_delete *operator, void * block, uintptr_t second, uintptr_t third)
{
    if (!operator) {
        free(block);
        return;
    }
    if (!next_contains(*(void **)&operator)) {
        operator(block, second, third);
        return;
    }
    TAKE(block, operator(block, second, third));
}

#define FOUND(type, symbol)                                                                        \
    ({                                                                                             \
        static void *_Atomic cell;                                                                 \
        type *function;                                                                            \
        *(void **)&function = find(&cell, #symbol);                                                \
        function;                                                                                  \
    })

#define NEW(symbol, nothrow)                                                                       \
    EXPORT void *symbol(size_t size);                                                              \
    EXPORT void *symbol(size_t size)                                                               \
    {                                                                                              \
        return new_hook(FOUND(any_new, symbol), FOUND(any_new, nothrow), size, 0);                 \
    }                                                                                              \
    EXPORT void *nothrow(size_t size, const void *tag);                                            \
    EXPORT void *nothrow(size_t size, const void *tag)                                             \
    {                                                                                              \
        (void)tag;                                                                                 \
        return new_hook(FOUND(any_new, nothrow), FOUND(any_new, nothrow), size, 0);                \
    }

#define NEW_ALIGNED(symbol, nothrow)                                                               \
    EXPORT void *symbol(size_t size, size_t alignment);                                            \
    EXPORT void *symbol(size_t size, size_t alignment)                                             \
    {                                                                                              \
        return new_hook(FOUND(any_new, symbol), FOUND(any_new, nothrow), size, alignment);         \
    }                                                                                              \
    EXPORT void *nothrow(size_t size, size_t alignment, const void *tag);                          \
    EXPORT void *nothrow(size_t size, size_t alignment, const void *tag)                           \
    {                                                                                              \
        (void)tag;                                                                                 \
        return new_hook(FOUND(any_new, nothrow), FOUND(any_new, nothrow), size, alignment);        \
    }

#define DELETE(symbol)                                                                             \
    EXPORT void symbol(void *block, uintptr_t second, uintptr_t third);                            \
    EXPORT void symbol(void *block, uintptr_t second, uintptr_t third)                             \
    {                                                                                              \
        delete_hook(FOUND(any_delete, symbol), block, second, third);                              \
    }

OPERATOR_LIST(NEW, NEW_ALIGNED, DELETE)

/* ---- memory that is the program's own, where the heap is sampled ---- */

static bool is_writable(int protection, int flags)
{
    return protection & PROT_WRITE && flags & MAP_PRIVATE;
}

/* What is behind us is found at the first call of malloc: the loader may allocate when it is asked,
 * and an allocator may map memory with its lock held. */
EXPORT void *mmap(void *address, size_t bytes, int protection, int flags, int file, off_t offset)
{
    if (unlikely(!next.mmap))
        return (void *)syscall(SYS_mmap, address, bytes, protection, flags, file, offset);
    void *memory = next.mmap(address, bytes, protection, flags, file, offset);
    if (memory != MAP_FAILED && is_writable(protection, flags) && !self.inside &&
        heap_is_sampled() && !next_contains(__builtin_return_address(0)))
        heap_not_ours((long)bytes);
    return memory;
}

EXPORT void *mmap64(void *, size_t, int, int, int, off_t) __attribute__((alias("mmap")));

EXPORT int munmap(void *address, size_t bytes)
{
    if (unlikely(!next.munmap))
        return (int)syscall(SYS_munmap, address, bytes);
    if (self.inside || !heap_is_sampled() || next_contains(__builtin_return_address(0)))
        return next.munmap(address, bytes);
    long before = heap_writable_bytes();
    int result = next.munmap(address, bytes);
    heap_not_ours(heap_writable_bytes() - before);
    return result;
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument)
{
    (void)counter_thread();
    if (!heap_is_sampled())
        return next.pthread_create(thread, attributes, start, argument);
    long before = heap_writable_bytes();
    int result = next.pthread_create(thread, attributes, start, argument);
    heap_not_ours(heap_writable_bytes() - before);
    return result;
}
