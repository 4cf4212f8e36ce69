#include "traces/merge.h"

#include <stdlib.h>
#include <string.h>

#include "traces/grow.h"

void merge_init(struct merge *merge)
{
    memset(merge, 0, sizeof *merge);
}

void merge_end(struct merge *merge)
{
    for (uint32_t i = 0; i < merge->busy_count; i++)
        free(merge->lanes[merge->busy[i]].records);
    grow_free(merge->lanes, merge->lane_capacity, sizeof *merge->lanes);
    free(merge->heap);
    free(merge->busy);
    merge_init(merge);
}

/* ---- taking in ---------------------------------------------------------------------------------
 */

/* Room for one more busy lane, in the list and in the heap. */
static bool reserve_busy(struct merge *merge)
{
    if (merge->busy_count < merge->busy_capacity)
        return true;
    uint32_t capacity = merge->busy_capacity ? 2 * merge->busy_capacity : 16;
    void *heap = reallocarray(merge->heap, capacity, sizeof *merge->heap);
    merge->heap = heap ? heap : merge->heap;
    void *busy = reallocarray(merge->busy, capacity, sizeof *merge->busy);
    merge->busy = busy ? busy : merge->busy;
    if (heap && busy)
        merge->busy_capacity = capacity;
    return heap && busy;
}

/* The lane, in the list of those that have records. NULL: no memory. */
static struct merge_lane *busy_lane(struct merge *merge, uint32_t number)
{
    void *lanes = grow_table(merge->lanes, &merge->lane_capacity, number, sizeof *merge->lanes, 64);
    if (!lanes)
        return NULL;
    merge->lanes = lanes;
    struct merge_lane *lane = &merge->lanes[number];
    if (lane->busy)
        return lane;
    if (!reserve_busy(merge))
        return NULL;
    merge->busy[merge->busy_count++] = number;
    lane->busy = true;
    return lane;
}

/* Moves what waits to the front of the lane's memory. */
static void close_up(struct merge_lane *lane)
{
    memmove(lane->records, lane->records + lane->begin,
            (lane->end - lane->begin) * sizeof *lane->records);
    lane->end -= lane->begin;
    lane->fresh -= lane->begin;
    lane->begin = 0;
}

struct raw_record *merge_reserve(struct merge *merge, uint32_t number, size_t count)
{
    struct merge_lane *lane = busy_lane(merge, number);
    if (!lane)
        return NULL;
    count += !count; /* room for none is room all the same */
    if (lane->begin && lane->end + count > lane->capacity)
        close_up(lane);
    if (lane->end + count > lane->capacity) {
        size_t capacity = lane->capacity ? lane->capacity : 256;
        while (capacity < lane->end + count)
            capacity *= 2;
        void *moved = capacity <= UINT32_MAX
                          ? reallocarray(lane->records, capacity, sizeof *lane->records)
                          : NULL;
        if (!moved)
            return NULL;
        lane->records = moved;
        lane->capacity = (uint32_t)capacity;
    }
    return lane->records + lane->end;
}

void merge_put(struct merge *merge, uint32_t number, size_t count)
{
    merge->lanes[number].end += (uint32_t)count;
    merge->pending += count;
}

/* ---- the heap ----------------------------------------------------------------------------------
 */

/* Among equal keys the lower lane is first, so that the same records give the same tape. */
static bool before(const struct merge_head *a, const struct merge_head *b)
{
    return a->key != b->key ? a->key < b->key : a->lane < b->lane;
}

static void sift_down(struct merge *merge, uint32_t at)
{
    struct merge_head moving = merge->heap[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= merge->heap_count)
            break;
        if (child + 1 < merge->heap_count && before(&merge->heap[child + 1], &merge->heap[child]))
            child++;
        if (!before(&merge->heap[child], &moving))
            break;
        merge->heap[at] = merge->heap[child];
        at = child;
    }
    merge->heap[at] = moving;
}

/* The key of a lane's next record: a stamp raises it. Clocks of one thread never go back; hostile
 * ones do. */
static uint64_t next_key(const struct merge_lane *lane)
{
    const struct raw_record *record = &lane->records[lane->begin];
    bool stamp = raw_head_kind(record->head) == RAW_STAMP;
    return stamp && merge_stamp(record) > lane->key ? merge_stamp(record) : lane->key;
}

/* Lanes that came and went, perhaps by the thousand, keep nothing. */
static void release(struct merge_lane *lane)
{
    free(lane->records);
    *lane = (struct merge_lane){.key = lane->key};
}

void merge_begin(struct merge *merge, uint64_t limit)
{
    merge->limit = limit;
    merge->heap_count = 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < merge->busy_count; i++) {
        uint32_t number = merge->busy[i];
        struct merge_lane *lane = &merge->lanes[number];
        if (lane->begin == lane->end) {
            release(lane);
            continue;
        }
        merge->busy[kept++] = number;
        uint64_t key = next_key(lane);
        if (key < limit)
            merge->heap[merge->heap_count++] = (struct merge_head){key, number};
    }
    merge->busy_count = kept;
    for (uint32_t i = merge->heap_count / 2; i-- > 0;)
        sift_down(merge, i);
}

/* How many records from the front stand before `bound` (and before the limit), the next lane's
 * head. */
static uint32_t stretch(const struct merge *merge, uint32_t number, struct merge_lane *lane,
                        const struct merge_head *bound)
{
    uint32_t at = lane->begin;
    for (; at < lane->end; at++) {
        const struct raw_record *record = &lane->records[at];
        if (raw_head_kind(record->head) != RAW_STAMP || merge_stamp(record) <= lane->key)
            continue;
        struct merge_head head = {merge_stamp(record), number};
        if (head.key >= merge->limit || (bound && before(bound, &head)))
            break;
        lane->key = head.key;
    }
    return at - lane->begin;
}

bool merge_next(struct merge *merge, struct merge_stretch *ret_stretch)
{
    if (!merge->heap_count)
        return false;
    uint32_t number = merge->heap[0].lane;
    struct merge_lane *lane = &merge->lanes[number];
    const struct merge_head *bound = NULL;
    if (merge->heap_count > 1)
        bound = &merge->heap[1];
    if (merge->heap_count > 2 && before(&merge->heap[2], bound))
        bound = &merge->heap[2];
    ret_stretch->lane = number;
    ret_stretch->key = lane->key;
    ret_stretch->records = lane->records + lane->begin;
    uint32_t count = stretch(merge, number, lane, bound);
    ret_stretch->count = count;
    ret_stretch->settled = lane->fresh > lane->begin ? lane->fresh - lane->begin : 0;
    lane->begin += count;
    merge->pending -= count;
    uint64_t key = lane->begin < lane->end ? next_key(lane) : UINT64_MAX;
    if (lane->begin < lane->end && key < merge->limit)
        merge->heap[0].key = key;
    else
        merge->heap[0] = merge->heap[--merge->heap_count];
    if (merge->heap_count)
        sift_down(merge, 0);
    return true;
}

void merge_park(struct merge *merge, const struct merge_stretch *given, size_t done, uint64_t key)
{
    struct merge_lane *lane = &merge->lanes[given->lane];
    uint32_t back = (uint32_t)(given->count - done);
    lane->begin -= back;
    lane->key = key;
    merge->pending += back;
    merge->heap_count = 0;
}

void merge_finish(struct merge *merge)
{
    for (uint32_t i = 0; i < merge->busy_count; i++) {
        struct merge_lane *lane = &merge->lanes[merge->busy[i]];
        lane->fresh = lane->end;
    }
}
