/* What is done once when the library is loaded, and when the program exits. Allocation works before
 * and after. */
#include "hard.h"
#include "memcheck.h"
#include "options.h"
#include "stats_exit.h"

/* glibc passes constructors what it passes main(). */
static __attribute__((constructor)) void setup(int count, char **words, char **environment)
{
    (void)count;
    (void)words;
    options_read(environment);
    stats_exit_setup();
}

static __attribute__((destructor)) void finish(void)
{
#ifdef HT_HARD
    hard_check_all();
#endif
    stats_at_exit();
#ifdef HT_VALGRIND
    memcheck_finish();
#endif
}
