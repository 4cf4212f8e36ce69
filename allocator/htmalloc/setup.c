/* What is done once when the library is loaded, and when the program exits. Allocation works before
 * and after. */
#include "hard.h"
#include "htmalloc.h"
#include "options.h"

/* glibc passes constructors what it passes main(). */
static __attribute__((constructor)) void setup(int count, char **words, char **environment)
{
    (void)count;
    (void)words;
    options_read(environment);
}

static __attribute__((destructor)) void finish(void)
{
#ifdef HT_HARD
    hard_check_all();
#endif
    if (options.stats)
        ht_stats_print();
}
