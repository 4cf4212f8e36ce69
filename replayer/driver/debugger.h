/*
 * How to see a call of a replay happen: a command line for gdb that stops right before it.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_DEBUGGER_H
#define HEAPTAPE_REPLAYER_DRIVER_DEBUGGER_H

#include <stddef.h>
#include <stdint.h>
#include "replayer/driver/allocators.h"
#include "replayer/driver/engine_run.h"

/*
 * The command, to be pasted into a shell: the engine under gdb in verify mode, with the allocator
 * preloaded, stopped by SIGTRAP before the call of `event` (ENGINE_NO_EVENT: not stopped).
 */
void debugger_command(const char *tape, const struct allocator *allocator,
                      const struct engine_settings *settings, uint64_t event, char *text,
                      size_t bytes);

#endif
