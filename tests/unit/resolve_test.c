/* From raw records to events: hand-made raw tapes, one rule a test. */
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "traces/merge.h"
#include "traces/raw_writer.h"
#include "traces/reader.h"
#include "traces/resolve.h"

static const char raw_path[] = "resolve_test.raw", tape_path[] = "resolve_test.tape";

enum { EVENTS_MAX = 300000 };
static struct tape_event got[EVENTS_MAX];
static size_t got_count;
static struct resolve_stats stats;
static struct tape_sample samples[16];
static size_t sample_count;
static struct raw_writer *writer;
static struct tape_error error;

/* ---- making and reading ------------------------------------------------------------------------
 */

static void begin(void)
{
    const struct tape_meta meta[] = {{"program", "hand made"}, {"pid", "7"}};
    CHECK_EQ_INT(raw_writer_open(raw_path, meta, 2, &writer, &error), TAPE_OK);
}

static void put(uint32_t lane, unsigned kind, uint64_t address, uint64_t value)
{
    struct raw_record record = {raw_head(kind, address, kind == RAW_ALIGNED ? 6 : 0), value};
    CHECK_EQ_INT(raw_writer_put(writer, lane, &record, 1, &error), TAPE_OK);
}

static void stamp(uint32_t lane, uint64_t tsc)
{
    put(lane, RAW_STAMP, 0, tsc);
}

static void pass(uint64_t tsc)
{
    CHECK_EQ_INT(raw_writer_pass(writer, tsc, &error), TAPE_OK);
}

static void sample(uint64_t tsc, uint64_t ns, uint64_t resident)
{
    struct tape_sample taken = {.time_ns = ns, .resident_bytes = resident};
    CHECK_EQ_INT(raw_writer_sample(writer, tsc, &taken, &error), TAPE_OK);
}

static void keep_sample(const struct tape_sample *one, void *context)
{
    (void)context;
    if (sample_count < 16)
        samples[sample_count++] = *one;
}

static void read_back(void)
{
    struct tape_reader *reader;
    const struct tape_event *events;
    size_t count;
    got_count = sample_count = 0;
    if (!CHECK_EQ_INT(tape_reader_open(tape_path, &reader, &error), TAPE_OK))
        return;
    tape_reader_on_sample(reader, keep_sample, NULL);
    while (tape_reader_next(reader, &events, &count, &error) == TAPE_OK) {
        if (!CHECK_LE_U64(got_count + count, EVENTS_MAX))
            break;
        memcpy(got + got_count, events, count * sizeof *events);
        got_count += count;
    }
    CHECK_STR(tape_reader_meta(reader, "program"), "hand made");
    tape_reader_close(reader);
}

static void resolve(void)
{
    if (!CHECK_EQ_INT(tape_resolve(raw_path, tape_path, NULL, &stats, &error), TAPE_OK))
        printf("%s\n", error.message);
    read_back();
}

static void finish(void)
{
    CHECK_EQ_INT(raw_writer_close(writer, true, NULL, 0, &error), TAPE_OK);
    resolve();
    CHECK(stats.complete);
    CHECK_EQ_U64(stats.events, got_count);
    unlink(raw_path);
    unlink(tape_path);
}

static void expect_at(size_t at, unsigned kind, uint32_t object, uint64_t size, uint32_t lane)
{
    if (!CHECK(at < got_count))
        return;
    int good = CHECK_STR(tape_kind_name(got[at].kind), tape_kind_name(kind));
    good &= CHECK_EQ_U64(got[at].object, object) & CHECK_EQ_U64(got[at].size, size);
    good &= CHECK_EQ_U64(got[at].lane, lane);
    if (!good)
        printf("  ... at event %zu\n", at);
}

static void test_an_empty_block_is_no_lack_of_memory(void)
{
    struct merge merge;
    merge_init(&merge);
    CHECK(merge_reserve(&merge, 0, 0));
    merge_put(&merge, 0, 0);
    merge_begin(&merge, UINT64_MAX);
    struct merge_stretch stretch;
    CHECK(!merge_next(&merge, &stretch));
    merge_end(&merge);
}

/* ---- one lane ----------------------------------------------------------------------------------
 */

static void test_ids_are_used_again_latest_first(void)
{
    begin();
    put(0, RAW_MALLOC, 0x1000, 10);
    put(0, RAW_CALLOC, 0x2000, 20);
    put(0, RAW_ALIGNED, 0x3000, 30);
    put(0, RAW_FREE, 0x1000, 0);
    put(0, RAW_FREE, 0x3000, 0);
    put(0, RAW_MALLOC, 0x4000, 40);
    put(0, RAW_MALLOC, 0x5000, 50);
    put(0, RAW_MALLOC, 0x6000, 0);
    put(0, RAW_USABLE_SIZE, 0x6000, 0);
    finish();
    CHECK_EQ_U64(got_count, 9);
    expect_at(0, TAPE_MALLOC, 1, 10, 0);
    expect_at(1, TAPE_CALLOC, 2, 20, 0);
    expect_at(2, TAPE_ALIGNED, 3, 30, 0);
    CHECK_EQ_U64(got[2].align_log2, 6);
    expect_at(3, TAPE_FREE, 1, 0, 0);
    expect_at(4, TAPE_FREE, 3, 0, 0);
    expect_at(5, TAPE_MALLOC, 3, 40, 0);
    expect_at(6, TAPE_MALLOC, 1, 50, 0);
    expect_at(7, TAPE_MALLOC, 4, 0, 0);
    expect_at(8, TAPE_USABLE_SIZE, 4, 0, 0);
    CHECK_EQ_U64(stats.live_twice + stats.foreign_frees, 0);
}

static void test_calls_that_make_no_object(void)
{
    begin();
    put(0, RAW_MALLOC, 0, UINT64_C(1) << 62);
    put(0, RAW_CALLOC, 0, UINT64_MAX);
    put(0, RAW_FREE, 0, 0);
    put(0, RAW_FREE, 0xdead, 0);
    put(0, RAW_USABLE_SIZE, 0, 0);
    put(0, RAW_MARK, 0, 3);
    finish();
    CHECK_EQ_U64(got_count, 5);
    expect_at(0, TAPE_FAILED, 0, UINT64_C(1) << 62, 0);
    expect_at(1, TAPE_FAILED, 0, UINT64_MAX, 0);
    expect_at(2, TAPE_FREE_NULL, 0, 0, 0);
    expect_at(3, TAPE_FREE_FOREIGN, 0, 0, 0);
    expect_at(4, TAPE_USABLE_SIZE, 0, 0, 0);
    CHECK_EQ_U64(stats.foreign_frees, 1);
}

static void test_every_end_of_a_realloc(void)
{
    begin();
    put(0, RAW_REALLOC_BEGIN, 0, 10);
    put(0, RAW_REALLOC_END, 0x1000, 10); /* realloc(NULL, 10) */
    put(0, RAW_REALLOC_BEGIN, 0x1000, 20);
    put(0, RAW_REALLOC_END, 0x2000, 20); /* moved */
    put(0, RAW_REALLOC_BEGIN, 0x2000, 30);
    put(0, RAW_REALLOC_END, 0x2000, 30); /* in place */
    put(0, RAW_REALLOC_BEGIN, 0x2000, UINT64_C(1) << 62);
    put(0, RAW_REALLOC_END, 0, UINT64_C(1) << 62); /* failed: stays */
    put(0, RAW_USABLE_SIZE, 0x2000, 0);
    put(0, RAW_REALLOC_BEGIN, 0x2000, 0);
    put(0, RAW_REALLOC_END, 0x2000, 0); /* size 0 that gave a block */
    put(0, RAW_REALLOC_BEGIN, 0x2000, 0);
    put(0, RAW_REALLOC_END, 0, 0); /* size 0 that freed */
    put(0, RAW_REALLOC_BEGIN, 0, 99);
    put(0, RAW_REALLOC_END, 0, 99); /* realloc(NULL, n) that failed */
    put(0, RAW_REALLOC_BEGIN, 0xdead, 5);
    put(0, RAW_REALLOC_END, 0x3000, 5); /* of a foreign address */
    finish();
    CHECK_EQ_U64(got_count, 9);
    expect_at(0, TAPE_REALLOC_NEW, 1, 10, 0);
    expect_at(1, TAPE_REALLOC, 1, 20, 0);
    expect_at(2, TAPE_REALLOC, 1, 30, 0);
    expect_at(3, TAPE_FAILED, 0, UINT64_C(1) << 62, 0);
    expect_at(4, TAPE_USABLE_SIZE, 1, 0, 0);
    expect_at(5, TAPE_REALLOC, 1, 0, 0);
    expect_at(6, TAPE_REALLOC_FREE, 1, 0, 0);
    expect_at(7, TAPE_FAILED, 0, 99, 0);
    expect_at(8, TAPE_REALLOC_NEW, 1, 5, 0);
    CHECK_EQ_U64(stats.foreign_frees, 1);
}

static void test_a_signal_handler_reallocs_inside_realloc(void)
{
    begin();
    put(0, RAW_MALLOC, 0x1000, 1);
    put(0, RAW_MALLOC, 0x2000, 2);
    put(0, RAW_REALLOC_BEGIN, 0x1000, 10);
    put(0, RAW_REALLOC_BEGIN, 0x2000, 20); /* the handler's */
    put(0, RAW_REALLOC_END, 0x3000, 20);
    put(0, RAW_MALLOC, 0x2000, 5);
    put(0, RAW_REALLOC_END, 0x4000, 10);
    finish();
    CHECK_EQ_U64(got_count, 5);
    expect_at(2, TAPE_REALLOC, 2, 20, 0);
    expect_at(3, TAPE_MALLOC, 3, 5, 0);
    expect_at(4, TAPE_REALLOC, 1, 10, 0);
    CHECK_EQ_U64(stats.live_twice, 0);
}

static void test_an_address_that_is_live_twice(void)
{
    begin();
    put(0, RAW_MALLOC, 0x1000, 1);
    put(0, RAW_MALLOC, 0x1000, 2);
    put(0, RAW_MALLOC, 0x2000, 3);
    put(0, RAW_REALLOC_BEGIN, 0x2000, 4);
    put(0, RAW_REALLOC_END, 0x1000, 4);
    finish();
    CHECK_EQ_U64(stats.live_twice, 2);
    CHECK_EQ_U64(got_count, 6);
    expect_at(1, TAPE_FREE, 1, 0, 0);
    expect_at(2, TAPE_MALLOC, 1, 2, 0);
    expect_at(3, TAPE_MALLOC, 2, 3, 0);
    expect_at(4, TAPE_FREE, 1, 0, 0);
    expect_at(5, TAPE_REALLOC, 2, 4, 0);
}

/* ---- lanes -------------------------------------------------------------------------------------
 */

static void test_a_block_is_handed_from_lane_to_lane(void)
{
    begin();
    /* In the file lane 5 stands first; in time: 3 allocates, 5 frees, 3 gets the address again. */
    stamp(5, 200);
    put(5, RAW_FREE, 0x1000, 0);
    stamp(3, 100);
    put(3, RAW_MALLOC, 0x1000, 8);
    put(3, RAW_MALLOC, 0x9000, 9); /* no stamp: belongs to 100 */
    stamp(3, 300);
    put(3, RAW_MALLOC, 0x1000, 16);
    finish();
    CHECK_EQ_U64(got_count, 4);
    expect_at(0, TAPE_MALLOC, 1, 8, 0); /* lanes are numbered by their first event */
    expect_at(1, TAPE_MALLOC, 2, 9, 0);
    expect_at(2, TAPE_FREE, 1, 0, 1);
    expect_at(3, TAPE_MALLOC, 1, 16, 0);
    CHECK_EQ_U64(stats.live_twice + stats.foreign_frees, 0);
}

static void test_what_is_stamped_after_the_pass_waits(void)
{
    begin();
    stamp(0, 10);
    put(0, RAW_MALLOC, 0x1000, 1);
    stamp(0, 600); /* drained early: the pass ended at 500 */
    put(0, RAW_FREE, 0x2000, 0);
    put(0, RAW_MALLOC, 0x3000, 3);
    pass(500);
    stamp(1, 550);
    put(1, RAW_MALLOC, 0x2000, 2);
    pass(1000);
    finish();
    CHECK_EQ_U64(got_count, 4);
    expect_at(0, TAPE_MALLOC, 1, 1, 0);
    expect_at(1, TAPE_MALLOC, 2, 2, 1);
    expect_at(2, TAPE_FREE, 2, 0, 0);
    expect_at(3, TAPE_MALLOC, 2, 3, 0);
    CHECK_EQ_U64(stats.foreign_frees, 0);
}

static void test_an_address_in_flight_is_free_for_others(void)
{
    begin();
    stamp(0, 10);
    put(0, RAW_MALLOC, 0x1000, 1);
    stamp(0, 20);
    put(0, RAW_REALLOC_BEGIN, 0x1000, 100);
    stamp(0, 40);
    put(0, RAW_REALLOC_END, 0x5000, 100);
    stamp(1, 30);
    put(1, RAW_MALLOC, 0x1000, 7); /* the old place, given out before realloc returned */
    stamp(1, 50);
    put(1, RAW_FREE, 0x5000, 0);
    finish();
    CHECK_EQ_U64(stats.live_twice + stats.foreign_frees, 0);
    CHECK_EQ_U64(got_count, 4);
    expect_at(1, TAPE_MALLOC, 2, 7, 1);
    expect_at(2, TAPE_REALLOC, 1, 100, 0);
    expect_at(3, TAPE_FREE, 1, 0, 1);
}

/*
 * A model of recorder, allocator and collector, step by step: lanes pass blocks on over one heap
 * whose freed addresses are used again at once, stall anywhere, and are drained one after another
 * while the others go on. No address may be live twice, no free be foreign (FORMAT.md, section 6).
 */
enum {
    RACE_LANES = 8,
    RACE_EVENTS = 300000,
    RACE_BLOCKS = 24,
    RACE_REGIONS = 6,
    RACE_RING = 1 << 16
};
enum race_step { RACE_IDLE, RACE_LOOK, RACE_STAMP, RACE_CHECK, RACE_PUBLISH, RACE_AFTER };
struct race_lane {
    enum race_step step;
    uint32_t block;
    bool frees, stamped;
    uint64_t tsc, since_stamp;
    struct raw_record ring[RACE_RING];
    size_t head;
};
static struct race {
    struct race_lane lanes[RACE_LANES];
    uint32_t owner[RACE_REGIONS];
    uint8_t block[RACE_BLOCKS]; /* 0 free, 1 given out and handed on, 2 in somebody's hands */
    uint64_t now, published, state;
} race;

static uint64_t race_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static void race_put(struct race_lane *lane, unsigned kind, uint64_t address, uint64_t value)
{
    lane->ring[lane->head++] = (struct raw_record){raw_head(kind, address, 0), value};
}

/* A call begins: a malloc has its block already, a free still has it. */
static void race_begin(struct race_lane *lane)
{
    uint32_t block = (uint32_t)race_random(&race.state) % RACE_BLOCKS;
    if (race.block[block] == 2)
        return;
    lane->frees = race.block[block] == 1;
    lane->block = block;
    race.block[block] = 2;
    lane->step = RACE_LOOK;
    lane->stamped = false;
    if (++lane->since_stamp >= 64) { /* the stamp for coarse time comes before the look */
        race_put(lane, RAW_STAMP, 0, race.now);
        lane->since_stamp = 0;
    }
}

static void race_advance(uint32_t number)
{
    struct race_lane *lane = &race.lanes[number];
    uint32_t *owner = &race.owner[lane->block % RACE_REGIONS];
    race.now++;
    switch (lane->step) {
    case RACE_IDLE:
        race_begin(lane);
        return;
    case RACE_LOOK:
        lane->stamped = *owner != number + 1;
        *owner = number + 1;
        lane->step = lane->stamped ? RACE_STAMP : RACE_PUBLISH;
        return;
    case RACE_STAMP:
        lane->tsc = race.now;
        lane->step = RACE_CHECK;
        return;
    case RACE_CHECK:
        if (*owner != number + 1)
            *owner = 0;
        lane->step = RACE_PUBLISH;
        return;
    case RACE_PUBLISH:
        if (lane->stamped)
            race_put(lane, RAW_STAMP, 0, lane->tsc);
        race_put(lane, lane->frees ? RAW_FREE : RAW_MALLOC, 0x10000 + 64 * lane->block,
                 lane->frees ? 0 : 64);
        race.published++;
        lane->step = RACE_AFTER;
        return;
    case RACE_AFTER:
        race.block[lane->block] = lane->frees ? 0 : 1;
        lane->step = RACE_IDLE;
        return;
    }
}

/* Some lanes run, others are off their core in the middle of a call. */
static void race_run(uint64_t steps)
{
    uint64_t running = race_random(&race.state);
    for (uint64_t i = 0; i < steps; i++) {
        if (i % 64 == 0)
            running = race_random(&race.state);
        uint64_t pick = race_random(&race.state);
        race_advance((uint32_t)(pick % 16 ? (running >> 3 * (pick % 3)) : pick >> 4) % RACE_LANES);
    }
}

static void race_drain_pass(void)
{
    uint64_t moment = ++race.now;
    for (uint32_t i = 0, first = (uint32_t)race_random(&race.state); i < RACE_LANES; i++) {
        uint32_t number = (first + i) % RACE_LANES;
        struct race_lane *lane = &race.lanes[number];
        raw_writer_put(writer, number, lane->ring, lane->head, &error);
        lane->head = 0;
        race_run(race_random(&race.state) % 200);
    }
    pass(moment);
}

static void test_a_race_of_lanes_keeps_every_address_in_order(void)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        memset(&race, 0, sizeof race);
        race.state = seed;
        begin();
        while (race.published < RACE_EVENTS / 2) {
            race_run(race_random(&race.state) % 3000);
            race_drain_pass();
        }
        race_drain_pass(); /* and what is left in the rings by then */
        for (uint32_t i = 0; i < RACE_LANES; i++)
            raw_writer_put(writer, i, race.lanes[i].ring, race.lanes[i].head, &error);
        finish();
        CHECK_EQ_U64(got_count, race.published);
        CHECK_EQ_U64(stats.live_twice, 0);
        CHECK_EQ_U64(stats.foreign_frees, 0);
    }
}

/* ---- time --------------------------------------------------------------------------------------
 */

static void test_time_and_samples(void)
{
    begin();
    sample(1000000, 0, 4096);
    stamp(0, 1000000);
    put(0, RAW_MALLOC, 0x1000, 1);
    stamp(0, 3000000);
    put(0, RAW_MALLOC, 0x2000, 2);
    sample(3500000, 1250000, 8192);
    stamp(0, 4000000);
    put(0, RAW_MALLOC, 0x3000, 3);
    stamp(0, 3999999); /* goes back: taken as the time before */
    put(0, RAW_MALLOC, 0x4000, 4);
    pass(4500000);
    sample(5000000, 2000000, 12288);
    finish();
    CHECK_EQ_U64(got_count, 4);
    CHECK_EQ_U64(got[0].time_ns, 0);
    CHECK_EQ_U64(got[1].time_ns, 1000000); /* two ticks a nanosecond */
    CHECK_EQ_U64(got[2].time_ns, 1500000);
    CHECK_EQ_U64(got[3].time_ns, 1500000);
    if (CHECK_EQ_U64(sample_count, 3)) {
        CHECK_EQ_U64(samples[0].event, 0);
        CHECK_EQ_U64(samples[1].event, 2);
        CHECK_EQ_U64(samples[1].resident_bytes, 8192);
        CHECK_EQ_U64(samples[2].event, 4);
        CHECK_EQ_U64(samples[2].time_ns, 2000000);
    }
}

/* ---- cut and hostile ---------------------------------------------------------------------------
 */

static void test_a_raw_tape_without_its_end(void)
{
    static unsigned char bytes[1 << 20];
    begin();
    for (uint64_t i = 1; i <= 1000; i++)
        put(0, RAW_MALLOC, i << 12, i);
    pass(5);
    put(0, RAW_FREE, 1 << 12, 0);
    CHECK_EQ_INT(raw_writer_close(writer, true, NULL, 0, &error), TAPE_OK);
    FILE *file = fopen(raw_path, "r+");
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    /* Without END and FOOTER, then inside the last records, then inside the first. */
    const size_t cuts[] = {size - 100, size - 350, 3000, 200};
    const size_t events[] = {1001, 1000, 0, 0};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        CHECK_EQ_INT(truncate(raw_path, (off_t)cuts[i]), 0);
        resolve();
        CHECK(!stats.complete);
        CHECK_EQ_U64(got_count, events[i]);
    }
    unlink(raw_path);
    unlink(tape_path);
}

static void test_nonsense_records_do_no_harm(void)
{
    uint64_t state = 7;
    begin();
    for (int i = 0; i < 100000; i++) {
        struct raw_record record = {race_random(&state) << 42 ^ race_random(&state) << 21 ^
                                        race_random(&state) % 64,
                                    race_random(&state) << 33 ^ race_random(&state)};
        uint64_t kind = race_random(&state) % 10;
        if (kind == RAW_REALLOC_BEGIN && race_random(&state) % 2)
            kind = RAW_REALLOC_END;
        record.head = (record.head & ~(UINT64_C(31) << 48)) | kind << 48;
        CHECK_EQ_INT(raw_writer_put(writer, (uint32_t)race_random(&state) % 50, &record, 1, &error),
                     TAPE_OK);
        if (race_random(&state) % 1000 == 0)
            pass(race_random(&state) << 33);
    }
    finish();
    CHECK(got_count > 50000);
}

enum { GROWN_BATCH = 50000, GROWN_TIMES = 8 };

static bool grow_more(void *context)
{
    unsigned *times = context;
    static struct raw_record records[GROWN_BATCH];
    if (*times == GROWN_TIMES)
        return false;
    for (unsigned i = 0; i < GROWN_BATCH; i++)
        records[i] = (struct raw_record){raw_head(RAW_MALLOC, 0x10000 + 16 * i, 0), 1 + *times};
    CHECK_EQ_INT(raw_writer_put(writer, 0, records, GROWN_BATCH, &error), TAPE_OK);
    if (++*times == GROWN_TIMES)
        CHECK_EQ_INT(raw_writer_close(writer, true, NULL, 0, &error), TAPE_OK);
    return true;
}

static void see_progress(void *context, uint64_t done, uint64_t all)
{
    CHECK_LE_U64(done, all);
    *(bool *)context = done == all;
}

/* What is told of how far it is stays true while the raw tape grows under the reader. */
static void test_progress_on_a_raw_tape_that_grows(void)
{
    bool all_seen = false;
    unsigned times = 0;
    begin();
    const struct resolve_options options = {.progress = see_progress,
                                            .progress_context = &all_seen,
                                            .more = grow_more,
                                            .more_context = &times};
    CHECK_EQ_INT(tape_resolve(raw_path, tape_path, &options, &stats, &error), TAPE_OK);
    CHECK_EQ_U64(times, GROWN_TIMES);
    CHECK(all_seen);
    CHECK_EQ_U64(stats.records, (uint64_t)GROWN_BATCH * GROWN_TIMES);
    unlink(raw_path);
    unlink(tape_path);
}

static void test_wrong_inputs_are_told(void)
{
    begin();
    CHECK_EQ_INT(raw_writer_close(writer, true, NULL, 0, &error), TAPE_OK);
    CHECK_EQ_INT(tape_resolve(raw_path, raw_path, NULL, NULL, &error), TAPE_BAD_INPUT);
    CHECK(strstr(error.message, "onto itself") != NULL);
    resolve();
    CHECK_EQ_U64(got_count, 0);
    CHECK_EQ_INT(tape_resolve(tape_path, raw_path, NULL, NULL, &error), TAPE_BAD_INPUT);
    CHECK_EQ_INT(tape_resolve("no/such.raw", tape_path, NULL, NULL, &error), TAPE_BAD_INPUT);
    CHECK_EQ_INT(tape_resolve(raw_path, "no/such/dir.tape", NULL, NULL, &error), TAPE_SYSTEM);
    CHECK_EQ_INT(tape_resolve(raw_path, "/dev/full", NULL, NULL, &error), TAPE_SYSTEM);
    CHECK(strstr(error.message, "No space") != NULL);
    unlink(raw_path);
    unlink(tape_path);
}

int main(void)
{
    RUN(test_an_empty_block_is_no_lack_of_memory);
    RUN(test_ids_are_used_again_latest_first);
    RUN(test_calls_that_make_no_object);
    RUN(test_every_end_of_a_realloc);
    RUN(test_a_signal_handler_reallocs_inside_realloc);
    RUN(test_an_address_that_is_live_twice);
    RUN(test_a_block_is_handed_from_lane_to_lane);
    RUN(test_what_is_stamped_after_the_pass_waits);
    RUN(test_an_address_in_flight_is_free_for_others);
    RUN(test_a_race_of_lanes_keeps_every_address_in_order);
    RUN(test_time_and_samples);
    RUN(test_a_raw_tape_without_its_end);
    RUN(test_nonsense_records_do_no_harm);
    RUN(test_progress_on_a_raw_tape_that_grows);
    RUN(test_wrong_inputs_are_told);
    return CHECK_MAIN_END();
}
