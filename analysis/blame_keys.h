/*
 * What blame puts blocks together by, and the groups' names. One thread.
 */
#ifndef HEAPTAPE_ANALYSIS_BLAME_KEYS_H
#define HEAPTAPE_ANALYSIS_BLAME_KEYS_H

#include "analysis/blame.h"
#include "analysis/site_names.h"

enum blame_by { BLAME_SITE, BLAME_SIZE, BLAME_LANE, BLAME_AGE, BLAME_BY_LIMIT };

/* "site", "size", "lane", "age"; BLAME_BY_LIMIT for any other word. */
const char *blame_by_word(enum blame_by by);
enum blame_by blame_by_named(const char *word);

struct blame_keys {
    const struct site_names *names; /* of the tape; NULL without BLAME_SITE */
    const uint32_t *sites;          /* by block; likewise */
    uint64_t event;                 /* of the snapshot: ages are counted back from it */
};

/* The key of a block. Sizes: by 16 bytes to 1 KiB, then 8 a doubling. Ages: by powers of two. */
uint64_t blame_key(const struct blame_keys *keys, enum blame_by by, const struct heap_block *block,
                   size_t index);

/* A group in words, on one line; at least 64 bytes. */
void blame_group_name(const struct blame_keys *keys, enum blame_by by,
                      const struct blame_group *group, char *text, size_t bytes);
/* The ages of a group's key, in events, both included. */
uint64_t blame_age_low(uint64_t key);
uint64_t blame_age_high(uint64_t key);

#endif
