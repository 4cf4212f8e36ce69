#include "analysis/hole_map.h"

#include <assert.h>

#include "analysis/grow.h"

#define SLOTS_FIRST 1024u

struct hole_entry {
    uint64_t key; /* 0: a free slot */
    uint32_t hole;
};

void hole_map_end(struct hole_map *map)
{
    grow_free(map->slots, map->slot_count * sizeof *map->slots);
    *map = (struct hole_map){0};
}

static size_t home(const struct hole_map *map, uint64_t key)
{
    return (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (map->slot_count - 1);
}

/* The slot of the key, or the free one where it belongs. */
static size_t find(const struct hole_map *map, uint64_t key)
{
    size_t at = home(map, key);
    while (map->slots[at].key && map->slots[at].key != key)
        at = (at + 1) & (map->slot_count - 1);
    return at;
}

uint32_t hole_map_get(const struct hole_map *map, uint64_t key)
{
    if (!map->used)
        return 0;
    const struct hole_entry *entry = &map->slots[find(map, key)];
    return entry->key ? entry->hole : 0;
}

bool hole_map_reserve(struct hole_map *map, size_t more)
{
    void *fresh = NULL;
    if (map->used + more <= map->slot_count / 2)
        return true;
    struct hole_map grown = {.slot_count = map->slot_count ? 2 * map->slot_count : SLOTS_FIRST};
    if (!grow_table(&fresh, 0, grown.slot_count * sizeof *grown.slots))
        return false;
    grown.slots = fresh;
    for (size_t i = 0; i < map->slot_count; i++)
        if (map->slots[i].key)
            hole_map_add(&grown, map->slots[i].key, map->slots[i].hole);
    hole_map_end(map);
    *map = grown;
    return true;
}

void hole_map_add(struct hole_map *map, uint64_t key, uint32_t hole)
{
    struct hole_entry *entry = &map->slots[find(map, key)];
    assert(!entry->key);
    *entry = (struct hole_entry){key, hole};
    map->used++;
}

/* Those behind it move up, so that searches end at the first free slot. */
void hole_map_remove(struct hole_map *map, uint64_t key)
{
    size_t mask = map->slot_count - 1, free = find(map, key);
    assert(map->slots[free].key == key);
    map->used--;
    for (size_t at = (free + 1) & mask; map->slots[at].key; at = (at + 1) & mask) {
        /* It may move where its home is not between the free slot and itself. */
        if (((at - home(map, map->slots[at].key)) & mask) >= ((at - free) & mask)) {
            map->slots[free] = map->slots[at];
            free = at;
        }
    }
    map->slots[free].key = 0;
}
