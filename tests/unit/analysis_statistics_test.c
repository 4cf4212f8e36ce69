/* The figures of `heaptape analyze` on tapes small enough to be counted by hand. */
#include <stdlib.h>

#include "analysis/statistics.h"
#include "tests/unit/check.h"

static struct statistics s;

static struct tape_event event(unsigned kind, uint32_t object, uint64_t size, uint32_t lane)
{
    return (struct tape_event){.kind = (uint8_t)kind, .object = object, .size = size, .lane = lane};
}

static void play(const struct tape_event *events, size_t count)
{
    CHECK(statistics_init(&s));
    for (size_t i = 0; i < count; i++) {
        struct tape_event timed = events[i];
        timed.time_ns = i * 100;
        CHECK(statistics_event(&s, &timed));
    }
    statistics_finish(&s);
}

#define PLAY(...)                                                                                  \
    do {                                                                                           \
        const struct tape_event events[] = {__VA_ARGS__};                                          \
        play(events, sizeof(events) / sizeof(events[0]));                                          \
    } while (0)

/* R: 100, 150, 50, 250, 200, 300; the peak of bytes is the last, with objects 3 and 4 live. */
static void test_peak_and_leaks(void)
{
    PLAY(event(TAPE_MALLOC, 1, 100, 0), event(TAPE_CALLOC, 2, 50, 0), event(TAPE_FREE, 1, 0, 0),
         event(TAPE_MALLOC, 3, 200, 0), event(TAPE_FREE, 2, 0, 0), event(TAPE_MALLOC, 4, 100, 0),
         event(TAPE_FREE_NULL, 0, 0, 0), event(TAPE_FAILED, 0, 1 << 30, 0));
    CHECK_EQ_U64(s.events, 8);
    CHECK_EQ_U64(statistics_allocations(&s), 4);
    CHECK_EQ_U64(statistics_frees(&s), 3);
    CHECK_EQ_U64(s.by_kind[TAPE_FAILED], 1);
    CHECK_EQ_U64(s.allocated_bytes, 450);
    CHECK_EQ_U64(s.peak_live_bytes, 300);
    CHECK_EQ_U64(s.peak_event, 5);
    CHECK_EQ_U64(s.peak_time_ns, 500);
    CHECK_EQ_U64(s.blocks_at_peak, 2);
    CHECK_EQ_U64(s.track.peak_live_objects, 2);
    CHECK_EQ_U64(s.track.live_objects, 2);
    CHECK_EQ_U64(s.track.live_bytes, 300);
    CHECK_NEAR(s.live_bytes_sum, 100 + 150 + 50 + 250 + 200 + 300 * 3, 1e-9);
    CHECK_EQ_U64(s.duration_ns, 700);
    statistics_end(&s);
}

/* Sizes live at the peak are those of that moment, though they change before and after it. */
static void test_top_sizes_at_the_peak(void)
{
    const struct size_entry *best[4];

    PLAY(event(TAPE_MALLOC, 1, 16, 0), event(TAPE_MALLOC, 2, 16, 0), event(TAPE_FREE, 2, 0, 0),
         event(TAPE_MALLOC, 2, 5000, 0), event(TAPE_FREE, 1, 0, 0), event(TAPE_FREE, 2, 0, 0),
         event(TAPE_MALLOC, 1, 24, 0), event(TAPE_MALLOC, 2, 24, 0), event(TAPE_MALLOC, 3, 24, 0));
    CHECK_EQ_U64(s.peak_live_bytes, 5016);
    if (CHECK_EQ_U64(size_table_top(&s.sizes, SIZE_BY_BYTES_AT_PEAK, best, 4), 2)) {
        CHECK_EQ_U64(best[0]->size, 5000);
        CHECK_EQ_U64(size_entry_at_peak(&s.sizes, best[0]), 1);
        CHECK_EQ_U64(best[1]->size, 16);
        CHECK_EQ_U64(size_entry_at_peak(&s.sizes, best[1]), 1);
    }
    if (CHECK_EQ_U64(size_table_top(&s.sizes, SIZE_BY_ALLOCATIONS, best, 2), 2)) {
        CHECK_EQ_U64(best[0]->size, 24);
        CHECK_EQ_U64(best[0]->allocations, 3);
        CHECK_EQ_U64(best[1]->size, 16);
    }
    statistics_end(&s);
}

/* Object 1 lives 3 events and sees 60 bytes allocated after its own 10; object 2 lives 1 and 0. */
static void test_lifetimes_on_both_clocks(void)
{
    PLAY(event(TAPE_MALLOC, 1, 10, 0), event(TAPE_MALLOC, 2, 60, 0), event(TAPE_FREE, 2, 0, 0),
         event(TAPE_FREE, 1, 0, 0));
    CHECK_EQ_U64(s.lifetimes.by_events.blocks[lifetime_bin(3)], 1);
    CHECK_EQ_U64(s.lifetimes.by_events.blocks[lifetime_bin(1)], 1);
    CHECK_EQ_U64(s.lifetimes.by_bytes.blocks[lifetime_bin(70)], 1);
    CHECK_EQ_U64(s.lifetimes.by_bytes.bytes[lifetime_bin(70)], 10);
    CHECK_EQ_U64(s.lifetimes.by_bytes.bytes[lifetime_bin(60)], 60);
    CHECK_EQ_U64(s.lifetimes.by_size[lifetime_bin(10)][lifetime_bin(70)], 1);
    CHECK_EQ_U64(s.lifetimes.by_size[lifetime_bin(60)][lifetime_bin(60)], 1);
    CHECK_EQ_U64(lifetime_quantile(&s.lifetimes.by_events, 0.5), 1);
    CHECK_EQ_U64(lifetime_quantile(&s.lifetimes.by_events, 0.9), 3);
    statistics_end(&s);
}

/* Temporary: freed by its own lane before that lane allocates again. Another lane in between is no
 * matter. */
static void test_temporary_blocks(void)
{
    PLAY(event(TAPE_MALLOC, 1, 8, 0), event(TAPE_MALLOC, 2, 8, 1), event(TAPE_FREE, 1, 0, 0),
         event(TAPE_MALLOC, 1, 8, 0), event(TAPE_MALLOC, 3, 8, 0), event(TAPE_FREE, 1, 0, 0),
         event(TAPE_FREE, 3, 0, 0), event(TAPE_FREE, 2, 0, 0));
    CHECK_EQ_U64(s.temporary, 2);
    CHECK_EQ_U64(s.cross_lane_frees, 1);
    CHECK_EQ_U64(s.lanes.count, 2);
    CHECK_EQ_U64(s.lanes.lanes[0].frees_of_others, 1);
    CHECK_EQ_U64(s.lanes.lanes[1].freed_by_others, 1);
    CHECK_EQ_U64(s.lanes.lanes[0].frees, 4);
    CHECK_EQ_U64(s.lanes.lanes[0].temporary, 2);
    statistics_end(&s);
}

static void test_realloc(void)
{
    PLAY(event(TAPE_REALLOC_NEW, 1, 10, 0), event(TAPE_REALLOC, 1, 100, 0),
         event(TAPE_REALLOC, 1, 40, 0), event(TAPE_REALLOC, 1, 40, 0),
         event(TAPE_REALLOC_FREE, 1, 0, 0));
    CHECK_EQ_U64(s.reallocs.grew, 1);
    CHECK_EQ_U64(s.reallocs.shrank, 1);
    CHECK_EQ_U64(s.reallocs.same, 1);
    CHECK_EQ_U64(s.reallocs.grown_bytes, 90);
    CHECK_EQ_U64(s.reallocs.shrunk_bytes, 60);
    CHECK_EQ_U64(s.reallocs.copied_bytes_max, 10 + 40 + 40);
    CHECK_EQ_U64(s.allocated_bytes, 100);
    CHECK_EQ_U64(s.track.live_objects, 0);
    CHECK_EQ_U64(s.peak_live_bytes, 100);
    statistics_end(&s);
}

/* What damage leaves: a free of an unknown object, and an allocation of an id that is still live.
 */
static void test_events_after_damage(void)
{
    PLAY(event(TAPE_FREE, 7, 0, 0), event(TAPE_MALLOC, 1, 30, 0), event(TAPE_MALLOC, 1, 50, 0));
    CHECK_EQ_U64(s.dropped, 1);
    CHECK_EQ_U64(s.peak_live_bytes, 50);
    CHECK_EQ_U64(s.track.live_objects, 1);
    CHECK_EQ_U64(s.ended, 1);
    statistics_end(&s);
}

/* More events than points: neighbours merge, the spike stays. */
static void test_series_keeps_the_peak(void)
{
    uint64_t most = 0, last_event = 0;
    const uint64_t events = LIVE_POINTS * 5 + 3;

    live_series_init(&s.series);
    for (uint64_t i = 1; i <= events; i++) {
        struct live_point now = {.event = i, .live_bytes = i == 7777 ? 1000000 : 5};
        if (live_series_due(&s.series))
            live_series_add(&s.series, now);
        else
            live_series_skip(&s.series, now.live_bytes);
    }
    live_series_finish(&s.series, (struct live_point){.event = events, .live_bytes = 5});
    CHECK(s.series.count <= LIVE_POINTS && s.series.count > LIVE_POINTS / 4);
    for (uint32_t i = 0; i < s.series.count; i++) {
        const struct live_point *p = &s.series.points[i];
        most = p->most_live_bytes > most ? p->most_live_bytes : most;
        CHECK(p->event > last_event);
        last_event = p->event;
    }
    CHECK_EQ_U64(most, 1000000);
    CHECK_EQ_U64(last_event, events);
}

/* Far more distinct sizes than are kept exactly: counts stay right, memory stays bounded. */
static void test_too_many_sizes(void)
{
    struct size_table table;
    const struct size_entry *best[1];
    uint64_t count = SIZES_EXACT_MAX + 100000, seen = 0, live = 0;

    CHECK(size_table_init(&table));
    for (uint64_t i = 0; i < count; i++)
        CHECK(size_table_add(&table, 5000 + i * 3));
    for (uint64_t i = 0; i < count; i += 2)
        size_table_remove(&table, 5000 + i * 3);
    for (size_t i = 0; i < table.hash_slots; i++) {
        seen += table.hash[i].allocations;
        live += table.hash[i].live;
    }
    CHECK(table.rounded);
    CHECK_EQ_U64(seen, count);
    CHECK_EQ_U64(live, count / 2);
    CHECK_LE_U64(table.hash_slots * sizeof(struct size_entry), UINT64_C(24) << 20);
    CHECK_EQ_U64(size_table_top(&table, SIZE_BY_ALLOCATIONS, best, 1), 1);
    size_table_end(&table);
}

static void test_lifetime_bins(void)
{
    CHECK_EQ_INT(lifetime_bin(0), 0);
    CHECK_EQ_INT(lifetime_bin(1), 1);
    CHECK_EQ_INT(lifetime_bin(UINT64_MAX), 64);
    CHECK_EQ_U64(lifetime_bin_high(64), UINT64_MAX);
    for (unsigned bin = 1; bin < LIFETIME_BINS; bin++) {
        CHECK_EQ_INT(lifetime_bin(lifetime_bin_low(bin)), bin);
        CHECK_EQ_INT(lifetime_bin(lifetime_bin_high(bin)), bin);
    }
}

int main(void)
{
    RUN(test_peak_and_leaks);
    RUN(test_top_sizes_at_the_peak);
    RUN(test_lifetimes_on_both_clocks);
    RUN(test_temporary_blocks);
    RUN(test_realloc);
    RUN(test_events_after_damage);
    RUN(test_series_keeps_the_peak);
    RUN(test_too_many_sizes);
    RUN(test_lifetime_bins);
    return CHECK_MAIN_END();
}
