/* What is done once when the library is loaded, and when the program exits. Allocation works before
 * and after. */
#include "fork.h"
#include "htmalloc.h"
#include "options.h"

static __attribute__((constructor)) void setup(void)
{
    options_read();
    fork_setup();
}

static __attribute__((destructor)) void finish(void)
{
    if (options.stats)
        ht_stats_print();
}
