/* The statistics: the parts add up to what is mapped, what is mapped is what the system says, what
 * may be resident is no less than what is, and classes and threads add up to the whole. */
#include "allocator/htmalloc/htmalloc.h"
#include "allocator/htmalloc/config.h"
#include "allocator/htmalloc/stats.h"
#include "tests/unit/check.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1 /* the sanitizer maps memory of its own meanwhile */
#else
#define SANITIZED 0
#endif

#define BLOCKS 20000
static void *blocks[BLOCKS];

/* What the first allocation maps for the map of segments: reserved, hardly touched. */
#define MAP_BYTES ((size_t)1 << (HT_ADDRESS_BITS - HT_SEGMENT_SHIFT))

struct process {
    size_t mapped, resident; /* bytes */
};

static struct process process_now(void)
{
    char text[128] = {0};
    unsigned long mapped = 0, resident = 0;
    int file = open("/proc/self/statm", O_RDONLY);
    if (CHECK(file >= 0) && CHECK(read(file, text, sizeof text - 1) > 0))
        CHECK(sscanf(text, "%lu %lu", &mapped, &resident) == 2);
    close(file);
    return (struct process){mapped * HT_PAGE, resident * HT_PAGE};
}

static size_t size_at(size_t i)
{
    static const size_t sizes[] = {1,    16,   40,    100,   500,    1000,   1500,
                                   5000, 9000, 20000, 40000, 100000, 300000, 1500000};
    size_t which = i * 7919 % 100;
    return sizes[which < 70 ? which % 6 : which < 97 ? 6 + which % 5 : 11 + which % 3];
}

static void check_sums(void)
{
    struct stats stats;
    struct ht_thread_stats threads[16];
    stats_take(&stats, threads, 16);
    const struct ht_stats *all = &stats.all;
    CHECK_EQ_U64(all->version, HT_STATS_VERSION);
    CHECK_EQ_U64(all->bytes, sizeof *all);
    CHECK_EQ_U64(all->mapped, all->live + all->internal + all->free_in_runs + all->uncarved +
                                  all->cached + all->dirty + all->huge_kept + all->metadata +
                                  all->clean);
    CHECK_LE_U64(all->huge, all->live);
    size_t runs = 0, live = 0, free = 0, uncarved = 0, live_blocks = 0;
    for (unsigned i = 0; i < CLASS_COUNT; i++) {
        const struct ht_class_stats *at = &stats.classes[i];
        CHECK_EQ_U64(at->live_blocks + at->free_blocks, at->carved_blocks);
        CHECK_LE_U64(at->carved_blocks, at->capacity_blocks);
        runs += at->runs;
        live += at->live_blocks * at->block_bytes;
        free += at->free_blocks * at->block_bytes;
        uncarved += (at->capacity_blocks - at->carved_blocks) * at->block_bytes;
        live_blocks += at->live_blocks;
    }
    CHECK_EQ_U64(runs, all->runs);
    CHECK_EQ_U64(free, all->free_in_runs);
    CHECK_EQ_U64(uncarved, all->uncarved);
    CHECK_LE_U64(live + all->huge, all->live); /* the rest is large blocks */
    CHECK_LE_U64(live_blocks + all->huge_blocks, all->live_blocks);
    size_t thread_runs = 0, thread_live = 0, thread_free = 0, cached = 0;
    CHECK_LE_U64(all->thread_heaps, 16);
    for (size_t i = 0; i < all->thread_heaps; i++) {
        CHECK_EQ_U64(threads[i].number, i + 1);
        thread_runs += threads[i].runs;
        thread_live += threads[i].live;
        thread_free += threads[i].free_in_runs;
        cached += threads[i].cached;
    }
    CHECK_EQ_U64(thread_runs, runs);
    CHECK_EQ_U64(thread_live, live);
    CHECK_EQ_U64(thread_free, free);
    CHECK_EQ_U64(cached, all->cached);
}

/* Must be the first: it measures from before the first allocation. */
static void test_the_system_agrees(void)
{
    struct process before = process_now();
    struct ht_stats stats;
    size_t asked = 0;
    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = memset(ht_malloc(size_at(i)), 1, size_at(i));
        asked += size_at(i);
    }
    for (size_t i = 0; i < BLOCKS; i += 3) {
        asked -= size_at(i);
        ht_free(blocks[i]);
        blocks[i] = NULL;
    }
    ht_stats(&stats);
    struct process after = process_now();
    CHECK_LE_U64(asked, stats.live);
    CHECK_LE_U64(stats.live, asked + asked / 4);
    CHECK_EQ_U64(stats.live_blocks, BLOCKS - (BLOCKS + 2) / 3);
    if (SANITIZED)
        return;
    /* The first heap is not mapped but lies in the library's own data. */
    CHECK_EQ_U64(after.mapped - before.mapped, stats.mapped - HT_PAGE + MAP_BYTES);
    size_t held = stats.mapped - stats.clean;
    CHECK_LE_U64(after.resident - before.resident, held + (64 << 10));
    CHECK_LE_U64(asked, after.resident - before.resident);
    /* Free blocks of several pages have been touched at their start only. */
    size_t least = held - stats.uncarved - stats.internal - stats.metadata;
    CHECK_LE_U64(least - least / 50, after.resident - before.resident);
}

static void test_parts_add_up(void)
{
    check_sums();
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % 5 == 0) {
            ht_free(blocks[i]);
            blocks[i] = NULL;
        } else if (i % 7 == 0) {
            blocks[i] = ht_realloc(blocks[i], size_at(i) * 3 / 2);
        }
        if (i % 1000 == 0)
            check_sums();
    }
    check_sums();
    ht_trim(0);
    check_sums();
}

static void *thread_main(void *unused)
{
    (void)unused;
    void *kept = ht_malloc(100);
    for (size_t i = 0; i < BLOCKS; i += 2) {
        ht_free(blocks[i]); /* most go to the first thread's heap */
        blocks[i] = ht_malloc(size_at(i));
    }
    check_sums();
    return kept;
}

static void test_threads_add_up(void)
{
    pthread_t thread;
    void *kept;
    CHECK(pthread_create(&thread, NULL, thread_main, NULL) == 0);
    pthread_join(thread, &kept);
    check_sums();
    struct ht_thread_stats threads[4];
    CHECK_EQ_U64(ht_thread_stats(threads, 4), 2);
    CHECK_EQ_U64(threads[0].running, 1);
    CHECK_EQ_U64(threads[1].running, 0);
    CHECK(threads[1].live >= 100);
    ht_free(kept);
}

static void test_all_given_back(void)
{
    struct ht_stats stats;
    for (size_t i = 0; i < BLOCKS; i++)
        ht_free(blocks[i]);
    ht_trim(0);
    check_sums();
    ht_stats(&stats);
    CHECK_EQ_U64(stats.huge + stats.huge_blocks + stats.huge_kept + stats.dirty, 0);
    CHECK_EQ_U64(stats.cached, 0);
}

/* A caller of an older or newer header gets what its struct has room for, and zeros for the rest.
 */
static void test_other_versions(void)
{
    union {
        struct ht_stats stats;
        unsigned char bytes[sizeof(struct ht_stats) + 32];
    } room;
    memset(&room, 0xa5, sizeof room);
    ht_stats_fill(&room.stats, offsetof(struct ht_stats, huge));
    CHECK_EQ_U64(room.stats.bytes, offsetof(struct ht_stats, huge));
    CHECK(room.stats.mapped > 0);
    CHECK_EQ_U64(room.bytes[offsetof(struct ht_stats, huge)], 0xa5);
    ht_stats_fill(&room.stats, sizeof room);
    CHECK_EQ_U64(room.stats.bytes, sizeof room.stats);
    CHECK_EQ_U64(room.bytes[sizeof room - 1], 0);
    struct ht_class_stats classes[CLASS_COUNT];
    CHECK_EQ_U64(ht_class_stats(classes, 2), CLASS_COUNT);
    CHECK_EQ_U64(ht_class_stats(classes, CLASS_COUNT), CLASS_COUNT);
    CHECK_EQ_U64(classes[CLASS_COUNT - 1].block_bytes, HT_SMALL_MAX);
    CHECK_EQ_U64(ht_class_stats(NULL, 0), CLASS_COUNT);
}

int main(void)
{
    RUN(test_the_system_agrees);
    RUN(test_parts_add_up);
    RUN(test_threads_add_up);
    RUN(test_all_given_back);
    RUN(test_other_versions);
    return CHECK_MAIN_END();
}
