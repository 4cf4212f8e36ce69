/* What is written is what is read: random event streams of many kinds, through writer and reader.
 */
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/check.h"
#include "traces/format.h"
#include "traces/reader.h"
#include "traces/track.h"
#include "traces/writer.h"

static const char path[] = "roundtrip_test.tape";

static uint64_t random_state;
static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state * UINT64_C(0x2545f4914f6cdd1d);
}
static uint64_t below(uint64_t bound)
{
    return (next_random() >> 11) % bound;
}

/* Of which a random stream is made. */
struct style {
    const char *name;
    uint32_t events, live, lanes;
    uint64_t size_max;
    bool lifo_ids, any_ids; /* ids as the resolver gives them; or wild ones */
    bool all_kinds, clock;
    uint32_t sites; /* how many; 0: none is known */
};

struct maker {
    struct style style;
    uint32_t *live, live_count, *freed, freed_count, next_id;
    uint64_t time_ns;
};

static uint64_t any_size(const struct style *style)
{
    return below(4) ? below(style->size_max) + 1 : (below(9) ? 24 : next_random());
}

static struct tape_event make_allocation(struct maker *maker)
{
    struct tape_event event = {.kind = TAPE_MALLOC, .size = any_size(&maker->style)};
    if (maker->style.all_kinds && below(4) == 0)
        event.kind = (uint8_t)(TAPE_MALLOC + below(4));
    if (event.kind == TAPE_ALIGNED)
        event.align_log2 = (uint8_t)below(64);
    if (maker->style.any_ids)
        event.object = (uint32_t)(1 + below(UINT32_MAX - 2));
    else if (maker->freed_count && maker->style.lifo_ids)
        event.object = maker->freed[--maker->freed_count];
    else
        event.object = maker->next_id++;
    maker->live[maker->live_count++] = event.object;
    return event;
}

static struct tape_event make_use(struct maker *maker)
{
    uint32_t at = (uint32_t)(below(3) ? below(maker->live_count) : maker->live_count - 1);
    struct tape_event event = {.kind = TAPE_FREE, .object = maker->live[at]};
    uint64_t choice = maker->style.all_kinds ? below(10) : 9;
    if (choice < 2) {
        event.kind = TAPE_REALLOC;
        event.size = any_size(&maker->style);
        return event;
    }
    if (choice == 2) {
        event.kind = TAPE_USABLE_SIZE;
        return event;
    }
    if (choice == 3)
        event.kind = TAPE_REALLOC_FREE;
    maker->freed[maker->freed_count++] = event.object;
    maker->live[at] = maker->live[--maker->live_count];
    return event;
}

/* Mostly one for each kind, so that some are as predicted and some are not. */
static uint32_t make_site(const struct style *style, unsigned kind)
{
    if (!style->sites || (!tape_kind_allocates(kind) && kind != TAPE_REALLOC))
        return 0;
    return below(3) ? kind : (uint32_t)below(style->sites);
}

static struct tape_event make_event(struct maker *maker)
{
    const struct style *style = &maker->style;
    struct tape_event event;
    if (style->all_kinds && below(50) == 0) {
        static const uint8_t kinds[] = {TAPE_FREE_NULL, TAPE_FREE_FOREIGN, TAPE_FAILED,
                                        TAPE_USABLE_SIZE};
        event = (struct tape_event){.kind = kinds[below(4)]};
        event.size = event.kind == TAPE_FAILED ? next_random() : 0;
    } else if (maker->live_count < 2 || (maker->live_count < style->live && below(2))) {
        event = make_allocation(maker);
    } else {
        event = make_use(maker);
    }
    if (style->clock && below(20) == 0)
        maker->time_ns += below(3) ? below(5000) * 1000 : next_random() >> 30;
    event.time_ns = maker->time_ns;
    event.lane = style->lanes > 1 ? (uint32_t)below(style->lanes) : 0;
    event.site = make_site(style, event.kind);
    return event;
}

static struct tape_event *make_events(const struct style *style)
{
    struct tape_event *events = calloc(style->events + 1, sizeof *events);
    struct maker maker = {.style = *style, .next_id = 1};
    maker.live = calloc(style->events + 2, sizeof *maker.live);
    maker.freed = calloc(style->events + 2, sizeof *maker.freed);
    for (uint32_t i = 0; i < style->events; i++)
        events[i] = make_event(&maker);
    free(maker.live);
    free(maker.freed);
    return events;
}

static bool write_all(const struct tape_event *events, uint32_t count)
{
    struct tape_error error;
    struct tape_writer *writer;
    const struct tape_meta meta[] = {{"program", "a\nb=c\\d"}, {"arguments", "\xff\x01 x"}};
    if (!CHECK_EQ_INT(tape_writer_open(path, meta, 2, NULL, &writer, &error), TAPE_OK))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!CHECK_EQ_INT(tape_writer_put(writer, &events[i], &error), TAPE_OK))
            return false;
    }
    const struct tape_meta last[] = {{"exit_status", "7"}};
    return CHECK_EQ_INT(tape_writer_close(writer, true, last, 1, &error), TAPE_OK);
}

static void compare(struct tape_reader *reader, const struct tape_event *events, uint32_t count)
{
    struct tape_error error;
    const struct tape_event *batch;
    size_t given;
    uint32_t at = 0;
    enum tape_status status;
    while ((status = tape_reader_next(reader, &batch, &given, &error)) == TAPE_OK) {
        CHECK_EQ_U64(tape_reader_batch_event(reader), at);
        for (size_t i = 0; i < given; i++, at++) {
            if (at < count && memcmp(&batch[i], &events[at], sizeof *batch) == 0)
                continue;
            CHECK_EQ_U64(at, UINT32_MAX);
            CHECK_EQ_INT(batch[i].kind, events[at].kind);
            CHECK_EQ_U64(batch[i].object, events[at].object);
            CHECK_EQ_U64(batch[i].size, events[at].size);
            CHECK_EQ_U64(batch[i].time_ns, events[at].time_ns);
            CHECK_EQ_U64(batch[i].site, events[at].site);
            return;
        }
    }
    CHECK_EQ_INT(status, TAPE_END);
    CHECK_EQ_U64(at, count);
}

static void roundtrip(const struct style *style)
{
    random_state = 88172645463325252u;
    struct tape_event *events = make_events(style);
    struct tape_reader *reader;
    struct tape_error error;
    if (write_all(events, style->events) &&
        CHECK_EQ_INT(tape_reader_open(path, &reader, &error), TAPE_OK)) {
        CHECK_EQ_U64(tape_reader_totals(reader).events, style->events);
        CHECK(tape_reader_totals(reader).complete);
        CHECK_STR(tape_reader_meta(reader, "program"), "a\nb=c\\d");
        CHECK_STR(tape_reader_meta(reader, "arguments"), "\xff\x01 x");
        CHECK_STR(tape_reader_meta(reader, "exit_status"), "7");
        CHECK(tape_reader_meta(reader, "absent") == NULL);
        compare(reader, events, style->events);
        tape_reader_rewind(reader);
        compare(reader, events, style->events);
        tape_reader_close(reader);
    }
    free(events);
    unlink(path);
}

static void test_styles(void)
{
    static const struct style styles[] = {
        {"empty", 0, 1, 1, 1, true, false, false, false, 0},
        {"one", 1, 1, 1, 100, true, false, false, false, 0},
        {"churn", 600000, 10000, 1, 1008, true, false, false, true, 0},
        {"every kind", 700000, 500, 3, 5000, true, false, true, true, 0},
        {"ids never used again", 300000, 5000, 2, 100, false, false, true, true, 0},
        {"wild ids", 600000, 300, 70000, UINT64_C(1) << 40, false, true, true, true, 0},
        {"a whole block", FORMAT_BLOCK_EVENTS_MAX, 100, 1, 64, true, false, false, false, 0},
        {"one more", FORMAT_BLOCK_EVENTS_MAX + 1, 100, 2, 64, true, false, true, false, 0},
        {"few sites", 400000, 500, 3, 5000, true, false, true, true, 20},
        {"any sites", 100000, 500, 1, 100, true, false, true, false, UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof styles / sizeof *styles; i++)
        roundtrip(&styles[i]);
}

int main(void)
{
    RUN(test_styles);
    return CHECK_MAIN_END();
}
