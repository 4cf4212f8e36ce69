/* Private heaps: every kind of block, many heaps at once against a shadow of what they must hold,
 * all freed at once and given back, limits, refused memory, and what blocks of other heaps do. */
#include "allocator/htmalloc/config.h"
#include "allocator/htmalloc/htmalloc.h"
#include "allocator/htmalloc/os.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const size_t sizes[] = {0,     1,     15,    16,     17,     255,     256,     257,
                               1023,  1024,  1025,  4096,   8191,   16384,   16385,   32767,
                               32768, 32769, 65536, 131073, 524288, 1048576, 1048577, 5 << 20};
#define SIZES (sizeof sizes / sizeof *sizes)

static bool all_are(const unsigned char *bytes, size_t count, unsigned char value)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != value)
            return false;
    }
    return true;
}

static size_t live_now(void)
{
    struct ht_stats stats;
    ht_stats(&stats);
    return stats.live;
}

static void test_every_size(void)
{
    struct ht_heap *heap = ht_heap_new(NULL);
    for (size_t i = 0; i < SIZES; i++) {
        unsigned char *a = ht_heap_malloc(heap, sizes[i]), *b = ht_heap_calloc(heap, 1, sizes[i]);
        CHECK(a != NULL && b != NULL && a != b);
        CHECK_EQ_U64((uintptr_t)a % 16, 0);
        size_t usable = ht_heap_usable_size(heap, a);
        CHECK_LE_U64(sizes[i], usable);
        CHECK(all_are(b, sizes[i], 0));
        memset(a, 1, usable);
        memset(b, 2, sizes[i]);
        CHECK(all_are(a, usable, 1));
        ht_heap_free(heap, a);
        b = ht_heap_realloc(heap, b, sizes[i] * 2 + 1);
        CHECK(all_are(b, sizes[i], 2));
        b = ht_heap_realloc(heap, b, sizes[i] / 3 + 1);
        CHECK(b != NULL && all_are(b, sizes[i] / 3, 2));
        CHECK(ht_validate());
    }
    CHECK(ht_heap_realloc(heap, NULL, 10) != NULL);
    CHECK(ht_heap_realloc(heap, ht_heap_malloc(heap, 3), 0) == NULL);
    ht_heap_free(heap, NULL);
    CHECK_EQ_U64(ht_heap_usable_size(heap, NULL), 0);
    ht_heap_delete(heap);
    ht_heap_delete(NULL);
    CHECK(ht_validate());
}

static void test_alignment(void)
{
    struct ht_heap *heap = ht_heap_new(NULL);
    for (int grown = 0; grown < 2; grown++) {
        for (size_t align = 1; align <= (size_t)16 << 20; align *= 2) {
            for (size_t i = 0; i < SIZES; i++) {
                unsigned char *block = ht_heap_aligned(heap, align, sizes[i]);
                if (!CHECK(block != NULL) || !CHECK_EQ_U64((uintptr_t)block % align, 0))
                    return;
                memset(block, 7, sizes[i]);
                block = ht_heap_realloc(heap, block, sizes[i] + 5000);
                CHECK(block != NULL && all_are(block, sizes[i], 7));
                if (grown == 0)
                    ht_heap_free(heap, block);
            }
        }
    }
    errno = 0;
    volatile size_t uneven = 24;
    CHECK(ht_heap_aligned(heap, uneven, 10) == NULL && errno == EINVAL);
    CHECK(ht_validate());
    ht_heap_delete(heap);
}

/* --- many heaps against a shadow --- */

#define HEAPS  24
#define BLOCKS 200

struct shadow {
    struct ht_heap *heap;
    unsigned char *blocks[BLOCKS];
    size_t sizes[BLOCKS];
};
static struct shadow shadows[HEAPS];

static uint64_t random_state = 88172645463325252u;
static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static size_t random_size(void)
{
    uint64_t random = next_random();
    switch (random % 64) {
    case 0:
        return (random >> 8) % (3 << 20);
    case 1:
    case 2:
        return (random >> 8) % 200000;
    case 3:
    case 4:
    case 5:
    case 6:
        return (random >> 8) % 20000;
    default:
        return (random >> 8) % 600;
    }
}

static unsigned char mark_of(const struct shadow *shadow, size_t i)
{
    return (unsigned char)((size_t)(shadow - shadows) * 31 + i * 7 + shadow->sizes[i]);
}

static void fill(struct shadow *shadow, size_t i, size_t from)
{
    memset(shadow->blocks[i] + from, mark_of(shadow, i), shadow->sizes[i] - from);
}

static void check_block(const struct shadow *shadow, size_t i)
{
    if (shadow->blocks[i] != NULL)
        CHECK(all_are(shadow->blocks[i], shadow->sizes[i], mark_of(shadow, i)));
}

static void free_all(struct shadow *shadow)
{
    for (size_t i = 0; i < BLOCKS; i++)
        check_block(shadow, i);
    if (next_random() % 2 == 0) {
        ht_heap_free_all(shadow->heap);
    } else {
        ht_heap_delete(shadow->heap);
        shadow->heap = ht_heap_new(NULL);
    }
    memset(shadow->blocks, 0, sizeof shadow->blocks);
}

static void operate(struct shadow *shadow)
{
    size_t i = next_random() % BLOCKS;
    check_block(shadow, i);
    unsigned char *old = shadow->blocks[i];
    if (old == NULL) {
        shadow->sizes[i] = random_size();
        shadow->blocks[i] = ht_heap_malloc(shadow->heap, shadow->sizes[i]);
        if (CHECK(shadow->blocks[i] != NULL))
            fill(shadow, i, 0);
    } else if (next_random() % 3 == 0) {
        size_t size = random_size() + 1, kept = size < shadow->sizes[i] ? size : shadow->sizes[i];
        unsigned char was = mark_of(shadow, i);
        shadow->blocks[i] = ht_heap_realloc(shadow->heap, old, size);
        CHECK(shadow->blocks[i] != NULL && all_are(shadow->blocks[i], kept, was));
        shadow->sizes[i] = size;
        fill(shadow, i, 0);
    } else {
        ht_heap_free(shadow->heap, old);
        shadow->blocks[i] = NULL;
    }
}

static void test_many_heaps_against_a_shadow(void)
{
    void *shared[64] = {0};
    for (size_t i = 0; i < HEAPS; i++)
        shadows[i].heap = ht_heap_new(NULL);
    for (int step = 0; step < 60000 && check_failures == 0; step++) {
        struct shadow *shadow = &shadows[next_random() % HEAPS];
        operate(shadow);
        size_t at = next_random() % 64; /* the common heap lives among them */
        ht_free(shared[at]);
        shared[at] = ht_malloc(random_size());
        if (next_random() % 700 == 0)
            free_all(shadow);
        if (step % 500 == 0)
            CHECK(ht_validate());
    }
    for (size_t i = 0; i < HEAPS; i++) {
        size_t live = 0;
        struct ht_heap_stats stats;
        for (size_t block = 0; block < BLOCKS; block++) {
            check_block(&shadows[i], block);
            live += ht_heap_usable_size(shadows[i].heap, shadows[i].blocks[block]);
        }
        ht_heap_stats(shadows[i].heap, &stats);
        CHECK_EQ_U64(stats.live, live);
        CHECK_LE_U64(stats.live, stats.held);
        ht_heap_delete(shadows[i].heap);
    }
    for (size_t i = 0; i < 64; i++)
        ht_free(shared[i]);
    CHECK(ht_validate());
}

/* --- all at once, given back --- */

static void test_all_is_given_back(void)
{
    ht_trim(0);
    size_t live = live_now();
    struct ht_stats stats;
    struct ht_heap *heap = ht_heap_new(NULL);
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < 3000; i++) {
            size_t size = sizes[i % SIZES] % (1 << 20) + (i % 500 == 0 ? 3 << 20 : 0);
            memset(ht_heap_malloc(heap, size), 1, size);
        }
        ht_stats(&stats);
        CHECK(stats.private_heaps > 100 << 20 && stats.huge >= 6 * 3 << 20);
        ht_heap_free_all(heap);
        ht_stats(&stats);
        CHECK_EQ_U64(stats.private_heaps, 0);
        CHECK_LE_U64(stats.live, live + 4096);
    }
    ht_heap_delete(heap);
    CHECK_EQ_U64(live_now(), live);
    ht_trim(0);
    ht_stats(&stats);
    CHECK_EQ_U64(stats.dirty + stats.huge_kept, 0);
    CHECK(ht_validate());
}

/* What is freed block by block comes back too, but for a run of each size. */
static void test_given_back_block_by_block(void)
{
    static void *blocks[20000];
    struct ht_heap *heap = ht_heap_new(NULL);
    struct ht_heap_stats full, empty;
    for (size_t i = 0; i < 20000; i++)
        blocks[i] = ht_heap_malloc(heap, 1 + i % 700);
    ht_heap_stats(heap, &full);
    for (size_t i = 0; i < 20000; i++)
        ht_heap_free(heap, blocks[(i * 7919) % 20000]);
    ht_heap_stats(heap, &empty);
    CHECK_EQ_U64(empty.live, 0);
    CHECK_LE_U64(empty.held, 30 * HT_SLICE);
    CHECK_LE_U64(30 * HT_SLICE, full.held);
    ht_heap_delete(heap);
}

static size_t resident_now(void)
{
    unsigned long mapped, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (CHECK(file != NULL)) {
        CHECK(fscanf(file, "%lu %lu", &mapped, &resident) == 2);
        fclose(file);
    }
    return resident * HT_PAGE;
}

static void test_tiny_heaps_are_cheap(void)
{
    enum { COUNT = 2000 };
    static struct ht_heap *heaps[COUNT];
    struct ht_heap_stats stats;
    size_t before = live_now();
    for (size_t i = 0; i < COUNT; i++)
        heaps[i] = ht_heap_new(NULL);
    ht_heap_stats(heaps[0], &stats);
    CHECK_EQ_U64(stats.held + stats.live, 0);
    CHECK_LE_U64(stats.state, 160);
    CHECK_LE_U64(live_now() - before, COUNT * 176); /* 16 more in the hardened build */
    size_t resident = resident_now();
    for (size_t i = 0; i < COUNT; i++) {
        static const size_t some[] = {10, 20, 24, 30, 33, 40, 48, 60, 64};
        for (size_t block = 0; block < sizeof some / sizeof *some; block++)
            memset(ht_heap_malloc(heaps[i], some[block]), 1, some[block]);
    }
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
    CHECK_LE_U64(resident_now() - resident, COUNT * (size_t)13000); /* three pages, not nine */
#else
    (void)resident;
#endif
    for (size_t i = 0; i < COUNT; i++)
        ht_heap_delete(heaps[i]);
    CHECK(ht_validate());
}

/* --- limits, refusals --- */

static void test_limit(void)
{
    struct ht_heap_options options = {.limit = 10000};
    struct ht_heap *heap = ht_heap_new(&options);
    struct ht_heap_stats stats;
    size_t count = 0;
    errno = 0;
    while (ht_heap_malloc(heap, 100) != NULL)
        count++;
    CHECK_EQ_INT(errno, ENOMEM);
    CHECK(count >= 70 && count <= 100);
    ht_heap_stats(heap, &stats);
    CHECK_LE_U64(stats.live, 10000);
    CHECK(ht_heap_malloc(heap, 5000) == NULL);
    CHECK(ht_heap_malloc(heap, 50000) == NULL);
    CHECK(ht_heap_malloc(heap, 5 << 20) == NULL);
    ht_heap_free_all(heap);
    char *block = ht_heap_malloc(heap, 4000);
    CHECK(block != NULL);
    CHECK(ht_heap_realloc(heap, block, 8000) != NULL); /* more than both together may be */
    CHECK(ht_heap_malloc(heap, 9000) == NULL);
    ht_heap_delete(heap);
    options.limit = 3 << 20;
    heap = ht_heap_new(&options);
    block = ht_heap_malloc(heap, 2 << 20);
    CHECK(block != NULL);
    CHECK(ht_heap_realloc(heap, block, 4 << 20) == NULL);
    CHECK(ht_heap_malloc(heap, 2 << 20) == NULL);
    ht_heap_delete(heap);
}

static void test_refusals(void)
{
    struct ht_heap *heap = ht_heap_new(NULL);
    volatile size_t too_much = PTRDIFF_MAX, half = SIZE_MAX / 2 + 2, all = SIZE_MAX;
    errno = 0;
    CHECK(ht_heap_malloc(heap, too_much) == NULL);
    CHECK_EQ_INT(errno, ENOMEM);
    CHECK(ht_heap_malloc(heap, too_much + 1) == NULL);
    CHECK(ht_heap_malloc(heap, all - 100) == NULL);
    CHECK(ht_heap_aligned(heap, too_much / 2 + 1, too_much) == NULL);
    errno = 0;
    CHECK(ht_heap_calloc(heap, half, 2) == NULL);
    CHECK_EQ_INT(errno, ENOMEM);
    unsigned char *block = memset(ht_heap_malloc(heap, 2 << 20), 5, 2 << 20);
    CHECK(ht_heap_realloc(heap, block, too_much) == NULL);
    CHECK(all_are(block, 2 << 20, 5)); /* stands */
    ht_heap_delete(heap);
}

static void test_refused_memory(void)
{
    for (uint64_t call = 1; call <= 10; call++) {
        os_fail((struct os_failure){.kinds = OS_TAKES, .first = call, .count = UINT64_MAX});
        struct ht_heap *heap = ht_heap_new(NULL);
        unsigned refused = 0;
        for (size_t i = 0; heap != NULL && i < 600; i++) {
            size_t size = i % 3 == 0 ? 3 << 20 : i % 3 == 1 ? 300000 : 20000;
            errno = 0;
            char *block = ht_heap_malloc(heap, size);
            refused += block == NULL;
            CHECK(block != NULL || errno == ENOMEM);
        }
        CHECK(heap == NULL || refused > 0);
        CHECK(ht_validate());
        os_fail((struct os_failure){0});
        ht_heap_delete(heap);
        CHECK(ht_validate());
    }
}

/* --- threads, fork --- */

static void *in_thread(void *of)
{
    struct ht_heap *heap = of;
    for (size_t i = 0; i < 5000; i++) {
        void *block = ht_heap_malloc(heap, i % 3000);
        if (i % 2 == 0)
            ht_heap_free(heap, block);
    }
    return NULL;
}

/* Each thread its own heap, made and deleted by another. */
static void test_heaps_in_threads(void)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    struct ht_heap *heaps[THREADS];
    ht_trim(0); /* or what waits in the outbox counts as live */
    size_t live = live_now();
    for (int i = 0; i < THREADS; i++) {
        heaps[i] = ht_heap_new(NULL);
        CHECK(pthread_create(&threads[i], NULL, in_thread, heaps[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    in_thread(heaps[0]);
    for (int i = 0; i < THREADS; i++)
        ht_heap_delete(heaps[i]);
    ht_trim(0);
    CHECK_LE_U64(live_now(), live + 4096);
    CHECK(ht_validate());
}

static void test_after_fork(void)
{
    struct ht_heap *heap = ht_heap_new(NULL);
    in_thread(heap);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        in_thread(heap);
        ht_heap_delete(heap);
        _exit(ht_validate() ? 0 : 1);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    in_thread(heap);
    ht_heap_delete(heap);
    CHECK(ht_validate());
}

/* --- misuse --- */

static size_t misused_size;

/* The misuse ends its process by SIGABRT, with a message that has the words in it. */
static void dies(void (*misuse)(void), const char *words)
{
    int ends[2];
    char text[400] = {0};
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        misuse();
        _exit(0);
    }
    int status = -1;
    close(ends[1]);
    CHECK(read(ends[0], text, sizeof text - 1) >= 0);
    close(ends[0]);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    if (!CHECK(strstr(text, words) != NULL))
        printf("%zu bytes, wanted %s: status %x, it said: %s\n", misused_size, words,
               (unsigned)status, text);
}

static void free_by_ht_free(void)
{
    ht_free(ht_heap_malloc(ht_heap_new(NULL), misused_size));
}
static void realloc_by_ht_realloc(void)
{
    ht_free(ht_realloc(ht_heap_malloc(ht_heap_new(NULL), misused_size), 3 * misused_size));
}
static void free_common(void)
{
    ht_heap_free(ht_heap_new(NULL), ht_malloc(misused_size));
}
static void free_in_another_heap(void)
{
    void *volatile block = ht_heap_malloc(ht_heap_new(NULL), misused_size);
    ht_heap_free(ht_heap_new(NULL), block);
}
static void free_twice(void)
{
    struct ht_heap *heap = ht_heap_new(NULL);
    void *volatile block = ht_heap_malloc(heap, misused_size);
    ht_heap_free(heap, block);
    ht_heap_free(heap, block);
}
static void free_inside(void)
{
    struct ht_heap *heap = ht_heap_new(NULL);
    ht_heap_free(heap, (char *)ht_heap_malloc(heap, misused_size) + 8);
}

static void test_misuse(void)
{
    static const size_t misused[] = {20, 2000, 100000, 3 << 20};
    for (size_t i = 0; i < sizeof misused / sizeof *misused; i++) {
        misused_size = misused[i];
        bool huge = misused_size > HT_LARGE_MAX;
        dies(free_by_ht_free, huge ? "not a block of this allocator" : "in a private heap");
        dies(realloc_by_ht_realloc, huge ? "not a block of this allocator" : "in a private heap");
        if (!huge)
            dies(free_common, "not a block of this heap");
        dies(free_in_another_heap, "not a block of this heap");
        dies(free_twice, misused_size < HT_SMALL_MAX ? "double free" : "not a block of this heap");
        dies(free_inside, huge ? "not a block of this heap" : "not the start of a block");
    }
}

int main(void)
{
    RUN(test_every_size);
    RUN(test_alignment);
    RUN(test_many_heaps_against_a_shadow);
    RUN(test_all_is_given_back);
    RUN(test_given_back_block_by_block);
    RUN(test_tiny_heaps_are_cheap);
    RUN(test_limit);
    RUN(test_refusals);
    RUN(test_refused_memory);
    RUN(test_heaps_in_threads);
    RUN(test_after_fork);
    RUN(test_misuse);
    return CHECK_MAIN_END();
}
