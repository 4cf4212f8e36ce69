/*
 * Verify runs: does the allocator keep its promises on this tape (analysis/METRICS.md, "Verify")?
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_VERIFY_H
#define HEAPTAPE_REPLAYER_DRIVER_VERIFY_H

#include "replayer/driver/allocators.h"
#include "replayer/driver/engine_run.h"
#include "traces/emit.h"

/*
 * One run in verify mode. An allocator that crashes without a violation is run once more with what
 * is usable beyond the requested size left alone; where that goes well, its malloc_usable_size()
 * says too much (USABLE_UNWRITABLE).
 */
void verify_run(struct engine_tape *tape, const struct allocator *allocator,
                const struct engine_settings *settings, struct engine_run *ret_run);

/* The run as members of the open object: its figures; then what it found, one by one. */
void verify_emit(struct emit *emit, const struct engine_tape *tape,
                 const struct allocator *allocator, const struct engine_settings *settings,
                 const struct engine_run *run);
void verify_emit_lists(struct emit *emit, const struct engine_run *run);

#endif
