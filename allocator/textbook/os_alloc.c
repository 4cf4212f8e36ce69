#include "os_alloc.h"

#include "block.h"
#include "options.h"
#include "setup.h"
#include "textbook.h"

#define SITE __builtin_return_address(0)

/* Before the switches are read (setup.c). */
static __attribute__((constructor(101))) void choose(void)
{
    options_defaults.policy = "best-fit";
    options_defaults.set_aside = 128 << 10;
}

void *os_malloc(size_t size)
{
    setup_is_linked();
    return size ? textbook_take(ALIGNMENT, size, SITE) : NULL;
}

void *os_calloc(size_t count, size_t size)
{
    setup_is_linked();
    return count && size ? textbook_take_zeros_mapped(count, size, SITE) : NULL;
}

void *os_realloc(void *block, size_t size)
{
    if (!block)
        return size ? textbook_take(ALIGNMENT, size, SITE) : NULL;
    return textbook_change(block, size, SITE);
}

void os_free(void *block)
{
    textbook_free(block);
}
