/*
 * Workloads that do little but allocate: `workloads NAME [SEED]`. Each is one way in which programs
 * use a heap; sizes come from the seed. Blocks are written to where a program would.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 1;

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1du >> 16;
}

static void *take(size_t size)
{
    unsigned char *block = malloc(size);
    if (block == NULL)
        abort();
    memset(block, 1, size < 64 ? size : 64);
    for (size_t at = 4096; at < size; at += 4096)
        block[at] = 1;
    return block;
}

/* Sizes as programs have them: mostly small, each doubling half as frequent as the one before. */
static size_t mixed_size(uint64_t *state, unsigned doublings)
{
    uint64_t random = next_random(state);
    unsigned up = (unsigned)__builtin_ctzll(random | (uint64_t)1 << doublings);
    size_t base = (size_t)16 << up;
    return base + (random >> 32) % base;
}

static void random_churn(uint64_t *state, size_t slots, long operations, unsigned doublings)
{
    void **blocks = calloc(slots, sizeof *blocks);
    for (long i = 0; i < operations; i++) {
        size_t slot = next_random(state) % slots;
        free(blocks[slot]);
        blocks[slot] = take(doublings == 0 ? 64 : mixed_size(state, doublings));
    }
    for (size_t i = 0; i < slots; i++)
        free(blocks[i]);
    free(blocks);
}

static void single(uint64_t *state)
{
    random_churn(state, 100000, 6000000, 0);
}

static void mixed(uint64_t *state)
{
    random_churn(state, 50000, 4000000, 8);
}

static void hot(uint64_t *state)
{
    random_churn(state, 200, 12000000, 5);
}

static void stack(uint64_t *state)
{
    enum { deep = 20000 };
    static void *blocks[deep];
    for (int round = 0; round < 200; round++) {
        int top = (int)(next_random(state) % deep);
        for (int i = 0; i < top; i++)
            blocks[i] = take(mixed_size(state, 4));
        while (top > 0)
            free(blocks[--top]);
    }
}

static void queue(uint64_t *state)
{
    enum { length = 30000 };
    static void *blocks[length];
    for (long i = 0; i < 5000000; i++) {
        free(blocks[i % length]);
        blocks[i % length] = take(mixed_size(state, 5));
    }
}

/* Sizes change from one phase to the next, one block in fifty stays. */
static void phases(uint64_t *state)
{
    enum { most = 700000 };
    static void *blocks[most], *kept[most];
    size_t keep = 0;
    for (int phase = 0; phase < 8; phase++) {
        size_t size = 32 + next_random(state) % 480, count = ((size_t)48 << 20) / size;
        if (count > most)
            count = most;
        for (size_t i = 0; i < count; i++)
            blocks[i] = take(size);
        for (size_t i = 0; i < count; i++) {
            if (next_random(state) % 50 == 0 && keep < most)
                kept[keep++] = blocks[i];
            else
                free(blocks[i]);
        }
    }
    while (keep > 0)
        free(kept[--keep]);
}

static void bursts(uint64_t *state)
{
    enum { most = 400000 };
    static void *blocks[most];
    for (int burst = 0; burst < 8; burst++) {
        size_t count = most / 2 + next_random(state) % (most / 2);
        for (size_t i = 0; i < count; i++)
            blocks[i] = take(mixed_size(state, 3));
        for (size_t i = 0; i < count; i++)
            free(blocks[i]);
    }
}

/* Buffers that grow by a half each time, and strings that grow a little. */
static void growth(uint64_t *state)
{
    for (int round = 0; round < 40; round++) {
        size_t size = 16, end = (size_t)1 << (16 + next_random(state) % 9);
        char *buffer = malloc(size);
        while (size < end) {
            size_t grown = size + size / 2;
            buffer = realloc(buffer, grown);
            memset(buffer + size, 1, grown - size);
            size = grown;
        }
        free(buffer);
        char *text = NULL;
        for (size_t length = 0; length < 200000; length += 8) {
            text = realloc(text, length + 8);
            memset(text + length, 'x', 8);
        }
        free(text);
    }
}

static void large(uint64_t *state)
{
    enum { slots = 40 };
    static void *blocks[slots];
    for (int i = 0; i < 60000; i++) {
        size_t slot = next_random(state) % slots;
        free(blocks[slot]);
        blocks[slot] = take(16384 + next_random(state) % 400000);
    }
}

static void huge(uint64_t *state)
{
    enum { slots = 4 };
    static void *blocks[slots];
    for (int i = 0; i < 400; i++) {
        size_t slot = next_random(state) % slots;
        free(blocks[slot]);
        blocks[slot] = take(((size_t)1 << 20) + next_random(state) % ((size_t)6 << 20));
    }
}

static void aligned(uint64_t *state)
{
    enum { slots = 20000 };
    static void *blocks[slots];
    for (int i = 0; i < 2000000; i++) {
        size_t slot = next_random(state) % slots;
        free(blocks[slot]);
        if (posix_memalign(&blocks[slot], (size_t)32 << next_random(state) % 5,
                           mixed_size(state, 5)) != 0)
            abort();
        *(char *)blocks[slot] = 1;
    }
}

struct tree {
    struct tree *left, *right;
};

static struct tree *grow(int depth)
{
    struct tree *tree = malloc(sizeof *tree);
    tree->left = depth > 0 ? grow(depth - 1) : NULL;
    tree->right = depth > 0 ? grow(depth - 1) : NULL;
    return tree;
}

static void fell(struct tree *tree)
{
    if (tree == NULL)
        return;
    fell(tree->left);
    fell(tree->right);
    free(tree);
}

static void trees(uint64_t *state)
{
    struct tree *lasting = grow(18);
    for (int i = 0; i < 300; i++)
        fell(grow(9 + (int)(next_random(state) % 6)));
    fell(lasting);
}

/* A hash table of strings that grows and whose entries come and go. */
static void table(uint64_t *state)
{
    struct entry {
        struct entry *next;
        char *key;
    } **buckets = NULL;
    size_t size = 0, count = 0;
    for (int i = 0; i < 600000; i++) {
        if (count >= size) {
            size_t grown = size == 0 ? 8 : size * 2;
            struct entry **new = calloc(grown, sizeof *new);
            for (size_t at = 0; at < size; at++) {
                for (struct entry *entry = buckets[at], *next; entry != NULL; entry = next) {
                    next = entry->next;
                    size_t to = (size_t)((uintptr_t)entry >> 4) % grown;
                    entry->next = new[to];
                    new[to] = entry;
                }
            }
            free(buckets);
            buckets = new;
            size = grown;
        }
        struct entry *entry = malloc(sizeof *entry);
        entry->key = take(8 + next_random(state) % 40);
        size_t to = (size_t)((uintptr_t)entry >> 4) % size;
        entry->next = buckets[to];
        buckets[to] = entry;
        count++;
        struct entry **victim = &buckets[next_random(state) % size];
        if ((next_random(state) & 3) == 0 && *victim != NULL) {
            entry = *victim;
            *victim = entry->next;
            free(entry->key);
            free(entry);
            count--;
        }
    }
}

/* --- threads --- */

static void run_threads(int count, void *(*main)(void *))
{
    pthread_t threads[16];
    for (int i = 0; i < count; i++)
        pthread_create(&threads[i], NULL, main, (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

#define RING 4096
static void *ring[RING];
static size_t ring_head, ring_tail;
static pthread_mutex_t ring_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t ring_changed = PTHREAD_COND_INITIALIZER;

static void *produce_or_consume(void *of)
{
    uint64_t state = seed + (uintptr_t)of;
    for (int batch = 0; batch < 20000; batch++) {
        void *blocks[64];
        int count = 0;
        if ((uintptr_t)of == 1) {
            for (; count < 64; count++)
                blocks[count] = take(mixed_size(&state, 4));
        }
        pthread_mutex_lock(&ring_lock);
        if ((uintptr_t)of == 1) {
            while (ring_head - ring_tail > RING - 64)
                pthread_cond_wait(&ring_changed, &ring_lock);
            for (int i = 0; i < 64; i++)
                ring[ring_head++ % RING] = blocks[i];
        } else {
            while (ring_head - ring_tail < 64)
                pthread_cond_wait(&ring_changed, &ring_lock);
            for (; count < 64; count++)
                blocks[count] = ring[ring_tail++ % RING];
        }
        pthread_cond_signal(&ring_changed);
        pthread_mutex_unlock(&ring_lock);
        if ((uintptr_t)of != 1) {
            for (int i = 0; i < 64; i++)
                free(blocks[i]);
        }
    }
    return NULL;
}

static void passing(uint64_t *state)
{
    (void)state;
    run_threads(2, produce_or_consume);
}

/* Threads that end hand their blocks to others that take their place. */
#define LARSON_SLOTS 5000
static void *larson_slots[4][LARSON_SLOTS];

static void *larson_main(void *of)
{
    void **slots = larson_slots[(uintptr_t)of - 1];
    uint64_t state = seed * 31 + (uintptr_t)of;
    for (int i = 0; i < 60000; i++) {
        size_t slot = next_random(&state) % LARSON_SLOTS;
        free(slots[slot]);
        slots[slot] = take(10 + next_random(&state) % 490);
    }
    return NULL;
}

static void larson(uint64_t *state)
{
    for (int round = 0; round < 20; round++) {
        seed = next_random(state);
        run_threads(4, larson_main);
    }
}

static void *server_main(void *of)
{
    enum { cache = 3000 };
    void **cached = calloc(cache, sizeof *cached);
    uint64_t state = seed * 17 + (uintptr_t)of;
    for (int request = 0; request < 20000; request++) {
        void *parts[40];
        int count = 10 + (int)(next_random(&state) % 30);
        for (int i = 0; i < count; i++)
            parts[i] = take(mixed_size(&state, 7));
        void *body = take(2000 + next_random(&state) % 30000);
        size_t slot = next_random(&state) % cache;
        free(cached[slot]);
        cached[slot] = parts[0];
        for (int i = 1; i < count; i++)
            free(parts[i]);
        free(body);
    }
    for (int i = 0; i < cache; i++)
        free(cached[i]);
    free(cached);
    return NULL;
}

static void server(uint64_t *state)
{
    (void)state;
    run_threads(4, server_main);
}

static void *short_main(void *of)
{
    uint64_t state = seed + (uintptr_t)of;
    void *blocks[100];
    for (int i = 0; i < 100; i++)
        blocks[i] = take(mixed_size(&state, 5));
    for (int i = 0; i < 100; i++)
        free(blocks[i]);
    return NULL;
}

static void spawn(uint64_t *state)
{
    for (int i = 0; i < 3000; i++) {
        seed = next_random(state);
        run_threads(2, short_main);
    }
}

static const struct {
    const char *name;
    void (*run)(uint64_t *state);
} workloads[] = {
    {"single", single}, {"mixed", mixed},     {"hot", hot},         {"stack", stack},
    {"queue", queue},   {"phases", phases},   {"bursts", bursts},   {"growth", growth},
    {"large", large},   {"huge", huge},       {"aligned", aligned}, {"trees", trees},
    {"table", table},   {"passing", passing}, {"larson", larson},   {"server", server},
    {"spawn", spawn},
};

int main(int argc, char **argv)
{
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 0);
    for (size_t i = 0; argc > 1 && i < sizeof workloads / sizeof *workloads; i++) {
        if (strcmp(workloads[i].name, argv[1]) != 0)
            continue;
        uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
        workloads[i].run(&state);
        return 0;
    }
    fputs("usage: workloads NAME [SEED]; names:", stderr);
    for (size_t i = 0; i < sizeof workloads / sizeof *workloads; i++)
        fprintf(stderr, " %s", workloads[i].name);
    fputc('\n', stderr);
    return 2;
}
