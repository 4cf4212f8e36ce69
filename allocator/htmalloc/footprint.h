/* How much memory is resident by our account, and when free pages must go back to the system.
 *
 * Giving pages back and touching them again costs as much as thousands of mallocs, and keeping them
 * is harmless until something else needs fresh pages. So free pages ("spare") stay until one of
 * these: growth   fresh pages are about to raise the highest footprint so far: spare pages above
 * the greater of dirty_min and used / dirty_share go first, so that the peak stays near the peak in
 * use; time     what was spare all through a window of WINDOW_MS goes at its end (the least there
 * was in it was evidently not needed), down to the same limit; amount   there are more than the
 * greater of dirty_max and what is in use; request  malloc_trim() or the system's refusal of
 * memory.
 *
 * Where fresh pages are taken again about as fast as they are given back, and what is in use does
 * not grow, giving back was a mistake: the limits on growth and amount are then stretched, and they
 * relax when nothing more is given back.
 *
 * Counts are pages, changed under different locks and read without any. */
#ifndef HTMALLOC_FOOTPRINT_H
#define HTMALLOC_FOOTPRINT_H

#include "config.h"

#define WINDOW_MS 50

struct footprint {
    size_t used;      /* in spans handed out and carved, and in huge blocks */
    size_t spare;     /* in dirty free slices and kept huge mappings */
    size_t high;      /* the most that used + spare has been */
    size_t fresh;     /* taken since the last time that pages had to be given back */
    uint32_t window;  /* number of the present window */
    uint32_t stretch; /* doublings of the limits */
};
extern struct footprint footprint HT_HIDDEN;

void footprint_add(size_t *count, ptrdiff_t pages);

/* The spare pages that may stand at any time. */
size_t footprint_keep(void);

/* Before `fresh` pages are taken: how many spare ones must be given back first; 0 when none. */
size_t footprint_excess(size_t fresh);

/* Whether taking `fresh` pages raises the peak, with nothing spare to give for it. */
bool footprint_grows(size_t fresh);

/* After pages have become spare: how many of them must be given back at once; 0 when none. */
size_t footprint_surplus(void);

/* To be called now and then, with no lock held: looks at the clock and ends the window. */
void footprint_tick(void);

#endif
