/*
 * Whether an allocator's size classes are what analysis/classes.h says: asks for every size to
 * 40000 bytes and for larger ones at and around the steps that there may be, in the process's own
 * allocator, and prints the first sizes for which malloc_usable_size() says otherwise. The argument
 * is the allocator's name.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/classes.h"

#define EVERY_SIZE 40000u
#define LARGEST    (UINT64_C(80) << 20)
#define SHOWN      20u

static unsigned wrong, checked;

static void check(const struct class_rule *rule, uint64_t size)
{
    void *volatile block = malloc(size);
    uint64_t usable = malloc_usable_size(block), said = rule->usable(size);
    checked++;
    if (usable != said && wrong++ < SHOWN)
        printf("%llu: %llu, by the rule %llu\n", (unsigned long long)size,
               (unsigned long long)usable, (unsigned long long)said);
    if (size <= EVERY_SIZE) /* the larger ones stay, for a fresh one each time */
        free(block);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < CLASS_RULES; i++) {
        const struct class_rule *rule = &class_rules[i];
        if (strcmp(rule->allocator, argv[1]))
            continue;
        for (uint64_t size = 0; size <= EVERY_SIZE; size++)
            check(rule, size);
        for (uint64_t size = EVERY_SIZE; size < LARGEST; size += size / 13 + 1)
            check(rule, size);
        for (uint64_t step = 65536; step < LARGEST; step *= 2)
            for (uint64_t size = step; size < 2 * step; size += step / 4) {
                check(rule, size);
                check(rule, size + 1);
            }
        printf("%u sizes, %u otherwise\n", checked, wrong);
        return wrong > 0;
    }
    fputs("no such rule\n", stderr);
    return 2;
}
