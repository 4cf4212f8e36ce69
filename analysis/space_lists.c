#include "analysis/space_lists.h"

#include "analysis/grow.h"

/* First fit: a list for each stretch of the space, the leaves of a tree. A space that outgrows them
 * gets longer ones. */
#define LEAVES      (1u << 18)
#define SHIFT_FIRST 10u

/* Best fit: a list for each length in granules below EXACT, then STEPS a doubling. */
#define EXACT      4096u
#define EXACT_LOG2 12u
#define STEPS_LOG2 6u
#define LISTS      (EXACT + ((61u - EXACT_LOG2) << STEPS_LOG2))
#define WORDS      ((LISTS + 63) / 64)
#define HALVES     UINT32_MAX /* the list of holes without room: of either fit */
#define LOOKS      8          /* holes of a list that are looked at for the shortest */

_Static_assert(1u << EXACT_LOG2 == EXACT && LISTS < LEAVES, "one table of lists serves both");

bool space_lists_init(struct space *s)
{
    void *lists = NULL, *longest = NULL, *filled = NULL;
    s->shift = SHIFT_FIRST;
    if (!grow_table(&lists, 0, LEAVES * sizeof *s->lists))
        return false;
    s->lists = lists;
    if (!grow_table(&longest, 0, 2 * LEAVES * sizeof *s->longest))
        return false;
    s->longest = longest;
    if (!grow_table(&filled, 0, WORDS * sizeof *s->filled))
        return false;
    s->filled = filled;
    return true;
}

void space_lists_end(struct space *s)
{
    grow_free(s->lists, LEAVES * sizeof *s->lists);
    grow_free(s->longest, 2 * LEAVES * sizeof *s->longest);
    grow_free(s->filled, WORDS * sizeof *s->filled);
}

static uint32_t *head_of(struct space *s, uint32_t list)
{
    return list == HALVES ? &s->halves : &s->lists[list];
}

static void link_hole(struct space *s, uint32_t list, uint32_t id)
{
    struct space_hole *hole = &s->holes[id];
    uint32_t *head = head_of(s, list);
    hole->list = list;
    hole->previous = 0;
    hole->next = *head;
    if (hole->next)
        s->holes[hole->next].previous = id;
    *head = id;
}

static void unlink_hole(struct space *s, uint32_t id)
{
    const struct space_hole *hole = &s->holes[id];
    if (hole->next)
        s->holes[hole->next].previous = hole->previous;
    if (hole->previous)
        s->holes[hole->previous].next = hole->next;
    else
        *head_of(s, hole->list) = hole->next;
}

/* ---- first fit ---------------------------------------------------------------------------------
 */

/* The leaf's longest hole is so long now. */
static void set_longest(struct space *s, uint32_t list, uint64_t bytes)
{
    size_t node = LEAVES + list;
    s->longest[node] = bytes;
    while (node > 1) {
        uint64_t left = s->longest[node & ~(size_t)1], right = s->longest[node | 1];
        uint64_t most = left > right ? left : right;
        node /= 2;
        if (s->longest[node] == most)
            return;
        s->longest[node] = most;
    }
}

static uint64_t longest_of(const struct space *s, uint32_t list)
{
    uint64_t most = 0;
    for (uint32_t id = s->lists[list]; id; id = s->holes[id].next)
        if (space_hole_room(&s->holes[id]) > most)
            most = space_hole_room(&s->holes[id]);
    return most;
}

static void add_by_place(struct space *s, uint32_t id)
{
    uint32_t list = (uint32_t)(s->holes[id].offset >> s->shift);
    uint64_t room = space_hole_room(&s->holes[id]);
    link_hole(s, list, id);
    if (room > s->longest[LEAVES + list])
        set_longest(s, list, room);
}

/* Stretches so long that the offset lies in one; all holes with room are put in anew. */
static void lengthen_stretches(struct space *s, uint64_t offset)
{
    while (offset >> s->shift >= LEAVES)
        s->shift++;
    for (uint32_t i = 0; i < LEAVES; i++)
        s->lists[i] = 0;
    for (uint32_t i = 0; i < 2 * LEAVES; i++)
        s->longest[i] = 0;
    for (uint32_t id = 1; id <= s->hole_count; id++)
        if (space_hole_room(&s->holes[id]))
            add_by_place(s, id);
}

static uint32_t find_first(const struct space *s, uint64_t bytes)
{
    size_t node = 1;
    uint32_t found = 0;
    if (s->longest[1] < bytes)
        return 0;
    while (node < LEAVES)
        node = s->longest[2 * node] >= bytes ? 2 * node : 2 * node + 1;
    for (uint32_t id = s->lists[node - LEAVES]; id; id = s->holes[id].next)
        if (space_hole_room(&s->holes[id]) >= bytes &&
            (!found || s->holes[id].offset < s->holes[found].offset))
            found = id;
    return found;
}

/* ---- best fit ----------------------------------------------------------------------------------
 */

static uint32_t list_of_length(uint64_t bytes)
{
    uint64_t granules = bytes / SPACE_GRANULE;
    if (granules < EXACT)
        return (uint32_t)granules;
    unsigned log2 = 63u - (unsigned)__builtin_clzll(granules);
    uint64_t step = granules >> (log2 - STEPS_LOG2) & ((1u << STEPS_LOG2) - 1);
    return EXACT + ((log2 - EXACT_LOG2) << STEPS_LOG2) + (uint32_t)step;
}

/* The first list from `list` on that has a hole; LISTS: none. */
static uint32_t filled_from(const struct space *s, uint32_t list)
{
    uint32_t word = list / 64;
    if (list >= LISTS)
        return LISTS;
    uint64_t bits = s->filled[word] & ~UINT64_C(0) << list % 64;
    while (!bits && ++word < WORDS)
        bits = s->filled[word];
    return bits ? word * 64 + (uint32_t)__builtin_ctzll(bits) : LISTS;
}

/* The shortest of the list's first holes that is long enough. */
static uint32_t shortest(const struct space *s, uint32_t list, uint64_t bytes)
{
    uint32_t found = 0, looks = 0;
    uint64_t least = UINT64_MAX;
    for (uint32_t id = s->lists[list]; id && looks < LOOKS; id = s->holes[id].next, looks++) {
        uint64_t room = space_hole_room(&s->holes[id]);
        if (room >= bytes && room < least) {
            least = room;
            found = id;
        }
    }
    return found;
}

static uint32_t find_best(const struct space *s, uint64_t bytes)
{
    uint32_t found = 0, list = filled_from(s, list_of_length(bytes));
    for (; !found && list < LISTS; list = filled_from(s, list + 1))
        found = list < EXACT ? s->lists[list] : shortest(s, list, bytes);
    return found;
}

/* ---- both --------------------------------------------------------------------------------------
 */

void space_lists_add(struct space *s, uint32_t id)
{
    uint64_t room = space_hole_room(&s->holes[id]);
    if (!room) {
        link_hole(s, HALVES, id);
    } else if (s->fit == SPACE_BEST_FIT) {
        uint32_t list = list_of_length(room);
        link_hole(s, list, id);
        s->filled[list / 64] |= UINT64_C(1) << list % 64;
    } else if (s->holes[id].offset >> s->shift >= LEAVES) {
        lengthen_stretches(s, s->holes[id].offset); /* this one is put in, too */
    } else {
        add_by_place(s, id);
    }
}

void space_lists_remove(struct space *s, uint32_t id)
{
    uint32_t list = s->holes[id].list;
    unlink_hole(s, id);
    if (list == HALVES)
        return;
    if (s->fit == SPACE_BEST_FIT && !s->lists[list])
        s->filled[list / 64] &= ~(UINT64_C(1) << list % 64);
    if (s->fit == SPACE_FIRST_FIT && space_hole_room(&s->holes[id]) == s->longest[LEAVES + list])
        set_longest(s, list, longest_of(s, list));
}

uint32_t space_lists_find(const struct space *s, uint64_t bytes)
{
    return s->fit == SPACE_FIRST_FIT ? find_first(s, bytes) : find_best(s, bytes);
}
