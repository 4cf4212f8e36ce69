/* _exit and _Exit under their usual names, in libhtmalloc.so: destructors do not run then, and
 * children of fork mostly end so; without this there would be no statistics of theirs. */
#include "stats_exit.h"

#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT _Noreturn void _exit(int status)
{
    stats_at_exit();
    for (;;)
        syscall(SYS_exit_group, status);
}

EXPORT _Noreturn void _Exit(int status);
void _Exit(int status)
{
    _exit(status);
}
