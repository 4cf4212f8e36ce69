/*
 * Snapshots of the heap from a memory run: the engine leaves raw ones in a nameless file, which are
 * sorted and coded here into what analysis/SNAPSHOTS.md describes. Memory: the largest
 * snapshot's blocks twice. Mistakes of the environment end the tool with 4.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_SNAPSHOTS_H
#define HEAPTAPE_REPLAYER_DRIVER_SNAPSHOTS_H

#include <stdint.h>

#define SNAPSHOTS_MAGIC   UINT64_C(0x0053504e53504148) /* "HAPSNPS" */
#define SNAPSHOTS_VERSION 1

/* At the file's start. */
struct snapshots_head {
    uint64_t magic;
    uint32_t version, page_bytes, count, head_bytes; /* of each snapshot's head */
    uint64_t reserved;
};
_Static_assert(sizeof(struct snapshots_head) == 32, "no padding");

/* Before each snapshot's coded part. */
struct snapshots_entry {
    uint32_t kinds, crc32; /* SNAPSHOTS_*; of the coded part */
    uint64_t event, operation, time_ns;
    uint64_t requested_bytes, usable_bytes, held_bytes, resident_bytes;
    uint64_t blocks, mappings, runs;
    uint64_t coded_bytes; /* that follow */
    uint64_t left[4];
};
_Static_assert(sizeof(struct snapshots_entry) == 128, "no padding");

enum {
    SNAPSHOTS_GRID = 1,
    SNAPSHOTS_PEAK_REQUESTED = 2,
    SNAPSHOTS_END = 4,
    SNAPSHOTS_PEAK_RESIDENT = 8,
    SNAPSHOTS_NO_PAGES = 16,
    SNAPSHOTS_ASKED = 32,
};

/* A nameless file in the folder of `path`, for the engine. */
int snapshots_raw(const char *path);
/* Codes what the engine left in it into `path`, whole or not at all, and closes it. Returns how
 * many snapshots there are. */
unsigned snapshots_write(int raw, const char *path);

#endif
