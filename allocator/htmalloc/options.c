#include "options.h"

struct options options = {
    .dirty_slices_min = ((size_t)1 << 20) / HT_SLICE,
    .dirty_share = 8,
    .huge_keep_bytes = (size_t)1 << 20,
};

void options_read(void) {}
