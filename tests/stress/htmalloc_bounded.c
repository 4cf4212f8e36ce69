/*
 * What htmalloc holds, while threads come and go, wait, or only free: peak held may be 1.5 times
 * the peak of what is allocated, plus 2 MiB (DESIGN.md works that out). Held is what its own
 * statistics say may be resident: all of its address space but what is clean or not yet carved.
 *
 *     htmalloc_bounded NAME      one case a process; --list tells the names
 *
 * A line each: peak live (the sizes asked for), peak held, what is allowed, and how far the
 * process's resident memory rose. Exits 1 when a case holds more.
 */
#include "allocator/htmalloc/htmalloc.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB (1 << 20)

/* --- what is live and what is held --- */

struct block {
    unsigned char *address;
    size_t size;
};

static size_t live, live_peak, held_peak, resident_peak;
static struct ht_stats at_peak;
static int sampling;

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1du;
}

static void raise_peak(size_t *peak, size_t value)
{
    size_t before = __atomic_load_n(peak, __ATOMIC_RELAXED);
    while (before < value && !__atomic_compare_exchange_n(peak, &before, value, 1, __ATOMIC_RELAXED,
                                                          __ATOMIC_RELAXED))
        continue;
}

static struct block take(size_t size)
{
    struct block block = {ht_malloc(size), size};
    if (block.address == NULL)
        abort();
    memset(block.address, 1, size);
    raise_peak(&live_peak, __atomic_add_fetch(&live, size, __ATOMIC_RELAXED));
    return block;
}

static void release(struct block *block)
{
    if (block->address == NULL)
        return;
    __atomic_sub_fetch(&live, block->size, __ATOMIC_RELAXED);
    ht_free(block->address);
    block->address = NULL;
}

static size_t resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*d %ld", &pages) != 1)
        abort();
    fclose(file);
    return (size_t)pages * 4096;
}

static void sample(void)
{
    struct ht_stats stats;
    ht_stats(&stats);
    size_t held = stats.mapped - stats.clean - stats.uncarved;
    if (held > held_peak) { /* the sampler's alone */
        held_peak = held;
        at_peak = stats;
    }
    raise_peak(&resident_peak, resident());
}

static void *sampler(void *unused)
{
    while (__atomic_load_n(&sampling, __ATOMIC_RELAXED)) {
        sample();
        usleep(1000);
    }
    return unused;
}

/* --- kinds of sizes --- */

static size_t small_size(uint64_t *random)
{
    return 16 + next_random(random) % 500;
}

static size_t mixed_size(uint64_t *random)
{
    uint64_t kind = next_random(random) % 100;
    size_t most = kind < 70 ? 300 : kind < 95 ? 4000 : 40000;
    return 16 + next_random(random) % most;
}

static size_t large_size(uint64_t *random)
{
    return 20000 + next_random(random) % 200000;
}

typedef size_t (*size_function)(uint64_t *random);

/* --- one thread allocates, others free --- */

#define RING_MAX 16384

struct ring {
    struct block blocks[RING_MAX];
    size_t slots, count; /* items that pass in all */
    sem_t filled, room;
    size_t head, tail;
    pthread_mutex_t lock;
    size_function size;
};
static struct ring ring;

static void *consumer(void *seed)
{
    (void)seed;
    for (;;) {
        while (sem_wait(&ring.filled) != 0)
            continue;
        pthread_mutex_lock(&ring.lock);
        struct block block = ring.blocks[ring.tail++ % ring.slots];
        pthread_mutex_unlock(&ring.lock);
        sem_post(&ring.room);
        if (block.address == NULL)
            return NULL;
        release(&block);
    }
}

static void put(struct block block)
{
    while (sem_wait(&ring.room) != 0)
        continue;
    pthread_mutex_lock(&ring.lock);
    ring.blocks[ring.head++ % ring.slots] = block;
    pthread_mutex_unlock(&ring.lock);
    sem_post(&ring.filled);
}

static void *producer(void *seed)
{
    uint64_t random = (uintptr_t)seed * 0x9e3779b97f4a7c15u + 1;
    for (size_t i = 0; i < ring.count; i++)
        put(take(ring.size(&random)));
    return NULL;
}

static void pass(size_function size, size_t slots, size_t count, unsigned producers,
                 unsigned consumers)
{
    pthread_t threads[16];
    ring.slots = slots;
    ring.count = count / producers;
    ring.head = ring.tail = 0;
    ring.size = size;
    sem_init(&ring.filled, 0, 0);
    sem_init(&ring.room, 0, (unsigned)slots);
    pthread_mutex_init(&ring.lock, NULL);
    for (uintptr_t i = 0; i < producers + consumers; i++)
        pthread_create(&threads[i], NULL, i < producers ? producer : consumer, (void *)(i + 1));
    for (unsigned i = 0; i < producers; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < consumers; i++)
        put((struct block){NULL, 0});
    for (unsigned i = producers; i < producers + consumers; i++)
        pthread_join(threads[i], NULL);
}

static void pass_small(void)
{
    pass(small_size, 16000, 400000, 1, 1);
}
static void pass_mixed(void)
{
    pass(mixed_size, 8000, 200000, 1, 1);
}
static void pass_large(void)
{
    pass(large_size, 100, 6000, 1, 1);
}
static void pass_many(void)
{
    pass(mixed_size, 8000, 200000, 3, 3);
}

/* --- threads that wait --- */

#define IDLE_THREADS 24
#define MANY         40000
static struct block many[IDLE_THREADS + 1][MANY];
static sem_t turn[IDLE_THREADS], turn_done, leave;

/* Takes blocks until `bytes` are live. */
static size_t fill(struct block *blocks, size_t bytes, size_function size, uint64_t *random)
{
    size_t count = 0;
    for (size_t sum = 0; sum < bytes && count < MANY; count++) {
        blocks[count] = take(size(random));
        sum += blocks[count].size;
    }
    return count;
}

static void release_all(struct block *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        release(&blocks[i]);
}

/* Has its turn, in which it takes 6 MiB and frees all of it, and waits. */
static void *idler(void *number)
{
    uintptr_t at = (uintptr_t)number;
    uint64_t random = at + 77;
    while (sem_wait(&turn[at]) != 0)
        continue;
    release_all(many[at], fill(many[at], 6 * MIB, mixed_size, &random));
    sem_post(&turn_done);
    while (sem_wait(&leave) != 0)
        continue;
    return NULL;
}

static void idle_threads(void)
{
    pthread_t threads[IDLE_THREADS];
    sem_init(&turn_done, 0, 0);
    sem_init(&leave, 0, 0);
    for (uintptr_t i = 0; i < IDLE_THREADS; i++) {
        sem_init(&turn[i], 0, 0);
        pthread_create(&threads[i], NULL, idler, (void *)i);
    }
    for (int i = 0; i < IDLE_THREADS; i++) {
        sem_post(&turn[i]);
        while (sem_wait(&turn_done) != 0)
            continue;
    }
    for (int i = 0; i < IDLE_THREADS; i++)
        sem_post(&leave);
    for (int i = 0; i < IDLE_THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* Takes 24 MiB, which others free while it waits. */
static size_t waiting_count;

static void *waiter(void *unused)
{
    uint64_t random = 5;
    waiting_count = fill(many[0], 12 * MIB, small_size, &random);
    sem_post(&turn_done);
    while (sem_wait(&leave) != 0)
        continue;
    return unused;
}

static void *freer(void *unused)
{
    release_all(many[0], waiting_count);
    return unused;
}

static void freed_while_owner_waits(void)
{
    pthread_t owner, other;
    uint64_t random = 9;
    sem_init(&turn_done, 0, 0);
    sem_init(&leave, 0, 0);
    pthread_create(&owner, NULL, waiter, NULL);
    while (sem_wait(&turn_done) != 0)
        continue;
    pthread_create(&other, NULL, freer, NULL);
    pthread_join(other, NULL);
    release_all(many[1], fill(many[1], 12 * MIB, mixed_size, &random)); /* of the same bytes */
    sem_post(&leave);
    pthread_join(owner, NULL);
}

/* --- threads that only free --- */

#define FREERS 8
static size_t free_from[FREERS + 1];
static pthread_barrier_t round_starts, round_ends;
static int rounds_left;

static void *only_frees(void *number)
{
    uintptr_t at = (uintptr_t)number;
    for (;;) {
        pthread_barrier_wait(&round_starts);
        if (rounds_left == 0)
            return NULL;
        for (size_t i = at; i < free_from[0]; i += FREERS)
            release(&many[0][i]);
        pthread_barrier_wait(&round_ends);
    }
}

static void only_free(void)
{
    pthread_t threads[FREERS];
    uint64_t random = 3;
    pthread_barrier_init(&round_starts, NULL, FREERS + 1);
    pthread_barrier_init(&round_ends, NULL, FREERS + 1);
    for (uintptr_t i = 0; i < FREERS; i++)
        pthread_create(&threads[i], NULL, only_frees, (void *)i);
    for (rounds_left = 25; rounds_left > 0; rounds_left--) {
        free_from[0] = fill(many[0], 8 * MIB, mixed_size, &random);
        pthread_barrier_wait(&round_starts);
        pthread_barrier_wait(&round_ends);
    }
    pthread_barrier_wait(&round_starts);
    for (int i = 0; i < FREERS; i++)
        pthread_join(threads[i], NULL);
}

/* --- threads that come and go --- */

#define AT_ONCE 8
#define LEFT    40

/* Takes some 200 KB, frees most of it and what the one before has left, and leaves some. */
static void *passer_by(void *seed)
{
    uintptr_t at = (uintptr_t)seed % AT_ONCE;
    uint64_t random = (uintptr_t)seed * 0x9e3779b97f4a7c15u + 1;
    struct block *mine = many[at], *left = mine + MANY - LEFT;
    release_all(left, LEFT);
    size_t count = fill(mine, 200000, mixed_size, &random);
    for (size_t i = 0; i < LEFT && i * 4 < count; i++) {
        left[i] = mine[i * 4];
        mine[i * 4].address = NULL;
    }
    release_all(mine, count);
    return NULL;
}

static void come_and_go(void)
{
    pthread_t threads[AT_ONCE];
    for (uintptr_t i = 0; i < 5000 + AT_ONCE; i++) {
        uintptr_t at = i % AT_ONCE;
        if (i >= AT_ONCE)
            pthread_join(threads[at], NULL);
        if (i < 5000)
            pthread_create(&threads[at], NULL, passer_by, (void *)i);
    }
    for (int i = 0; i < AT_ONCE; i++)
        release_all(many[i] + MANY - LEFT, LEFT);
}

/* --- */

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"producer_consumer_small", pass_small},
    {"producer_consumer_mixed", pass_mixed},
    {"producer_consumer_large", pass_large},
    {"three_to_three", pass_many},
    {"idle_threads", idle_threads},
    {"freed_while_owner_waits", freed_while_owner_waits},
    {"only_free", only_free},
    {"come_and_go_5000", come_and_go},
};
#define CASES (sizeof cases / sizeof *cases)

/* What is held consists of. */
static void print_parts(void)
{
    printf("    at the peak, KiB:");
#define PART(name, unit, meaning) printf(" %s %zu", #name, at_peak.name >> 10);
    HT_STATS_FIELDS(PART)
#undef PART
    printf("\n");
}

static int run(size_t at)
{
    pthread_t thread;
    memset(many, 0, sizeof many);
    memset(&ring, 0, sizeof ring);
    size_t before = resident();
    sampling = 1;
    pthread_create(&thread, NULL, sampler, NULL);
    cases[at].run();
    __atomic_store_n(&sampling, 0, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    sample();
    size_t allowed = live_peak + live_peak / 2 + 2 * MIB;
    int within = held_peak <= allowed;
    printf("%-24s live %6.2f MiB, held %6.2f, allowed %6.2f, resident +%.2f, held/live %.2f: %s\n",
           cases[at].name, (double)live_peak / MIB, (double)held_peak / MIB, (double)allowed / MIB,
           (double)(resident_peak - before) / MIB, (double)held_peak / (double)live_peak,
           within ? "within" : "MORE");
    if (!within)
        print_parts();
    return within ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 2)
        for (size_t i = 0; i < CASES; i++) {
            if (strcmp(argv[1], "--list") == 0)
                puts(cases[i].name);
            else if (strcmp(argv[1], cases[i].name) == 0)
                return run(i);
        }
    return argc == 2 && strcmp(argv[1], "--list") == 0 ? 0 : 2;
}
