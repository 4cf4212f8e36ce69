/* What a tape has live over its events, and allocates over its time, drawn in characters. */
#ifndef HEAPTAPE_ANALYSIS_PRINT_CHART_H
#define HEAPTAPE_ANALYSIS_PRINT_CHART_H

#include <stdio.h>

#include "analysis/statistics.h"

/* Nothing where there is nothing to draw. */
void print_chart_live(const struct statistics *statistics, FILE *out);
/* Bytes allocated a second; each column is the mean of its part of the time. */
void print_chart_rate(const struct statistics *statistics, FILE *out);

#endif
