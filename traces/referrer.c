#include "traces/referrer.h"

#include <string.h>

void referrer_begin(struct referrer *referrer)
{
    if (++referrer->epoch == 0) { /* touches of an epoch long ago must not come alive again */
        memset(referrer->touches, 0, sizeof referrer->touches);
        referrer->epoch = 1;
    }
    referrer->touched = referrer->place = referrer->far = 0;
    memset(referrer->age_uses, 0, sizeof referrer->age_uses);
    memset(referrer->step_uses, 0, sizeof referrer->step_uses);
}

/* Ids are small and those of a moment lie close together: so do their slots. */
static struct referrer_touch *slot_of(struct referrer *referrer, uint32_t id)
{
    uint32_t slot = (id + (id / REFERRER_TOUCHES) * UINT32_C(0x9e3779b1)) % REFERRER_TOUCHES;
    while (referrer->touches[slot].epoch == referrer->epoch && referrer->touches[slot].id != id)
        slot = (slot + 1) % REFERRER_TOUCHES;
    return &referrer->touches[slot];
}

void referrer_touch(struct referrer *referrer, uint32_t id)
{
    *slot_of(referrer, id) = (struct referrer_touch){id, referrer->epoch, referrer->touched++};
}

void referrer_note(struct referrer *referrer, uint32_t event, uint32_t id)
{
    const struct referrer_touch *latest = slot_of(referrer, id);
    if (latest->epoch != referrer->epoch) {
        referrer->ages[event] = 0;
        referrer->steps[event] = zigzag_32(id - referrer->far);
        referrer->far = id;
        return;
    }
    uint32_t age = referrer->touched - latest->ordinal;
    uint32_t step = zigzag_32(latest->ordinal - referrer->place);
    referrer->place = latest->ordinal;
    referrer->ages[event] = age;
    referrer->steps[event] = step;
    referrer->age_uses[age < REFERRER_COUNTED ? age : 0]++;
    if (step && step < REFERRER_COUNTED)
        referrer->step_uses[step]++;
}

void referrer_choose(const struct referrer *referrer, uint32_t event, struct shape_key *key)
{
    uint32_t age = referrer->ages[event], step = referrer->steps[event];
    uint32_t age_uses = age < REFERRER_COUNTED ? referrer->age_uses[age] : 0;
    uint32_t step_uses = step < REFERRER_COUNTED ? referrer->step_uses[step] : 0;
    /* What neither is counted for goes to a column, where it had better be small. */
    bool steps = age_uses || step_uses ? step_uses > age_uses : step < age / 2;
    key->how = age == 0 ? FORMAT_SHAPE_FAR : steps ? FORMAT_SHAPE_STEP : 0;
    key->reference = key->how ? step : age;
}
