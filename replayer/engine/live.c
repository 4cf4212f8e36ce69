#include "replayer/engine/live.h"

#define FIRST_IDS 65536

void live_extend(struct live *live, uint32_t object)
{
    uint64_t ids = live->capacity ? live->capacity : FIRST_IDS;
    while (ids <= object)
        ids *= 2;
    pages_reserve(&live->bits, ids / 8);
    live->capacity = ids;
}
