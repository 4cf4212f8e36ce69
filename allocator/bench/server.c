/* Mixes with several threads, as servers have them; the classics of the literature in our own
 * words. */
#include "allocator/bench/kernel.h"

/* Like larson: each worker replaces blocks of its share, then hands the share to the worker that
 * follows, so that most blocks are freed by another thread than the one that made them. */
enum { larson_workers = 4, larson_slots = 4000 };
static void *larson_blocks[larson_workers][larson_slots];
static size_t larson_most;

static void larson_main(struct worker *worker)
{
    void **blocks = larson_blocks[worker->number];
    for (int i = 0; i < 60000; i++) {
        size_t slot = random_below(&worker->state, larson_slots);
        free(blocks[slot]);
        blocks[slot] = take(random_between(&worker->state, 10, larson_most));
    }
}

static void run_larson(uint64_t *state, size_t most, int rounds)
{
    larson_most = most;
    for (int round = 0; round < rounds; round++)
        run_workers(larson_workers, state, larson_main);
    for (int i = 0; i < larson_workers * larson_slots; i++)
        free(larson_blocks[i / larson_slots][i % larson_slots]);
}

static void larson(uint64_t *state)
{
    run_larson(state, random_between(state, 300, 700), 20);
}

static void larson_wide(uint64_t *state)
{
    run_larson(state, 5000, 10);
}

/* Like sh6bench: runs of blocks of one size, many small and few large; of each window the newest
 * are freed newest first, then the older ones oldest first. */
static void windows_main(struct worker *worker)
{
    enum { window = 2000 };
    void *blocks[window];
    for (int round = 0; round < 2000; round++) {
        size_t count = 0;
        while (count < window) {
            size_t size = mixed_size(&worker->state, 6);
            size_t run = 4000 / size + 1;
            for (; run > 0 && count < window; run--)
                blocks[count++] = take(size);
        }
        size_t cut = random_between(&worker->state, window / 4, window);
        while (count > cut)
            free(blocks[--count]);
        for (size_t i = 0; i < count; i++)
            free(blocks[i]);
    }
}

static void windows(uint64_t *state)
{
    run_workers(4, state, windows_main);
}

/* Requests with parts of all sizes and a body; a part of each stays in a cache of its thread. */
static void requests_main(struct worker *worker)
{
    enum { cache = 3000 };
    uint64_t *state = &worker->state;
    void **cached = calloc(cache, sizeof *cached);
    for (int request = 0; request < 120000; request++) {
        void *parts[40];
        size_t count = random_between(state, 10, 39);
        for (size_t i = 0; i < count; i++)
            parts[i] = take(mixed_size(state, 7));
        void *body = take(random_between(state, 2000, 32000));
        size_t slot = random_below(state, cache);
        free(cached[slot]);
        cached[slot] = parts[0];
        for (size_t i = 1; i < count; i++)
            free(parts[i]);
        free(body);
    }
    for (int i = 0; i < cache; i++)
        free(cached[i]);
    free(cached);
}

static void requests(uint64_t *state)
{
    run_workers(4, state, requests_main);
}

/* One cache for all threads, in shards: values are put by one thread and dropped by another. */
enum { shared_slots = 20000 };
static void *shared_cache[shared_slots];

static void shared_main(struct worker *worker)
{
    uint64_t *state = &worker->state;
    for (int request = 0; request < 320000; request++) {
        char *key = take(random_between(state, 10, 60));
        char *buffer = take(random_between(state, 500, 6000));
        for (int i = 0; i < 4; i++)
            free(take(mixed_size(state, 5)));
        if ((next_random(state) & 3) == 0) {
            char *value = take(mixed_size(state, 9));
            size_t slot = random_below(state, shared_slots);
            free(__atomic_exchange_n(&shared_cache[slot], value, __ATOMIC_ACQ_REL));
        }
        free(buffer);
        free(key);
    }
}

static void server_cache(uint64_t *state)
{
    run_workers(6, state, shared_main);
    for (int i = 0; i < shared_slots; i++)
        free(shared_cache[i]);
}

/* Like cache-scratch: each thread frees a small block that main made beside those of the others,
 * then takes one of that size and writes it over and over: slow where two threads share a line. */
static void *scratch_given[8];
static size_t scratch_size;

static void scratch_main(struct worker *worker)
{
    free(scratch_given[worker->number]);
    for (int round = 0; round < 8000; round++) {
        volatile char *block = take(scratch_size);
        for (int pass = 0; pass < 3000; pass++) {
            for (size_t at = 0; at < scratch_size; at++)
                block[at]++;
        }
        free((void *)block);
    }
}

static void scratch(uint64_t *state)
{
    scratch_size = random_between(state, 8, 24);
    for (int i = 0; i < 4; i++)
        scratch_given[i] = take(scratch_size);
    run_workers(4, state, scratch_main);
}

/* Threads that each do what a program of one thread does: what a lock between them costs. */
static void apart_main(struct worker *worker)
{
    enum { slots = 2000 };
    uint64_t *state = &worker->state;
    void **blocks = calloc(slots, sizeof *blocks);
    for (long i = 0; i < 3000000; i++) {
        size_t slot = random_below(state, slots);
        free(blocks[slot]);
        blocks[slot] = take(mixed_size(state, 6));
    }
    for (int i = 0; i < slots; i++)
        free(blocks[i]);
    free(blocks);
}

static void apart(uint64_t *state)
{
    run_workers(4, state, apart_main);
}

const struct kernel server_kernels[] = {
    {"larson", "shares of blocks handed from thread to thread", larson},
    {"larson-wide", "the same with sizes to 5,000 bytes", larson_wide},
    {"windows", "runs of one size, newest and oldest freed in turn", windows},
    {"requests", "requests with a body, a cache in each thread", requests},
    {"server-cache", "six threads, one cache between them", server_cache},
    {"scratch", "four threads write small blocks over and over", scratch},
    {"apart", "four threads with nothing in common", apart},
    {NULL, NULL, NULL},
};
