/*
 * Does the heap stay bounded? `bounded CASE SEED` runs one of the cases in which allocators are
 * known to grow without need, and prints: peak live bytes (the sizes asked for), peak held bytes
 * (what the allocator says it holds from the system and may be resident; -1 where it says nothing),
 * peak growth of resident memory since the start, in bytes. Held and resident are sampled while the
 * case runs.
 *
 * Held is what ht_stats_fill() tells on htmalloc (mapped less clean), and mallinfo2() on libc
 * (arena and hblkhd).
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include "allocator/bench/kernel.h"
#include "allocator/htmalloc/htmalloc.h"

#define BLOCK_DEAD 0xdeadu

static atomic_long live, live_peak, resident_peak, held_peak = -1;
static long resident_start;
static atomic_bool over, preloaded;
static void (*fill_stats)(struct ht_stats *stats, size_t bytes);

/* Every block carries its size. */
struct block {
    size_t size;
    struct block *next;
};

static struct block *block_new(size_t size)
{
    if (size < sizeof(struct block))
        size = sizeof(struct block);
    struct block *block = take(size);
    block->size = size;
    long now = atomic_fetch_add(&live, (long)size) + (long)size;
    long peak = live_peak;
    while (now > peak && !atomic_compare_exchange_weak(&live_peak, &peak, now))
        ;
    return block;
}

static void block_free(struct block *block)
{
    atomic_fetch_sub(&live, (long)block->size);
    block->size = BLOCK_DEAD;
    free(block);
}

/* Without the heap, so that sampling does not change what it samples. */
static long resident(void)
{
    char text[128];
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    long pages = 0;
    text[length > 0 ? length : 0] = 0;
    if (sscanf(text, "%*d %ld", &pages) != 1)
        abort();
    return pages * 4096;
}

static long held(void)
{
    if (fill_stats != NULL) {
        struct ht_stats now = {0};
        fill_stats(&now, sizeof now);
        return now.version == HT_STATS_VERSION ? (long)(now.mapped - now.clean - now.uncarved) : -1;
    }
    if (preloaded)
        return -1;
    struct mallinfo2 info = mallinfo2();
    return (long)(info.arena + info.hblkhd);
}

static void keep_peak(atomic_long *peak, long now)
{
    if (now > *peak)
        *peak = now;
}

static void *sampler_main(void *of)
{
    while (!over) {
        keep_peak(&resident_peak, resident() - resident_start);
        keep_peak(&held_peak, held());
        usleep(3000);
    }
    return of;
}

/* --- producers and consumers --- */

enum { ring_room = 4096 };
static struct block *ring[ring_room];
static size_t ring_head, ring_tail;
static pthread_mutex_t ring_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ring_changed = PTHREAD_COND_INITIALIZER;

static void ring_put(struct block *block)
{
    pthread_mutex_lock(&ring_lock);
    while (ring_head - ring_tail == ring_room)
        pthread_cond_wait(&ring_changed, &ring_lock);
    ring[ring_head++ % ring_room] = block;
    pthread_cond_broadcast(&ring_changed);
    pthread_mutex_unlock(&ring_lock);
}

static struct block *ring_get(void)
{
    pthread_mutex_lock(&ring_lock);
    while (ring_head == ring_tail)
        pthread_cond_wait(&ring_changed, &ring_lock);
    struct block *block = ring[ring_tail++ % ring_room];
    pthread_cond_broadcast(&ring_changed);
    pthread_mutex_unlock(&ring_lock);
    return block;
}

static void passing_main(struct worker *worker)
{
    for (int i = 0; i < 50000; i++) {
        if (worker->number % 2 == 1) {
            block_free(ring_get());
            continue;
        }
        /* The sizes wander, so that what was freed of one serves another. */
        size_t least = (size_t)16 << (i / 10000);
        ring_put(block_new(random_between(&worker->state, least, least * 16)));
    }
}

static void passing(uint64_t *state)
{
    run_workers(4, state, passing_main);
}

/* --- threads that only free --- */

static struct block *_Atomic given;

static void freer_main(struct worker *worker)
{
    (void)worker;
    for (struct block *block = atomic_exchange(&given, NULL), *next; block != NULL; block = next) {
        next = block->next;
        block_free(block);
    }
}

static void freers(uint64_t *state)
{
    for (int round = 0; round < 30; round++) {
        size_t size = random_between(state, 32, 1500);
        for (size_t sum = 0; sum < (size_t)12 << 20; sum += size) {
            struct block *block = block_new(random_between(state, size / 2, size));
            block->next = given;
            given = block;
        }
        run_workers(1, state, freer_main);
    }
}

/* One that lives on, and frees while the other allocates. */
static void steady_main(struct worker *worker)
{
    enum { total = 400000 };
    for (int i = 0; i < total; i++) {
        if (worker->number == 0)
            ring_put(block_new(random_between(&worker->state, 200, 4000)));
        else
            block_free(ring_get());
    }
}

static void steady(uint64_t *state)
{
    run_workers(2, state, steady_main);
}

/* --- idle threads --- */

static pthread_barrier_t turn;

static void idle_main(struct worker *worker)
{
    uint64_t *state = &worker->state;
    for (int who = 0; who < 12; who++) {
        if (who == worker->number) {
            struct block *all = NULL;
            for (size_t sum = 0; sum < (size_t)10 << 20; sum += all->size) {
                struct block *block = block_new(mixed_size(state, 7));
                block->next = all;
                all = block;
            }
            for (struct block *next; all != NULL; all = next) {
                next = all->next;
                block_free(all);
            }
        }
        pthread_barrier_wait(&turn);
    }
}

static void idle(uint64_t *state)
{
    pthread_barrier_init(&turn, NULL, 12);
    run_workers(12, state, idle_main);
}

/* --- threads that come and go --- */

enum { left_slots = 12000 };
static struct block *_Atomic left[left_slots];

static void visitor_main(struct worker *worker)
{
    uint64_t *state = &worker->state;
    struct block *mine[600];
    for (int i = 0; i < 600; i++)
        mine[i] = block_new(mixed_size(state, 9));
    for (int i = 0; i < 600; i++) {
        struct block *old = mine[i];
        if (i % 20 == 0)
            old = atomic_exchange(&left[random_below(state, left_slots)], mine[i]);
        if (old != NULL)
            block_free(old);
    }
}

static void visitors(uint64_t *state)
{
    for (int i = 0; i < 5000 / 5; i++)
        run_workers(5, state, visitor_main);
}

static const struct kernel cases[] = {
    {"passing", "two producers, two consumers, sizes wander", passing},
    {"idle", "12 threads in turn take 10 MiB, free it and wait", idle},
    {"freers", "threads that only free what another allocated", freers},
    {"steady", "a thread that only frees while the other allocates", steady},
    {"visitors", "5,000 threads come and gone, some blocks stay", visitors},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 2 && i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(cases[i].name, argv[1]) != 0)
            continue;
        *(void **)&fill_stats = dlsym(RTLD_DEFAULT, "ht_stats_fill");
        preloaded = getenv("LD_PRELOAD") != NULL;
        uint64_t state = strtoull(argv[2], NULL, 0) * 0x9e3779b97f4a7c15u | 1;
        memset(ring, 0, sizeof ring);
        memset((void *)left, 0, sizeof left);
        pthread_t sampler;
        resident_start = resident();
        if (pthread_create(&sampler, NULL, sampler_main, NULL) != 0)
            abort();
        cases[i].run(&state);
        over = true;
        pthread_join(sampler, NULL);
        printf("%ld %ld %ld\n", live_peak, held_peak, resident_peak);
        return 0;
    }
    fputs("usage: bounded CASE SEED; cases:", stderr);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        fprintf(stderr, "\n  %-10s %s", cases[i].name, cases[i].what);
    fputc('\n', stderr);
    return 2;
}
