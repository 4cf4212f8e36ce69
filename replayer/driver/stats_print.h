/* What heaptape stats prints of a run: one list of figures in four forms. */
#ifndef HEAPTAPE_REPLAYER_DRIVER_STATS_PRINT_H
#define HEAPTAPE_REPLAYER_DRIVER_STATS_PRINT_H

#include <stdio.h>
#include "replayer/driver/counted.h"
#include "traces/emit.h"

/* As a table for people, JSON or CSV. In JSON each process is an element of "processes". */
void stats_print(FILE *out, enum emit_format format, const struct counted_request *request,
                 const struct counted *counted);
/* "key=value" lines: the members of the JSON object that are no lists. */
void stats_print_lines(FILE *out, const struct counted_request *request,
                       const struct counted *counted);

#endif
