/* The environment's say, HTMALLOC_OPTIONS=name=value,name=value..., read once, when the library is
 * loaded, and not at all in a setuid program. HTMALLOC_OPTIONS=help lists the names with defaults,
 * ranges and meanings on stderr. What is not understood is named on stderr and otherwise ignored: a
 * program must not fail for it. Sizes take k, M and G; the last of two values of one name counts.
 *
 * Memory that is taken before the library's constructor runs (by the dynamic linker, by
 * constructors of other libraries) is taken by the defaults. */
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
    X(huge_pages, 0, 0, 2, "transparent huge pages: 0 none, 1 as the system is set, 2 asked for")  \
    X(mix, 1, 0, 2,                                                                                \
      "nearly empty runs serve other sizes: 0 never, 1 before the heap grows, 2 whenever they "    \
      "can")                                                                                       \
    X(stats, 0, 0, 1, "1 prints the statistics on stderr when the program exits")

/* The one option whose value is text: the name of a file; see stats_exit.h. */
#define OPTION_STATS_FILE      "stats_file"
#define OPTION_STATS_FILE_MAX  256u
#define OPTION_STATS_FILE_HELP "file that each process adds its statistics to as a line of JSON"

struct options {
#define OPTION_FIELD(name, initial, least, greatest, meaning) size_t name;
    OPTIONS(OPTION_FIELD)
#undef OPTION_FIELD
    char stats_file[OPTION_STATS_FILE_MAX]; /* empty: none */
};

extern struct options options HT_HIDDEN;

void options_read(char **environment);

#endif
