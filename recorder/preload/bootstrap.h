/*
 * Memory for calls that come before the next allocator is known (the loader's, dlsym's own calloc).
 * Never given back; its blocks are recognised for ever after by bootstrap_owns(). Blocks are
 * zeroed, any power of two up to a page as alignment. Such calls are our own doing and are not
 * recorded.
 */
#ifndef HEAPTAPE_RECORDER_BOOTSTRAP_H
#define HEAPTAPE_RECORDER_BOOTSTRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOTSTRAP_BYTES (64 << 10)
extern char bootstrap_arena[BOOTSTRAP_BYTES];
extern unsigned bootstrap_mappings; /* how many were made behind the arena */

/* NULL where memory is out. */
void *bootstrap_allocate(size_t bytes, size_t alignment);
size_t bootstrap_size(const void *pointer);
bool bootstrap_owns_mapped(const void *pointer);

static inline bool bootstrap_owns_in_arena(const void *pointer)
{
    return (uintptr_t)pointer - (uintptr_t)bootstrap_arena < BOOTSTRAP_BYTES;
}

static inline bool bootstrap_owns(const void *pointer)
{
    if (__builtin_expect(bootstrap_owns_in_arena(pointer), 0))
        return true;
    return __builtin_expect(bootstrap_mappings, 0) && bootstrap_owns_mapped(pointer);
}

#endif
