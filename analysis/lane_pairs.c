#include "analysis/lane_pairs.h"

#include <stdlib.h>

#include "analysis/grow.h"

#define SLOTS_FIRST 256u

void lane_pairs_end(struct lane_pairs *pairs)
{
    grow_free(pairs->slots, pairs->slot_count * sizeof *pairs->slots);
    *pairs = (struct lane_pairs){0};
}

/* The slot of the pair, or the free one where it belongs. There is a free one. */
static struct lane_pair *slot_of(struct lane_pair *slots, size_t count, uint32_t owner,
                                 uint32_t freer)
{
    uint64_t key = (uint64_t)owner << 32 | freer;
    size_t at = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 32) & (count - 1);
    while (slots[at].blocks && (slots[at].owner != owner || slots[at].freer != freer))
        at = (at + 1) & (count - 1);
    return &slots[at];
}

static bool make_room(struct lane_pairs *pairs)
{
    size_t more = pairs->slot_count ? 2 * pairs->slot_count : SLOTS_FIRST;
    void *fresh = NULL;
    if (pairs->used < pairs->slot_count / 4 * 3)
        return true;
    if (!grow_table(&fresh, 0, more * sizeof *pairs->slots))
        return false;
    for (size_t i = 0; i < pairs->slot_count; i++) {
        const struct lane_pair *old = &pairs->slots[i];
        if (old->blocks)
            *slot_of(fresh, more, old->owner, old->freer) = *old;
    }
    grow_free(pairs->slots, pairs->slot_count * sizeof *pairs->slots);
    pairs->slots = fresh;
    pairs->slot_count = more;
    return true;
}

bool lane_pairs_add(struct lane_pairs *pairs, uint32_t owner, uint32_t freer, uint64_t bytes)
{
    if (!make_room(pairs))
        return false;
    struct lane_pair *slot = slot_of(pairs->slots, pairs->slot_count, owner, freer);
    if (!slot->blocks) {
        if (pairs->used == LANE_PAIRS_MAX - 1) {
            pairs->left_out_blocks++;
            return true;
        }
        pairs->used++;
        slot->owner = owner;
        slot->freer = freer;
    }
    slot->blocks++;
    slot->bytes += bytes;
    return true;
}

static int compare(const void *first, const void *second)
{
    const struct lane_pair *a = first, *b = second;
    if (a->blocks != b->blocks)
        return a->blocks < b->blocks ? 1 : -1;
    if (a->owner != b->owner)
        return a->owner < b->owner ? -1 : 1;
    return a->freer < b->freer ? -1 : a->freer > b->freer;
}

size_t lane_pairs_sorted(const struct lane_pairs *pairs, struct lane_pair *ret)
{
    size_t count = 0;
    for (size_t i = 0; i < pairs->slot_count; i++)
        if (pairs->slots[i].blocks)
            ret[count++] = pairs->slots[i];
    qsort(ret, count, sizeof *ret, compare);
    return count;
}
