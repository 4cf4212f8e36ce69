/* The packing of `heaptape analyze --packing`: by hand on small tapes, and against a plain search
 * over a map of granules on long random ones. */
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
    packing_init(&p, SPACE_FIRST_FIT);
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
    packing_init(&p, SPACE_FIRST_FIT);
    step(TAPE_MALLOC, 1, 16, 0);
    step(TAPE_ALIGNED, 2, 64, 6); /* 64 to 128; 16 to 64 is a hole */
    CHECK_EQ_U64(p.space.top, 128);
    step(TAPE_MALLOC, 3, 48, 0);
    CHECK_EQ_U64(p.space.top, 128);
    step(TAPE_REALLOC, 3, 17, 0); /* 32 at the same place */
    step(TAPE_MALLOC, 4, 0, 0);   /* 16 behind it */
    CHECK_EQ_U64(p.space.top, 128);
    step(TAPE_REALLOC, 1, 100, 0); /* 112 at the end */
    CHECK_EQ_U64(p.space.top, 240);
    CHECK_EQ_U64(p.peak, 240);
    packing_end(&p);
}

static void test_damage(void)
{
    packing_init(&p, SPACE_FIRST_FIT);
    step(TAPE_FREE, 7, 0, 0);
    step(TAPE_REALLOC, 8, 100, 0);
    step(TAPE_FREE_NULL, TAPE_NO_OBJECT, 0, 0);
    CHECK_EQ_U64(p.peak, 0);
    step(TAPE_MALLOC, 1, 32, 0);
    step(TAPE_MALLOC, 1, 32, 0); /* its free is lost */
    CHECK_EQ_U64(p.peak, 32);
    packing_end(&p);
}

/* --- against a map of granules --- */

#define GRANULES 20000u
#define OBJECTS  300u

static unsigned char used[GRANULES];
static unsigned from[OBJECTS], length[OBJECTS];

static unsigned lowest(unsigned count)
{
    for (unsigned at = 0, room = 0;; at++) {
        room = used[at] ? 0 : room + 1;
        if (room == count)
            return at + 1 - count;
    }
}

static unsigned map_end(void)
{
    unsigned top = GRANULES;
    while (top > 0 && !used[top - 1])
        top--;
    return top;
}

/* The start of the shortest run of free granules below the end that is long enough; else the end.
 */
static unsigned tightest(unsigned count)
{
    unsigned end = map_end(), found = end, least = GRANULES;
    for (unsigned at = 0, room = 0; at <= end; at++) {
        if (at < end && !used[at]) {
            room++;
            continue;
        }
        if (room >= count && room < least && at < end) {
            least = room;
            found = at - room;
        }
        room = 0;
    }
    return found;
}

static void against_a_plain_search(enum space_fit fit)
{
    uint64_t random = 7;
    memset(used, 0, sizeof used);
    memset(length, 0, sizeof length);
    packing_init(&p, fit);
    for (int i = 0; i < 20000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        unsigned object = 1 + (unsigned)(random >> 33) % (OBJECTS - 1);
        unsigned granules = 1 + (unsigned)(random >> 50) % 40;
        if (granules == length[object]) /* a realloc to as many leaves the block where it is */
            granules++;
        memset(used + from[object], 0, length[object]);
        if (length[object] > 0 && random >> 20 & 1) {
            length[object] = 0;
            step(TAPE_FREE, object, 0, 0);
        } else {
            bool live = length[object] > 0;
            length[object] = granules;
            from[object] = fit == SPACE_FIRST_FIT ? lowest(granules) : tightest(granules);
            memset(used + from[object], 1, granules);
            step(live ? TAPE_REALLOC : TAPE_MALLOC, object, granules * PACKING_GRANULE - 3, 0);
        }
        if (!CHECK_EQ_U64(p.space.top, (uint64_t)map_end() * PACKING_GRANULE))
            return;
    }
    packing_end(&p);
}

static void test_first_fit_against_a_plain_search(void)
{
    against_a_plain_search(SPACE_FIRST_FIT);
}

static void test_best_fit_against_a_plain_search(void)
{
    against_a_plain_search(SPACE_BEST_FIT);
}

/* 64 free bytes, then 32 further up: the shorter hole is the better one. */
static void test_best_fit(void)
{
    packing_init(&p, SPACE_BEST_FIT);
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
        packing_init(&p, fit);
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
    RUN(test_damage);
    RUN(test_first_fit_against_a_plain_search);
    RUN(test_best_fit_against_a_plain_search);
    RUN(test_best_fit);
    RUN(test_impossible_sizes);
    return CHECK_MAIN_END();
}
