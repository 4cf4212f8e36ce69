/*
 * What a memory run tells besides the four sizes: the allocator's system calls, huge pages, and
 * reallocs that moved, and
 * what the measuring cost. One shape for runs, for summaries and for heaptape replay.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_RUN_MEMORY_H
#define HEAPTAPE_REPLAYER_DRIVER_RUN_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include "replayer/engine/result.h"
#include "traces/emit.h"

struct run_memory {
    bool calls_known;
    struct {
        uint64_t calls, failed, bytes;
    } calls[ENGINE_CALL_LIMIT];                            /* by enum engine_system_call */
    uint64_t huge_bytes_at_peak, huge_peak_resident_bytes; /* or ENGINE_UNKNOWN */
    uint64_t reallocs_in_place, reallocs_moved;            /* of those that gave a block */
    uint64_t reallocs_moved_bytes; /* of the moved ones, min(old size, new size) */
    uint64_t metadata_bytes;       /* or ENGINE_UNKNOWN */
    double sampling_seconds, accounting_seconds;
};

/* "mmap", "madvise_free", ... as in results.json. */
const char *run_memory_call_word(enum engine_system_call call);
/* All calls together; 0 where they are not known. */
uint64_t run_memory_calls(const struct run_memory *memory);

void run_memory_take(struct run_memory *memory, const struct engine_result *result);
/* "mmap 5 (18.0MiB), madvise_free 2 (64KiB)" into `text`; NULL where they are not known. */
const char *run_memory_calls_text(const struct run_memory *memory, char *text, size_t bytes);
/*
 * Its members into the open object; NULL: there was no such run, and all are unknown. `calls`: with
 * the array of calls by name.
 */
void run_memory_emit(struct emit *emit, const struct run_memory *memory, bool calls);

#endif
