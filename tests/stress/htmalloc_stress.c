/*
 * Random work on htmalloc's ht_ functions from several threads, held against a shadow: every block
 * carries a pattern made from its slot, checked when it is freed, grown or passed to another
 * thread. Between rounds all threads stand still and the validator walks the whole heap.
 *
 *     htmalloc_stress [--threads=N] [--rounds=N] [--operations=N] [--seed=N] [--fork] [--churn]
 * [--phases]
 *
 * --fork: after each round a child of the process works on with what it inherited, and validates.
 * --phases: sizes up to 4 KiB change sixteen times a round, when nearly all blocks go at once; ends
 *   with an error unless runs with blocks of several classes came of it (HTMALLOC_OPTIONS=mix=2).
 * --churn: threads end after each round and others take their place and their blocks.
 */
#include "allocator/htmalloc/htmalloc.h"
#include "allocator/htmalloc/validate.h"

#include <getopt.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SLOTS  2000 /* of each thread */
#define SHARED 512  /* through which blocks pass from thread to thread */

struct item {
    unsigned char *address;
    size_t size;
    unsigned char pattern;
};

static __thread size_t
    phase_bytes; /* with --phases: sizes are from half of it on; 0: of all kinds */

struct shared {
    pthread_mutex_t lock;
    struct item item;
};

struct worker {
    pthread_t thread;
    uint64_t random;
    struct item items[SLOTS];
};

static struct shared shared[SHARED];
static struct worker *workers;
static int threads = 4, rounds = 10;
static long operations = 20000;
static uint64_t seed = 1;
static pthread_barrier_t barrier;
static int with_fork, with_churn, with_phases;
static size_t mixed_runs; /* the most there were between rounds */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1du;
}

static void fail(const char *what, const struct item *item)
{
    fprintf(stderr, "htmalloc_stress: %s: block %p of %zu bytes, seed %llu\n", what,
            (void *)item->address, item->size, (unsigned long long)seed);
    abort();
}

/* All of a small block, the ends and some of the middle of a long one. */
static void fill(struct item *item)
{
    if (item->size <= 4096) {
        memset(item->address, item->pattern, item->size);
        return;
    }
    memset(item->address, item->pattern, 256);
    memset(item->address + item->size - 256, item->pattern, 256);
    for (size_t at = 256; at < item->size - 256; at += 4093)
        item->address[at] = item->pattern;
}

static void check_bytes(const struct item *item, size_t from, size_t to)
{
    for (size_t at = from; at < to; at++) {
        if (item->address[at] != item->pattern)
            fail("content lost", item);
    }
}

static void check(const struct item *item, size_t upto)
{
    if (item->size <= 4096) {
        check_bytes(item, 0, upto < item->size ? upto : item->size);
        return;
    }
    check_bytes(item, 0, upto < 256 ? upto : 256);
    if (upto >= item->size)
        check_bytes(item, item->size - 256, item->size);
    for (size_t at = 256; at < item->size - 256 && at < upto; at += 4093) {
        if (item->address[at] != item->pattern)
            fail("content lost", item);
    }
}

static size_t random_size(uint64_t *state)
{
    uint64_t random = next_random(state), kind = random % 1000;
    random >>= 10;
    if (phase_bytes > 0)
        return phase_bytes / 2 + random % (phase_bytes / 2);
    if (kind < 700)
        return random % 257;
    if (kind < 900)
        return random % 2049;
    if (kind < 970)
        return random % 32769;
    if (kind < 995)
        return random % 300000;
    return random % 4000000;
}

static void release(struct item *item)
{
    if (item->address == NULL)
        return;
    check(item, item->size);
    if (ht_usable_size(item->address) < item->size)
        fail("usable size below the size asked for", item);
    if (item->size % 3 == 0)
        ht_free_sized(item->address, item->size);
    else
        ht_free(item->address);
    item->address = NULL;
}

static void take(struct item *item, uint64_t *state)
{
    uint64_t random = next_random(state);
    size_t align = 16;
    item->size = random_size(state);
    item->pattern = (unsigned char)random;
    if (random >> 8 & 15) {
        item->address = random >> 16 & 3 ? ht_malloc(item->size) : ht_calloc(1, item->size);
    } else {
        align = (size_t)16 << (random >> 20) % 13;
        item->address = ht_aligned_alloc(align, item->size);
    }
    if (item->address == NULL)
        return;
    if ((uintptr_t)item->address % align != 0)
        fail("misaligned", item);
    if ((random >> 8 & 15) && !(random >> 16 & 3)) {
        for (size_t at = 0; at < item->size; at++) {
            if (item->address[at] != 0)
                fail("calloc is not zero", item);
        }
    }
    fill(item);
}

static void resize(struct item *item, uint64_t *state)
{
    size_t size = next_random(state) & 1 ? random_size(state) : item->size + item->size / 3 + 1;
    if (size == 0 || size > 16 << 20)
        return;
    unsigned char *moved = ht_realloc(item->address, size);
    if (moved == NULL)
        return;
    item->address = moved;
    check(item, size);
    item->size = size;
    fill(item);
}

/* Statistics look at what other threads change meanwhile, and say so (htmalloc.h). */
#ifdef __SANITIZE_THREAD__
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);
#else
#define AnnotateIgnoreReadsBegin(file, line) ((void)0)
#define AnnotateIgnoreReadsEnd(file, line)   ((void)0)
#endif

/* What looks at all heaps while their threads go on. */
static void look(uint64_t random)
{
    struct ht_stats stats;
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    ht_stats(&stats);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
    if (stats.live > stats.mapped)
        fail("more is live than mapped", &(struct item){NULL, stats.live, 0});
    if (random % 4 == 0)
        ht_trim(0);
}

static void step(struct worker *worker)
{
    uint64_t random = next_random(&worker->random);
    if (random >> 54 == 1) /* one in a thousand */
        look(random >> 8);
    struct item *item = &worker->items[(random >> 8) % SLOTS];
    if ((random & 15) == 0) {
        struct shared *box = &shared[(random >> 24) % SHARED];
        pthread_mutex_lock(&box->lock);
        struct item mine = *item;
        *item = box->item;
        box->item = mine;
        pthread_mutex_unlock(&box->lock);
    } else if (item->address == NULL) {
        take(item, &worker->random);
    } else if ((random & 7) == 1) {
        resize(item, &worker->random);
    } else {
        release(item);
    }
}

/* One block in twenty stays. */
static void change_phase(struct worker *worker)
{
    for (int i = 0; i < SLOTS; i++) {
        if (next_random(&worker->random) % 20 != 0)
            release(&worker->items[i]);
    }
    phase_bytes = (size_t)16 << next_random(&worker->random) % 9;
}

static void work(struct worker *worker)
{
    for (long i = 0; i < operations; i++) {
        if (with_phases && i % (operations / 16 + 1) == 0)
            change_phase(worker);
        step(worker);
    }
}

static void validate(const char *when)
{
    struct ht_stats stats;
    ht_stats(&stats);
    if (stats.mixed_runs > mixed_runs)
        mixed_runs = stats.mixed_runs;
    if (!ht_validate()) {
        fprintf(stderr, "htmalloc_stress: the heap is not valid %s, seed %llu\n", when,
                (unsigned long long)seed);
        abort();
    }
}

/* The child has this thread alone; it goes on with its blocks and frees those of all others. */
static void fork_and_work(struct worker *worker)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        work(worker);
        for (int i = 0; i < threads; i++) {
            for (int j = 0; j < SLOTS; j++)
                release(&workers[i].items[j]);
        }
        validate("in the child");
        _exit(0);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
        fprintf(stderr, "htmalloc_stress: the child of fork ended with status %d\n", status);
        abort();
    }
}

static void *thread_main(void *of)
{
    struct worker *worker = of;
    for (int round = 0; round < rounds; round++) {
        work(worker);
        pthread_barrier_wait(&barrier);
        if (worker == &workers[0]) {
            validate("between rounds");
            if (with_fork)
                fork_and_work(worker);
        }
        pthread_barrier_wait(&barrier);
        if (with_churn)
            break;
    }
    return NULL;
}

static void run_threads(void)
{
    for (int i = 0; i < threads; i++) {
        if (pthread_create(&workers[i].thread, NULL, thread_main, &workers[i]) != 0)
            abort();
    }
    for (int i = 0; i < threads; i++)
        pthread_join(workers[i].thread, NULL);
}

static void read_options(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"threads", required_argument, NULL, 't'},    {"rounds", required_argument, NULL, 'r'},
        {"operations", required_argument, NULL, 'o'}, {"seed", required_argument, NULL, 's'},
        {"fork", no_argument, &with_fork, 1},         {"churn", no_argument, &with_churn, 1},
        {"phases", no_argument, &with_phases, 1},     {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == 't')
            threads = atoi(optarg);
        else if (option == 'r')
            rounds = atoi(optarg);
        else if (option == 'o')
            operations = atol(optarg);
        else if (option == 's')
            seed = strtoull(optarg, NULL, 0);
        else if (option == '?')
            exit(2);
    }
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    workers = calloc((size_t)threads, sizeof *workers);
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    for (int i = 0; i < SHARED; i++)
        pthread_mutex_init(&shared[i].lock, NULL);
    for (int i = 0; i < threads; i++)
        workers[i].random = (seed + (uint64_t)i) * 0x9e3779b97f4a7c15u + 1;
    for (int i = 0; i < (with_churn ? rounds : 1); i++)
        run_threads();
    validate("after all threads have ended");
    for (int i = 0; i < threads; i++) {
        for (int j = 0; j < SLOTS; j++)
            release(&workers[i].items[j]);
    }
    for (int i = 0; i < SHARED; i++)
        release(&shared[i].item);
    ht_trim(0);
    validate("at the end");
    if (with_phases && mixed_runs == 0) {
        fprintf(stderr, "htmalloc_stress: no run was carved anew\n");
        return 1;
    }
    printf("%d threads, %d rounds of %ld operations: valid\n", threads, rounds, operations);
    return 0;
}
