/*
 * From the addresses that are live to the objects that they are: an open addressing hash table with
 * linear probing, mapped rather than allocated, doubled when half full. 16 bytes a slot, so 32 to
 * 64 bytes a live object. One map belongs to one thread.
 */
#ifndef HEAPTAPE_TRACES_ADDRESS_MAP_H
#define HEAPTAPE_TRACES_ADDRESS_MAP_H

#include <stdbool.h>
#include <stdint.h>

struct address_slot {
    uint64_t address; /* 0: free */
    uint32_t object, reserved;
};

struct address_map {
    struct address_slot *slots;
    uint64_t mask, used; /* slots - 1; slots that are taken */
    unsigned shift;      /* 64 - log2(slots) */
};

/* False: no memory. */
bool address_map_init(struct address_map *map);
void address_map_end(struct address_map *map);

static inline uint64_t address_map_home(const struct address_map *map, uint64_t address)
{
    return address * UINT64_C(0x9e3779b97f4a7c15) >> map->shift;
}

static inline void address_map_prefetch(const struct address_map *map, uint64_t address)
{
    __builtin_prefetch(&map->slots[address_map_home(map, address)], 1);
}

/* The object at `address` (not 0), 0 where there is none. */
static inline uint32_t address_map_get(const struct address_map *map, uint64_t address)
{
    uint64_t at = address_map_home(map, address);
    while (map->slots[at].address != address) {
        if (!map->slots[at].address)
            return 0;
        at = (at + 1) & map->mask;
    }
    return map->slots[at].object;
}

/* Removes it; returns the object that was there, 0 where there was none. */
uint32_t address_map_take(struct address_map *map, uint64_t address);
/* Puts `object` at `address`, where nothing is. False: no memory, map unchanged. */
bool address_map_put(struct address_map *map, uint64_t address, uint32_t object);

#endif
