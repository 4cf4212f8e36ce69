/*
 *     find_best                          a table: ways to find the best fit, by number of free
 * blocks find_best WAY BLOCKS OPERATIONS    that alone, for valgrind --tool=callgrind
 *
 * What the search of a best fit costs, by how the free blocks are kept. An operation takes the
 * smallest free block that is large enough for a random request, and gives back a block of random
 * size, so that their number stays. All ways do the same operations; the sum of the sizes taken
 * shows it (but for bins, whose fit is good and not best).
 *
 *     list    a linked list through the blocks, as the textbook's best fit keeps them
 *     array   the sizes side by side, apart from the blocks
 *     simd    the same array, eight sizes an instruction (AVX2)
 *     tree    a balanced tree (treap) by size and address, its nodes in the blocks
 *     bins    lists by size, 8 to a doubling, and a bit for each that is not empty
 *
 * Times are processor time, the median of 5 rounds in which the ways take turns.
 */
#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BLOCKS_MOST 65536u
#define STRIDE      192 /* bytes from block to block: no two in a cache line */
#define NONE        UINT32_MAX
#define BINS        256

struct block {
    uint32_t size, priority;
    struct block *left, *right; /* next and previous on a list */
};

static char memory[(size_t)BLOCKS_MOST * STRIDE];
static uint32_t sizes[BLOCKS_MOST], count;
static struct block *owner[BLOCKS_MOST];

static uint64_t state;
static uint32_t draw(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % below);
}

/* Multiples of 16 from 32 to 4 KiB, each doubling as likely as any other. */
static uint32_t draw_size(void)
{
    uint32_t low = 32u << draw(7);
    return low + 16 * draw(low / 16);
}

/* ---- list ---- */

static struct block head;

static void list_clear(void)
{
    head.left = head.right = &head;
}

static void list_put(struct block *block)
{
    block->left = head.left;
    block->right = &head;
    head.left->right = block;
    head.left = block;
}

static void list_drop(struct block *block)
{
    block->left->right = block->right;
    block->right->left = block->left;
}

static struct block *list_take(uint32_t need)
{
    struct block *best = NULL;
    for (struct block *block = head.left; block != &head; block = block->left)
        if (block->size >= need && (!best || block->size < best->size)) {
            best = block;
            if (best->size == need)
                break;
        }
    if (best)
        list_drop(best);
    return best;
}

/* ---- arrays ---- */

static void array_clear(void)
{
    count = 0;
}

static void array_put(struct block *block)
{
    sizes[count] = block->size;
    owner[count++] = block;
}

static struct block *array_remove(uint32_t index)
{
    struct block *block = owner[index];
    sizes[index] = sizes[--count];
    owner[index] = owner[count];
    return block;
}

static struct block *array_take(uint32_t need)
{
    uint32_t best = NONE, at = 0;
    for (uint32_t i = 0; i < count && best; i++)
        if (sizes[i] - need < best && sizes[i] >= need) {
            best = sizes[i] - need;
            at = i;
        }
    return best == NONE ? NULL : array_remove(at);
}

/* What is too small wraps around to a large number, so that one unsigned minimum does it all. */
__attribute__((target("avx2"))) static struct block *simd_take(uint32_t need)
{
    __m256i needs = _mm256_set1_epi32((int)need), least = _mm256_set1_epi32(-1);
    uint32_t lanes[8], best = NONE, i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256i eight = _mm256_loadu_si256((const __m256i *)(const void *)&sizes[i]);
        int equal = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(eight, needs)));
        if (equal)
            return array_remove(i + (uint32_t)__builtin_ctz((unsigned)equal));
        least = _mm256_min_epu32(least, _mm256_sub_epi32(eight, needs));
    }
    _mm256_storeu_si256((__m256i *)(void *)lanes, least);
    for (unsigned lane = 0; lane < 8; lane++)
        best = lanes[lane] < best ? lanes[lane] : best;
    for (; i < count; i++)
        best = sizes[i] - need < best ? sizes[i] - need : best;
    if (best > UINT32_MAX / 2)
        return NULL;
    __m256i wanted = _mm256_set1_epi32((int)(need + best));
    for (i = 0; i + 8 <= count; i += 8) {
        __m256i eight = _mm256_loadu_si256((const __m256i *)(const void *)&sizes[i]);
        int equal = _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(eight, wanted)));
        if (equal)
            return array_remove(i + (uint32_t)__builtin_ctz((unsigned)equal));
    }
    while (sizes[i] != need + best)
        i++;
    return array_remove(i);
}

/* ---- tree ---- */

static struct block *root;

static void tree_clear(void)
{
    root = NULL;
}

static bool before(const struct block *one, const struct block *other)
{
    return one->size < other->size || (one->size == other->size && one < other);
}

static void tree_put(struct block *block)
{
    struct block **at = &root;
    block->priority = draw(UINT32_MAX);
    while (*at && (*at)->priority >= block->priority)
        at = before(block, *at) ? &(*at)->left : &(*at)->right;
    struct block *rest = *at, **low = &block->left, **high = &block->right;
    *at = block;
    while (rest)
        if (before(rest, block)) {
            *low = rest;
            low = &rest->right;
            rest = rest->right;
        } else {
            *high = rest;
            high = &rest->left;
            rest = rest->left;
        }
    *low = *high = NULL;
}

static struct block *tree_take(uint32_t need)
{
    struct block **best = NULL;
    for (struct block **at = &root; *at;)
        if ((*at)->size >= need) {
            best = at;
            at = &(*at)->left;
        } else {
            at = &(*at)->right;
        }
    if (!best)
        return NULL;
    struct block *block = *best, *low = block->left, *high = block->right;
    while (low && high)
        if (low->priority > high->priority) {
            *best = low;
            best = &low->right;
            low = low->right;
        } else {
            *best = high;
            best = &high->left;
            high = high->left;
        }
    *best = low ? low : high;
    return block;
}

/* ---- bins ---- */

static struct block bins[BINS];
static uint64_t filled[BINS / 64];

static void bins_clear(void)
{
    memset(filled, 0, sizeof filled);
    for (unsigned i = 0; i < BINS; i++)
        bins[i].left = bins[i].right = &bins[i];
}

/* Every eighth of a doubling. */
static unsigned bin_of(uint32_t size)
{
    unsigned doubling = 31u - (unsigned)__builtin_clz(size);
    return doubling * 8 + (size >> (doubling - 3) & 7);
}

static void bins_put(struct block *block)
{
    unsigned bin = bin_of(block->size);
    struct block *first = &bins[bin];
    block->left = first->left;
    block->right = first;
    first->left->right = block;
    first->left = block;
    filled[bin / 64] |= UINT64_C(1) << bin % 64;
}

static struct block *bins_take(uint32_t need)
{
    uint32_t eighth = 1u << (31 - __builtin_clz(need)) >> 3;
    unsigned bin = bin_of(need + eighth - 1); /* everything in it is large enough */
    uint64_t word = filled[bin / 64] & ~UINT64_C(0) << bin % 64;
    for (bin /= 64; !word;)
        if (++bin == BINS / 64)
            return NULL;
        else
            word = filled[bin];
    bin = bin * 64 + (unsigned)__builtin_ctzll(word);
    struct block *block = bins[bin].left;
    list_drop(block);
    if (bins[bin].left == &bins[bin])
        filled[bin / 64] &= ~(UINT64_C(1) << bin % 64);
    return block;
}

/* ---- measuring ---- */

static const struct way {
    const char *name;
    void (*clear)(void);
    void (*put)(struct block *);
    struct block *(*take)(uint32_t);
} ways[] = {
    {"list", list_clear, list_put, list_take},   {"array", array_clear, array_put, array_take},
    {"simd", array_clear, array_put, simd_take}, {"tree", tree_clear, tree_put, tree_take},
    {"bins", bins_clear, bins_put, bins_take},
};
#define WAYS (sizeof ways / sizeof *ways)

static uint64_t processor_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ns of processor time an operation; *ret_taken: the sizes taken, summed. The tree draws numbers of
 * its own, so requests come from a list that was drawn before. */
static double run(const struct way *way, uint32_t blocks, uint32_t operations, uint64_t *ret_taken)
{
    static uint32_t order[BLOCKS_MOST], requests[1 << 16], given[1 << 16];
    state = 1;
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t other = draw(i + 1);
        order[i] = order[other];
        order[other] = i;
    }
    for (uint32_t i = 0; i < 1 << 16; i++) {
        requests[i] = draw_size();
        given[i] = draw_size();
    }
    way->clear();
    for (uint32_t i = 0; i < blocks; i++) {
        struct block *block = (struct block *)(void *)(memory + (size_t)order[i] * STRIDE);
        block->size = given[(1 << 16) - 1 - i];
        way->put(block);
    }
    uint64_t start = processor_time();
    for (uint32_t i = 0; i < operations; i++) {
        struct block *block = way->take(requests[i & 0xffff]);
        if (!block)
            continue;
        *ret_taken += block->size;
        block->size = given[i & 0xffff];
        way->put(block);
    }
    return (double)(processor_time() - start) / operations;
}

static int compare(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static int table(void)
{
    static const uint32_t blocks[] = {10, 100, 1000, 10000, 60000};
    printf(
        "ns of processor time for one search, one removal and one insertion, by free blocks\n%8s",
        "");
    for (unsigned i = 0; i < sizeof blocks / sizeof *blocks; i++)
        printf("%10u", blocks[i]);
    double times[WAYS][sizeof blocks / sizeof *blocks][5];
    for (unsigned round = 0; round < 5; round++)
        for (unsigned i = 0; i < sizeof blocks / sizeof *blocks; i++)
            for (unsigned way = 0; way < WAYS; way++) {
                uint64_t taken = 0;
                times[way][i][round] =
                    run(&ways[way], blocks[i], blocks[i] > 5000 ? 1000 : 20000, &taken);
            }
    for (unsigned way = 0; way < WAYS; way++) {
        printf("\n%-8s", ways[way].name);
        for (unsigned i = 0; i < sizeof blocks / sizeof *blocks; i++) {
            qsort(times[way][i], 5, sizeof(double), compare);
            printf("%10.0f", times[way][i][2]);
        }
    }
    putchar('\n');
    return 0;
}

int main(int count_arguments, char **arguments)
{
    if (!__builtin_cpu_supports("avx2"))
        return fputs("find_best: this processor has no AVX2\n", stderr), 4;
    if (count_arguments == 1)
        return table();
    for (unsigned way = 0; count_arguments == 4 && way < WAYS; way++)
        if (!strcmp(arguments[1], ways[way].name)) {
            uint32_t blocks = (uint32_t)atoi(arguments[2]),
                     operations = (uint32_t)atoi(arguments[3]);
            uint64_t taken = 0;
            if (blocks > BLOCKS_MOST)
                break;
            run(&ways[way], blocks, operations, &taken);
            printf("%llu\n", (unsigned long long)taken);
            return 0;
        }
    return fputs("find_best [list|array|simd|tree|bins BLOCKS OPERATIONS]\n", stderr), 2;
}
