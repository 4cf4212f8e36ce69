/*
 * The score of the malloc contest: time, mean heap and largest heap of a set of programs on an
 * allocator against those on libc, each as log2(reference / own + 1), so that an allocator like
 * libc has 1 in each, one twice as good 1.58, one half as good 0.58. The score is their mean in per
 * cent: 100 % / 3n * sum over n programs. A program that fails on the allocator gives 0.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_SCORE_H
#define HEAPTAPE_REPLAYER_DRIVER_SCORE_H

#include <stdbool.h>
#include "replayer/driver/allocators.h"

#define SCORE_ROUNDS_MAX 1000

struct score_program {
    const char *words; /* for people */
    char **arguments;  /* NULL at the end */
};

struct score_cell {
    double cpu_seconds;               /* median over the rounds, run without the counting */
    double mean_bytes, largest_bytes; /* of one counted run; NAN where unknown */
    const char *detail;               /* why it failed or is unknown; NULL: it is well */
    bool failed;                      /* it ended otherwise than on libc */
    int status;                       /* exit status, 128 + signal */
    double time_part, mean_part, largest_part; /* the three logarithms; 0 where it failed */
};

/* log2(reference / own + 1). Times are at least a microsecond; two heaps of nothing are equal. */
double score_part(double reference, double own);
/* Fills the parts of `own` and what may be wrong with it. */
void score_judge(const struct score_cell *reference, struct score_cell *own);
/* In per cent; NAN for no programs. */
double score_sum(const struct score_cell *cells, unsigned programs);

#endif
