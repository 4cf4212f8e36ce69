/* Lanes, and who frees whose blocks, as text for people. */
#ifndef HEAPTAPE_ANALYSIS_PRINT_LANES_H
#define HEAPTAPE_ANALYSIS_PRINT_LANES_H

#include <stdio.h>

#include "analysis/statistics.h"

/* The lanes with the most events, at most `count`. */
void print_lanes(const struct statistics *statistics, unsigned count, FILE *out);
/* A matrix of the lanes that have most to do with each other. False: no memory. */
bool print_pairs(const struct statistics *statistics, FILE *out);

#endif
