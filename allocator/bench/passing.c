/* Blocks that one thread allocates and another frees. */
#include <pthread.h>
#include "allocator/bench/kernel.h"

enum { ring_room = 128, batch_size = 50 };

struct batch {
    int count;
    void *blocks[batch_size];
};

/* A bounded queue of batches: a producer waits when it is full, a consumer when it is empty. */
struct ring {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct batch *items[ring_room];
    size_t head, tail;
};

static void ring_init(struct ring *ring)
{
    pthread_mutex_init(&ring->lock, NULL);
    pthread_cond_init(&ring->changed, NULL);
    ring->head = ring->tail = 0;
}

static void ring_put(struct ring *ring, struct batch *batch)
{
    pthread_mutex_lock(&ring->lock);
    while (ring->head - ring->tail == ring_room)
        pthread_cond_wait(&ring->changed, &ring->lock);
    ring->items[ring->head++ % ring_room] = batch;
    pthread_cond_broadcast(&ring->changed);
    pthread_mutex_unlock(&ring->lock);
}

static struct batch *ring_get(struct ring *ring)
{
    pthread_mutex_lock(&ring->lock);
    while (ring->head == ring->tail)
        pthread_cond_wait(&ring->changed, &ring->lock);
    struct batch *batch = ring->items[ring->tail++ % ring_room];
    pthread_cond_broadcast(&ring->changed);
    pthread_mutex_unlock(&ring->lock);
    return batch;
}

static struct batch *batch_new(uint64_t *state, unsigned doublings)
{
    struct batch *batch = malloc(sizeof *batch);
    batch->count = (int)random_between(state, batch_size / 2, batch_size);
    for (int i = 0; i < batch->count; i++)
        batch->blocks[i] = take(mixed_size(state, doublings));
    return batch;
}

static void batch_free(struct batch *batch)
{
    for (int i = 0; i < batch->count; i++)
        free(batch->blocks[i]);
    free(batch);
}

static struct ring rings[3];
static unsigned pass_doublings;
static int pass_batches;

static void one_to_one(struct worker *worker)
{
    for (int i = 0; i < pass_batches; i++) {
        if (worker->number == 0)
            ring_put(&rings[0], batch_new(&worker->state, pass_doublings));
        else
            batch_free(ring_get(&rings[0]));
    }
}

static void run_pass(uint64_t *state, int workers, void (*main)(struct worker *))
{
    for (int i = 0; i < 3; i++)
        ring_init(&rings[i]);
    run_workers(workers, state, main);
}

static void pass_one(uint64_t *state)
{
    pass_doublings = 4;
    pass_batches = 140000;
    run_pass(state, 2, one_to_one);
}

static void pass_large(uint64_t *state)
{
    pass_doublings = 11;
    pass_batches = 90000;
    run_pass(state, 2, one_to_one);
}

/* Three producers, three consumers, one queue. */
static void many_to_many(struct worker *worker)
{
    for (int i = 0; i < pass_batches; i++) {
        if (worker->number % 2 == 0)
            ring_put(&rings[0], batch_new(&worker->state, pass_doublings));
        else
            batch_free(ring_get(&rings[0]));
    }
}

static void pass_many(uint64_t *state)
{
    pass_doublings = 5;
    pass_batches = 36000;
    run_pass(state, 6, many_to_many);
}

/* Each stage frees half of what it got, adds as much and hands the batch on. */
static void stage(struct worker *worker)
{
    for (int i = 0; i < pass_batches; i++) {
        struct batch *batch;
        if (worker->number == 0) {
            batch = batch_new(&worker->state, pass_doublings);
        } else {
            batch = ring_get(&rings[worker->number - 1]);
            for (int at = worker->number % 2; at < batch->count; at += 2) {
                free(batch->blocks[at]);
                batch->blocks[at] = take(mixed_size(&worker->state, pass_doublings));
            }
        }
        if (worker->number == 3)
            batch_free(batch);
        else
            ring_put(&rings[worker->number], batch);
    }
}

static void pass_pipeline(uint64_t *state)
{
    pass_doublings = 5;
    pass_batches = 60000;
    run_pass(state, 4, stage);
}

/* Every thread puts blocks into a shared array and frees what it finds there: each block is freed
 * by whoever comes next. */
enum { swap_slots = 4096 };
static void *swap_blocks[swap_slots];

static void swapper(struct worker *worker)
{
    for (long i = 0; i < 2000000; i++) {
        void *block = take(mixed_size(&worker->state, 5));
        size_t slot = random_below(&worker->state, swap_slots);
        free(__atomic_exchange_n(&swap_blocks[slot], block, __ATOMIC_ACQ_REL));
    }
}

static void swapping(uint64_t *state)
{
    run_workers(4, state, swapper);
    for (int i = 0; i < swap_slots; i++) {
        free(swap_blocks[i]);
        swap_blocks[i] = NULL;
    }
}

const struct kernel passing_kernels[] = {
    {"pass-one", "one producer, one consumer, small blocks", pass_one},
    {"pass-large", "one producer, one consumer, to 64 KB", pass_large},
    {"pass-many", "three producers, three consumers", pass_many},
    {"pass-pipeline", "four stages that free some and add some", pass_pipeline},
    {"swapping", "four threads free what another left in a shared array", swapping},
    {NULL, NULL, NULL},
};
