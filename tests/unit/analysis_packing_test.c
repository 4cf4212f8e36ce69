/* The packing of `heaptape analyze --packing`: by hand on small tapes; the space that it places
 * them in against a map. */
#include <stdlib.h>
#include <string.h>

#include "analysis/packing.h"
#include "tests/unit/check.h"

static struct packing p;

static void step(unsigned kind, uint32_t object, uint64_t size, unsigned align_log2)
{
    struct tape_event event = {
        .kind = (uint8_t)kind, .object = object, .size = size, .align_log2 = (uint8_t)align_log2};
    CHECK(packing_event(&p, &event));
}

static void test_holes_are_joined_and_used(void)
{
    CHECK(packing_init(&p, SPACE_FIRST_FIT));
    for (uint32_t i = 1; i <= 4; i++)
        step(TAPE_MALLOC, i, 30, 0); /* 32 each: 0, 32, 64, 96 */
    CHECK_EQ_U64(p.space.top, 128);
    step(TAPE_FREE, 2, 0, 0);
    step(TAPE_MALLOC, 5, 33, 0); /* 48 do not fit into 32 */
    CHECK_EQ_U64(p.space.top, 176);
    step(TAPE_FREE, 3, 0, 0);    /* 64 from 32 on */
    step(TAPE_MALLOC, 6, 64, 0); /* fits exactly */
    CHECK_EQ_U64(p.space.top, 176);
    step(TAPE_FREE, 5, 0, 0); /* the last block: the end comes down */
    CHECK_EQ_U64(p.space.top, 128);
    step(TAPE_FREE, 6, 0, 0);
    step(TAPE_FREE, 4, 0, 0); /* and takes the hole before it along */
    CHECK_EQ_U64(p.space.top, 32);
    CHECK_EQ_U64(p.peak, 176);
    packing_end(&p);
}

static void test_alignment_and_realloc(void)
{
    CHECK(packing_init(&p, SPACE_FIRST_FIT));
    step(TAPE_MALLOC, 1, 16, 0);
    step(TAPE_ALIGNED, 2, 64, 6); /* 64 to 128; 16 to 64 is a hole */
    CHECK_EQ_U64(p.space.top, 128);
    step(TAPE_MALLOC, 3, 48, 0);
    CHECK_EQ_U64(p.space.top, 128);
    step(TAPE_REALLOC, 3, 17, 0); /* 32 at the same place */
    step(TAPE_MALLOC, 4, 9, 0);   /* 16 behind it */
    CHECK_EQ_U64(p.space.top, 128);
    step(TAPE_REALLOC, 1, 100, 0); /* 112 at the end */
    CHECK_EQ_U64(p.space.top, 240);
    CHECK_EQ_U64(p.peak, 240);
    packing_end(&p);
}

/* Blocks of up to 8 bytes share a granule, and fill what is left of one. */
static void test_halves(void)
{
    CHECK(packing_init(&p, SPACE_FIRST_FIT));
    step(TAPE_MALLOC, 1, 8, 0);
    CHECK_EQ_U64(p.space.top, 8);
    step(TAPE_MALLOC, 2, 16, 0); /* 16 to 32 */
    CHECK_EQ_U64(p.space.top, 32);
    step(TAPE_MALLOC, 3, 0, 0); /* 8 to 16 */
    step(TAPE_MALLOC, 4, 1, 0); /* 32 to 40 */
    CHECK_EQ_U64(p.space.top, 40);
    step(TAPE_ALIGNED, 5, 8, 4); /* a granule of its own: 48 to 64 */
    CHECK_EQ_U64(p.space.top, 64);
    step(TAPE_FREE, 1, 0, 0);
    step(TAPE_FREE, 2, 0, 0); /* 0 to 8 and 16 to 32 are free */
    step(TAPE_FREE, 3, 0, 0); /* 0 to 32 is */
    step(TAPE_MALLOC, 6, 32, 0);
    CHECK_EQ_U64(p.space.top, 64);
    CHECK_EQ_U64(p.peak, 64);
    step(TAPE_MALLOC, 7, 8, 0); /* 40 to 48 */
    CHECK_EQ_U64(p.space.top, 64);
    packing_end(&p);
}

static void test_damage(void)
{
    CHECK(packing_init(&p, SPACE_FIRST_FIT));
    step(TAPE_FREE, 7, 0, 0);
    step(TAPE_REALLOC, 8, 100, 0);
    step(TAPE_FREE_NULL, TAPE_NO_OBJECT, 0, 0);
    CHECK_EQ_U64(p.peak, 0);
    step(TAPE_MALLOC, 1, 32, 0);
    step(TAPE_MALLOC, 1, 32, 0); /* its free is lost */
    CHECK_EQ_U64(p.peak, 32);
    packing_end(&p);
}

/* --- against a map of halves of granules --- */

#define HALVES    40000u
#define STRETCHES 300u

static unsigned char used[HALVES];
static struct {
    unsigned from, length;
} stretches[STRETCHES];

static unsigned map_end(void)
{
    unsigned top = HALVES;
    while (top > 0 && !used[top - 1])
        top--;
    return top;
}

static unsigned even(unsigned at)
{
    return (at + 1) & ~1u;
}

/* Free halves in a row: all of them, and those between multiples of a granule. */
struct run {
    unsigned from, length, room;
};

static struct run run_at(unsigned at, unsigned end)
{
    struct run run = {.from = at};
    while (at + run.length < end && !used[at + run.length])
        run.length++;
    unsigned last = (at + run.length) & ~1u;
    run.room = last > even(at) ? last - even(at) : 0;
    return run;
}

/* Whether `count` halves may be taken at `at`: of a hole that is the first, or has the least room,
 * of those that have enough; of one without room for what is a half; the end where there is none.
 */
static bool is_right(enum space_fit fit, unsigned at, unsigned count)
{
    unsigned end = map_end(), first = end, least = HALVES, odd = 0, start = at;
    for (unsigned i = 0; i < end;) {
        struct run run = run_at(i, end);
        if (run.length && run.room >= even(count)) {
            first = first == end ? i : first;
            least = run.room < least ? run.room : least;
        }
        odd += run.length && !run.room;
        i += run.length ? run.length : 1;
    }
    while (start > 0 && start < end && !used[start - 1])
        start--;
    struct run own = run_at(start, end);
    unsigned wanted = count == 1 ? start : even(start);
    if (count == 1 && odd)
        return at == wanted && own.length && !own.room;
    if (first == end)
        return at == (count == 1 ? end : even(end));
    return at == wanted && (fit == SPACE_FIRST_FIT ? start == first : own.room == least);
}

static void against_a_map(enum space_fit fit)
{
    struct space space;
    uint64_t random = 7;
    memset(used, 0, sizeof used);
    memset(stretches, 0, sizeof stretches);
    CHECK(space_init(&space, fit));
    for (int i = 0; i < 30000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        unsigned which = (unsigned)(random >> 33) % STRETCHES;
        unsigned from = stretches[which].from, length = stretches[which].length;
        if (length > 0) {
            memset(used + from, 0, length);
            CHECK(space_give(&space, (uint64_t)from * SPACE_HALF, length * SPACE_HALF));
            stretches[which].length = 0;
        } else {
            uint64_t offset = 0;
            length = 2 * ((unsigned)(random >> 50) % 20);
            length = length ? length : 1;
            CHECK(space_take(&space, length * SPACE_HALF, &offset));
            from = (unsigned)(offset / SPACE_HALF);
            if (!CHECK(is_right(fit, from, length)))
                break;
            memset(used + from, 1, length);
            stretches[which].from = from;
            stretches[which].length = length;
        }
        if (!CHECK_EQ_U64(space.top, (uint64_t)map_end() * SPACE_HALF))
            break;
    }
    space_end(&space);
}

static void test_first_fit_against_a_map(void)
{
    against_a_map(SPACE_FIRST_FIT);
}

static void test_best_fit_against_a_map(void)
{
    against_a_map(SPACE_BEST_FIT);
}

/* A space that outgrows the first stretches of the tree, with holes of all lengths: what is taken
 * lies apart from what is taken already, and all of it given back is an empty space. */
static void test_a_large_space(void)
{
    enum { COUNT = 2000 };
    static struct {
        uint64_t offset, bytes;
    } taken[COUNT];
    for (enum space_fit fit = SPACE_FIRST_FIT; fit <= SPACE_BEST_FIT; fit++) {
        struct space space;
        uint64_t random = 11, live = 0;
        CHECK(space_init(&space, fit));
        for (int i = 0; i < 40000; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            unsigned at = (unsigned)(random >> 33) % COUNT;
            if (taken[at].bytes) {
                CHECK(space_give(&space, taken[at].offset, taken[at].bytes));
                live -= taken[at].bytes;
                taken[at].bytes = 0;
                continue;
            }
            taken[at].bytes = (1 + (random >> 40) % 4096) << (random >> 60) % 16;
            taken[at].bytes *= SPACE_GRANULE;
            if (random >> 20 & 1)
                taken[at].bytes = SPACE_HALF;
            CHECK(space_take(&space, taken[at].bytes, &taken[at].offset));
            live += taken[at].bytes;
            for (unsigned other = 0; i % 16 == 0 && other < COUNT; other++)
                CHECK(other == at || !taken[other].bytes ||
                      taken[other].offset >= taken[at].offset + taken[at].bytes ||
                      taken[at].offset >= taken[other].offset + taken[other].bytes);
        }
        CHECK(space.top > UINT64_C(1) << 32 && space.top < 2 * live);
        for (unsigned at = 0; at < COUNT; at++) {
            CHECK(space_give(&space, taken[at].offset, taken[at].bytes));
            taken[at].bytes = 0;
        }
        CHECK_EQ_U64(space.top, 0);
        CHECK_EQ_U64(space.ends.used, 0);
        space_end(&space);
    }
}

/* 64 free bytes, then 32 further up: the shorter hole is the better one. */
static void test_best_fit(void)
{
    CHECK(packing_init(&p, SPACE_BEST_FIT));
    step(TAPE_MALLOC, 1, 64, 0);
    step(TAPE_MALLOC, 2, 16, 0);
    step(TAPE_MALLOC, 3, 32, 0);
    step(TAPE_MALLOC, 4, 16, 0);
    step(TAPE_FREE, 1, 0, 0);
    step(TAPE_FREE, 3, 0, 0);
    step(TAPE_MALLOC, 5, 32, 0);
    step(TAPE_MALLOC, 6, 64, 0); /* the 64 are still whole */
    CHECK_EQ_U64(p.space.top, 128);
    packing_end(&p);
}

/* Sizes that no program can have had: left out, and nothing wraps. */
static void test_impossible_sizes(void)
{
    for (enum space_fit fit = SPACE_FIRST_FIT; fit <= SPACE_BEST_FIT; fit++) {
        CHECK(packing_init(&p, fit));
        step(TAPE_MALLOC, 1, UINT64_MAX, 0);
        step(TAPE_ALIGNED, 2, 16, 63);
        for (uint32_t i = 3; i < 300; i++)
            step(TAPE_MALLOC, i, UINT64_C(1) << 56, 0);
        for (uint32_t i = 1; i < 300; i++)
            step(TAPE_FREE, i, 0, 0);
        CHECK(p.peak <= (UINT64_C(1) << 60) + (UINT64_C(1) << 57));
        CHECK_EQ_U64(p.space.top, 0);
        packing_end(&p);
    }
}

int main(void)
{
    RUN(test_holes_are_joined_and_used);
    RUN(test_alignment_and_realloc);
    RUN(test_halves);
    RUN(test_damage);
    RUN(test_first_fit_against_a_map);
    RUN(test_best_fit_against_a_map);
    RUN(test_a_large_space);
    RUN(test_best_fit);
    RUN(test_impossible_sizes);
    return CHECK_MAIN_END();
}
