/* The small parts: checksum, metadata, address map, live set, size bins, text, numbers with units.
 */
#include <stdlib.h>

#include "tests/unit/check.h"
#include "traces/address_map.h"
#include "traces/cli.h"
#include "traces/clock.h"
#include "traces/crc32c.h"
#include "traces/emit.h"
#include "traces/meta.h"
#include "traces/raw_clock.h"
#include "traces/summary.h"
#include "traces/text.h"
#include "traces/track.h"

static uint64_t state = 1;
static uint64_t next_random(void)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return state >> 20;
}

/* ---- checksum ----------------------------------------------------------------------------------
 */

static void test_crc32c_of_known_texts(void)
{
    static const unsigned char zeros[32];
    CHECK_EQ_U64(crc32c("123456789", 9), 0xe3069283);
    CHECK_EQ_U64(crc32c(zeros, 32), 0x8a9136aa); /* RFC 3720 B.4 */
    CHECK_EQ_U64(crc32c("", 0), 0);
    CHECK_EQ_U64(crc32c_portable("123456789", 9), 0xe3069283);
}

static void test_crc32c_hardware_and_portable_agree(void)
{
    static unsigned char bytes[20000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)next_random();
    for (size_t length = 0; length < sizeof bytes; length += 1 + length / 7) {
        for (size_t from = 0; from < 9 && from + length < sizeof bytes; from += 3)
            CHECK_EQ_U64(crc32c(bytes + from, length), crc32c_portable(bytes + from, length));
    }
}

/* ---- metadata ----------------------------------------------------------------------------------
 */

static void test_meta_keeps_any_text(void)
{
    char text[400], again_text[400], disk[400];
    struct meta meta = {text, 0, sizeof text}, again = {again_text, 0, sizeof again_text};
    CHECK(meta_set(&meta, "program", "a\\b\nc=d\\n"));
    CHECK(meta_set(&meta, "empty", ""));
    CHECK(meta_set(&meta, "pid", "1"));
    CHECK(meta_set(&meta, "pid", "12345"));
    CHECK(!meta_set(&meta, "Bad Key", "x"));
    CHECK(!meta_set(&meta, "", "x"));
    size_t bytes = meta_format(&meta, disk, sizeof disk);
    meta_parse(&again, disk, bytes);
    CHECK_STR(meta_get(&again, "program"), "a\\b\nc=d\\n");
    CHECK_STR(meta_get(&again, "empty"), "");
    CHECK_STR(meta_get(&again, "pid"), "12345");
    CHECK(meta_get(&again, "absent") == NULL);
    const char *key, *value;
    CHECK(meta_at(&again, 2, &key, &value));
    CHECK(!meta_at(&again, 3, &key, &value));
}

static void test_meta_of_hostile_bytes(void)
{
    static char text[2000], disk[600];
    static const char bytes[] = "=\\\n\0ab_\xff";
    for (int round = 0; round < 20000; round++) {
        struct meta meta = {text, 0, 100 + next_random() % 1500};
        size_t length = next_random() % sizeof disk;
        for (size_t i = 0; i < length; i++)
            disk[i] = bytes[next_random() % (sizeof bytes - 1)];
        meta_parse(&meta, disk, length);
        CHECK_LE_U64(meta.bytes, meta.capacity);
    }
    struct meta meta = {text, 0, 20};
    CHECK(!meta_set(&meta, "key", "a value that does not fit in so little room"));
    CHECK_EQ_U64(meta.bytes, 0);
}

/* ---- address map -------------------------------------------------------------------------------
 */

static void test_address_map_against_a_plain_array(void)
{
    enum { ADDRESSES = 5000 };
    static uint32_t model[ADDRESSES];
    struct address_map map;
    if (!CHECK(address_map_init(&map)))
        return;
    for (uint32_t i = 1; i <= 400000; i++) {
        uint64_t at = next_random() % ADDRESSES, address = (at + 1) << 4;
        CHECK_EQ_U64(address_map_get(&map, address), model[at]);
        if (model[at])
            CHECK_EQ_U64(address_map_take(&map, address), model[at]), model[at] = 0;
        else
            CHECK(address_map_put(&map, address, i)), model[at] = i;
    }
    CHECK_EQ_U64(address_map_take(&map, 0xdead), 0);
    uint64_t live = 0;
    for (uint32_t at = 0; at < ADDRESSES; at++) {
        CHECK_EQ_U64(address_map_get(&map, (uint64_t)(at + 1) << 4), model[at]);
        live += model[at] != 0;
    }
    CHECK_EQ_U64(map.used, live);
    address_map_end(&map);
}

/* ---- live set ----------------------------------------------------------------------------------
 */

static enum tape_track_action track(struct tape_track *set, unsigned kind, uint32_t object,
                                    uint64_t size)
{
    struct tape_event event = {.kind = (uint8_t)kind, .object = object, .size = size, .lane = 3};
    return tape_track_event(set, &event, NULL);
}

static void test_track_follows_the_live_set(void)
{
    struct tape_track set;
    tape_track_init(&set);
    CHECK_EQ_INT(track(&set, TAPE_MALLOC, 1, 100), TAPE_TRACK_USE);
    CHECK_EQ_INT(track(&set, TAPE_CALLOC, 100000, 50), TAPE_TRACK_USE);
    CHECK_EQ_INT(track(&set, TAPE_REALLOC, 1, 300), TAPE_TRACK_USE);
    CHECK_EQ_INT(track(&set, TAPE_REALLOC, 1, 10), TAPE_TRACK_USE);
    CHECK_EQ_INT(track(&set, TAPE_FREE_NULL, 0, 0), TAPE_TRACK_USE);
    CHECK_EQ_INT(track(&set, TAPE_FAILED, 0, 1), TAPE_TRACK_USE);
    CHECK_EQ_INT(track(&set, TAPE_USABLE_SIZE, 0, 0), TAPE_TRACK_USE);
    CHECK_EQ_INT(track(&set, TAPE_USABLE_SIZE, 100000, 0), TAPE_TRACK_USE);
    CHECK_EQ_U64(set.live_bytes, 60);
    CHECK_EQ_U64(set.live_objects, 2);
    CHECK_EQ_U64(set.peak_live_bytes, 350);
    CHECK_EQ_U64(set.peak_event, 2);
    CHECK_EQ_U64(set.objects[100000].lane, 3);
    CHECK_EQ_U64(set.objects[100000].born_event, 1);
    CHECK_EQ_INT(track(&set, TAPE_FREE, 1, 0), TAPE_TRACK_USE);
    CHECK_EQ_INT(track(&set, TAPE_REALLOC_FREE, 100000, 0), TAPE_TRACK_USE);
    CHECK_EQ_U64(set.live_bytes, 0);
    CHECK_EQ_U64(set.live_objects, 0);
    CHECK_EQ_U64(set.orphans + set.overwritten, 0);
    tape_track_end(&set);
}

static void test_track_repairs_what_damage_leaves(void)
{
    struct tape_track set;
    struct tape_track_object before;
    tape_track_init(&set);
    CHECK_EQ_INT(track(&set, TAPE_FREE, 7, 0), TAPE_TRACK_DROP);
    CHECK_EQ_INT(track(&set, TAPE_REALLOC, UINT32_MAX, 5), TAPE_TRACK_DROP);
    CHECK_EQ_INT(track(&set, TAPE_FREE, 0, 0), TAPE_TRACK_DROP);
    CHECK_EQ_INT(track(&set, TAPE_MALLOC, 7, 10), TAPE_TRACK_USE);
    struct tape_event event = {.kind = TAPE_MALLOC, .object = 7, .size = 30};
    CHECK_EQ_INT(tape_track_event(&set, &event, &before), TAPE_TRACK_FREE_FIRST);
    CHECK_EQ_U64(before.size, 10);
    CHECK_EQ_U64(set.live_bytes, 30);
    CHECK_EQ_U64(set.live_objects, 1);
    CHECK_EQ_U64(set.orphans, 3);
    CHECK_EQ_U64(set.overwritten, 1);
    CHECK_EQ_U64(set.events, 5);
    tape_track_end(&set);
}

/* ---- size bins ---------------------------------------------------------------------------------
 */

static void test_every_size_has_one_bin(void)
{
    for (unsigned bin = 0; bin + 1 < SUMMARY_SIZE_BINS && summary_bin_low(bin) < UINT64_MAX;
         bin++) {
        uint64_t low = summary_bin_low(bin), next = summary_bin_low(bin + 1);
        CHECK(low < next);
        CHECK_EQ_U64(summary_size_bin(low), bin);
        CHECK_EQ_U64(summary_size_bin(next - 1), bin);
    }
    CHECK_EQ_U64(summary_size_bin(0), 0);
    CHECK_EQ_U64(summary_size_bin(15), 0);
    CHECK_EQ_U64(summary_size_bin(16), 1);
    CHECK_EQ_U64(summary_size_bin(1023), 63);
    CHECK_EQ_U64(summary_size_bin(1024), 64);
    CHECK_EQ_U64(summary_bin_low(65), 1024 + 128);
    CHECK(summary_size_bin(UINT64_MAX) < SUMMARY_SIZE_BINS);
    CHECK_EQ_U64(summary_bin_low(summary_size_bin(UINT64_MAX)), UINT64_C(15) << 60);
}

/* ---- clock -------------------------------------------------------------------------------------
 */

static void test_clock_is_a_line_through_its_ends(void)
{
    struct raw_clock clock = {0};
    CHECK_EQ_U64(raw_clock_ns(&clock, 12345), 0);
    raw_clock_pair(&clock, 1000, 500);
    CHECK_EQ_U64(raw_clock_ns(&clock, 9999), 500);
    raw_clock_pair(&clock, 900, 600); /* goes back: left out */
    raw_clock_pair(&clock, 3000, 1500);
    CHECK_EQ_U64(raw_clock_ns(&clock, 2000), 1000);
    CHECK_EQ_U64(raw_clock_ns(&clock, 5000), 2500);
    CHECK_EQ_U64(raw_clock_ns(&clock, 500), 250);
    CHECK_EQ_U64(raw_clock_ns(&clock, 0), 0);
    CHECK(raw_clock_ns(&clock, UINT64_MAX) >= raw_clock_ns(&clock, UINT64_MAX - 1));
}

/* ---- numbers with units ------------------------------------------------------------------------
 */

static void test_units(void)
{
    static const struct {
        const char *text;
        uint64_t size; /* UINT64_MAX: not one */
    } sizes[] = {
        {"0", 0},
        {"4096", 4096},
        {"64k", 65536},
        {"1M", 1 << 20},
        {"1GiB", 1 << 30},
        {"1.5k", 1536},
        {"2kB", 2000},
        {"1MB", 1000000},
        {"2T", UINT64_C(2) << 40},
        {"", UINT64_MAX},
        {"k", UINT64_MAX},
        {"-1", UINT64_MAX},
        {"1x", UINT64_MAX},
        {"0x10", UINT64_MAX},
        {"1 k", UINT64_MAX},
        {"1e3", 1000},
        {"99999999T", UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t value = UINT64_MAX;
        bool good = cli_parse_size(sizes[i].text, &value);
        CHECK_EQ_INT(good, sizes[i].size != UINT64_MAX);
        if (!CHECK_EQ_U64(value, sizes[i].size))
            printf("  ... of \"%s\"\n", sizes[i].text);
    }
    uint64_t value;
    CHECK(cli_parse_duration("10ms", &value) && value == 10000000);
    CHECK(cli_parse_duration("2s", &value) && value == UINT64_C(2000000000));
    CHECK(cli_parse_duration("1.5", &value) && value == 1500000000);
    CHECK(cli_parse_duration("3m", &value) && value == UINT64_C(180000000000));
    CHECK(!cli_parse_duration("10 parsecs", &value));
    CHECK(cli_parse_count("18446744073709551615", &value) && value == UINT64_MAX);
    CHECK(!cli_parse_count("18446744073709551616", &value));
    CHECK(cli_parse_count("2M", &value) && value == 2000000);
    char text[16];
    CHECK_STR(cli_format_bytes(999, text), "999 B");
    CHECK_STR(cli_format_bytes(1536, text), "1.5 KiB");
    CHECK_STR(cli_format_bytes(UINT64_MAX, text), "16.0 EiB");
    CHECK_STR(cli_format_bytes((1 << 20) - 1, text), "1.0 MiB");
}

/* ---- emitter -----------------------------------------------------------------------------------
 */

static void emit_sample(struct emit *emit)
{
    emit_object(emit, NULL);
    emit_u64(emit, "count", UINT64_MAX);
    emit_string(emit, "name", "a\"\x1b[31m\xff,\xc3\xa9");
    emit_object(emit, "inner");
    emit_double(emit, "third", 1.0 / 3);
    emit_bool(emit, "good", true);
    emit_null(emit, "nothing");
    emit_end(emit);
    emit_end(emit);
}

static void emit_rows(struct emit *emit)
{
    emit_array(emit, NULL);
    for (unsigned i = 0; i < 2; i++) {
        emit_object(emit, NULL);
        emit_string(emit, "name", i ? "x" : "longer");
        emit_u64(emit, "value", i * 1000);
        emit_end(emit);
    }
    emit_end(emit);
}

static void expect_text(enum emit_format format, void (*fill)(struct emit *emit), const char *text)
{
    char *printed = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&printed, &bytes);
    struct emit emit;
    emit_begin(&emit, out, format);
    fill(&emit);
    CHECK_EQ_INT(emit_finish(&emit), 0);
    fclose(out);
    CHECK_STR(printed, text);
    free(printed);
}

static void test_one_emitter_three_outputs(void)
{
    expect_text(EMIT_JSON, emit_sample,
                "{\n  \"count\": 18446744073709551615,\n"
                "  \"name\": \"a\\\"\\u001b[31m\\ufffd,\xc3\xa9\",\n"
                "  \"inner\": {\n    \"third\": 0.3333333333333333,\n    \"good\": true,\n"
                "    \"nothing\": null\n  }\n}\n");
    expect_text(EMIT_CSV, emit_sample,
                "count,name,inner_third,inner_good,inner_nothing\n"
                "18446744073709551615,\"a\"\"\x1b[31m\xff,\xc3\xa9\",0.3333333333333333,true,\n");
    expect_text(EMIT_TABLE, emit_sample,
                "count                        18446744073709551615\n"
                "name                         a\"\\x1b[31m\\xff,\xc3\xa9\n"
                "inner:\n  third                      0.3333333333333333\n"
                "  good                       yes\n  nothing                    -\n");
    expect_text(EMIT_TABLE, emit_rows, "name    value\nlonger      0\nx        1000\n");
    expect_text(EMIT_CSV, emit_rows, "name,value\nlonger,0\nx,1000\n");
    expect_text(EMIT_JSON, emit_rows,
                "[\n  {\n    \"name\": \"longer\",\n    \"value\": 0\n  },\n"
                "  {\n    \"name\": \"x\",\n    \"value\": 1000\n  }\n]\n");
}

static void test_utf8(void)
{
    uint32_t character;
    CHECK_EQ_U64(text_utf8("\xe2\x82\xac", &character), 3);
    CHECK_EQ_U64(character, 0x20ac);
    CHECK_EQ_U64(text_utf8("\xf0\x9f\x98\x80", &character), 4);
    CHECK_EQ_U64(text_utf8("\xc0\x80", &character), 0);     /* overlong */
    CHECK_EQ_U64(text_utf8("\xed\xa0\x80", &character), 0); /* surrogate */
    CHECK_EQ_U64(text_utf8("\xe2\x82", &character), 0);     /* cut */
    CHECK_EQ_U64(text_utf8("\xf4\x90\x80\x80", &character), 0);
}

/* ---- errors ------------------------------------------------------------------------------------
 */

/* ---- recorded time by event --------------------------------------------------------------------
 */

static void test_clock_of_few_events_is_exact(void)
{
    static struct tape_clock clock;
    CHECK_NEAR(tape_clock_at(&clock, 3), 0, 0);
    const uint64_t times[] = {10, 10, 50, 90};
    for (int i = 0; i < 4; i++)
        tape_clock_add(&clock, times[i]);
    for (int i = 0; i < 4; i++)
        CHECK_NEAR(tape_clock_at(&clock, i), (double)times[i], 0);
    CHECK_NEAR(tape_clock_at(&clock, 1.5), 30, 1e-9);
    CHECK_NEAR(tape_clock_at(&clock, 99), 90, 0);
    CHECK_NEAR(tape_clock_at(&clock, -1), 0, 0);
}

/* A long tape whose second half takes nine times as long: within one stride, wherever it is asked.
 */
static void test_clock_of_many_events_is_near(void)
{
    enum { EVENTS = 1000003, HALF = EVENTS / 2 };
    static struct tape_clock clock;
    for (uint64_t i = 0; i < EVENTS; i++)
        tape_clock_add(&clock, i < HALF ? i : HALF + 9 * (i - HALF));
    CHECK_EQ_U64(clock.events, EVENTS);
    CHECK_LE_U64(clock.count, TAPE_CLOCK_POINTS);
    CHECK_LE_U64(clock.stride, 2 * EVENTS / TAPE_CLOCK_POINTS + 1);
    for (int i = 0; i * 1234.5 < EVENTS; i++) {
        double event = i * 1234.5;
        double exact = event < HALF ? event : HALF + 9 * (event - HALF);
        CHECK_NEAR(tape_clock_at(&clock, event), exact, 9 * (double)clock.stride);
    }
    CHECK_NEAR(tape_clock_at(&clock, EVENTS - 1), HALF + 9.0 * (EVENTS - 1 - HALF), 0);
}

/* Events by the batch make the same clock as one by one, pauses within batches and between them. */
static void test_clock_by_batches(void)
{
    static struct tape_clock one, many;
    static struct tape_event events[1000];
    uint64_t time = 0;
    for (int batch = 0; batch < 300; batch++) {
        size_t count = next_random() % 1000;
        for (size_t i = 0; i < count; i++) {
            time += next_random() % 20000 ? next_random() % 3 : 500000;
            events[i].time_ns = time;
            tape_clock_add(&one, time);
        }
        tape_clock_add_events(&many, events, count);
    }
    CHECK_EQ_U64(one.events, many.events);
    CHECK_EQ_U64(one.last_ns, many.last_ns);
    CHECK_EQ_U64(one.count, many.count);
    for (uint32_t i = 0; i < one.count && i < many.count; i++)
        CHECK(one.points[i].event == many.points[i].event &&
              one.points[i].time_ns == many.points[i].time_ns);
}

/* Times that go up and down without end, as damage may have them: none is lost, nothing hangs. */
static void test_clock_of_times_that_go_back(void)
{
    static struct tape_clock clock;
    for (uint64_t i = 0; i < 100000; i++)
        tape_clock_add(&clock, i % 2 ? UINT64_MAX / 2 : i);
    CHECK_EQ_U64(clock.events, 100000);
    CHECK_LE_U64(clock.count, TAPE_CLOCK_POINTS);
    CHECK_NEAR(tape_clock_at(&clock, 50000), (double)(UINT64_MAX / 2), 1e6);
}

/* A pause is exact at both ends however long the tape goes on; many short ones take no room. */
static void test_clock_keeps_pauses(void)
{
    enum { EVENTS = 300000, AT = 12345 };
    static struct tape_clock clock;
    uint64_t time = 0;
    for (uint64_t i = 0; i < EVENTS; i++) {
        time += i == AT ? 5000000 : i % 50 == 0 ? 20 : 1;
        tape_clock_add(&clock, time);
    }
    CHECK_LE_U64(clock.count, TAPE_CLOCK_POINTS);
    const uint64_t slow = AT / 50 + 1; /* those of 20 ns */
    double before = AT - 1 + 19.0 * (double)slow + 1, after = before + 5000000;
    CHECK_NEAR(tape_clock_at(&clock, AT - 1), before, 0);
    CHECK_NEAR(tape_clock_at(&clock, AT), after, 0);
    CHECK_NEAR(tape_clock_at(&clock, AT - 0.5), (before + after) / 2, 1e-6);
    CHECK_NEAR(tape_clock_at(&clock, AT - 600), before - 600 - 12 * 19, 2 * (double)clock.stride);
}

static void test_errors_are_one_line(void)
{
    struct tape_error error;
    char longer[1000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    CHECK_EQ_INT(tape_error_set(&error, TAPE_DAMAGED, 7, "bad\nname %d", 5), TAPE_DAMAGED);
    CHECK_STR(error.message, "bad?name 5");
    tape_error_add(&error, "file %s", "a");
    CHECK_STR(error.message, "file a: bad?name 5");
    CHECK_EQ_U64(error.offset, 7);
    tape_error_add(&error, "%.200s", longer);
    CHECK_EQ_U64(strlen(error.message), 220);
    tape_error_add(&error, "%.200s", longer);
    CHECK_EQ_U64(strlen(error.message), sizeof error.message - 1);
    CHECK_EQ_INT(tape_exit_status(TAPE_DAMAGED), 3);
    CHECK_EQ_INT(tape_exit_status(TAPE_SYSTEM), 4);
    CHECK_EQ_INT(tape_error_set(NULL, TAPE_SYSTEM, 0, "nobody listens"), TAPE_SYSTEM);
}

int main(void)
{
    RUN(test_crc32c_of_known_texts);
    RUN(test_crc32c_hardware_and_portable_agree);
    RUN(test_meta_keeps_any_text);
    RUN(test_meta_of_hostile_bytes);
    RUN(test_address_map_against_a_plain_array);
    RUN(test_track_follows_the_live_set);
    RUN(test_track_repairs_what_damage_leaves);
    RUN(test_every_size_has_one_bin);
    RUN(test_clock_is_a_line_through_its_ends);
    RUN(test_units);
    RUN(test_one_emitter_three_outputs);
    RUN(test_utf8);
    RUN(test_clock_of_few_events_is_exact);
    RUN(test_clock_of_many_events_is_near);
    RUN(test_clock_keeps_pauses);
    RUN(test_clock_by_batches);
    RUN(test_clock_of_times_that_go_back);
    RUN(test_errors_are_one_line);
    return CHECK_MAIN_END();
}
