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

#include <stddef.h>
#include <stdio.h>

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

/*
 * Where the memory is, in bytes unless said otherwise. Taken by walking the runs; other threads may
 * go on meanwhile, and what their current runs hold free counts as live. The sizes that were asked
 * for are not kept, so that what rounding up to a block wastes cannot be told here: heaptape replay
 * tells it.
 *
 *     X(name, meaning)
 */
#define HT_STATS_FIELDS(X)                                                                         \
    X(live, "blocks in use, whole blocks counted")                                                 \
    X(live_blocks, "how many blocks that is")                                                      \
    X(free_in_runs, "free blocks of runs in use, and what other threads freed of them")            \
    X(uncarved, "pages of runs not handed out since they were taken, most not resident")           \
    X(cached, "freed large blocks kept by their last thread")                                      \
    X(dirty, "free slices that may be resident")                                                   \
    X(clean, "free slices that are not resident")                                                  \
    X(huge, "of live: blocks with a mapping of their own")                                         \
    X(huge_kept, "freed pages of huge blocks that may be resident")                                \
    X(metadata, "descriptors, heaps and tables that may be resident")                              \
    X(mapped, "address space mapped for all of it")                                                \
    X(heaps, "number of thread heaps, those of ended threads included")                            \
    X(runs, "number of runs")

struct ht_stats {
#define HT_STATS_FIELD(name, meaning) size_t name;
    HT_STATS_FIELDS(HT_STATS_FIELD)
#undef HT_STATS_FIELD
};

HT_API void ht_stats(struct ht_stats *ret_stats);

/* The same as text on stderr, with a table by size class; allocates nothing. */
HT_API void ht_stats_print(void);

/* A line on the version, for logs. */
HT_API const char *ht_version(void);

#ifdef __cplusplus
}
#endif

#endif
