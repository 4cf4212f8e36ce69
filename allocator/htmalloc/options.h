/* The environment's say: HTMALLOC_OPTIONS=name=value,... is read once, at start. */
#ifndef HTMALLOC_OPTIONS_H
#define HTMALLOC_OPTIONS_H

#include "config.h"

struct options {
    size_t dirty_slices_min; /* free slices that may stay resident whatever the heap's size */
    size_t dirty_share;      /* and one in so many of the slices in use */
    size_t huge_keep_bytes;  /* of freed huge mappings kept for the next */
    bool stats_at_exit;
};

extern struct options options;

/* Reads the environment; says what it does not understand on stderr and goes on without it. */
void options_read(void);

#endif
