/* The environment's say, HTMALLOC_OPTIONS=name=value,name=value..., read once, when the library is
 * loaded. HTMALLOC_OPTIONS=help lists the names on stderr. What is not understood is named on
 * stderr and otherwise ignored: a program must not fail for it. Sizes take k, M and G; flags take 0
 * and 1. */
#ifndef HTMALLOC_OPTIONS_H
#define HTMALLOC_OPTIONS_H

#include "config.h"

/* X(name, default, least, greatest, meaning) */
#define OPTIONS(X)                                                                                 \
    X(dirty_min, (size_t)256 << 10, 0, SIZE_MAX,                                                   \
      "free bytes that may stay resident at any heap size")                                        \
    X(dirty_share, 8, 1, 1024, "and one byte in so many of those in use")                          \
    X(dirty_max, (size_t)32 << 20, 0, SIZE_MAX,                                                    \
      "free bytes above which they go at once when more than in use")                              \
    X(stats, 0, 0, 1, "print the statistics when the program exits")

struct options {
#define OPTION_FIELD(name, initial, least, greatest, meaning) size_t name;
    OPTIONS(OPTION_FIELD)
#undef OPTION_FIELD
};

extern struct options options HT_HIDDEN;

void options_read(char **environment);

#endif
