/*
 * htmalloc: a malloc that is to be fast and lean at once.
 *
 * The functions below are the malloc family under a prefix of its own, for programs that link
 * libhtmalloc.a or libhtmalloc.so beside another allocator. libhtmalloc.so has the usual names too,
 * so that LD_PRELOAD=libhtmalloc.so puts a whole program on it.
 *
 * All are safe to call from any thread, and from a child after fork(). None may be called from a
 * signal handler that can interrupt another of them. Sizes are bytes. A function that returns NULL
 * for want of memory sets errno to ENOMEM; ht_free leaves errno alone. Blocks start at multiples
 * of 16.
 */
#ifndef HTMALLOC_H
#define HTMALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HT_API __attribute__((visibility("default")))

/* A block of at least `size` bytes; a unique one even for 0. ENOMEM also above PTRDIFF_MAX. */
HT_API void *ht_malloc(size_t size) __attribute__((malloc, alloc_size(1)));

/* The same for count * size bytes, all zero; ENOMEM when the product overflows. */
HT_API void *ht_calloc(size_t count, size_t size) __attribute__((malloc, alloc_size(1, 2)));

/* Makes the block `size` bytes long, moving it where it must; NULL as `address` is ht_malloc. On
 * failure the old block stands. Size 0 frees the block and returns NULL, as in glibc. */
HT_API void *ht_realloc(void *address, size_t size) __attribute__((alloc_size(2)));
HT_API void *ht_reallocarray(void *address, size_t count, size_t size)
    __attribute__((alloc_size(2, 3)));

/* NULL is allowed. A pointer that is no block's start ends the program with a message where a slow
 * path meets it; a double free likewise. */
HT_API void ht_free(void *address);

/* As free(); a size or alignment other than the block was made with is an error that is not looked
 * for in the ordinary build. */
HT_API void ht_free_sized(void *address, size_t size);
HT_API void ht_free_aligned_sized(void *address, size_t align, size_t size);

/* `align` must be a power of two, and for ht_posix_memalign a multiple of sizeof(void *): EINVAL.
 */
HT_API void *ht_memalign(size_t align, size_t size) __attribute__((malloc, alloc_align(1)));
HT_API void *ht_aligned_alloc(size_t align, size_t size) __attribute__((malloc, alloc_align(1)));
HT_API int ht_posix_memalign(void **ret_address, size_t align, size_t size);

/* The bytes of the block that may be used, at least those asked for; 0 for NULL. */
HT_API size_t ht_usable_size(const void *address);

/* Gives every page that can be given back to the system, the calling thread's caches and those of
 * threads that have exited included. Returns 1 when any was, else 0. */
HT_API int ht_trim(size_t keep_bytes);

/* Whether the heap is as it must be: walks all of it and names on stderr the first of DESIGN.md's
 * invariants that does not hold. For tests and debuggers, while other threads are at rest. */
HT_API bool ht_validate(void);

/* --- where the memory is ---
 *
 * Taken by walking the runs, which allocates nothing; other threads may go on meanwhile, and what
 * their current runs hold free counts as live, and so does what they have freed of each other's and
 * not yet handed over. The sizes that were asked for are not kept, so that what rounding up to a
 * block wastes is part of `live` (heaptape replay tells it); the hardened build keeps them, and
 * there it is part of `internal`.
 *
 *     mapped = live + internal + free_in_runs + uncarved + cached
 *            + dirty + huge_kept + metadata + clean
 *
 * and all but `clean`, and most of `uncarved`, may be resident.
 *
 *     X(name, unit, meaning)         unit: bytes or count
 */
#define HT_STATS_FIELDS(X)                                                                         \
    X(live, bytes, "blocks in use, whole blocks counted")                                          \
    X(live_blocks, count, "how many blocks that is")                                               \
    X(internal, bytes, "ends too short for a block, and what is known to be wasted inside blocks") \
    X(free_in_runs, bytes, "free blocks of runs in use, and what other threads freed of them")     \
    X(uncarved, bytes, "pages of runs not handed out since they were taken, most not resident")    \
    X(cached, bytes, "freed large blocks kept by their last thread")                               \
    X(dirty, bytes, "free slices that may be resident")                                            \
    X(huge_kept, bytes, "freed pages of huge blocks that may be resident")                         \
    X(metadata, bytes, "descriptors, heaps and tables")                                            \
    X(clean, bytes, "free, and given back to the system or never touched")                         \
    X(mapped, bytes, "address space mapped for all of it: the sum of the above")                   \
    X(huge, bytes, "of live: blocks with a mapping of their own")                                  \
    X(huge_blocks, count, "how many blocks that is")                                               \
    X(private_heaps, bytes, "of mapped: the slices that private heaps have")                       \
    X(runs, count, "runs of blocks")                                                               \
    X(thread_heaps, count, "heaps of threads, those of ended threads included")                    \
    X(mixed_runs, count, "of runs: those with blocks of several classes")

/* Fields are only ever added, at the end; the version tells that a meaning has changed. */
#define HT_STATS_VERSION 1
struct ht_stats {
    uint32_t version; /* HT_STATS_VERSION of the library */
    uint32_t bytes;   /* of the struct, as far as it was filled */
#define HT_STATS_FIELD(name, unit, meaning) size_t name;
    HT_STATS_FIELDS(HT_STATS_FIELD)
#undef HT_STATS_FIELD
};

/* Fills the first `bytes` of the struct: what the caller was compiled with. */
HT_API void ht_stats_fill(struct ht_stats *ret_stats, size_t bytes);
static inline void ht_stats(struct ht_stats *ret_stats)
{
    ht_stats_fill(ret_stats, sizeof *ret_stats);
}

/* By size class, smallest first. Live and free blocks are those that have been carved. */
struct ht_class_stats {
    size_t block_bytes;
    size_t runs;
    size_t live_blocks;
    size_t free_blocks;
    size_t carved_blocks;   /* live and free */
    size_t capacity_blocks; /* that the runs have room for, carved or not */
};
/* By heap of a thread, oldest first. */
struct ht_thread_stats {
    size_t number;  /* from 1 */
    size_t running; /* 1; 0 when its thread has ended and the next to start will take it over */
    size_t runs;
    size_t live;         /* bytes of blocks in use in its runs, whoever allocated them */
    size_t free_in_runs; /* bytes of free blocks in them */
    size_t cached;       /* bytes of freed large blocks that the thread keeps */
};
/* Each fills up to `count` elements and returns how many there are. */
HT_API size_t ht_class_stats(struct ht_class_stats *ret_classes, size_t count);
HT_API size_t ht_thread_stats(struct ht_thread_stats *ret_threads, size_t count);

/* All of it as text on stderr. */
HT_API void ht_stats_print(void);

/* --- private heaps ---
 *
 * A heap for what lives and dies together: a request, a document, a compiler pass. All of it is
 * freed at once, without a walk over the blocks. A heap is not synchronised: one thread may use it
 * at a time, any thread, and after fork the child may use those of the thread that called fork.
 * There may be any number of heaps; an empty one takes 160 bytes. The functions do not take a lock
 * but where the heap grows or shrinks by a run, a large or a huge block.
 *
 * A block belongs to its heap: only the functions below take it, with that heap. ht_free(), free(),
 * realloc() and the like, and another private heap, end the program with a message when they are
 * given one; it is never silently freed or leaked into the wrong heap. What is shared with other
 * code belongs into ht_malloc().
 *
 *     struct ht_heap *heap = ht_heap_new(NULL);
 *     char *copy = ht_heap_malloc(heap, length + 1);
 *     ...
 *     ht_heap_delete(heap);
 */
struct ht_heap;

/* Zeros are the defaults. */
struct ht_heap_options {
    size_t limit;     /* the most bytes in blocks, whole blocks counted; 0: no limit */
    size_t unused[7]; /* must be 0 */
};

/* `options` may be NULL. NULL when there is no memory. */
HT_API struct ht_heap *ht_heap_new(const struct ht_heap_options *options);

/* As ht_malloc, ht_calloc, ht_realloc, ht_aligned_alloc, ht_free and ht_usable_size. ENOMEM also
 * when the heap's limit would be exceeded. */
HT_API void *ht_heap_malloc(struct ht_heap *heap, size_t size)
    __attribute__((malloc, alloc_size(2)));
HT_API void *ht_heap_calloc(struct ht_heap *heap, size_t count, size_t size)
    __attribute__((malloc, alloc_size(2, 3)));
HT_API void *ht_heap_realloc(struct ht_heap *heap, void *address, size_t size)
    __attribute__((alloc_size(3)));
HT_API void *ht_heap_aligned(struct ht_heap *heap, size_t align, size_t size)
    __attribute__((malloc, alloc_align(2)));
HT_API void ht_heap_free(struct ht_heap *heap, void *address);
HT_API size_t ht_heap_usable_size(const struct ht_heap *heap, const void *address);

/* Frees every block, small, large and huge, and gives their memory back to the allocator (and from
 * there to the system as usual, at once by ht_trim(0)). The heap is then as new. */
HT_API void ht_heap_free_all(struct ht_heap *heap);

/* The same, and the heap itself is gone. NULL is allowed. */
HT_API void ht_heap_delete(struct ht_heap *heap);

struct ht_heap_stats {
    size_t live; /* bytes of blocks in use, whole blocks counted */
    size_t
        held; /* bytes of address space that the heap has; hardly more is resident than was used */
    size_t state; /* bytes of the heap's own data */
};
HT_API void ht_heap_stats(const struct ht_heap *heap, struct ht_heap_stats *ret_stats);

/* A line on the version, for logs. */
HT_API const char *ht_version(void);

#ifdef __cplusplus
}
#endif

#endif
