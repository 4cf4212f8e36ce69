/*
 * Putting an allocator under a program that is about to be run for its own sake (run, stats, live),
 * as against under the engine: the user's own LD_PRELOAD stays, behind ours.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_PRELOAD_H
#define HEAPTAPE_REPLAYER_DRIVER_PRELOAD_H

#include <stddef.h>
#include "replayer/driver/allocators.h"
#include "traces/target.h"

/* The allocator of -a SPEC, or the tool ends (allocators.h). Signals are as before when it returns.
 */
struct allocator preload_choose(const char *spec);
/* "PATH:WHAT LD_PRELOAD HAD" into text; ends the tool with 4 where it does not fit. Returns text.
 */
const char *preload_value(const struct allocator *allocator, char *text, size_t bytes);
/* Sets LD_PRELOAD and the allocator's variables in our own environment, which exec passes on. */
void preload_environment(const struct allocator *allocator);
/* Ends the tool with the target's message and exit status. */
_Noreturn void preload_refuse(const struct target *target);

#endif
