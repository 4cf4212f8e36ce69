#include "replayer/driver/preload.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "replayer/driver/interrupt.h"
#include "traces/cli.h"

struct allocator preload_choose(const char *spec)
{
    struct allocator_list list = {0};
    interrupt_begin();
    allocators_add_one(&list, spec);
    interrupt_end();
    return list.items[0];
}

const char *preload_value(const struct allocator *allocator, char *text, size_t bytes)
{
    const char *had = getenv("LD_PRELOAD");
    bool both = had && *had && allocator->path[0];
    int length =
        snprintf(text, bytes, "%s%s%s", allocator->path, both ? ":" : "", had && *had ? had : "");
    if (length < 0 || (size_t)length >= bytes)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "LD_PRELOAD is too long; unset it");
    return text;
}

void preload_environment(const struct allocator *allocator)
{
    static char value[2 * PATH_MAX];
    if (*preload_value(allocator, value, sizeof value))
        setenv("LD_PRELOAD", value, 1);
    for (const char *const *entry = allocator->environment; *entry; entry++)
        putenv((char *)*entry);
}

_Noreturn void preload_refuse(const struct target *target)
{
    cli_warn("%s", target->message);
    exit(target_exit_status(target->class));
}
