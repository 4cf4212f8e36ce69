/*
 * An allocator that crashes: before the process dies of the signal, the number of operations that
 * were done goes to engine_result->progress (in time mode up to 3 too few: the loop runs four at a
 * time). The signal then takes its usual way, so the driver, a core file and a debugger see what
 * really happened.
 */
#ifndef HEAPTAPE_REPLAYER_CRASH_H
#define HEAPTAPE_REPLAYER_CRASH_H

#include "replayer/engine/replay.h"

void crash_open(const struct replay *replay);
/* Operations done in the windows before the one that runs. */
void crash_window(uint64_t calls_before);

#endif
