/* What the size classes of allocators would lose on a tape, as text for people. */
#ifndef HEAPTAPE_ANALYSIS_PRINT_WASTE_H
#define HEAPTAPE_ANALYSIS_PRINT_WASTE_H

#include "analysis/analyze_emit.h"

/* A line for each allocator; with ANALYZE_CLASSES the classes that lose most, too. False: no
 * memory.
 */
bool print_waste(const struct analyze_output *output, const struct statistics *statistics,
                 FILE *out);

#endif
