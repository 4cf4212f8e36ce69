/*
 * Made tests/golden/good: make_good FOLDER. The files in the tree are kept for ever as the version
 * of their day wrote them: run this only to add new ones. (Another libzstd may give other bytes for
 * the same events.)
 */
#include <stdio.h>
#include <stdlib.h>

#include "traces/cli.h"
#include "traces/raw_writer.h"
#include "traces/synth/synth.h"
#include "traces/writer.h"

static struct tape_error error;
static char path[4096];

static const char *in(const char *folder, const char *name)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void must(enum tape_status status)
{
    if (status != TAPE_OK)
        cli_die_error(&error);
}

static struct tape_writer *begin(const char *folder, const char *name)
{
    struct tape_writer *writer;
    const struct tape_meta meta[] = {{"program", "golden"}};
    must(tape_writer_open(in(folder, name), meta, 1, NULL, &writer, &error));
    return writer;
}

static void end(struct tape_writer *writer, bool complete)
{
    const struct tape_meta meta[] = {{"exit_status", "0"}};
    must(tape_writer_close(writer, complete, meta, 1, &error));
}

/* Five events, short enough for the hexdump in FORMAT.md. */
static void make_tiny(const char *folder)
{
    static const struct tape_event events[] = {
        {.kind = TAPE_MALLOC, .object = 1, .size = 24},
        {.kind = TAPE_CALLOC, .object = 2, .size = 4096},
        {.kind = TAPE_REALLOC, .object = 1, .size = 300, .time_ns = 20000},
        {.kind = TAPE_FREE, .object = 2, .lane = 1, .time_ns = 20000},
        {.kind = TAPE_MALLOC, .object = 2, .size = 24, .lane = 1, .time_ns = 20000},
    };
    struct tape_writer *writer = begin(folder, "tiny.tape");
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        must(tape_writer_put(writer, &events[i], &error));
    end(writer, true);
}

/* Every kind, alignments, sizes beyond 32 bits, ids out of order, many lanes, two samples. */
static void make_kinds(const char *folder)
{
    struct tape_writer *writer = begin(folder, "kinds.tape");
    uint64_t time_ns = 0;
    for (unsigned round = 0; round < 3; round++) {
        uint32_t base = 100 * round + 1;
        const struct tape_event events[] = {
            {.kind = TAPE_MALLOC, .object = base, .size = 1},
            {.kind = TAPE_CALLOC, .object = base + 7, .size = UINT64_C(5) << 32},
            {.kind = TAPE_ALIGNED, .object = base + 3, .size = 4096, .align_log2 = 12 + round},
            {.kind = TAPE_REALLOC_NEW, .object = base + 1, .size = 0},
            {.kind = TAPE_REALLOC, .object = base + 1, .size = UINT64_C(1) << 47},
            {.kind = TAPE_USABLE_SIZE, .object = base + 3},
            {.kind = TAPE_USABLE_SIZE},
            {.kind = TAPE_FREE_NULL},
            {.kind = TAPE_FREE_FOREIGN},
            {.kind = TAPE_FAILED, .size = UINT64_MAX},
            {.kind = TAPE_REALLOC_FREE, .object = base + 1},
            {.kind = TAPE_FREE, .object = base + 7},
        };
        for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
            struct tape_event event = events[i];
            event.lane = (uint32_t)(i / 4 + round);
            event.time_ns = time_ns += i % 5 == 0 ? 1234567 : 0;
            must(tape_writer_put(writer, &event, &error));
        }
    }
    for (uint64_t i = 0; i < 2; i++) {
        const struct tape_sample sample = {1000000 * i, 10 * i, 4096 * (i + 1), 8192, 100 * i};
        must(tape_writer_sample(writer, &sample, &error));
    }
    end(writer, true);
}

/* A site for each size class and phase, so that most follow from what came before. */
static bool put_with_site(void *context, const struct tape_event *event)
{
    static uint32_t events;
    struct tape_event with = *event;
    events++;
    if (tape_kind_allocates(event->kind) || event->kind == TAPE_REALLOC)
        with.site = 1 + (uint32_t)(event->size / 64) % 16 + events / 1800 * 16;
    if (events % 100 == 0 && with.site)
        with.site = UINT32_MAX - 1;
    return tape_writer_put(context, &with, &error) == TAPE_OK;
}

/* Encoding 2: call sites; objects named by age, by step and from afar, in three blocks. */
static void make_sites(const char *folder)
{
    struct tape_writer *writer;
    const struct tape_meta meta[] = {{"program", "golden"}, {"site_depth", "1"}};
    const struct tape_writer_options small = {.block_events = 1800};
    struct synth_options options = synth_defaults();
    must(tape_writer_open(in(folder, "sites.tape"), meta, 2, &small, &writer, &error));
    options.events = 5400;
    options.live = 300;
    options.realloc_share = 0.1;
    options.sizes = SYNTH_CLASSES;
    options.lifetimes = SYNTH_MIXED;
    if (!synth_run(&options, put_with_site, writer))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "sites.tape: no events");
    end(writer, true);
}

static bool put(void *context, const struct tape_event *event)
{
    return tape_writer_put(context, event, &error) == TAPE_OK;
}

static void make_synth(const char *folder, const char *name, const struct synth_options *options)
{
    struct tape_writer *writer = begin(folder, name);
    if (!synth_run(options, put, writer))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: no events", name);
    end(writer, true);
}

static void make_synths(const char *folder)
{
    struct synth_options options = synth_defaults();
    options.events = 5000;
    options.live = 500;
    options.realloc_share = 0.1;
    options.lanes = 4;
    options.cross_free_share = 0.3;
    make_synth(folder, "churn.tape", &options); /* references by id */
    options = synth_defaults();
    options.events = 200000; /* four blocks */
    options.live = 100;
    options.size_min = options.size_max = 64;
    options.lifetimes = SYNTH_LIFO;
    make_synth(folder, "blocks.tape", &options); /* references by age */
    options.events = 0;
    make_synth(folder, "empty.tape", &options);
}

static void record(struct raw_writer *writer, uint32_t lane, unsigned kind, uint64_t address,
                   uint64_t value)
{
    const struct raw_record one = {raw_head(kind, address, kind == RAW_ALIGNED ? 6 : 0), value};
    must(raw_writer_put(writer, lane, &one, 1, &error));
}

static void make_raw(const char *folder)
{
    struct raw_writer *writer;
    const struct tape_meta meta[] = {{"program", "golden"}};
    struct tape_sample sample = {.resident_bytes = 4096, .held_bytes = 8192};
    must(raw_writer_open(in(folder, "tiny.raw"), meta, 1, &writer, &error));
    must(raw_writer_sample(writer, 1000, &sample, &error));
    record(writer, 1, RAW_STAMP, 0, 52000);
    record(writer, 1, RAW_FREE, 0x1000, 0);
    record(writer, 0, RAW_STAMP, 0, 2000);
    record(writer, 0, RAW_MALLOC, 0x1000, 24);
    record(writer, 0, RAW_ALIGNED, 0x2000, 640);
    record(writer, 0, RAW_REALLOC_BEGIN, 0x2000, 64);
    record(writer, 0, RAW_REALLOC_END, 0x3000, 64);
    must(raw_writer_pass(writer, 60000, &error));
    record(writer, 0, RAW_STAMP, 0, 70000);
    record(writer, 0, RAW_CALLOC, 0x1000, 32);
    sample.time_ns = 99000;
    must(raw_writer_sample(writer, 100000, &sample, &error));
    must(raw_writer_close(writer, true, NULL, 0, &error));
}

int main(int argc, char **argv)
{
    cli_begin("make_good");
    if (argc != 2)
        cli_die_usage("make_good FOLDER");
    make_tiny(argv[1]);
    make_kinds(argv[1]);
    make_synths(argv[1]);
    make_sites(argv[1]);
    make_raw(argv[1]);
    return 0;
}
