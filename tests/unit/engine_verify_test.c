/*
 * The two things that verify mode stands on, against the plainest code that does the same: the
 * shadow of live addresses against an array of bytes, the content against what random damage does
 * to it.
 */
#include <pthread.h>
#include <stdlib.h>
#include "replayer/engine/engine.h"
#include "replayer/engine/pattern.h"
#include "replayer/engine/shadow.h"
#include "tests/unit/check.h"

struct engine_result *engine_result;

_Noreturn void engine_fail(enum heaptape_exit status, const char *format, ...)
{
    printf("engine_fail: %s\n", format);
    exit((int)status);
}

static uint64_t state = 1;

static uint64_t random_below(uint64_t limit)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (state >> 33) % limit;
}

/* ---- shadow -------------------------------------------------------------------------------- */

/* Around the border of two entries of the root, and so of many leaves. */
#define AREA_BYTES ((uint64_t)2 << 20)
#define AREA       ((uintptr_t)5 * ((uintptr_t)1 << SHADOW_ROOT_BITS) - AREA_BYTES / 2)
#define BLOCKS     400

static unsigned char live[AREA_BYTES / SHADOW_GRANULE]; /* by granule */
static struct block {
    uintptr_t start;
    uint64_t bytes;
} blocks[BLOCKS];

/* Whether any granule of the block was live; then sets them all to `value`. */
static bool naive(const struct block *block, unsigned char value)
{
    bool met = false;
    uint64_t first = (block->start - AREA) / SHADOW_GRANULE;
    uint64_t last = (block->start + block->bytes - 1 - AREA) / SHADOW_GRANULE;
    for (uint64_t i = first; i <= last; i++) {
        met |= live[i];
        live[i] = value;
    }
    return met;
}

static struct block random_block(void)
{
    uint64_t bytes = 1 + random_below(UINT64_C(1) << random_below(20));
    uint64_t at = random_below(AREA_BYTES - bytes);
    if (random_below(4)) /* at the usual places, or anywhere */
        at &= ~(uint64_t)15;
    return (struct block){AREA + at, bytes};
}

static void test_shadow_agrees_with_an_array(void)
{
    struct shadow shadow;
    shadow_open(&shadow);
    unsigned met_ever = 0, wrong = 0;
    for (int i = 0; i < 100000; i++) {
        struct block *block = &blocks[random_below(BLOCKS)];
        if (block->bytes) {
            shadow_leave(&shadow, block->start, block->bytes);
            naive(block, 0);
            block->bytes = 0;
        } else {
            *block = random_block();
            bool met = shadow_enter(&shadow, block->start, block->bytes);
            wrong += met != naive(block, 1);
            met_ever += met;
        }
        if (i % 1000 == 0)
            shadow_sweep(&shadow);
    }
    CHECK_EQ_INT(wrong, 0);
    CHECK(met_ever > 1000 && met_ever < 50000);
}

/* Whether one byte alone, anywhere, is seen. */
static void test_shadow_sees_one_byte(void)
{
    struct shadow shadow;
    shadow_open(&shadow);
    CHECK(!shadow_enter(&shadow, AREA, AREA_BYTES));
    for (int i = 0; i < 1000; i++) {
        uintptr_t at = AREA + random_below(AREA_BYTES);
        CHECK(shadow_enter(&shadow, at, 1));
    }
    CHECK(shadow_enter(&shadow, AREA - 100, 101));
    CHECK(shadow_enter(&shadow, AREA + AREA_BYTES - 1, 100));
    CHECK(!shadow_enter(&shadow, AREA + AREA_BYTES + 104, 8));
    shadow_leave(&shadow, AREA - 100, AREA_BYTES + 300);
    CHECK(!shadow_enter(&shadow, AREA - 100, AREA_BYTES + 300));
}

static void test_shadow_knows_its_addresses(void)
{
    const uintptr_t top = (uintptr_t)1 << SHADOW_ADDRESS_BITS;
    CHECK(shadow_covers(16, 16));
    CHECK(shadow_covers(top - 16, 16));
    CHECK(!shadow_covers(top - 16, 17));
    CHECK(!shadow_covers(top, 1));
    CHECK(!shadow_covers(UINTPTR_MAX - 8, 64));
    CHECK(!shadow_covers(16, SIZE_MAX));
}

/* Blocks that wander through the address space and are freed leave nothing behind. */
static void test_shadow_gives_back(void)
{
    struct shadow shadow;
    shadow_open(&shadow);
    uint64_t bytes = 0;
    for (uintptr_t i = 1; i <= 40000; i++) {
        uintptr_t at = i << SHADOW_LEAF_BITS;
        shadow_enter(&shadow, at, 64);
        shadow_leave(&shadow, at, 64);
        if (i % 500 == 0)
            shadow_sweep(&shadow);
        if (i == 4000)
            bytes = shadow.bytes;
    }
    /* The middle level stays: 32 KiB for each GiB. */
    CHECK_LE_U64(shadow.bytes, bytes + 16 * sizeof(struct shadow_middle));
    CHECK(shadow.leaves < 4000);
}

/* ---- several threads: neighbours in one word, none of them ever meets another -------------- */

#define THREADS 4
#define ROUNDS  20000

static struct shadow common;

static void *enter_and_leave(void *argument)
{
    uintptr_t mine = AREA + 16 * (uintptr_t)argument;
    uintptr_t met = 0;
    for (uintptr_t i = 0; i < ROUNDS; i++) {
        uintptr_t at = mine + i % 64 * 16 * THREADS;
        met += shadow_enter(&common, at, 16);
        met += !shadow_enter(&common, at + 8, 8); /* its own, twice */
        shadow_leave(&common, at, 16);
    }
    return (void *)met;
}

static void test_shadow_with_threads(void)
{
    pthread_t threads[THREADS];
    shadow_open(&common);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK_EQ_INT(pthread_create(&threads[i], NULL, enter_and_leave, (void *)i), 0);
    for (uintptr_t i = 0; i < THREADS; i++) {
        void *met;
        pthread_join(threads[i], &met);
        CHECK_EQ_U64((uintptr_t)met, 0);
    }
    CHECK(!shadow_enter(&common, AREA, 16 * THREADS * 64));
}

/* ---- content ------------------------------------------------------------------------------- */

#define ROOM 5000

static unsigned char room[ROOM + 64];

static void test_content_is_sound(void)
{
    for (uint64_t bytes = 0; bytes < 600; bytes++) {
        for (uint64_t place = 0; place < 9; place++) {
            memset(room, 0xee, sizeof(room));
            pattern_fill(room + 16 + place, 0, bytes, pattern_key(bytes));
            if (!CHECK_EQ_U64(pattern_check(room + 16 + place, bytes, bytes, pattern_key(bytes)),
                              PATTERN_OK))
                return;
            for (uint64_t i = 0; i < 16 + place; i++)
                CHECK_EQ_INT(room[i], 0xee);
            for (uint64_t i = 16 + place + bytes; i < 700; i++)
                CHECK_EQ_INT(room[i], 0xee);
        }
    }
}

static void test_any_flipped_bit_is_seen_where_it_is(void)
{
    for (int i = 0; i < 20000; i++) {
        uint64_t bytes = 1 + random_below(ROOM), at = random_below(bytes);
        uint64_t key = pattern_key((uint64_t)i);
        pattern_fill(room, 0, bytes, key);
        room[at] ^= (unsigned char)(1 << random_below(8));
        if (!CHECK_EQ_U64(pattern_check(room, bytes, bytes, key), at) ||
            !CHECK_EQ_U64(pattern_check(room, at, bytes, key), PATTERN_OK))
            return;
    }
}

/* Content of another block, or the block's own from another place, is not taken for it. */
static void test_foreign_and_shifted_content_is_seen(void)
{
    for (uint64_t i = 0; i < 20000; i++) {
        uint64_t bytes = 8 + random_below(ROOM - 8), shift = 1 + random_below(63);
        pattern_fill(room, 0, bytes + shift, pattern_key(i));
        if (!CHECK(pattern_check(room, bytes, bytes, pattern_key(i + 1)) < 8) ||
            !CHECK(pattern_check(room + shift, bytes, bytes, pattern_key(i)) < 8))
            return;
    }
}

static void test_growing_keeps_what_is_there(void)
{
    for (uint64_t i = 0; i < 2000; i++) {
        uint64_t small = random_below(ROOM), large = small + random_below(ROOM - small);
        pattern_fill(room, 0, small, pattern_key(i));
        pattern_fill(room, small, large, pattern_key(i));
        if (!CHECK_EQ_U64(pattern_check(room, large, large, pattern_key(i)), PATTERN_OK))
            return;
    }
}

static void test_zero_is_looked_for_to_the_last_byte(void)
{
    for (uint64_t bytes = 1; bytes < 400; bytes++) {
        memset(room, 0, sizeof(room));
        room[bytes] = 1; /* just behind */
        CHECK_EQ_U64(pattern_check_zero(room, bytes), PATTERN_OK);
        uint64_t at = random_below(bytes);
        room[at] = 0x80;
        CHECK_EQ_U64(pattern_check_zero(room, bytes), at);
    }
}

/* Above PATTERN_WHOLE: pages of it, the last among them; little memory becomes resident. */
static void test_huge_blocks_in_part(void)
{
    const uint64_t bytes = PATTERN_WHOLE + 12345;
    unsigned char *block = malloc(bytes);
    if (!CHECK(block))
        return;
    pattern_fill(block, 0, bytes, pattern_key(7));
    CHECK_EQ_U64(pattern_check(block, bytes, bytes, pattern_key(7)), PATTERN_OK);
    block[bytes - 1] ^= 1;
    CHECK_EQ_U64(pattern_check(block, bytes, bytes, pattern_key(7)), bytes - 1);
    block[17 * PATTERN_STRIDE + 100] ^= 1;
    CHECK_EQ_U64(pattern_check(block, bytes, bytes, pattern_key(7)), 17 * PATTERN_STRIDE + 100);
    free(block);
}

int main(void)
{
    RUN(test_shadow_agrees_with_an_array);
    RUN(test_shadow_sees_one_byte);
    RUN(test_shadow_knows_its_addresses);
    RUN(test_shadow_gives_back);
    RUN(test_shadow_with_threads);
    RUN(test_content_is_sound);
    RUN(test_any_flipped_bit_is_seen_where_it_is);
    RUN(test_foreign_and_shifted_content_is_seen);
    RUN(test_growing_keeps_what_is_there);
    RUN(test_zero_is_looked_for_to_the_last_byte);
    RUN(test_huge_blocks_in_part);
    return CHECK_MAIN_END();
}
