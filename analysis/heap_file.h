/*
 * Snapshots of the heap (SNAPSHOTS.md), read one at a time. Nothing in the file is trusted: sizes
 * are checked against the file's, and a snapshot whose checksum is wrong is an error. Memory: the
 * file's mapping and one snapshot's arrays, from the heap. One thread.
 */
#ifndef HEAPTAPE_ANALYSIS_HEAP_FILE_H
#define HEAPTAPE_ANALYSIS_HEAP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "traces/error.h"

#define HEAP_PAGE     UINT64_C(4096)
#define HEAP_NO_EVENT UINT64_MAX

enum heap_kind {
    HEAP_GRID = 1,
    HEAP_PEAK_REQUESTED = 2,
    HEAP_END = 4,
    HEAP_PEAK_RESIDENT = 8,
    HEAP_NO_PAGES = 16,
    HEAP_ASKED = 32,
};

enum heap_mapping { HEAP_READ = 1, HEAP_WRITE = 2, HEAP_SHARED = 8, HEAP_FILE = 16 };
/* Of a run of resident pages. */
enum heap_run { HEAP_RUN_HUGE = 1, HEAP_RUN_SWAPPED = 2 };

/* Pages in a row, lowest first; addresses in bytes. */
struct heap_range {
    uint64_t start, end, flags;
};

/* Lowest address first. The birth is the event of the tape that began the block. */
struct heap_block {
    uint64_t address, requested, usable, birth;
    uint32_t lane;
};

/* As in the file, which says what each is. */
struct heap_head {
    uint32_t kinds, crc32;
    uint64_t event, operation, time_ns;
    uint64_t requested_bytes, usable_bytes, held_bytes, resident_bytes;
    uint64_t blocks, mappings, runs;
    uint64_t coded_bytes;
};
_Static_assert(sizeof(struct heap_head) == 96, "on disk as is, then 32 bytes left");

struct heap_snapshot {
    struct heap_head head;
    struct heap_range *mappings, *runs;
    struct heap_block *blocks;
};

struct heap_file {
    const unsigned char *bytes;
    size_t size;
    uint32_t count, entry_bytes;
    size_t *entries; /* where each snapshot's head is */
};

/* False: *error says why; there is nothing to close then. */
bool heap_file_open(struct heap_file *file, const char *path, struct tape_error *error);
void heap_file_close(struct heap_file *file);
struct heap_head heap_file_head(const struct heap_file *file, uint32_t index);
/* False: *error says why. Else heap_snapshot_free() in the end. */
bool heap_file_read(const struct heap_file *file, uint32_t index, struct heap_snapshot *ret,
                    struct tape_error *error);
void heap_snapshot_free(struct heap_snapshot *snapshot);

#endif
