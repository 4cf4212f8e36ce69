/* Threads that come and go, leave blocks behind, or hold memory and do nothing. */
#include <pthread.h>
#include "allocator/bench/kernel.h"

static void short_main(struct worker *worker)
{
    void *blocks[100];
    for (int i = 0; i < 100; i++)
        blocks[i] = take(mixed_size(&worker->state, 5));
    for (int i = 0; i < 100; i++)
        free(blocks[i]);
}

static void spawn(uint64_t *state)
{
    for (int i = 0; i < 5000; i++)
        run_workers(2, state, short_main);
}

/* Each thread leaves some of its blocks; others free them later. */
enum { left_slots = 4000 };
static void *left_blocks[left_slots];

static void leaving_main(struct worker *worker)
{
    uint64_t *state = &worker->state;
    for (int i = 0; i < 400; i++) {
        void *block = take(mixed_size(state, 6));
        if (i % 4 != 0) {
            free(block);
            continue;
        }
        size_t slot = random_below(state, left_slots);
        free(__atomic_exchange_n(&left_blocks[slot], block, __ATOMIC_ACQ_REL));
    }
}

static void spawn_leaving(uint64_t *state)
{
    for (int i = 0; i < 2500; i++)
        run_workers(4, state, leaving_main);
    for (int i = 0; i < left_slots; i++) {
        free(left_blocks[i]);
        left_blocks[i] = NULL;
    }
}

/* Eight threads take turns at the same work; the seven others hold what they had and sleep. */
static pthread_barrier_t turn_barrier;

static void turn_main(struct worker *worker)
{
    enum { slots = 30000 };
    uint64_t *state = &worker->state;
    void **blocks = malloc(slots * sizeof *blocks);
    for (int turn = 0; turn < 48; turn++) {
        if (turn % 8 == worker->number) {
            for (int i = 0; i < slots; i++)
                blocks[i] = take(mixed_size(state, 5));
            for (long i = 0; i < 100000; i++) {
                size_t slot = random_below(state, slots);
                free(blocks[slot]);
                blocks[slot] = take(mixed_size(state, 5));
            }
            for (int i = 0; i < slots; i++)
                free(blocks[i]);
        }
        pthread_barrier_wait(&turn_barrier);
    }
    free(blocks);
}

static void turns(uint64_t *state)
{
    pthread_barrier_init(&turn_barrier, NULL, 8);
    run_workers(8, state, turn_main);
    pthread_barrier_destroy(&turn_barrier);
}

/* A pool: fifteen threads did something once and wait, one works on. */
static pthread_barrier_t idle_start, idle_end;

static void pool_main(struct worker *worker)
{
    enum { slots = 6000 };
    uint64_t *state = &worker->state;
    void *blocks[slots];
    for (int i = 0; i < slots; i++)
        blocks[i] = take(mixed_size(state, 6));
    for (int i = 0; i < slots; i++)
        free(blocks[i]);
    pthread_barrier_wait(&idle_start);
    if (worker->number == 0) {
        memset(blocks, 0, sizeof blocks);
        for (long i = 0; i < 10000000; i++) {
            size_t slot = random_below(state, slots);
            free(blocks[slot]);
            blocks[slot] = take(mixed_size(state, 8));
        }
        for (int i = 0; i < slots; i++)
            free(blocks[i]);
    }
    pthread_barrier_wait(&idle_end);
}

static void idle_pool(uint64_t *state)
{
    pthread_barrier_init(&idle_start, NULL, 16);
    pthread_barrier_init(&idle_end, NULL, 16);
    run_workers(16, state, pool_main);
}

const struct kernel thread_kernels[] = {
    {"spawn", "10,000 threads come and go", spawn},
    {"spawn-leaving", "10,000 threads that leave blocks to others", spawn_leaving},
    {"turns", "eight threads take turns, the others wait", turns},
    {"idle-pool", "fifteen threads wait, one works", idle_pool},
    {NULL, NULL, NULL},
};
