/* What the textbook allocators' tests begin with: a fresh heap of a policy, and looks at it. */
#ifndef HEAPTAPE_TESTS_UNIT_TEXTBOOK_CASE_H
#define HEAPTAPE_TESTS_UNIT_TEXTBOOK_CASE_H

#include "allocator/textbook/block.h"
#include "allocator/textbook/options.h"
#include "allocator/textbook/policy.h"
#include "allocator/textbook/textbook.h"
#include "tests/unit/check.h"

static inline struct options begin(const char *policy)
{
    struct options switches;
    CHECK(options_preset(policy, &switches));
    textbook_restart(&switches);
    return switches;
}

static inline struct textbook_stats stats(void)
{
    struct textbook_stats now;
    textbook_stats(&now);
    return now;
}

static inline void in_order(void)
{
    CHECK_STR(textbook_check(), NULL);
}

struct free_space {
    size_t blocks, bytes, largest;
};

static inline void add_free(void *context, const struct region *region, const char *start,
                            size_t bytes, size_t usable, bool used)
{
    struct free_space *space = context;
    (void)region;
    (void)start;
    if (used)
        return;
    space->blocks++;
    space->bytes += bytes;
    if (usable > space->largest)
        space->largest = usable;
}

static inline struct free_space free_space(const struct policy *policy)
{
    struct free_space space = {0};
    policy->walk(add_free, &space);
    return space;
}

/* Four blocks of 48 in a row; the middle two matter. */
static inline void four(char *blocks[4])
{
    begin("first-fit");
    for (int i = 0; i < 4; i++)
        blocks[i] = textbook_malloc(32);
    textbook_malloc(free_space(&heap_policy).largest);
    CHECK(blocks[3] == blocks[0] + 3 * 48);
}

#endif
