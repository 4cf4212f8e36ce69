/*
 * What an allocator of this folder is made of. Three of them: heap.h (boundary tags and free lists:
 * first, next, best, worst fit and segregated), buddy.h, bump.h. Their functions are called with
 * the lock held (lock.h), with sizes and alignments of POLICY_MOST at most, and know nothing of
 * large blocks.
 */
#ifndef TEXTBOOK_POLICY_H
#define TEXTBOOK_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "region.h"

/* Told of each block of a region in the order of addresses. `start` and `bytes`: the block with all
 * that belongs to it; `usable`: its payload. */
typedef void visit_block(void *context, const struct region *region, const char *start,
                         size_t bytes, size_t usable, bool used);
/* Told of each free block in the order of its list. */
typedef void visit_free(void *context, unsigned list, const char *start, size_t bytes);

#define POLICY_MOST ((size_t)1 << 33) /* bytes; what is larger is a large block in any case */

struct policy {
    /* Forgets all blocks; before anything else. */
    void (*begin)(void);
    /* Memory for `size` bytes at a multiple of `align` (a power of two, 16 at least), with its tag
     * in front; NULL where the system has none. */
    void *(*take)(size_t size, size_t align);
    void (*give)(void *payload);
    /* Makes the block fit `size` where it is, or where it may slide to without a copy elsewhere;
     * the contents come along. NULL, and nothing has changed, where that cannot be. */
    void *(*resize)(void *payload, size_t size);
    size_t (*usable)(const void *payload);
    void (*walk)(visit_block *visit, void *context);
    void (*walk_free)(visit_free *visit, void *context);
    /* NULL where all is well; else what is not. */
    const char *(*check)(void);
};

extern const struct policy heap_policy, buddy_policy, bump_policy;

/* Counted by the policies, since the program's start or the last reset. */
struct policy_counts {
    size_t splits, coalesces;
};
extern struct policy_counts policy_counts;

#endif
