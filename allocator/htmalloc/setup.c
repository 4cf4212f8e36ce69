/* What is done once, when the library is loaded. Allocation works before it. */
#include "fork.h"
#include "options.h"

static __attribute__((constructor)) void setup(void)
{
    options_read();
    fork_setup();
}
