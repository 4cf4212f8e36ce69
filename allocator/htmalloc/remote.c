#include "remote.h"

#include "mixed.h"

bool remote_push(struct run *run, struct block *first, struct block *last, uint32_t count,
                 uint32_t *ret_total)
{
    uint64_t offset = (uint64_t)((char *)first - slice_base(run)) + 1;
    uint64_t old = __atomic_load_n(&run->remote, __ATOMIC_RELAXED), new;
    do {
        block_link_in(run, last, remote_first(run, old));
        uint64_t total = remote_count(old) + count;
        new = offset | total << REMOTE_COUNT_SHIFT | REMOTE_PENDING;
    } while (!__atomic_compare_exchange_n(&run->remote, &old, new, true, __ATOMIC_ACQ_REL,
                                          __ATOMIC_RELAXED));
    *ret_total = remote_count(new);
    return (old & REMOTE_PENDING) == 0;
}

uint32_t remote_collect(struct run *run, bool clear_pending)
{
    uint64_t word = __atomic_load_n(&run->remote, __ATOMIC_RELAXED);
    uint64_t keep = clear_pending ? 0 : word & REMOTE_PENDING;
    if (word == keep)
        return 0;
    /* PENDING never goes away but by the owner's own hand, so that `keep` cannot become wrong. */
    while (!__atomic_compare_exchange_n(&run->remote, &word, keep, true, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED))
        keep = clear_pending ? 0 : word & REMOTE_PENDING;
    struct block *first = remote_first(run, word);
    if (run->mixed)
        first = mixed_sift(run, first);
    if (first == NULL)
        return remote_count(word);
    if (run->free != NULL) {
        struct block *last = first;
        for (uint32_t count = 1;; count++) {
            run_check_listed(run, last, count);
            struct block *next = block_next_in(run, last);
            if (next == NULL)
                break;
            last = next;
        }
        block_link_in(run, last, run->free);
    }
    run->free = first;
    return remote_count(word);
}
