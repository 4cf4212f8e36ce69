/* Churn on one thread: blocks of a table are replaced at random, so that the live set stays as it
 * is. */
#include <math.h>
#include "allocator/bench/kernel.h"

typedef size_t size_rule(uint64_t *state);

static void churn(uint64_t *state, size_t slots, long operations, size_rule *rule)
{
    void **blocks = calloc(slots, sizeof *blocks);
    for (long i = 0; i < operations; i++) {
        size_t slot = random_below(state, slots);
        free(blocks[slot]);
        blocks[slot] = take(rule(state));
    }
    for (size_t i = 0; i < slots; i++)
        free(blocks[i]);
    free(blocks);
}

static size_t the_size;

static size_t one_size(uint64_t *state)
{
    (void)state;
    return the_size;
}

static void churn_one(uint64_t *state)
{
    the_size = random_between(state, 24, 200);
    churn(state, 90000, 8000000, one_size);
}

static size_t to_4k(uint64_t *state)
{
    return mixed_size(state, 8);
}

static void churn_mixed(uint64_t *state)
{
    churn(state, 50000, 7000000, to_4k);
}

static size_t to_512(uint64_t *state)
{
    return mixed_size(state, 5);
}

static void churn_hot(uint64_t *state)
{
    churn(state, random_between(state, 150, 400), 16000000, to_512);
}

static size_t tiny_size(uint64_t *state)
{
    return random_between(state, 1, 128);
}

static void churn_tiny(uint64_t *state)
{
    churn(state, 250000, 3000000, tiny_size);
}

static size_t medium_size(uint64_t *state)
{
    return random_between(state, 1000, 32000);
}

static void churn_medium(uint64_t *state)
{
    churn(state, 1500, 1500000, medium_size);
}

/* The live set keeps wandering between a tenth and all of the table. */
static void churn_breathing(uint64_t *state)
{
    size_t slots = 120000, live = 0;
    void **blocks = calloc(slots, sizeof *blocks);
    for (int breath = 0; breath < 45; breath++) {
        size_t goal = random_between(state, slots / 10, slots);
        for (int i = 0; i < 200000; i++) {
            size_t at = random_below(state, slots);
            bool grow = live < goal;
            if (grow && blocks[at] == NULL) {
                blocks[at] = take(mixed_size(state, 6));
                live++;
            } else if (blocks[at] != NULL) {
                free(blocks[at]);
                blocks[at] = grow ? take(mixed_size(state, 6)) : NULL;
                live -= grow ? 0 : 1;
            }
        }
    }
    for (size_t i = 0; i < slots; i++)
        free(blocks[i]);
    free(blocks);
}

/* Sizes spread evenly in their logarithm's normal distribution, as in measured programs: the median
 * about 60 bytes, one in a hundred above 2 KiB, now and then 100 KiB. */
static size_t lognormal_size(uint64_t *state)
{
    double first = (double)random_between(state, 1, 1 << 24) / (1 << 24);
    double second = (double)random_below(state, 1 << 24) / (1 << 24);
    double normal = sqrt(-2 * log(first)) * cos(6.283185307179586 * second);
    double size = exp(4.1 + 1.5 * normal);
    return size < 1 ? 1 : size > 200000 ? 200000 : (size_t)size;
}

/* Like an allocator's test bench: the table's front is hot (slots by a squared random number). */
static void churn_lognormal(uint64_t *state)
{
    enum { sizes = 65536 };
    size_t slots = 60000;
    static uint32_t drawn[sizes]; /* so that the logarithms are not what is measured */
    for (size_t i = 0; i < sizes; i++)
        drawn[i] = (uint32_t)lognormal_size(state);
    void **blocks = calloc(slots, sizeof *blocks);
    for (long i = 0; i < 4000000; i++) {
        uint64_t random = next_random(state) & 0xffffffff;
        size_t slot = (size_t)((random * random >> 32) * slots >> 32);
        free(blocks[slot]);
        blocks[slot] = take(drawn[next_random(state) % sizes]);
    }
    for (size_t i = 0; i < slots; i++)
        free(blocks[i]);
    free(blocks);
}

/* A block is freed at once after a little use; small ones mostly, now and then 100 KB or so. */
static void pairs(uint64_t *state)
{
    void *ground[64];
    for (int i = 0; i < 64; i++)
        ground[i] = take(mixed_size(state, 8));
    for (long i = 0; i < 40000000; i++) {
        bool large = i % 64 == 0;
        size_t size = large ? random_between(state, 40000, 120000) : mixed_size(state, 7);
        char *block = used(malloc(size));
        block[0] = 1;
        free(used(block));
    }
    for (int i = 0; i < 64; i++)
        free(ground[i]);
}

/* Zeroed arrays, small and middling. */
static void zeroed(uint64_t *state)
{
    enum { slots = 4000 };
    static char *blocks[slots];
    for (long i = 0; i < 5000000; i++) {
        size_t slot = random_below(state, slots);
        free(blocks[slot]);
        blocks[slot] = used(calloc(random_between(state, 1, 12), mixed_size(state, 6)));
        blocks[slot][0] = 1;
    }
    for (int i = 0; i < slots; i++)
        free(blocks[i]);
}

const struct kernel churn_kernels[] = {
    {"churn-one", "random replacement, one size", churn_one},
    {"churn-mixed", "random replacement, 16 bytes to 8 KiB", churn_mixed},
    {"churn-hot", "random replacement among a few hundred blocks", churn_hot},
    {"churn-tiny", "random replacement, 1 to 128 bytes", churn_tiny},
    {"churn-medium", "random replacement, 1 to 32 KB", churn_medium},
    {"churn-breathing", "random replacement, the live set grows and shrinks", churn_breathing},
    {"churn-lognormal", "lognormal sizes, some slots hotter than others", churn_lognormal},
    {"pairs", "freed at once, sometimes large", pairs},
    {"zeroed", "calloc of small arrays", zeroed},
    {NULL, NULL, NULL},
};
