#include "traces/referrer.h"

#include <string.h>

void referrer_begin(struct referrer *referrer)
{
    if (++referrer->epoch == 0) { /* touches of an epoch long ago must not come alive again */
        memset(referrer->touches, 0, sizeof referrer->touches);
        referrer->epoch = 1;
    }
    referrer->touched = referrer->place = referrer->before = referrer->far = 0;
    referrer->row[0].next = referrer->row[0].before = 0;
    memset(referrer->age_uses, 0, sizeof referrer->age_uses);
    memset(referrer->step_uses, 0, sizeof referrer->step_uses);
}

/*
 * Ids of a moment lie close together, and so do their slots, eight by eight. Longer stretches would
 * lie in each other's way: a block may touch a hundred thousand ids in a row, and as many of
 * another range.
 */
static struct referrer_touch *slot_of(struct referrer *referrer, uint32_t id)
{
    uint32_t group = (id >> 3) * UINT32_C(0x9e3779b1) >> 8;
    uint32_t slot = (group << 3 | (id & 7)) % REFERRER_TOUCHES;
    while (referrer->touches[slot].epoch == referrer->epoch && referrer->touches[slot].id != id)
        slot = (slot + 1) % REFERRER_TOUCHES;
    return &referrer->touches[slot];
}

/* Puts the object at the end of the row. */
static uint32_t append(struct referrer *referrer)
{
    uint32_t touch = ++referrer->touched, last = referrer->row[0].before;
    referrer->row[touch].before = last;
    referrer->row[touch].next = 0;
    referrer->row[last].next = referrer->row[0].before = touch;
    return touch;
}

/* An object of the row that has the same id stays there: the decoder does not look for it. */
void referrer_allocate(struct referrer *referrer, uint32_t id)
{
    *slot_of(referrer, id) = (struct referrer_touch){id, referrer->epoch, append(referrer)};
}

/* How far along the row; 0: not within reach. */
static uint32_t count_ahead(const struct referrer *referrer, uint32_t from, uint32_t touch)
{
    for (uint32_t count = 1; count <= FORMAT_ROW_MAX && from; count++) {
        if (from == touch)
            return count;
        from = referrer->row[from].next;
    }
    return 0;
}
static uint32_t count_back(const struct referrer *referrer, uint32_t from, uint32_t touch)
{
    for (uint32_t count = 1; count <= FORMAT_ROW_MAX && from; count++) {
        if (from == touch)
            return count;
        from = referrer->row[from].before;
    }
    return 0;
}

/* The step from the object named last; negative backward. */
static uint32_t step_to(const struct referrer *referrer, uint32_t touch)
{
    uint32_t before = referrer->before, step = touch - referrer->place, count;
    if (touch > referrer->place)
        count = count_ahead(referrer, referrer->row[before].next, touch);
    else
        count = 0 - count_back(referrer, before, touch);
    return count ? count : step;
}

static void note_near(struct referrer *referrer, struct referrer_way *way, uint32_t touch)
{
    uint32_t age = count_back(referrer, referrer->row[0].before, touch);
    way->age = age ? age : referrer->touched - touch + 1;
    way->step = zigzag_32(step_to(referrer, touch));
    if (way->age < REFERRER_COUNTED)
        referrer->age_uses[way->age]++;
    if (way->step < REFERRER_COUNTED)
        referrer->step_uses[way->step]++;
}

void referrer_name(struct referrer *referrer, uint32_t event, uint32_t id, bool frees)
{
    struct referrer_touch *latest = slot_of(referrer, id);
    struct referrer_way *way = &referrer->ways[event];
    if (latest->epoch != referrer->epoch || !latest->touch) {
        *way = (struct referrer_way){0, zigzag_32(id - referrer->far)};
        referrer->far = id;
    } else {
        uint32_t touch = latest->touch;
        note_near(referrer, way, touch);
        uint32_t next = referrer->row[touch].next, before = referrer->row[touch].before;
        referrer->row[before].next = next;
        referrer->row[next].before = before;
        referrer->place = touch;
        referrer->before = before;
    }
    *latest = (struct referrer_touch){id, referrer->epoch, frees ? 0 : append(referrer)};
}

void referrer_choose(const struct referrer *referrer, uint32_t event, struct shape_key *key)
{
    const struct referrer_way *way = &referrer->ways[event];
    if (way->age == 0) {
        key->how = FORMAT_SHAPE_FAR;
        key->reference = way->step;
        return;
    }
    uint32_t age_uses = way->age < REFERRER_COUNTED ? referrer->age_uses[way->age] : 0;
    uint32_t step_uses = way->step < REFERRER_COUNTED ? referrer->step_uses[way->step] : 0;
    /* What neither is counted for goes to a column, where it had better be small. */
    bool steps = age_uses || step_uses ? step_uses > age_uses : way->step < way->age / 2;
    key->how = steps ? FORMAT_SHAPE_STEP : 0;
    key->reference = steps ? way->step : way->age;
}
