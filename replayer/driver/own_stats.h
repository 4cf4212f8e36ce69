/*
 * What an allocator tells of itself: htmalloc's option stats_file makes each process add a line of
 * JSON to a file as it ends (allocator/htmalloc/stats_exit.h has the format). Here that file is in
 * our memory, named to the program by /proc/PID/fd/N, so nothing is left behind. One run at a time.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_OWN_STATS_H
#define HEAPTAPE_REPLAYER_DRIVER_OWN_STATS_H

#include <stdio.h>
#include "replayer/driver/allocators.h"
#include "traces/emit.h"

/* Before the fork. Nothing happens, here and below, where the allocator (NULL: none) is not known
 * to tell. Where there is no memory for the file the program simply runs without it. */
void own_stats_open(const struct allocator *allocator);
/* In the child, when the allocator's own variables are set. Leaves alone what names a file already.
 */
void own_stats_environment(void);
/* After the program has ended: a section for people. */
void own_stats_print(FILE *out);
/* The array "allocator_statistics" into the open object, an object a process, in the order in which
 * they ended. */
void own_stats_emit(struct emit *emit);

#endif
