#include "analysis/blame_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FINE_BYTES   1024u /* sizes up to here are put together by 16 bytes */
#define FINE_STEP    16u
#define STEPS_LOG2   3u /* above: steps a doubling */
#define COARSE_FIRST (FINE_BYTES / FINE_STEP + 1)

static const char *const words[] = {"site", "size", "lane", "age"};

const char *blame_by_word(enum blame_by by)
{
    return words[by];
}

enum blame_by blame_by_named(const char *word)
{
    unsigned by = 0;
    while (by < BLAME_BY_LIMIT && strcmp(word, words[by]))
        by++;
    return (enum blame_by)by;
}

static uint64_t size_key(uint64_t size)
{
    if (size <= FINE_BYTES)
        return (size + FINE_STEP - 1) / FINE_STEP;
    /* The step that ends at or above it, so that powers of two end one. */
    unsigned log2 = 63u - (unsigned)__builtin_clzll(size - 1);
    uint64_t step = (size - 1) >> (log2 - STEPS_LOG2) & ((1u << STEPS_LOG2) - 1);
    return COARSE_FIRST + ((uint64_t)log2 << STEPS_LOG2) + step;
}

static uint64_t age_key(uint64_t age)
{
    return age ? 64u - (unsigned)__builtin_clzll(age) : 0;
}

uint64_t blame_age_low(uint64_t key)
{
    return key ? UINT64_C(1) << (key - 1) : 0;
}

uint64_t blame_age_high(uint64_t key)
{
    return key < 64 ? (UINT64_C(1) << key) - 1 : UINT64_MAX;
}

uint64_t blame_key(const struct blame_keys *keys, enum blame_by by, const struct heap_block *block,
                   size_t index)
{
    switch (by) {
    case BLAME_SITE:
        return keys->sites[index] <= keys->names->highest ? keys->names->same[keys->sites[index]]
                                                          : 0;
    case BLAME_SIZE:
        return size_key(block->requested);
    case BLAME_LANE:
        return block->lane;
    default:
        return age_key(keys->event > block->birth ? keys->event - block->birth : 0);
    }
}

void blame_group_name(const struct blame_keys *keys, enum blame_by by,
                      const struct blame_group *group, char *text, size_t bytes)
{
    switch (by) {
    case BLAME_SITE:
        site_names_stack(keys->names, (uint32_t)group->key, text, bytes);
        break;
    case BLAME_SIZE:
        if (group->size_min == group->size_max)
            snprintf(text, bytes, "%" PRIu64 " B", group->size_min);
        else
            snprintf(text, bytes, "%" PRIu64 " to %" PRIu64 " B", group->size_min, group->size_max);
        break;
    case BLAME_LANE:
        snprintf(text, bytes, "lane %" PRIu64, group->key);
        break;
    default:
        snprintf(text, bytes, "%" PRIu64 " to %" PRIu64 " events old", blame_age_low(group->key),
                 blame_age_high(group->key));
    }
}
