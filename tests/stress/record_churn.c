/*
 * Churn with an independent count: THREADS threads make EVENTS allocator calls in all; a share of
 * the blocks is freed by another thread than the one that allocated them.
 *
 *     record_churn THREADS EVENTS CROSS_PERCENT [COUNTS_FILE]
 *
 * Each call is counted when it has completed, in COUNTS_FILE (a shared mapping that outlives a
 * SIGKILL): per thread eight 64-bit words: allocations, frees, bytes. With a COUNTS_FILE the
 * program does not end by itself but waits to be killed, so that libc makes no call but those
 * before the threads begin: all mallocs and frees on a tape are ours, to the last one. Without,
 * prints "allocations A frees F bytes B ns_per_event N". All blocks are freed at the end. Sizes are
 * 1024 + a multiple of 16 below 1024 plus 7, so that a test can tell them from libc's own calls.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MAX = 64, LIVE = 512, MAILBOX = 1024 };

struct counts {
    _Atomic uint64_t allocations, frees, bytes;
    uint64_t pad[5];
};

static struct counts *counts;
static unsigned threads, cross_percent;
static uint64_t events_each;

/* Blocks on their way to the thread that will free them; one writer (any) at a time per slot. */
static _Atomic(void *) mailbox[THREADS_MAX][MAILBOX];

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void *counted_malloc(struct counts *mine, uint64_t random)
{
    size_t size = 1031 + (random >> 20) % 64 * 16;
    char *block = malloc(size);
    block[0] = 1;
    atomic_store_explicit(&mine->bytes, mine->bytes + size, memory_order_relaxed);
    atomic_store_explicit(&mine->allocations, mine->allocations + 1, memory_order_release);
    return block;
}

static void counted_free(struct counts *mine, void *block)
{
    free(block);
    atomic_store_explicit(&mine->frees, mine->frees + 1, memory_order_release);
}

static void *churn(void *argument)
{
    unsigned me = (unsigned)(uintptr_t)argument;
    struct counts *mine = &counts[me];
    uint64_t state = 88172645463325252u + me * 7919;
    void *live[LIVE] = {NULL};
    for (uint64_t done = 0; done < events_each;) {
        uint64_t random = next_random(&state);
        unsigned slot = (unsigned)(random % LIVE);
        if (!live[slot]) {
            live[slot] = counted_malloc(mine, random);
            done++;
            continue;
        }
        void *block = live[slot];
        live[slot] = NULL;
        if (threads > 1 && (random >> 32) % 100 < cross_percent) {
            unsigned other = (me + 1 + (unsigned)(random >> 40) % (threads - 1)) % threads;
            block = atomic_exchange(&mailbox[other][(random >> 48) % MAILBOX], block);
        } else {
            void *mail = atomic_exchange(&mailbox[me][(random >> 48) % MAILBOX], NULL);
            if (mail) {
                counted_free(mine, mail);
                done++;
            }
        }
        if (block) {
            counted_free(mine, block);
            done++;
        }
    }
    for (unsigned i = 0; i < LIVE; i++)
        if (live[i])
            counted_free(mine, live[i]);
    return NULL;
}

static void map_counts(const char *path)
{
    size_t bytes = THREADS_MAX * sizeof *counts;
    int fd = path ? open(path, O_RDWR | O_CREAT, 0666) : -1;
    if (fd >= 0 && ftruncate(fd, (off_t)bytes))
        exit(2);
    counts = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                  fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
    if (counts == MAP_FAILED)
        exit(2);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 2;
    threads = (unsigned)atoi(argv[1]);
    uint64_t events = strtoull(argv[2], NULL, 10);
    cross_percent = (unsigned)atoi(argv[3]);
    if (!threads || threads > THREADS_MAX)
        return 2;
    events_each = events / threads;
    map_counts(argc > 4 ? argv[4] : NULL);
    pthread_t handle[THREADS_MAX];
    struct timespec begin, end;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    for (unsigned i = 1; i < threads; i++)
        if (pthread_create(&handle[i], NULL, churn, (void *)(uintptr_t)i))
            return 2;
    churn((void *)0);
    while (argc > 4)
        pause();
    for (unsigned i = 1; i < threads; i++)
        pthread_join(handle[i], NULL);
    for (unsigned i = 0; i < threads; i++)
        for (unsigned j = 0; j < MAILBOX; j++)
            if (mailbox[i][j])
                counted_free(&counts[0], mailbox[i][j]);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    uint64_t allocations = 0, frees = 0, bytes = 0;
    for (unsigned i = 0; i < threads; i++) {
        allocations += counts[i].allocations;
        frees += counts[i].frees;
        bytes += counts[i].bytes;
    }
    double ns = (double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec);
    printf("allocations %llu frees %llu bytes %llu ns_per_event %.2f\n",
           (unsigned long long)allocations, (unsigned long long)frees, (unsigned long long)bytes,
           ns / (double)(allocations + frees));
    return 0;
}
