/*
 * Random operations on htmalloc from several threads, one at a time, in an order that the seed
 * decides, so that a failure comes again. After every operation the whole heap is validated and
 * held against a shadow: no block overlaps another, each is aligned and long enough, none changes
 * but by our hand, and what is allocated is accounted for. Threads end and are replaced, children
 * of fork() go on with what they inherit, and the system refuses memory for a while.
 *
 *     htmalloc_property [--seed=N] [--seeds=N] [--operations=N] [--every=N]
 *
 * --seeds: so many runs, with seeds from --seed on, each in a process of its own. --every:
 * validates after each N-th operation only.
 */
#include "allocator/htmalloc/htmalloc.h"
#include "allocator/htmalloc/os.h"
#include "allocator/htmalloc/validate.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS     4
#define BLOCKS      1500
#define BYTES_MOST  ((size_t)24 << 20) /* live at any time */
#define BYTES_CHECK ((size_t)8192)     /* of a block's ends that carry its pattern */

struct block {
    unsigned char *address;
    size_t size;
    unsigned char pattern;
};

enum act { ACT_TAKE, ACT_RESIZE, ACT_RELEASE, ACT_TRIM, ACT_END };

struct worker {
    pthread_t thread;
    sem_t go;
    enum act act;
    size_t at; /* in blocks[] */
};

static struct block blocks[BLOCKS]; /* those in use, by address */
static size_t block_count, byte_count;
static struct worker workers[THREADS];
static sem_t done;
static uint64_t seed = 1, state, operation;
static bool refusing; /* memory */
static unsigned refused;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * 0x2545f4914f6cdd1du;
}

static _Noreturn void fail(const char *what, const void *address, size_t size)
{
    fprintf(stderr, "htmalloc_property: --seed=%llu, operation %llu: %s: block %p of %zu bytes\n",
            (unsigned long long)seed, (unsigned long long)operation, what, address, size);
    abort();
}

/* --- the shadow --- */

static void fill(const struct block *block)
{
    size_t head = block->size < BYTES_CHECK ? block->size : BYTES_CHECK;
    memset(block->address, block->pattern, head);
    memset(block->address + block->size - head, block->pattern, head);
}

static bool is_filled(const unsigned char *bytes, size_t count, unsigned char value)
{
    return count == 0 || (bytes[0] == value && memcmp(bytes, bytes + 1, count - 1) == 0);
}

/* Its first `upto` bytes at least as far as they carry the pattern. */
static void check_content(const struct block *block, size_t upto)
{
    size_t head = block->size < BYTES_CHECK ? block->size : BYTES_CHECK;
    if (!is_filled(block->address, head < upto ? head : upto, block->pattern))
        fail("content lost", block->address, block->size);
    if (upto >= block->size &&
        !is_filled(block->address + block->size - head, head, block->pattern))
        fail("content lost at the end", block->address, block->size);
}

static void shadow_add(struct block block, size_t align)
{
    size_t at = block_count;
    while (at > 0 && blocks[at - 1].address > block.address)
        at--;
    size_t usable = ht_usable_size(block.address);
    if ((uintptr_t)block.address % align != 0)
        fail("misaligned", block.address, block.size);
    if (usable < block.size)
        fail("shorter than asked for", block.address, block.size);
    if (at > 0 && blocks[at - 1].address + blocks[at - 1].size > block.address)
        fail("overlaps the block before", block.address, block.size);
    if (at < block_count && block.address + usable > blocks[at].address)
        fail("overlaps the block behind", block.address, block.size);
    memmove(&blocks[at + 1], &blocks[at], (block_count - at) * sizeof *blocks);
    blocks[at] = block;
    block_count++;
    byte_count += block.size;
    fill(&block);
}

static struct block shadow_remove(size_t at)
{
    struct block block = blocks[at];
    block_count--;
    byte_count -= block.size;
    memmove(&blocks[at], &blocks[at + 1], (block_count - at) * sizeof *blocks);
    return block;
}

/* --- the operations --- */

static size_t random_size(void)
{
    uint64_t random = next_random(), kind = random % 100;
    random >>= 10;
    if (kind < 50)
        return random % 300;
    if (kind < 75)
        return random % 3000;
    if (kind < 92)
        return random % 40000;
    if (kind < 98)
        return random % 1200000;
    return random % 4000000;
}

/* NULL is right where memory is refused, and nowhere else. */
static bool is_refused(const void *address, size_t size)
{
    if (address != NULL)
        return false;
    if (!refusing || errno != ENOMEM)
        fail("no memory", address, size);
    refused++;
    return true;
}

static void take(void)
{
    uint64_t random = next_random();
    size_t align = 16, size = random_size();
    unsigned char *address;
    errno = 0;
    if (random % 8 == 0) {
        align = (size_t)16 << (random >> 8) % 18;
        address = ht_memalign(align, size);
    } else if (random % 8 < 3) {
        address = ht_calloc(1, size);
    } else {
        address = ht_malloc(size);
    }
    if (is_refused(address, size))
        return;
    if (random % 8 == 1 && !is_filled(address, size, 0))
        fail("calloc is not zero", address, size);
    shadow_add((struct block){address, size, (unsigned char)(random >> 32)}, align);
}

static void resize(size_t at)
{
    struct block old = shadow_remove(at);
    size_t size = next_random() % 3 == 0 ? random_size() + 1 : old.size + old.size / 4 + 1;
    check_content(&old, old.size);
    errno = 0;
    unsigned char *address = ht_realloc(old.address, size);
    if (is_refused(address, size)) {
        check_content(&old, old.size);
        shadow_add(old, 16);
        return;
    }
    struct block moved = {address, old.size, old.pattern};
    check_content(&moved, size < old.size ? size : old.size);
    moved.size = size;
    shadow_add(moved, 16);
}

static void release(size_t at)
{
    struct block block = shadow_remove(at);
    check_content(&block, block.size);
    errno = 1234;
    if (block.size % 3 == 0)
        ht_free_sized(block.address, block.size);
    else
        ht_free(block.address);
    if (errno != 1234)
        fail("free changed errno", block.address, block.size);
}

static void *worker_main(void *of)
{
    struct worker *worker = of;
    for (;;) {
        while (sem_wait(&worker->go) != 0)
            continue;
        enum act act = worker->act;
        if (act == ACT_TAKE)
            take();
        else if (act == ACT_RESIZE)
            resize(worker->at);
        else if (act == ACT_RELEASE)
            release(worker->at);
        else if (act == ACT_TRIM)
            ht_trim(0);
        else
            return NULL; /* whoever joins knows that the heap has been left */
        sem_post(&done);
    }
}

static void start(struct worker *worker)
{
    if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0)
        fail("no thread", NULL, 0);
}

static void order(struct worker *worker, enum act act, size_t at)
{
    worker->act = act;
    worker->at = at;
    sem_post(&worker->go);
    if (act == ACT_END) {
        pthread_join(worker->thread, NULL);
        return;
    }
    while (sem_wait(&done) != 0)
        continue;
}

/* --- checks of the whole --- */

static void check_all(void)
{
    struct ht_stats stats;
    if (!ht_validate())
        fail("the heap is not valid", NULL, 0);
    ht_stats(&stats);
    if (stats.live < byte_count || stats.live_blocks < block_count)
        fail("blocks in use are not accounted for", NULL, 0);
}

/* Everything is freed and given back: nothing may be left. */
static void check_nothing_left(void)
{
    struct ht_stats stats;
    while (block_count > 0)
        release(block_count - 1);
    ht_trim(0);
    check_all();
    ht_stats(&stats);
    if (stats.live_blocks != 0 || stats.dirty + stats.cached + stats.huge_kept != 0) {
        ht_stats_print();
        fail("not all came back", NULL, 0);
    }
}

/* The child has one thread and the blocks of all. */
static void fork_child(void)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        for (int i = 0; i < 30; i++) {
            operation++;
            if (block_count > 0)
                resize(next_random() % block_count);
            if (block_count < BLOCKS)
                take();
            check_all();
        }
        check_nothing_left();
        _exit(0);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0)
        fail("the child of fork failed", NULL, 0);
}

static void refuse(bool wanted)
{
    refusing = wanted;
    os_fail(wanted ? (struct os_failure){OS_TAKES | OS_PURGE, 1 + next_random() % 3, UINT64_MAX}
                   : (struct os_failure){0});
}

static void step(uint64_t phase)
{
    uint64_t random = next_random(), kind = random % 1000;
    struct worker *worker = &workers[(random >> 16) % THREADS];
    size_t at = block_count == 0 ? 0 : (random >> 24) % block_count;
    bool full = block_count == BLOCKS || byte_count > BYTES_MOST;
    /* The heap grows for a while, then shrinks. */
    unsigned takes = phase % 2 == 0 ? 550 : 330;
    if (kind < 3 && !refusing) {
        order(worker, ACT_END, 0);
        start(worker);
    } else if (kind < 6) {
        order(worker, ACT_TRIM, 0);
    } else if (kind == 6 && !refusing) {
        fork_child();
    } else if (kind < 11) {
        refuse(!refusing && kind < 9);
    } else if (block_count == 0 || (kind < takes && !full)) {
        order(worker, ACT_TAKE, 0);
    } else if (kind < takes + 120) {
        order(worker, ACT_RESIZE, at);
    } else {
        order(worker, ACT_RELEASE, at);
    }
}

static void run(uint64_t operations, uint64_t every)
{
    state = seed * 0x9e3779b97f4a7c15u + 1;
    sem_init(&done, 0, 0);
    for (int i = 0; i < THREADS; i++) {
        sem_init(&workers[i].go, 0, 0);
        start(&workers[i]);
    }
    for (operation = 1; operation <= operations; operation++) {
        step(operation / 700);
        if (operation % every == 0)
            check_all();
    }
    refuse(false);
    for (int i = 0; i < THREADS; i++)
        order(&workers[i], ACT_END, 0);
    check_nothing_left();
}

static void run_in_child(uint64_t operations, uint64_t every)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(250);
        run(operations, every);
        printf("seed %llu: %llu operations, memory refused %u times: valid\n",
               (unsigned long long)seed, (unsigned long long)operations, refused);
        exit(0);
    }
    int status = -1;
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
        fprintf(stderr, "htmalloc_property: --seed=%llu ended with status %d\n",
                (unsigned long long)seed, status);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"seed", required_argument, NULL, 's'},
                                            {"seeds", required_argument, NULL, 'n'},
                                            {"operations", required_argument, NULL, 'o'},
                                            {"every", required_argument, NULL, 'e'},
                                            {NULL, 0, NULL, 0}};
    uint64_t seeds = 1, operations = 5000, every = 1;
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        uint64_t value = option == '?' ? 0 : strtoull(optarg, NULL, 0);
        if (option == 's')
            seed = value;
        else if (option == 'n')
            seeds = value;
        else if (option == 'o')
            operations = value;
        else if (option == 'e' && value > 0)
            every = value;
        else
            return 2;
    }
    for (; seeds > 0; seeds--, seed++)
        run_in_child(operations, every);
    return 0;
}
