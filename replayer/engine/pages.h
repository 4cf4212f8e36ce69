/*
 * Growing arrays of the engine's own, straight from mmap and resident before anything is timed.
 * Arrays of 2 MiB and more ask for huge pages: fewer faults to make them, fewer misses to walk
 * them.
 */
#ifndef HEAPTAPE_REPLAYER_PAGES_H
#define HEAPTAPE_REPLAYER_PAGES_H

#include <stddef.h>

struct pages {
    void *base;   /* moves when it grows */
    size_t bytes; /* mapped and resident */
};

/*
 * Makes the array at least `bytes` long (zeroed where new, what was there is kept) and returns its
 * base. Ends the run where there is no memory. Grows by doubling.
 */
void *pages_reserve(struct pages *pages, size_t bytes);
void pages_release(struct pages *pages);

#endif
