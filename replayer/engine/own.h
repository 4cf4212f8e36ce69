/*
 * Which addresses cannot be the allocator's: the engine's executable, its tables, stacks and the
 * tape's mapping, libc and the loader, the kernel's pages. A block there is a violation.
 *
 * While the engine plans and makes threads the allocator is not called; so whatever is mapped anew
 * then is the engine's. Hence own_pause() when the replay stops and its ending threads have ended
 * (and once at the start, before the engine maps anything), own_resume() right before it goes on.
 * What an allocator's own background thread maps just then is taken for the engine's.
 */
#ifndef HEAPTAPE_REPLAYER_OWN_H
#define HEAPTAPE_REPLAYER_OWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void own_pause(void);
void own_resume(void);
/* Whether the byte is the engine's; *ret_change: where that answer changes. Likewise. */
bool own_next(uint64_t byte, uint64_t *ret_change);
/* Whether any of these bytes is not the allocator's. Any thread, while the replay runs. */
bool own_overlaps(uintptr_t start, size_t bytes);

#endif
