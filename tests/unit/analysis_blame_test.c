/*
 * Blame and free runs on heaps small enough to count by hand. Pages P0 .. P4 are resident, P5 is
 * not:
 *
 *   P0  a 100-byte block of key 1 at its start, one of key 2 in its middle
 *   P1  3000 bytes of key 3
 *   P2  a 16-byte block of key 1
 *   P3  nothing
 *   P4  the first 200 of 5000 bytes of key 2, whose rest lies on P5
 */
#include "analysis/blame.h"
#include "analysis/blame_keys.h"
#include "analysis/heap_free.h"
#include "tests/unit/check.h"

#define P(n) (UINT64_C(0x100000) + (n)*HEAP_PAGE)

static struct heap_range mappings[] = {{P(0), P(6), HEAP_READ | HEAP_WRITE},
                                       {P(8), P(9), HEAP_READ | HEAP_WRITE | HEAP_FILE},
                                       {P(9), P(10), HEAP_READ}};
static struct heap_range runs[] = {{P(0), P(2), 0}, {P(2), P(5), HEAP_RUN_HUGE}, {P(8), P(10), 0}};
static struct heap_block blocks[] = {
    {.address = P(0), .requested = 100, .usable = 104, .birth = 9, .lane = 0},
    {.address = P(0) + 2048, .requested = 100, .usable = 104, .birth = 8, .lane = 1},
    {.address = P(1), .requested = 3000, .usable = 3000, .birth = 7, .lane = 1},
    {.address = P(2) + 96, .requested = 16, .usable = 16, .birth = 4, .lane = 1},
    {.address = P(5) - 200, .requested = 5000, .usable = 5000, .birth = 0, .lane = 1},
};
static const uint64_t keys[] = {1, 2, 3, 1, 2};
static const struct heap_snapshot heap = {
    .head = {.blocks = 5, .mappings = 3, .runs = 3},
    .mappings = mappings,
    .runs = runs,
    .blocks = blocks,
};

#define RULE(page, share)                                                                          \
    &(struct blame_rule)                                                                           \
    {                                                                                              \
        .page_bytes = (page), .sparse = (share)                                                    \
    }

static struct blame_pages pages_of(const struct heap_snapshot *snapshot, uint64_t page_bytes,
                                   double sparse)
{
    struct blame_pages pages = {0};
    CHECK(blame_pages(snapshot, RULE(page_bytes, sparse), &pages));
    return pages;
}

static void test_pages(void)
{
    struct blame_pages pages = pages_of(&heap, 4096, 0.25);
    CHECK_EQ_U64(pages.bytes, 5 * 4096);
    CHECK_EQ_U64(pages.huge_bytes, 3 * 4096);
    CHECK_EQ_U64(pages.empty_bytes, 4096);
    CHECK_EQ_U64(pages.sparse_bytes, 3 * 4096);
    CHECK_EQ_U64(pages.sparse_huge_bytes, 2 * 4096);
    CHECK_EQ_U64(pages.sparse_live_bytes, 200 + 16 + 200);
    CHECK_EQ_U64(pages.sparse_blocks, 4);
    CHECK_EQ_U64(pages.live_bytes, 200 + 3000 + 16 + 200);
    CHECK_EQ_U64(pages.under_tenth_bytes, 4 * 4096); /* 200 of 4096 is 4.9 %, and the empty one */
    CHECK_EQ_U64(pages.under_quarter_bytes, 4 * 4096);
    CHECK_EQ_U64(pages_of(&heap, 4096, 1).sparse_bytes, 4 * 4096);
    CHECK_EQ_U64(pages_of(&heap, 4096, 0).sparse_bytes, 0);
}

/* Of a page of 8 KiB what is resident counts: P0 and P1, P2 and P3, P4 without P5. */
static void test_large_pages(void)
{
    struct blame_pages pages = pages_of(&heap, 8192, 0.25);
    CHECK_EQ_U64(pages.bytes, 5 * 4096);
    CHECK_EQ_U64(pages.empty_bytes, 0);
    CHECK_EQ_U64(pages.sparse_bytes, 3 * 4096);
    CHECK_EQ_U64(pages.sparse_live_bytes, 16 + 200);
    CHECK_EQ_U64(pages.sparse_blocks, 2);
    CHECK_EQ_U64(pages.live_bytes, 200 + 3000 + 16 + 200);
    CHECK_EQ_U64(pages.under_tenth_bytes, 3 * 4096);
    struct blame_list list;
    CHECK(blame_groups(&heap, RULE(8192, 0.25), keys, &list));
    CHECK_EQ_U64(list.groups[0].key, 1);
    CHECK_EQ_U64(list.groups[0].alone_bytes, 8192);
    CHECK_EQ_U64(blame_moved_bytes(&list.groups[0]), 4096);
    CHECK_EQ_U64(list.groups[1].key, 2);
    CHECK_EQ_U64(list.groups[1].alone_bytes, 4096);
    CHECK_EQ_U64(list.groups[1].together_bytes, 3 * 4096);
    blame_list_free(&list);
    /* All in one page of 2 MiB, two stretches of it resident: the block that lies wholly between
     * them keeps nothing. */
    struct heap_range two[] = {{P(0), P(1), 0}, {P(2), P(3), 0}};
    struct heap_snapshot apart = heap;
    apart.runs = two;
    apart.head.runs = 2;
    pages = pages_of(&apart, UINT64_C(2) << 20, 0.25);
    CHECK_EQ_U64(pages.bytes, 2 * 4096);
    CHECK_EQ_U64(pages.sparse_live_bytes, 200 + 16);
    CHECK_EQ_U64(pages.sparse_blocks, 3);
    CHECK(blame_groups(&apart, RULE(UINT64_C(2) << 20, 0.25), keys, &list));
    CHECK_EQ_U64(list.groups[0].key, 1);
    CHECK_EQ_U64(list.groups[0].alone_bytes, 0);
    CHECK_EQ_U64(list.groups[0].touched_bytes, 8192);
    CHECK_EQ_U64((uint64_t)(list.groups[0].share_bytes + 0.5), 8192 * 116 / 216);
    CHECK_EQ_U64(list.groups[1].together_bytes, 8192);
    CHECK_EQ_U64(list.groups[2].touched_bytes, 0);
    blame_list_free(&list);
}

static void test_groups(void)
{
    struct blame_list list;
    CHECK(blame_groups(&heap, RULE(4096, 0.25), keys, &list));
    CHECK_EQ_U64(list.count, 3);
    /* Keys 1 and 2 alone pin a page each; key 2 has the larger share: half of P0 and all of P4. */
    const struct blame_group *one = &list.groups[0], *two = &list.groups[1];
    if (one->key != 1) {
        const struct blame_group *swap = one;
        one = two;
        two = swap;
    }
    CHECK_EQ_U64(one->key, 1);
    CHECK_EQ_U64(two->key, 2);
    CHECK_EQ_U64(list.groups[2].key, 3);
    CHECK_EQ_U64(one->alone_bytes, 1 * 4096);
    CHECK_EQ_U64(one->touched_bytes, 2 * 4096);
    CHECK_EQ_U64(one->sparse_live_bytes, 116);
    CHECK_EQ_U64(one->sparse_blocks, 2);
    CHECK_EQ_U64(one->live_bytes, 116);
    CHECK_EQ_U64((uint64_t)one->share_bytes, 2048 + 4096);
    CHECK_EQ_U64(one->size_min, 16);
    CHECK_EQ_U64(one->size_max, 100);
    CHECK_EQ_U64(two->alone_bytes, 1 * 4096);
    CHECK_EQ_U64(two->sparse_live_bytes, 300);
    CHECK_EQ_U64(two->live_bytes, 5100);
    CHECK_EQ_U64(blame_gone_bytes(two), 4096);
    CHECK_EQ_U64(blame_moved_bytes(two), 0); /* 200 bytes elsewhere are a page again */
    CHECK_EQ_U64(list.groups[2].alone_bytes, 0 * 4096);
    CHECK_EQ_U64(list.groups[2].alone_any_bytes, 1 * 4096);
    CHECK_EQ_U64(list.groups[2].sparse_blocks, 0);
    /* With the first gone its own page is free, with both all three. */
    CHECK_EQ_U64(list.groups[0].together_bytes, 1 * 4096);
    CHECK_EQ_U64(list.groups[1].together_bytes, 3 * 4096);
    CHECK_EQ_U64(list.groups[2].together_bytes, 3 * 4096);
    for (int i = 0; i < 5; i++)
        CHECK_EQ_U64(list.groups[list.group_of[i]].key, keys[i]);
    blame_list_free(&list);
}

static void test_free_runs(void)
{
    /* P0: 1944 between its blocks, 1944 behind the second; P1: 1096 behind its block and 96 before
     * that of P2, one run; then 3984 of P2, all of P3 and 3896 of P4, one run. */
    struct heap_free free = heap_free_runs(&heap, 4096);
    uint64_t whole = 1944 + 1944 + (1096 + 96) + (3984 + 4096 + 3896);
    CHECK_EQ_U64(free.runs, 4);
    CHECK_EQ_U64(free.bytes, whole);
    CHECK_EQ_U64(free.bytes, 5 * 4096 - 104 - 104 - 3000 - 16 - 200);
    CHECK_EQ_U64(free.largest, 11976);
    CHECK_EQ_U64(free.small_bytes, 1944 + 1944 + 1192);
    CHECK_EQ_U64(free.bin_runs[10], 3);
    CHECK_EQ_U64(free.bin_bytes[13], 11976);
    CHECK(heap_free_external(&free) > 0.2978 && heap_free_external(&free) < 0.2979);
    CHECK(heap_free_unusable(&free) > 0.2978 && heap_free_unusable(&free) < 0.2979);
    struct heap_snapshot none = heap;
    none.head.runs = 0;
    free = heap_free_runs(&none, 1);
    CHECK_EQ_U64(free.bytes, 0);
    CHECK(heap_free_external(&free) <= 0 && heap_free_unusable(&free) <= 0);
}

/* A block of no bytes keeps its page. */
static void test_a_block_of_no_bytes(void)
{
    struct heap_block nothing[] = {{.address = P(3) + 64}};
    struct heap_snapshot one = heap;
    one.blocks = nothing;
    one.head.blocks = 1;
    uint64_t key[] = {5};
    struct blame_list list;
    CHECK(blame_groups(&one, RULE(4096, 0.25), key, &list));
    CHECK_EQ_U64(list.count, 1);
    CHECK_EQ_U64(list.groups[0].alone_bytes, 1 * 4096);
    CHECK_EQ_U64((uint64_t)list.groups[0].share_bytes, 4096);
    CHECK_EQ_U64(pages_of(&one, 4096, 0.25).empty_bytes, 4 * 4096);
    blame_list_free(&list);
}

/* What a size class rounded up fills no page: one small block on a page of its own is sparse, and
 * all of it is usable to nobody else. A page that is swapped in part is no huge one. */
static void test_requested_bytes_count_not_usable_ones(void)
{
    struct heap_block roomy[] = {{.address = P(3), .requested = 1000, .usable = 4096}};
    struct heap_range swapped[] = {{P(3), P(4), HEAP_RUN_SWAPPED}};
    struct heap_snapshot one = heap;
    one.blocks = roomy;
    one.runs = swapped;
    one.head.blocks = one.head.runs = 1;
    uint64_t key[] = {5};
    struct blame_list list;
    struct blame_pages pages = pages_of(&one, 4096, 0.25);
    CHECK_EQ_U64(pages.sparse_bytes, 4096);
    CHECK_EQ_U64(pages.live_bytes, 1000);
    CHECK_EQ_U64(pages.huge_bytes, 0);
    CHECK_EQ_U64(pages_of(&one, 4096, 0.24).sparse_bytes, 0);
    CHECK(blame_groups(&one, RULE(4096, 0.25), key, &list));
    CHECK_EQ_U64(blame_gone_bytes(&list.groups[0]), 4096);
    CHECK_EQ_U64(blame_moved_bytes(&list.groups[0]), 0); /* 4096 usable bytes elsewhere */
    blame_list_free(&list);
}

/* Sizes of a bin: 16 bytes wide to 1 KiB, then 8 a doubling; ages by powers of two. */
static void test_keys(void)
{
    struct blame_keys by = {.event = 1000};
    static const uint64_t same[][2] = {{1, 16},      {17, 32},     {1009, 1024},
                                       {1025, 1152}, {1921, 2048}, {2049, 2304}};
    uint64_t before = 0;
    for (unsigned i = 0; i < sizeof same / sizeof *same; i++) {
        struct heap_block low = {.requested = same[i][0]}, high = {.requested = same[i][1]};
        uint64_t key = blame_key(&by, BLAME_SIZE, &low, 0);
        CHECK_EQ_U64(key, blame_key(&by, BLAME_SIZE, &high, 0));
        CHECK(key > before);
        before = key;
    }
    struct heap_block newest = {.birth = 1000}, old = {.birth = 0};
    CHECK_EQ_U64(blame_key(&by, BLAME_AGE, &newest, 0), 0);
    uint64_t key = blame_key(&by, BLAME_AGE, &old, 0);
    CHECK(blame_age_low(key) == 512 && blame_age_high(key) == 1023);
    char name[64];
    struct blame_group group = {.key = key, .size_min = 7, .size_max = 7};
    blame_group_name(&by, BLAME_AGE, &group, name, sizeof name);
    CHECK_STR(name, "512 to 1023 events old");
    blame_group_name(&by, BLAME_SIZE, &group, name, sizeof name);
    CHECK_STR(name, "7 B");
}

int main(void)
{
    RUN(test_pages);
    RUN(test_large_pages);
    RUN(test_groups);
    RUN(test_free_runs);
    RUN(test_a_block_of_no_bytes);
    RUN(test_requested_bytes_count_not_usable_ones);
    RUN(test_keys);
    return CHECK_MAIN_END();
}
