/* The statistics of a tape as a page of text for people; programs have analyze_emit.h. */
#ifndef HEAPTAPE_ANALYSIS_ANALYZE_PRINT_H
#define HEAPTAPE_ANALYSIS_ANALYZE_PRINT_H

#include "analysis/analyze_emit.h"

/* The parts that are wanted. False: no memory. */
bool analyze_print(const struct analyze_output *output, const struct statistics *statistics,
                   FILE *out);

#endif
