/* The result as text, one "key value" a line, for people and tests. Without the series unless
 * asked. */
#ifndef HEAPTAPE_REPLAYER_PRINT_H
#define HEAPTAPE_REPLAYER_PRINT_H

#include <stdbool.h>
#include "replayer/engine/latency_result.h"
#include "replayer/engine/result.h"

void print_result(const struct engine_result *result, bool series);
/* Latency mode's, by kind. */
void print_latency(const struct engine_latency *latency);

#endif
