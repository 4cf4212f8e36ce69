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
 * The same for a run that went wrong (`mode` and `status` say how): the engine as it was run, under
 * gdb, which stops where it dies by a signal or ends itself; where it hangs or eats memory Ctrl-C
 * stops it.
 */
void debugger_rerun(const char *tape, const struct allocator *allocator,
                    const struct engine_settings *settings, enum run_mode mode,
                    enum run_status status, char *text, size_t bytes);

/*
 * The command, to be pasted into a shell: the engine under gdb in verify mode, with the allocator
 * preloaded, stopped by SIGTRAP before the call of `event` (ENGINE_NO_EVENT: not stopped).
 */
void debugger_command(const char *tape, const struct allocator *allocator,
                      const struct engine_settings *settings, uint64_t event, char *text,
                      size_t bytes);

#endif
