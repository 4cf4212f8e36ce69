#include "traces/address_map.h"

#include <stddef.h>
#include <sys/mman.h>

enum { FIRST_LOG2 = 12 };

static bool map_slots(struct address_map *map, unsigned log2)
{
    size_t bytes = sizeof(struct address_slot) << log2;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    *map = (struct address_map){memory, (UINT64_C(1) << log2) - 1, 0, 64 - log2};
    return true;
}

bool address_map_init(struct address_map *map)
{
    return map_slots(map, FIRST_LOG2);
}

void address_map_end(struct address_map *map)
{
    if (map->slots)
        munmap(map->slots, (map->mask + 1) * sizeof *map->slots);
    map->slots = NULL;
}

static void insert(struct address_map *map, uint64_t address, uint32_t object)
{
    uint64_t at = address_map_home(map, address);
    while (map->slots[at].address)
        at = (at + 1) & map->mask;
    map->slots[at] = (struct address_slot){.address = address, .object = object};
    map->used++;
}

static bool grow(struct address_map *map)
{
    struct address_map larger;
    if (!map_slots(&larger, 64 - map->shift + 1))
        return false;
    for (uint64_t i = 0; i <= map->mask; i++) {
        if (map->slots[i].address)
            insert(&larger, map->slots[i].address, map->slots[i].object);
    }
    address_map_end(map);
    *map = larger;
    return true;
}

bool address_map_put(struct address_map *map, uint64_t address, uint32_t object)
{
    if (map->used > map->mask / 2 && !grow(map))
        return false;
    insert(map, address, object);
    return true;
}

uint32_t address_map_take(struct address_map *map, uint64_t address)
{
    uint64_t at = address_map_home(map, address);
    while (map->slots[at].address != address) {
        if (!map->slots[at].address)
            return 0;
        at = (at + 1) & map->mask;
    }
    uint32_t object = map->slots[at].object;
    /* Close the gap with what was displaced over it, so that no probe ends early. */
    for (uint64_t next = at;;) {
        next = (next + 1) & map->mask;
        uint64_t address_there = map->slots[next].address;
        if (!address_there)
            break;
        uint64_t home = address_map_home(map, address_there);
        if (((next - home) & map->mask) >= ((next - at) & map->mask)) {
            map->slots[at] = map->slots[next];
            at = next;
        }
    }
    map->slots[at].address = 0;
    map->used--;
    return object;
}
