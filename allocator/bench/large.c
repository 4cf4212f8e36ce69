/* Large blocks, touched or not, and aligned ones. */
#include "allocator/bench/kernel.h"

static size_t large_size(uint64_t *state, size_t least, unsigned doublings)
{
    size_t base = least << random_below(state, doublings);
    return base + random_below(state, base);
}

static void run_large(uint64_t *state, size_t slots, long count, bool touch)
{
    void *blocks[32] = {NULL};
    for (long i = 0; i < count; i++) {
        size_t slot = random_below(state, slots);
        free(blocks[slot]);
        size_t size = large_size(state, (size_t)64 << 10, 6);
        blocks[slot] = touch ? take(size) : used(malloc(size + 1));
        *(char *)blocks[slot] = 1;
    }
    for (size_t i = 0; i < slots; i++)
        free(blocks[i]);
}

static void large_touched(uint64_t *state)
{
    run_large(state, 12, 6000, true);
}

static void large_untouched(uint64_t *state)
{
    run_large(state, 24, 300000, false);
}

static void large_middling(uint64_t *state)
{
    enum { slots = 60 };
    static void *blocks[slots];
    for (int i = 0; i < 220000; i++) {
        size_t slot = random_below(state, slots);
        free(blocks[slot]);
        blocks[slot] = take(random_between(state, 16000, 400000));
    }
    for (int i = 0; i < slots; i++)
        free(blocks[i]);
}

/* Images or buffers: a few of one large size, taken, filled and dropped together. */
static void frames(uint64_t *state)
{
    for (int scene = 0; scene < 60; scene++) {
        size_t size = random_between(state, 300000, 3000000);
        for (int frame = 0; frame < 500; frame++) {
            void *planes[4];
            for (int i = 0; i < 4; i++)
                planes[i] = take(i == 0 ? size : size / 4);
            void *small[200];
            for (int i = 0; i < 200; i++)
                small[i] = take(mixed_size(state, 6));
            for (int i = 0; i < 4; i++)
                free(planes[i]);
            for (int i = 0; i < 200; i++)
                free(small[i]);
        }
    }
}

static void *take_aligned(size_t align, size_t size)
{
    void *block;
    if (posix_memalign(&block, align, size) != 0)
        abort();
    *(char *)used(block) = 1;
    return block;
}

static void aligned(uint64_t *state)
{
    enum { slots = 15000 };
    static void *blocks[slots];
    for (int i = 0; i < 2500000; i++) {
        size_t slot = random_below(state, slots);
        free(blocks[slot]);
        blocks[slot] = take_aligned((size_t)32 << random_below(state, 4), mixed_size(state, 5));
    }
    for (int i = 0; i < slots; i++)
        free(blocks[i]);
}

/* Pages for direct input and output, and cache-line aligned records beside them. */
static void aligned_pages(uint64_t *state)
{
    enum { slots = 1000 };
    static void *blocks[slots];
    for (int i = 0; i < 1600000; i++) {
        size_t slot = random_below(state, slots);
        free(blocks[slot]);
        blocks[slot] = (next_random(state) & 3) != 0
                           ? take_aligned(64, random_between(state, 64, 2000))
                           : take_aligned(4096, 4096 * random_between(state, 1, 16));
    }
    for (int i = 0; i < slots; i++)
        free(blocks[i]);
}

const struct kernel large_kernels[] = {
    {"large", "64 KiB to 4 MiB, every page touched", large_touched},
    {"large-untouched", "64 KiB to 4 MiB, one byte touched", large_untouched},
    {"large-middling", "16 to 400 KB, touched", large_middling},
    {"frames", "frames of 0.3 to 3 MB, small blocks beside", frames},
    {"aligned", "32 to 256 byte alignment, small sizes", aligned},
    {"aligned-pages", "page aligned buffers, aligned records", aligned_pages},
    {NULL, NULL, NULL},
};
