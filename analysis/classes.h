/*
 * The size classes of allocators, as rules: what malloc_usable_size() says of a block of so many
 * bytes, without the allocator at hand. Of fresh blocks of malloc() with the allocators' default
 * settings, in the versions named; a test holds the rules against the libraries of Debian 12
 * (tests/cli/test_classes.py).
 */
#ifndef HEAPTAPE_ANALYSIS_CLASSES_H
#define HEAPTAPE_ANALYSIS_CLASSES_H

#include <stddef.h>
#include <stdint.h>

struct class_rule {
    const char *allocator, *version;
    unsigned header;                   /* bytes before each block */
    uint64_t (*usable)(uint64_t size); /* never less than `size`, and never falling */
};

#define CLASS_RULES 6
extern const struct class_rule class_rules[CLASS_RULES];

#endif
