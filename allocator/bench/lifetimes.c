/* How long blocks live: last in first out, first in first out, all at once, a few for ever. */
#include "allocator/bench/kernel.h"

static void lifo(uint64_t *state)
{
    enum { deep = 30000 };
    static void *blocks[deep];
    for (int round = 0; round < 900; round++) {
        size_t top = random_below(state, deep);
        for (size_t i = 0; i < top; i++)
            blocks[i] = take(mixed_size(state, 4));
        while (top > 0)
            free(blocks[--top]);
    }
}

/* A call stack's worth of temporaries: up and down by steps, mostly near the top. */
static void lifo_walk(uint64_t *state)
{
    enum { deep = 20000 };
    static void *blocks[deep];
    size_t top = 0;
    for (long i = 0; i < 4500000; i++) {
        size_t steps = random_between(state, 1, 12);
        bool up = top < deep - 12 && (top < 12 || (next_random(state) & 1) != 0);
        for (size_t step = 0; step < steps; step++) {
            if (up)
                blocks[top++] = take(mixed_size(state, 6));
            else
                free(blocks[--top]);
        }
    }
    while (top > 0)
        free(blocks[--top]);
}

static void fifo(uint64_t *state)
{
    enum { length = 30000 };
    static void *blocks[length];
    for (long i = 0; i < 12000000; i++) {
        free(blocks[i % length]);
        blocks[i % length] = take(mixed_size(state, 5));
    }
    for (long i = 0; i < length; i++)
        free(blocks[i]);
}

/* Sizes change from one phase to the next; one block in `keep_one_in` stays for good. */
static void run_phases(uint64_t *state, size_t keep_one_in, int phases)
{
    enum { most = 700000, most_kept = 100000 };
    static void *blocks[most], *kept[most_kept];
    size_t keep = 0;
    for (int phase = 0; phase < phases; phase++) {
        size_t size = random_between(state, 24, 600);
        size_t count = ((size_t)40 << 20) / size;
        if (count > most)
            count = most;
        for (size_t i = 0; i < count; i++)
            blocks[i] = take(size);
        for (size_t i = 0; i < count; i++) {
            if (keep_one_in > 0 && random_below(state, keep_one_in) == 0 && keep < most_kept)
                kept[keep++] = blocks[i];
            else
                free(blocks[i]);
        }
    }
    while (keep > 0)
        free(kept[--keep]);
}

static void phases(uint64_t *state)
{
    run_phases(state, 50, 20);
}

static void phases_clean(uint64_t *state)
{
    run_phases(state, 0, 16);
}

/* From small blocks to ever larger ones in one live set: what was left by one size must serve the
 * next. */
static void phases_rising(uint64_t *state)
{
    enum { slots = 60000 };
    static void *blocks[slots];
    size_t size = 32;
    for (int phase = 0; phase < 9; phase++) {
        size_t used_slots = (size_t)24 << 20;
        used_slots = used_slots / size < slots ? used_slots / size : slots;
        for (size_t i = used_slots; i < slots; i++) {
            free(blocks[i]);
            blocks[i] = NULL;
        }
        for (size_t i = 0; i < 10 * used_slots; i++) {
            size_t slot = random_below(state, used_slots);
            free(blocks[slot]);
            blocks[slot] = take(random_between(state, size / 2, size));
        }
        size = size * random_between(state, 18, 26) / 10;
    }
    for (size_t i = 0; i < slots; i++)
        free(blocks[i]);
}

static void shuffle(uint64_t *state, void **blocks, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = random_below(state, i);
        void *block = blocks[i - 1];
        blocks[i - 1] = blocks[other];
        blocks[other] = block;
    }
}

enum { burst_most = 300000 };
static void *burst_blocks[burst_most];

static void run_bursts(uint64_t *state, int bursts, bool any_order)
{
    for (int burst = 0; burst < bursts; burst++) {
        size_t count = random_between(state, burst_most / 3, burst_most);
        for (size_t i = 0; i < count; i++)
            burst_blocks[i] = take(mixed_size(state, 4));
        if (any_order)
            shuffle(state, burst_blocks, count);
        for (size_t i = 0; i < count; i++)
            free(burst_blocks[i]);
    }
}

static void bursts(uint64_t *state)
{
    run_bursts(state, 16, false);
}

static void bursts_shuffled(uint64_t *state)
{
    run_bursts(state, 10, true);
}

/* Work with a scratch heap of its own that is thrown away, beside a slowly growing lasting part. */
static void generations(uint64_t *state)
{
    enum { young_most = 4000, old_most = 80000 };
    static void *young[young_most], *old[old_most];
    size_t olds = 0;
    for (int task = 0; task < 4000; task++) {
        size_t count = random_between(state, 500, young_most);
        for (size_t i = 0; i < count; i++) {
            young[i] = take(mixed_size(state, 6));
            if (random_below(state, 40) == 0) {
                size_t slot = olds < old_most ? olds++ : random_below(state, old_most);
                free(old[slot]);
                old[slot] = take(mixed_size(state, 5));
            }
        }
        for (size_t i = 0; i < count; i++)
            free(young[i]);
    }
    while (olds > 0)
        free(old[--olds]);
}

/* Builds what it needs, looks at it, and ends without freeing, as many programs do. */
static void build_once(uint64_t *state)
{
    size_t total = (size_t)random_between(state, 50, 70) << 20, count = 0, room = 1000;
    char **blocks = malloc(room * sizeof *blocks);
    size_t sum = 0;
    do {
        size_t size = mixed_size(state, 7);
        if (count == room)
            blocks = realloc(blocks, (room *= 2) * sizeof *blocks);
        blocks[count++] = take(size);
        sum += size;
    } while (sum < total);
    for (long i = 0; i < 2000000; i++)
        blocks[random_below(state, count)][0]++;
}

/* A peak, then work on a twentieth of it. */
static void spike(uint64_t *state)
{
    enum { most = 400000, after = 20000 };
    static void *blocks[most];
    for (int spikes = 0; spikes < 3; spikes++) {
        for (size_t i = 0; i < most; i++) {
            if (blocks[i] == NULL)
                blocks[i] = take(mixed_size(state, 4));
        }
        for (size_t i = 0; i < most; i++) {
            if (random_below(state, 20) != 0) {
                free(blocks[i]);
                blocks[i] = NULL;
            }
        }
        for (long i = 0; i < 1200000; i++) {
            size_t slot = random_below(state, after);
            free(blocks[slot]);
            blocks[slot] = take(mixed_size(state, 6));
        }
    }
    for (size_t i = 0; i < most; i++)
        free(blocks[i]);
}

const struct kernel lifetime_kernels[] = {
    {"lifo", "last in, first out, to 30,000 deep", lifo},
    {"lifo-walk", "a stack that moves up and down", lifo_walk},
    {"fifo", "first in, first out", fifo},
    {"phases", "phase change of size, one block in 50 stays", phases},
    {"phases-clean", "phase change of size, nothing stays", phases_clean},
    {"phases-rising", "the live set's sizes rise from 32 bytes to 16 KB", phases_rising},
    {"bursts", "bursts of small blocks freed at once, in order", bursts},
    {"bursts-shuffled", "bursts of small blocks freed at once, in any order", bursts_shuffled},
    {"generations", "tasks with scratch blocks, some results last", generations},
    {"build-once", "50 to 70 MiB built and never freed", build_once},
    {"spike", "a peak, then work on a twentieth of it", spike},
    {NULL, NULL, NULL},
};
