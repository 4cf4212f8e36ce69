/*
 * Telling a violation: counted by kind in engine_result, the first ENGINE_VIOLATIONS_MAX kept in
 * full. Any thread.
 */
#ifndef HEAPTAPE_REPLAYER_VIOLATION_H
#define HEAPTAPE_REPLAYER_VIOLATION_H

#include "replayer/engine/engine.h"

void violation_tell(const struct engine_violation *violation);
/* Whether there was any but notes. */
bool violations_fail(void);

#endif
