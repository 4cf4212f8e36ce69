/*
 * Random calls on every policy with every switch that changes how blocks are kept. After each call
 * the whole heap is checked, and each block's contents when it is freed or changed. Then threads
 * with fork() among them, and the sums: blocks, free space and overhead make up what is held.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocator/textbook/block.h"
#include "allocator/textbook/lock.h"
#include "allocator/textbook/options.h"
#include "allocator/textbook/policy.h"
#include "allocator/textbook/textbook.h"
#include "tests/unit/check.h"

#define SLOTS 150
#define CALLS 3000

struct slot {
    unsigned char *block;
    size_t size;
    unsigned char key;
};

static uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    return *state ^= *state << 17;
}

/* Small ones mostly, some of pages, now and then a large one. */
static size_t random_size(uint64_t *state)
{
    uint64_t kind = random_next(state) % 100, value = random_next(state);
    return kind < 70   ? value % 200
           : kind < 95 ? value % 5000
           : kind < 99 ? value % 40000
                       : value % 300000;
}

static void fill(struct slot *slot, size_t from)
{
    for (size_t i = from; i < slot->size; i++)
        slot->block[i] = (unsigned char)(slot->key + i * 7);
}

static bool holds(const struct slot *slot, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (slot->block[i] != (unsigned char)(slot->key + i * 7))
            return false;
    return true;
}

static bool take(struct slot *slot, uint64_t *state)
{
    size_t align = random_next(state) % 8 ? 16 : (size_t)16 << random_next(state) % 9;
    bool zero = align == 16 && random_next(state) % 4 == 0;
    slot->size = random_size(state);
    slot->key = (unsigned char)random_next(state);
    slot->block = zero ? textbook_calloc(1, slot->size) : textbook_memalign(align, slot->size);
    if (!slot->block || (uintptr_t)slot->block % align ||
        textbook_usable_size(slot->block) < slot->size)
        return false;
    for (size_t i = 0; zero && i < slot->size; i++)
        if (slot->block[i])
            return false;
    fill(slot, 0);
    return true;
}

static bool change(struct slot *slot, uint64_t *state)
{
    size_t had = slot->size, size = random_size(state) + 1;
    unsigned char *block = textbook_realloc(slot->block, size);
    if (!block || textbook_usable_size(block) < size)
        return false;
    slot->block = block;
    slot->size = size;
    if (!holds(slot, had < size ? had : size))
        return false;
    fill(slot, had < size ? had : size);
    return true;
}

static bool give(struct slot *slot)
{
    bool held = holds(slot, slot->size);
    textbook_free(slot->block);
    slot->block = NULL;
    return held;
}

static bool one_call(struct slot slots[SLOTS], uint64_t *state)
{
    struct slot *slot = &slots[random_next(state) % SLOTS];
    if (!slot->block)
        return take(slot, state);
    return random_next(state) % 3 == 0 ? change(slot, state) : give(slot);
}

static void stress(const struct options *switches, const char *words)
{
    static uint64_t seed = 88172645463325252;
    struct slot slots[SLOTS] = {0};
    struct textbook_stats stats;
    textbook_restart(switches);
    for (int i = 0; i < CALLS; i++) {
        const char *wrong = one_call(slots, &seed) ? textbook_check() : "a block is not as it was";
        if (!CHECK_STR(wrong, NULL)) {
            printf("  %s, call %d\n", words, i);
            return;
        }
    }
    for (int i = 0; i < SLOTS; i++)
        CHECK(!slots[i].block || give(&slots[i]));
    CHECK_STR(textbook_check(), NULL);
    textbook_stats(&stats);
    CHECK_EQ_U64(stats.live_blocks, 0);
    CHECK_EQ_U64(stats.live_bytes, 0);
    CHECK_EQ_U64(stats.allocations, stats.frees);
    if (switches->source == SOURCE_MMAP && switches->coalesce == COALESCE_NOW &&
        switches->fit != FIT_BUMP)
        CHECK_EQ_U64(stats.held_bytes, 0);
}

/* Every policy, order, coalescing and source; small growth, so that there are many regions. */
static void test_random_calls(void)
{
    static const char *const names[] = {"first-fit",  "next-fit", "best-fit", "worst-fit",
                                        "segregated", "buddy",    "bump"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        for (int way = 0; way < 24; way++) {
            struct options switches;
            char words[80];
            options_preset(names[i], &switches);
            switches.order = (enum order)(way % 3);
            switches.coalesce = (enum coalesce)(way / 3 % 2);
            switches.source = (enum source)(way / 6 % 2);
            switches.scribble = way >= 12;
            switches.leaks = way % 5 == 0 ? LEAKS_SITES : LEAKS_UNTOLD;
            switches.min_split = way >= 12 ? 100 : 32;
            switches.growth = way % 2 ? 4 << 10 : 64 << 10;
            if ((switches.fit == FIT_BUDDY || switches.fit == FIT_BUMP) && way % 6)
                continue;
            snprintf(words, sizeof words, "%s, way %d", names[i], way);
            stress(&switches, words);
        }
}

struct sums {
    size_t bytes, used_usable;
    const char *expected; /* where the next block must begin; NULL: a region's first */
    const struct region *region;
    bool gap;
};

static void add(void *context, const struct region *region, const char *start, size_t bytes,
                size_t usable, bool used)
{
    struct sums *sums = context;
    if (region == sums->region && start != sums->expected)
        sums->gap = true;
    sums->region = region;
    sums->expected = start + bytes;
    sums->bytes += bytes;
    sums->used_usable += used ? usable : 0;
}

/* A walk sees every byte: blocks lie end to end, and with the regions' own bytes make up the heap.
 */
static void test_nothing_is_lost(void)
{
    uint64_t seed = 3;
    struct slot slots[SLOTS] = {0};
    struct options switches;
    struct textbook_stats stats;
    size_t regions = 0, overhead = sizeof(struct region) + 2 * TAG_BYTES;
    options_preset("best-fit", &switches);
    switches.mmap_threshold = 1 << 30;
    textbook_restart(&switches);
    for (int i = 0; i < CALLS; i++)
        one_call(slots, &seed);
    struct sums sums = {0};
    heap_policy.walk(add, &sums);
    for (const struct region *region = region_first; region; region = region->next)
        regions++;
    textbook_stats(&stats);
    CHECK(!sums.gap);
    CHECK_EQ_U64(sums.bytes + regions * overhead, stats.held_bytes);
    CHECK_EQ_U64(sums.used_usable, stats.live_bytes);
}

/* ---- threads ---- */

#define THREADS 4

static void *churn(void *number)
{
    uint64_t seed = 1000 + (uintptr_t)number;
    struct slot slots[SLOTS] = {0};
    for (int i = 0; i < 20000; i++)
        if (!one_call(slots, &seed))
            return (void *)1;
    for (int i = 0; i < SLOTS; i++)
        if (slots[i].block && !give(&slots[i]))
            return (void *)1;
    return NULL;
}

static int allocate_in_child(void)
{
    for (int i = 1; i < 100; i++) {
        char *block = textbook_malloc((size_t)i * 50);
        if (!block)
            return 1;
        textbook_free(block);
    }
    return textbook_check() ? 2 : 0;
}

static void threads_and_forks(const char *policy)
{
    pthread_t threads[THREADS];
    struct options switches;
    void *wrong;
    alarm(200); /* a child that hangs at the lock */
    options_preset(policy, &switches);
    textbook_restart(&switches);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, churn, (void *)i);
    for (int i = 0; i < 10; i++) {
        int status = -1;
        pid_t child = fork();
        if (child == 0)
            _exit(allocate_in_child());
        waitpid(child, &status, 0);
        CHECK_EQ_INT(status, 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &wrong);
        CHECK(!wrong);
    }
    CHECK_STR(textbook_check(), NULL);
}

static void test_threads_and_forks(void)
{
    threads_and_forks("first-fit");
    threads_and_forks("next-fit-address");
    threads_and_forks("segregated");
    threads_and_forks("buddy");
    threads_and_forks("bump");
}

int main(int argc, char **argv)
{
    check_only = argc > 1 ? argv[1] : NULL;
    lock_setup();
    RUN(test_random_calls);
    RUN(test_nothing_is_lost);
    RUN(test_threads_and_forks);
    return CHECK_MAIN_END();
}
