/* The preload's parts that need no process to be recorded: layout, regions, the bootstrap arena;
 * and the collector's names. */
#include <stdlib.h>

#include "recorder/collector/recorded.h"
#include "recorder/preload/bootstrap.h"
#include "recorder/preload/order.h"
#include "tests/unit/check.h"

union wiped_pages wiped_pages;
__thread struct thread_self self;

static void test_layout(void)
{
    CHECK_EQ_U64(ring_chunk_offset(0), RING_SESSION_BYTES);
    CHECK_EQ_U64(ring_chunk_offset(3) - ring_chunk_offset(2), RING_CHUNK_BYTES);
    CHECK_EQ_U64(ring_chunk_offset(RING_CHUNKS), RING_FILE_BYTES);
    struct ring_chunk *chunk = (struct ring_chunk *)(uintptr_t)0x10000000;
    CHECK_EQ_U64((uintptr_t)ring_lane_words(chunk, RING_CHUNK_LANES),
                 0x10000000 + RING_CHUNK_BYTES);
    CHECK_LE_U64((uintptr_t)&chunk->lane[RING_CHUNK_LANES], (uintptr_t)ring_lane_words(chunk, 0));
    uint64_t word = RING_CHUNK_WORD(RING_CHUNK_MORE, 4194303);
    CHECK_EQ_U64(RING_CHUNK_STATE(word), RING_CHUNK_MORE);
    CHECK_EQ_U64(RING_CHUNK_PID(word), 4194303);
    /* No lane of any chunk gets the number that stands for nobody. */
    CHECK_LE_U64((uint64_t)(65535 / RING_CHUNK_LANES) * RING_CHUNK_LANES, 65535);
}

static void test_regions(void)
{
    /* One address, one region, always; blocks of one KiB share it, neighbours lie side by side. */
    uint64_t base = UINT64_C(0x7f1234560000);
    CHECK(order_region(base) == order_region(base + 1023));
    CHECK(order_region(base + 1024) == order_region(base) + 1);
    for (uint64_t i = 0; i < 100000; i++) {
        _Atomic uint16_t *region = order_region(i * UINT64_C(0x123456789b) & RAW_ADDRESS_MASK);
        if (!CHECK(region >= wiped.owner && region < wiped.owner + (1 << ORDER_BITS)))
            return;
    }
    /* Arenas that lie 64 MiB apart do not fall on each other. */
    unsigned same = 0;
    for (uint64_t i = 1; i < 64; i++)
        same += order_region(base) == order_region(base + (i << 26));
    CHECK_LE_U64(same, 2);
}

static void test_taking_a_region(void)
{
    _Atomic uint16_t *region = order_region(0x5000);
    uint64_t first = order_take(region, 7);
    CHECK_EQ_INT(*region, 7);
    uint64_t second = order_take(region, 9);
    CHECK_EQ_INT(*region, 9);
    CHECK(second > first);
}

static void test_bootstrap(void)
{
    char *block[64];
    CHECK(!bootstrap_owns(NULL));
    CHECK(!bootstrap_owns(block));
    for (unsigned i = 0; i < 64; i++) { /* 64 * 3 KiB: beyond the arena, into a mapping */
        size_t alignment = (size_t)16 << i % 9;
        block[i] = bootstrap_allocate(3000 + i, alignment);
        if (!CHECK(block[i]) || !CHECK_EQ_U64((uintptr_t)block[i] % alignment, 0))
            return;
        CHECK(bootstrap_owns(block[i]));
        CHECK_EQ_U64(bootstrap_size(block[i]), 3000 + i);
        for (unsigned j = 0; j < 3000 + i; j++)
            if (block[i][j] && !CHECK_EQ_INT(block[i][j], 0))
                return;
        memset(block[i], 0xff, 3000 + i);
    }
    CHECK(bootstrap_mappings > 0);
    for (unsigned i = 0; i < 64; i++)
        CHECK_EQ_U64(bootstrap_size(block[i]), 3000 + i);
    CHECK(bootstrap_allocate(SIZE_MAX, 16) == NULL);
    CHECK(bootstrap_allocate(16, 1 << 20) == NULL);
    char *large = bootstrap_allocate(5 << 20, 4096);
    if (CHECK(large)) {
        large[(5 << 20) - 1] = 1;
        CHECK(bootstrap_owns(large + (5 << 20) - 1));
    }
}

static void test_names(void)
{
    char path[256];
    recorded_name(path, sizeof path, "dir/x.tape", 12, 0);
    CHECK_STR(path, "dir/x.12.tape");
    recorded_name(path, sizeof path, "dir/x.tape", 12, 3);
    CHECK_STR(path, "dir/x.12.3.tape");
    recorded_name(path, sizeof path, "plain", 7, 0);
    CHECK_STR(path, "plain.7.tape");
    recorded_name(path, sizeof path, ".tape", 7, 0);
    CHECK_STR(path, ".tape.7.tape");
}

static void test_shell_status(void)
{
    CHECK_EQ_INT(recorded_shell_status(3 << 8), 3);
    CHECK_EQ_INT(recorded_shell_status(0), 0);
    CHECK_EQ_INT(recorded_shell_status(9), 137);
    CHECK_EQ_INT(recorded_shell_status(6 | 0x80), 134); /* with a core */
}

int main(void)
{
    RUN(test_layout);
    RUN(test_regions);
    RUN(test_taking_a_region);
    RUN(test_bootstrap);
    RUN(test_names);
    RUN(test_shell_status);
    return CHECK_MAIN_END();
}
