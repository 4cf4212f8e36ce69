/* The textbook allocators, exactly: which block a policy takes, what is split and merged, what
 * realloc does in place. Linked with them; malloc is libc's. */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/textbook_case.h"

/* ---- which block --------------------------------------------------------------------------- */

/* Holes of 128, 80, 224 and 96 bytes with used blocks between, and nothing else free. Made free in
 * the order a, b, c, d. */
struct holes {
    char *a, *b, *c, *d;
};

static struct holes make_holes(const char *policy)
{
    begin(policy);
    struct holes holes;
    holes.a = textbook_malloc(100), textbook_malloc(1);
    holes.b = textbook_malloc(50), textbook_malloc(1);
    holes.c = textbook_malloc(200), textbook_malloc(1);
    holes.d = textbook_malloc(70), textbook_malloc(1);
    textbook_malloc(free_space(&heap_policy).largest);
    CHECK_EQ_U64(free_space(&heap_policy).blocks, 0);
    textbook_free(holes.a);
    textbook_free(holes.b);
    textbook_free(holes.c);
    textbook_free(holes.d);
    CHECK_EQ_U64(free_space(&heap_policy).blocks, 4);
    CHECK_EQ_U64(free_space(&heap_policy).bytes, 128 + 80 + 224 + 96);
    return holes;
}

static void test_first_fit_takes_the_first_of_the_list(void)
{
    struct holes holes = make_holes("first-fit");
    CHECK(textbook_malloc(40) == holes.d);
    holes = make_holes("first-fit-fifo");
    CHECK(textbook_malloc(40) == holes.a);
    holes = make_holes("first-fit-address");
    CHECK(textbook_malloc(40) == holes.a);
    CHECK(textbook_malloc(150) == holes.c);
    CHECK(textbook_malloc(60) == holes.b); /* 64 are left of a, and b comes before d */
    in_order();
}

static void test_next_fit_goes_on_where_it_ended(void)
{
    struct holes holes = make_holes("next-fit"); /* the list is d, c, b, a */
    CHECK(textbook_malloc(200) == holes.c);
    CHECK(textbook_malloc(40) == holes.b); /* first fit would take d */
    CHECK(textbook_malloc(100) == holes.a);
    CHECK(textbook_malloc(40) == holes.d); /* around the ring */
    holes = make_holes("next-fit");
    CHECK(textbook_malloc(100) == holes.c); /* 104 are left, and the next search begins there */
    CHECK(textbook_malloc(20) == holes.c + 128); /* first fit would take d */
    holes = make_holes("next-fit-address");
    CHECK(textbook_malloc(200) == holes.c);
    CHECK(textbook_malloc(40) == holes.d);
    CHECK(textbook_malloc(40) == holes.a);
    in_order();
}

static void test_best_fit_takes_the_smallest_that_will_do(void)
{
    struct holes holes = make_holes("best-fit");
    CHECK(textbook_malloc(40) == holes.b);
    CHECK(textbook_malloc(70) == holes.d);
    CHECK(textbook_malloc(90) == holes.a);
    CHECK(textbook_malloc(90) == holes.c);
    in_order();
}

static void test_worst_fit_takes_the_largest(void)
{
    struct holes holes = make_holes("worst-fit");
    CHECK(textbook_malloc(40) == holes.c);      /* 160 are left of it */
    CHECK(textbook_malloc(40) == holes.c + 64); /* 96 are left */
    CHECK(textbook_malloc(40) == holes.a);      /* of 128 */
    in_order();
}

/* Of blocks of one size, best fit takes the first of its list. */
static void test_best_fit_of_equals(void)
{
    for (int address = 0; address < 2; address++) {
        begin(address ? "best-fit-address" : "best-fit");
        char *low = textbook_malloc(40);
        textbook_malloc(1);
        char *high = textbook_malloc(40);
        textbook_malloc(1);
        textbook_free(low);
        textbook_free(high);
        CHECK(textbook_malloc(40) == (address ? low : high));
        textbook_free(address ? low : high);
        CHECK(textbook_malloc(20) ==
              (address ? low : high)); /* of equals that are too large, too */
    }
}

static void test_segregated_looks_in_its_class_and_then_above(void)
{
    struct holes holes = make_holes("segregated"); /* a, b and d are of class 2, c of 3 */
    CHECK(textbook_malloc(110) == holes.a);        /* d, c and b are too small or elsewhere */
    CHECK(textbook_malloc(40) == holes.d);         /* class 1 is empty; d was freed last */
    CHECK(textbook_malloc(120) == holes.c);        /* 136: class 3 */
    in_order();
}

/* ---- splitting and merging ------------------------------------------------------------------- */

static void test_split(void)
{
    struct holes holes = make_holes("first-fit-address");
    size_t splits = stats().splits;
    char *first = textbook_malloc(16), *second = textbook_malloc(16);
    CHECK(first == holes.a && second == holes.a + 32);
    CHECK_EQ_U64(textbook_usable_size(first), 16);
    CHECK_EQ_U64(stats().splits - splits, 2);
    CHECK(textbook_malloc(17) == holes.a + 64); /* 48 bytes; the last 16 are no block */
    CHECK_EQ_U64(textbook_usable_size(holes.a + 64), 48);
    CHECK_EQ_U64(stats().splits - splits, 2);
    in_order();
}

static void test_least_split(void)
{
    struct options switches = begin("first-fit");
    switches.min_split = 64;
    textbook_restart(&switches);
    char *hole = textbook_malloc(112);
    textbook_malloc(1);
    textbook_free(hole);
    CHECK(textbook_malloc(60) == hole); /* 80 of 128; 48 are below 64 */
    CHECK_EQ_U64(textbook_usable_size(hole), 112);
    textbook_free(hole);
    CHECK(textbook_malloc(40) == hole); /* 64 of 128; 64 are not */
    CHECK_EQ_U64(textbook_usable_size(hole), 48);
    in_order();
}

static void check_free(size_t blocks, size_t largest, size_t coalesces)
{
    struct free_space space = free_space(&heap_policy);
    CHECK_EQ_U64(space.blocks, blocks);
    CHECK_EQ_U64(space.largest, largest - 16);
    CHECK_EQ_U64(stats().coalesces, coalesces);
    in_order();
}

static void test_coalescing_has_four_cases(void)
{
    char *blocks[4];
    four(blocks); /* used on both sides */
    textbook_free(blocks[1]);
    check_free(1, 48, 0);
    textbook_free(blocks[0]); /* free behind */
    check_free(1, 96, 1);
    four(blocks);
    textbook_free(blocks[1]);
    textbook_free(blocks[2]); /* free before */
    check_free(1, 96, 1);
    four(blocks);
    textbook_free(blocks[0]);
    textbook_free(blocks[2]);
    check_free(2, 48, 0);
    textbook_free(blocks[1]); /* free on both sides */
    check_free(1, 144, 2);
}

static void test_deferred_coalescing_waits_for_need(void)
{
    struct options switches = begin("first-fit");
    char *blocks[3];
    switches.coalesce = COALESCE_DEFERRED;
    textbook_restart(&switches);
    for (int i = 0; i < 3; i++)
        blocks[i] = textbook_malloc(32);
    textbook_malloc(free_space(&heap_policy).largest);
    size_t held = stats().held_bytes;
    for (int i = 0; i < 3; i++)
        textbook_free(blocks[i]);
    check_free(3, 48, 0);
    CHECK(textbook_malloc(128) == blocks[0]); /* all three */
    CHECK_EQ_U64(stats().held_bytes, held);
    CHECK_EQ_U64(stats().coalesces, 2);
    in_order();
}

/* ---- realloc --------------------------------------------------------------------------------- */

static void test_realloc_grows_forward(void)
{
    char *blocks[4];
    four(blocks);
    strcpy(blocks[0], "contents");
    textbook_free(blocks[1]);
    CHECK(textbook_realloc(blocks[0], 70) == blocks[0]);
    CHECK_EQ_U64(textbook_usable_size(blocks[0]), 80);
    CHECK_STR(blocks[0], "contents");
    in_order();
}

static void test_realloc_grows_backward(void)
{
    char *blocks[4], text[33];
    four(blocks);
    memset(text, 'x', 31), text[31] = 0;
    strcpy(blocks[1], text);
    textbook_free(blocks[0]);
    CHECK(textbook_realloc(blocks[1], 70) == blocks[0]);
    CHECK_STR(blocks[0], text);
    four(blocks); /* both neighbours are needed */
    strcpy(blocks[1], text);
    textbook_free(blocks[0]);
    textbook_free(blocks[2]);
    CHECK(textbook_realloc(blocks[1], 120) == blocks[0]);
    CHECK_STR(blocks[0], text);
    CHECK_EQ_U64(free_space(&heap_policy).blocks, 0);
    in_order();
}

static void test_realloc_shrinks_in_place(void)
{
    char *blocks[4];
    four(blocks);
    char *all = textbook_realloc(blocks[0], 32);
    CHECK(all == blocks[0]);
    textbook_free(blocks[1]);
    CHECK(textbook_realloc(blocks[0], 80) == blocks[0]);
    CHECK(textbook_realloc(blocks[0], 16) == blocks[0]);
    check_free(1, 64, 1);
    CHECK(textbook_realloc(blocks[0], 0) == NULL); /* freed */
    check_free(1, 96, 2);
}

/* ---- large blocks and sources --------------------------------------------------------------- */

static void test_large_blocks_are_mappings(void)
{
    begin("first-fit");
    textbook_malloc(1);
    size_t held = stats().held_bytes;
    char *large = textbook_malloc(128 << 10);
    CHECK_LE_U64(held + (128 << 10), stats().held_bytes);
    memset(large, 'x', 128 << 10);
    large = textbook_realloc(large, 64 << 20);
    CHECK(large[0] == 'x' && large[(128 << 10) - 1] == 'x' && large[(64 << 20) - 1] == 0);
    large = textbook_realloc(large, 200 << 10);
    CHECK_LE_U64(stats().held_bytes, held + (200 << 10) + 2 * PAGE_BYTES);
    large = textbook_realloc(large, 100); /* back among the others */
    CHECK(large[0] == 'x' && large[99] == 'x');
    CHECK_EQ_U64(stats().held_bytes, held);
    textbook_malloc((128 << 10) - 1); /* just below */
    CHECK_EQ_U64((stats().held_bytes - held) % 16, 0);
    CHECK_LE_U64(held + (128 << 10), stats().held_bytes);
    in_order();
    char *aligned = textbook_memalign(1 << 20, 1 << 20);
    CHECK_EQ_U64((uintptr_t)aligned % (1 << 20), 0);
    aligned[0] = aligned[(1 << 20) - 1] = 1;
    textbook_free(aligned);
}

static void test_the_heap_grows_by_what_is_asked(void)
{
    struct options switches = begin("first-fit");
    textbook_malloc(1);
    CHECK_EQ_U64(stats().held_bytes, 64 << 10);
    textbook_malloc(free_space(&heap_policy).largest);
    textbook_malloc(1);
    CHECK_EQ_U64(stats().held_bytes, 128 << 10);
    switches.growth = 16 << 10;
    switches.set_aside = 128 << 10;
    textbook_restart(&switches);
    textbook_malloc(1);
    CHECK_EQ_U64(stats().held_bytes, 128 << 10);
    textbook_malloc(free_space(&heap_policy).largest);
    textbook_malloc(1);
    CHECK_EQ_U64(stats().held_bytes, 144 << 10);
    in_order();
}

static void test_mapped_regions_go_back_when_wholly_free(void)
{
    static const char *const names[] = {"first-fit", "best-fit-address", "segregated", "buddy"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct options switches = begin(names[i]);
        char *blocks[40];
        switches.source = SOURCE_MMAP;
        textbook_restart(&switches);
        for (int j = 0; j < 40; j++)
            memset(blocks[j] = textbook_malloc(10000), 1, 10000);
        CHECK_LE_U64(5 * 64 << 10, stats().held_bytes);
        CHECK_EQ_U64(stats().held_bytes % PAGE_BYTES, 0);
        for (int j = 0; j < 40; j += 2)
            textbook_free(blocks[j]);
        in_order();
        for (int j = 1; j < 40; j += 2)
            textbook_free(blocks[j]);
        CHECK_EQ_U64(stats().held_bytes, 0);
        in_order();
    }
}

/* ---- buddy and bump -------------------------------------------------------------------------- */

static void test_buddy_halves_and_merges(void)
{
    begin("buddy"); /* an arena of 2^16 */
    char *first = textbook_malloc(16);
    CHECK_EQ_U64(stats().splits, 11); /* down to 2^5 */
    CHECK_EQ_U64(textbook_usable_size(first), 16);
    CHECK_EQ_U64(free_space(&buddy_policy).blocks, 11);
    char *second = textbook_malloc(10), *third = textbook_malloc(17);
    CHECK(second == first + 32 && third == first + 64);
    CHECK_EQ_U64(textbook_usable_size(third), 48);
    textbook_free(first); /* its buddy is used */
    CHECK_EQ_U64(stats().coalesces, 0);
    in_order();
    textbook_free(third); /* merges with the free ones above it up to order 6: its buddy is split */
    CHECK_EQ_U64(stats().coalesces, 0);
    textbook_free(second);
    CHECK_EQ_U64(stats().coalesces, 11);
    CHECK_EQ_U64(free_space(&buddy_policy).blocks, 1);
    CHECK_EQ_U64(free_space(&buddy_policy).bytes, 64 << 10);
    in_order();
}

static void test_buddy_realloc(void)
{
    begin("buddy");
    char *block = textbook_malloc(16);
    strcpy(block, "contents");
    CHECK(textbook_realloc(block, 100) == block); /* the lower half of each pair */
    CHECK_EQ_U64(textbook_usable_size(block), 112);
    char *other = textbook_malloc(100);
    CHECK(other == block + 128);
    CHECK(textbook_realloc(other, 200) == block + 256); /* the upper half must move */
    CHECK(textbook_realloc(block, 16) == block);
    CHECK_EQ_U64(textbook_usable_size(block), 16);
    CHECK_STR(block, "contents");
    in_order();
}

/* A mix whose waste is known: 33 bytes take 64, 100 take 128, 1000 take 1024, 1100 take 2048. */
static void test_buddy_waste(void)
{
    static const size_t sizes[] = {33, 100, 1000, 1100}, blocks[] = {64, 128, 1024, 2048};
    size_t expected = 0;
    begin("buddy");
    for (int i = 0; i < 4; i++) {
        textbook_malloc(sizes[i]);
        expected += blocks[i] - 16;
        CHECK_EQ_U64(stats().live_bytes, expected);
    }
}

static void test_bump_never_goes_back(void)
{
    begin("bump");
    char *first = textbook_malloc(24), *second = textbook_malloc(24);
    CHECK(second == first + 32);
    textbook_free(first);
    textbook_free(second);
    char *third = textbook_malloc(24);
    CHECK(third == first + 64);
    CHECK(textbook_realloc(third, 4000) == third); /* the last one grows */
    char *fourth = textbook_malloc(8);
    CHECK(textbook_realloc(third, 5000) == fourth + 16);
    char *aligned = textbook_memalign(256, 10);
    CHECK_EQ_U64((uintptr_t)aligned % 256, 0);
    in_order();
}

/* ---- switches -------------------------------------------------------------------------------- */

static void test_scribble(void)
{
    struct options switches = begin("first-fit");
    switches.scribble = true;
    textbook_restart(&switches);
    unsigned char *block = textbook_malloc(100), *zeros = textbook_calloc(10, 10);
    for (int i = 0; i < 100; i++)
        CHECK(block[i] == 0xAA && zeros[i] == 0);
    memset(block, 1, 100);
    block = textbook_realloc(block, 3000);
    CHECK(block[99] == 1 && block[150] == 0xAA && block[2999] == 0xAA);
    textbook_free(block);
    CHECK(block[16] == 0x55 && block[2999] == 0x55); /* the links lie before */
    unsigned char *large = textbook_calloc(1, 1 << 20);
    CHECK(large[0] == 0 && large[(1 << 20) - 1] == 0);
    in_order();
}

int main(int argc, char **argv)
{
    check_only = argc > 1 ? argv[1] : NULL;
    RUN(test_first_fit_takes_the_first_of_the_list);
    RUN(test_next_fit_goes_on_where_it_ended);
    RUN(test_best_fit_takes_the_smallest_that_will_do);
    RUN(test_best_fit_of_equals);
    RUN(test_worst_fit_takes_the_largest);
    RUN(test_segregated_looks_in_its_class_and_then_above);
    RUN(test_split);
    RUN(test_least_split);
    RUN(test_coalescing_has_four_cases);
    RUN(test_deferred_coalescing_waits_for_need);
    RUN(test_realloc_grows_forward);
    RUN(test_realloc_grows_backward);
    RUN(test_realloc_shrinks_in_place);
    RUN(test_large_blocks_are_mappings);
    RUN(test_the_heap_grows_by_what_is_asked);
    RUN(test_mapped_regions_go_back_when_wholly_free);
    RUN(test_buddy_halves_and_merges);
    RUN(test_buddy_realloc);
    RUN(test_buddy_waste);
    RUN(test_bump_never_goes_back);
    RUN(test_scribble);
    return CHECK_MAIN_END();
}
