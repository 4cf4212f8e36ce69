/*
 * Which hole of an address space begins or ends at an address: a hash table by open addressing that
 * has two entries for each hole. Keys are the caller's; 0 is none. Memory: some 40 bytes a hole, by
 * mmap. Not thread-safe.
 */
#ifndef HEAPTAPE_ANALYSIS_HOLE_MAP_H
#define HEAPTAPE_ANALYSIS_HOLE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hole_entry;

struct hole_map {
    struct hole_entry *slots;
    size_t slot_count, used;
};

void hole_map_end(struct hole_map *map);
/* The hole of the key, 0 where there is none. */
uint32_t hole_map_get(const struct hole_map *map, uint64_t key);
/* Room for so many more. False: no memory. */
bool hole_map_reserve(struct hole_map *map, size_t more);
/* The key is not in it, and there is room. */
void hole_map_add(struct hole_map *map, uint64_t key, uint32_t hole);
/* The key is in it. */
void hole_map_remove(struct hole_map *map, uint64_t key);

#endif
