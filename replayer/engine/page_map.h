/*
 * Which pages of the process are there: runs of pages that are resident or swapped out, by
 * PAGEMAP_SCAN (Linux 6.7, which walks page tables only) or, before it, by /proc/self/pagemap
 * (eight bytes for each page of a range: ranges over PAGE_MAP_READ_MAX are left out then).
 */
#ifndef HEAPTAPE_REPLAYER_PAGE_MAP_H
#define HEAPTAPE_REPLAYER_PAGE_MAP_H

#include <stdbool.h>
#include <stdint.h>

#define PAGE_MAP_READ_MAX ((uint64_t)16 << 30)

/* Pages in a row that are alike. */
struct page_map_run {
    uint64_t start, end; /* addresses */
    uint32_t flags;      /* ENGINE_RUN_* of result.h */
};

typedef void page_map_use(void *context, const struct page_map_run *run);

/* `scan`: by PAGEMAP_SCAN if the kernel has it. False: the process's page map cannot be read. */
bool page_map_open(bool scan);
/* Hands the runs of [start, end) to `use`, lowest first. False: the range was left out. */
bool page_map_runs(uint64_t start, uint64_t end, page_map_use *use, void *context);

#endif
