/* The malloc family under its usual names, for libhtmalloc.so (LD_PRELOAD) and for programs that
 * link it. Everything but malloc and free is another name of the ht_ function. */
#include "config.h"
#include "front.h"
#include "stats.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT void *malloc(size_t size)
{
    return front_malloc(size);
}

EXPORT void free(void *address)
{
    front_free(address);
}

EXPORT void cfree(void *address);
void cfree(void *address)
{
    front_free(address);
}

EXPORT void free_sized(void *address, size_t size);
void free_sized(void *address, size_t size)
{
    front_free_sized("free_sized", address, size);
}

EXPORT void free_aligned_sized(void *address, size_t align, size_t size);
void free_aligned_sized(void *address, size_t align, size_t size)
{
    front_free_aligned_sized("free_aligned_sized", address, align, size);
}

EXPORT void *calloc(size_t count, size_t size)
{
    return ht_calloc(count, size);
}

EXPORT void *realloc(void *address, size_t size)
{
    return ht_realloc(address, size);
}

EXPORT void *reallocarray(void *address, size_t count, size_t size)
{
    return ht_reallocarray(address, count, size);
}

EXPORT void *memalign(size_t align, size_t size)
{
    return ht_memalign(align, size);
}

EXPORT void *aligned_alloc(size_t align, size_t size)
{
    return ht_aligned_alloc(align, size);
}

EXPORT int posix_memalign(void **ret_address, size_t align, size_t size)
{
    return ht_posix_memalign(ret_address, align, size);
}

EXPORT void *valloc(size_t size)
{
    return ht_memalign(HT_PAGE, size);
}

EXPORT void *pvalloc(size_t size)
{
    size_t bytes;
    if (__builtin_add_overflow(size, HT_PAGE - 1, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    bytes &= ~(HT_PAGE - 1);
    return ht_memalign(HT_PAGE, bytes == 0 ? HT_PAGE : bytes);
}

EXPORT size_t malloc_usable_size(void *address)
{
    return ht_usable_size(address);
}

EXPORT int malloc_trim(size_t keep_bytes)
{
    return ht_trim(keep_bytes);
}

/* --- glibc's own: see mallinfo(3), malloc_info(3), malloc_stats(3), mallopt(3) --- */

/* Blocks of runs and large ones are the "arena", huge ones the "mmapped" blocks. What has never
 * been carved counts as neither: most of it is not resident. */
EXPORT struct mallinfo2 mallinfo2(void)
{
    struct ht_stats stats;
    ht_stats(&stats);
    size_t kept = stats.free_in_runs + stats.cached + stats.dirty + stats.huge_kept;
    return (struct mallinfo2){
        .arena = stats.live - stats.huge + kept,
        .ordblks = stats.runs,
        .hblks = stats.huge_blocks,
        .hblkhd = stats.huge,
        .uordblks = stats.live - stats.huge,
        .fordblks = kept,
        .keepcost = stats.dirty + stats.huge_kept,
    };
}

/* The fields of the old struct are int, and wrap as glibc's do. */
EXPORT struct mallinfo mallinfo(void)
{
    struct mallinfo2 wide = mallinfo2();
    return (struct mallinfo){
        .arena = (int)wide.arena,
        .ordblks = (int)wide.ordblks,
        .hblks = (int)wide.hblks,
        .hblkhd = (int)wide.hblkhd,
        .uordblks = (int)wide.uordblks,
        .fordblks = (int)wide.fordblks,
        .keepcost = (int)wide.keepcost,
    };
}

EXPORT int malloc_info(int options, FILE *stream)
{
    if (options != 0) {
        errno = EINVAL;
        return -1;
    }
    struct stats stats;
    stats_take(&stats, NULL, 0);
    const struct ht_stats *all = &stats.all;
    fputs("<malloc version=\"htmalloc-1\">\n", stream);
#define ROW(name, unit, meaning)                                                                   \
    fprintf(stream, "<%s unit=\"%s\">%zu</%s>\n", #name, #unit, all->name, #name);
    HT_STATS_FIELDS(ROW)
#undef ROW
    fputs("<sizes>\n", stream);
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        const struct ht_class_stats *at = &stats.classes[i];
        if (at->runs > 0)
            fprintf(
                stream,
                "<size bytes=\"%zu\" runs=\"%zu\" live=\"%zu\" free=\"%zu\" capacity=\"%zu\"/>\n",
                at->block_bytes, at->runs, at->live_blocks, at->free_blocks, at->capacity_blocks);
    }
    /* Those of glibc's elements that tools look for. */
    fprintf(stream, "</sizes>\n<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n", all->runs,
            all->free_in_runs + all->cached + all->dirty);
    fprintf(stream, "<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n", all->huge_blocks,
            all->huge);
    fprintf(stream, "<system type=\"current\" size=\"%zu\"/>\n</malloc>\n",
            all->mapped - all->clean);
    return 0;
}

EXPORT void malloc_stats(void)
{
    ht_stats_print();
}

/* glibc's parameters have no meaning here. It says 1, "done", to each it knows, and so do we:
 * programs take 0 for an error. */
EXPORT int mallopt(int parameter, int value)
{
    const int fast_max = 80 * (int)sizeof(size_t) / 4;
    if (parameter == M_MXFAST)
        return value >= 0 && value <= fast_max;
    return parameter <= M_TRIM_THRESHOLD && parameter >= M_ARENA_MAX;
}

/* What heaptape's replay asks every allocator that has this function: bytes of its own data. */
EXPORT size_t heaptape_metadata(void);
size_t heaptape_metadata(void)
{
    struct ht_stats stats;
    ht_stats(&stats);
    return stats.metadata;
}
