/*
 * heaptape replay: one run for time, one for memory, one for the floor; or one to verify; or one
 * for latencies and one for theirs on the null allocator.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "replayer/driver/allocator_file.h"
#include "replayer/driver/allocators.h"
#include "replayer/driver/engine_run.h"
#include "replayer/driver/fragmentation.h"
#include "replayer/driver/interrupt.h"
#include "replayer/driver/latency.h"
#include "replayer/driver/options.h"
#include "replayer/driver/run_memory.h"
#include "replayer/driver/verify.h"
#include "replayer/driver/tapes.h"
#include "traces/cli.h"
#include "traces/reader.h"
#include "traces/summary.h"

static const char usage[] =
    "Examples:\n"
    "  heaptape replay app.tape\n"
    "  heaptape replay app.tape -a jemalloc --format=json\n"
    "  heaptape replay app.tape -a mine=./libmine.so --touch=full\n"
    "  heaptape replay --verify app.tape -a mine=./libmine.so\n"
    "  heaptape replay --latency app.tape -a mimalloc\n"
    "\n"
    "Usage: heaptape replay [OPTIONS] TAPE\n"
    "\n"
    "Replays TAPE once for time, once for memory, and once for time on the null allocator, whose "
    "time is\n"
    "the replay's own (floor): take it off to get the allocator's. One run says little about time; "
    "heaptape\n"
    "bench repeats and gives intervals.\n"
    "\n"
    "  -a ALLOCATOR      a name of heaptape allocators (default libc), NAME=PATH or "
    "NAME=PATH,ENV=VALUE\n"
    "  --verify          instead, one run that checks every answer of the allocator: overlap, "
    "alignment,\n"
    "                    content kept, calloc's zeros, usable sizes, errors (analysis/METRICS.md); "
    "lists\n"
    "                    what is wrong and how to see it happen in a debugger\n"
    "  --latency         instead, one run in which each call is timed by itself: percentiles by "
    "call "
    "and by\n"
    "                    size, and those of the null allocator, this machine's own\n"
    "  --memory          instead, the run for memory alone\n"
    "  --usable=WORD     with --verify: write (to all that malloc_usable_size says, the default) "
    "or skip\n"
    "                    (use only what was asked for)\n"
    "  --touch=WORD      what of a new block is written: none, first (byte), page (a byte of each "
    "page,\n"
    "                    the default) or full\n"
    "  --order=WORD      causal (threads wait for what they depend on, the default), strict (the "
    "recorded\n"
    "                    order), or serial (likewise, all by one thread)\n"
    "  --pace=WORD       asap (as fast as it goes, the default), recorded (no call before its "
    "recorded\n"
    "                    moment), or how many times as fast as that, from 0.5 to 1000\n"
    "  --snapshots=FILE  snapshots of the heap into FILE: live blocks and resident pages, at up to "
    "64\n"
    "                    points and the peaks (analysis/SNAPSHOTS.md)\n"
    "  --snapshot-at=EVENT  with --snapshots: one right after this event of the tape in any case\n"
    "  --timeout=TIME    for each run (default: 60s, 1us for each event, and the recording's time "
    "at\n"
    "                    its pace)\n"
    "  --memory-limit=SIZE  resident at most (default: four fifths of the free memory)\n"
    "  --format=WORD     table (default), json or csv\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 ok, 1 the allocator crashed, hung, ran out of memory or failed (status says "
    "which),\n"
    "2 usage, 3 not a tape, 4 environment, 130 interrupted.\n";

struct replay_options {
    struct engine_tape tape;
    const char *spec;
    struct engine_settings engine;
    enum emit_format format;
    bool verify, latency, memory;
};

/* The number as the engine reads it. */
static const char *event_number(const char *text)
{
    static char number[24];
    snprintf(number, sizeof number, "%" PRIu64, cli_count("--snapshot-at", text));
    return number;
}

static void parse(int argc, char **argv, struct replay_options *options)
{
    static const struct option table[] = {
        {"allocator", required_argument, NULL, 'a'},
        {"verify", no_argument, NULL, OPTION_VERIFY},
        {"latency", no_argument, NULL, OPTION_LATENCY},
        {"memory", no_argument, NULL, OPTION_MEMORY},
        {"usable", required_argument, NULL, OPTION_USABLE},
        {"touch", required_argument, NULL, OPTION_TOUCH},
        {"order", required_argument, NULL, OPTION_ORDER},
        {"pace", required_argument, NULL, OPTION_PACE},
        {"snapshots", required_argument, NULL, OPTION_SNAPSHOTS},
        {"snapshot-at", required_argument, NULL, OPTION_SNAPSHOT_AT},
        {"timeout", required_argument, NULL, OPTION_TIMEOUT},
        {"memory-limit", required_argument, NULL, OPTION_MEMORY_LIMIT},
        {"allocators", required_argument, NULL, OPTION_ALLOCATORS},
        {"format", required_argument, NULL, OPTION_FORMAT},
        OPTIONS_COMMON};
    *options =
        (struct replay_options){.spec = ALLOCATOR_LIBC, .engine.order = ENGINE_DEFAULT_ORDER};
    for (int option; (option = options_next(argc, argv, ":a:h", table, usage)) != -1;) {
        if (option == 'a')
            options->spec = optarg;
        else if (option == OPTION_VERIFY)
            options->verify = true;
        else if (option == OPTION_LATENCY)
            options->latency = true;
        else if (option == OPTION_MEMORY)
            options->memory = true;
        else if (option == OPTION_SNAPSHOTS)
            options->engine.snapshots = optarg;
        else if (option == OPTION_SNAPSHOT_AT)
            options->engine.snapshot_at = event_number(optarg);
        else if (option == OPTION_ALLOCATORS)
            allocator_file_read(optarg);
        else if (option == OPTION_FORMAT)
            options->format = options_format(optarg);
        else
            options_engine(option, optarg, &options->engine);
    }
    if (options->verify + options->latency + options->memory > 1)
        cli_die_usage("--verify, --latency and --memory are runs of their own: one at a time");
    if (options->engine.snapshots && (options->verify || options->latency))
        cli_die_usage(
            "--snapshots are of the run for memory, which --verify and --latency leave out");
    if (options->engine.snapshot_at && !options->engine.snapshots)
        cli_die_usage("--snapshot-at goes with --snapshots");
    if (options->engine.usable_skip && !options->verify)
        cli_die_usage("--usable goes with --verify");
    if (options->engine.touch && options->verify)
        cli_die_usage("--touch: --verify writes to all of every block");
    if (optind == argc)
        cli_die_usage("no tape given");
    if (optind + 1 < argc)
        cli_die_usage("%s: one tape at a time; heaptape bench takes more", argv[optind + 1]);
    options->tape.path = tapes_path(argv[optind]);
}

/* How long the recording took; a tape that was cut is read through for that. */
static uint64_t recorded_ns(const struct replay_options *options, struct tape_reader *reader)
{
    struct tape_summary summary;
    struct tape_error error;
    if (options->engine.speed <= 0 || tape_reader_totals(reader).complete)
        return tape_reader_duration_ns(reader);
    enum tape_status status = tape_summarize(reader, &summary, &error);
    if (status != TAPE_OK && status != TAPE_DAMAGED)
        cli_die_error(&error);
    return summary.duration_ns;
}

/* Bad tapes end here, before anything runs on them. Completes the limits. */
static void open_tape(struct replay_options *options)
{
    struct tape_reader *reader;
    struct tape_error error;
    if (tape_reader_open(options->tape.path, &reader, &error) != TAPE_OK)
        cli_die_error(&error);
    options->tape.events = tape_reader_totals(reader).events;
    uint64_t asked;
    if (options->engine.snapshot_at && options->tape.events &&
        cli_parse_count(options->engine.snapshot_at, &asked) && asked >= options->tape.events)
        cli_die_usage("--snapshot-at=%s: the tape has %" PRIu64 " events",
                      options->engine.snapshot_at, options->tape.events);
    options->engine.timeout_ns =
        engine_timeout_ns(&options->engine, options->tape.events, recorded_ns(options, reader));
    if (!options->engine.memory_bytes)
        options->engine.memory_bytes = engine_default_memory_bytes();
    tape_reader_close(reader);
}

static double per_operation(const struct engine_run *run)
{
    if (run->status != RUN_OK || !run->result.operations)
        return NAN;
    return (double)run->result.timed_ns / (double)run->result.operations;
}

/* NAN (null) where the run did not get there. */
static void emit_bytes(struct emit *emit, const char *key, bool known, uint64_t bytes)
{
    if (known)
        emit_u64(emit, key, bytes);
    else
        emit_null(emit, key);
}

static void emit_time(struct emit *emit, const struct engine_run *time, double floor_ns)
{
    const struct engine_result *result = &time->result;
    bool ok = time->status == RUN_OK;
    emit_bytes(emit, "operations", ok, result->operations);
    emit_bytes(emit, "operations_done", true, ok ? result->operations : engine_run_progress(time));
    emit_fixed(emit, "ns_per_operation", per_operation(time), 3);
    emit_fixed(emit, "floor_ns_per_operation", floor_ns, 3);
    emit_fixed(emit, "net_ns_per_operation", per_operation(time) - floor_ns, 3);
    emit_fixed(emit, "timed_seconds", ok ? (double)result->timed_ns / 1e9 : NAN, 9);
    emit_fixed(emit, "wall_seconds", ok ? (double)result->wall_ns / 1e9 : NAN, 9);
    emit_u64(emit, "lanes", result->lanes);
    emit_u64(emit, "waits", result->waits);
    emit_bytes(emit, "minor_faults", ok, result->minor_faults);
    emit_u64(emit, "skipped", result->skipped);
}

static void emit_memory(struct emit *emit, const struct replay_options *options,
                        const struct engine_run *memory)
{
    const struct engine_result *result = &memory->result;
    bool ok = memory->status == RUN_OK;
    const struct fragmentation_run run = {
        .series = result->series,
        .series_count = result->series_count,
        .operations = result->operations,
        .peak_requested_bytes = result->peak_requested_bytes,
        .peak_held_bytes = result->peak_held_bytes,
        .startup_resident_bytes = result->startup_resident_bytes,
        .held_known = result->held_known,
        .speed = options->engine.speed,
    };
    emit_bytes(emit, "peak_requested_bytes", ok, result->peak_requested_bytes);
    emit_bytes(emit, "peak_usable_bytes", ok, result->peak_usable_bytes);
    emit_bytes(emit, "peak_held_bytes", ok && result->held_known, result->peak_held_bytes);
    emit_bytes(emit, "peak_resident_bytes", ok, result->peak_resident_bytes);
    emit_bytes(emit, "startup_resident_bytes", ok, result->startup_resident_bytes);
    emit_bool(emit, "held_known", ok && result->held_known);
    struct fragmentation shares = ok ? fragmentation_of(&run) : fragmentation_unknown;
    struct memory_over_time means = ok ? memory_over_time(&run, NULL, 0) : memory_over_time_unknown;
    fragmentation_emit(emit, &shares);
    memory_over_time_emit(emit, &means);
    struct run_memory more;
    char calls[512];
    run_memory_take(&more, result);
    run_memory_emit(emit, ok ? &more : NULL, emit->format == EMIT_JSON);
    if (emit->format != EMIT_JSON)
        emit_string(emit, "system_calls",
                    ok ? run_memory_calls_text(&more, calls, sizeof calls) : NULL);
}

/* What every kind of run begins with. */
static void emit_head(struct emit *emit, const struct replay_options *options,
                      const struct allocator *allocator, const struct engine_run *run)
{
    emit_begin(emit, stdout, options->format);
    emit_object(emit, NULL);
    if (options->format == EMIT_JSON)
        emit_u64(emit, "schema_version", 1);
    emit_string(emit, "tape", options->tape.path);
    emit_string(emit, "allocator", allocator->name);
    emit_string(emit, "version", allocator->version);
    emit_string(emit, "status", run_status_word(run->status));
    if (run->detail[0] || options->format != EMIT_TABLE)
        emit_string(emit, "detail", run->detail);
}

static int exit_status(const struct engine_run *run)
{
    return cli_end(run->status == RUN_OK ? HEAPTAPE_EXIT_OK : HEAPTAPE_EXIT_CHECK_FAILED);
}

/* Where the run was paced, what came of it. */
static void emit_pace(struct emit *emit, const struct replay_options *options,
                      const struct engine_run *time)
{
    const struct engine_result *result = &time->result;
    bool paced = options->engine.pace, ok = paced && time->status == RUN_OK;
    emit_string(emit, "pace", paced ? options->engine.pace : ENGINE_DEFAULT_PACE);
    if (!paced && emit->format == EMIT_TABLE)
        return;
    emit_fixed(emit, "paced_seconds", ok ? (double)result->paced_ns / 1e9 : NAN, 9);
    emit_fixed(emit, "max_lag_seconds", ok ? (double)result->pace_max_lag_ns / 1e9 : NAN, 9);
    emit_fixed(emit, "late_share", ok ? engine_run_late_share(result) : NAN, 6);
}

static int print(const struct replay_options *options, const struct allocator *allocator,
                 const struct engine_run *time, const struct engine_run *memory, double floor_ns)
{
    struct emit emit;
    const struct engine_run *worst = time->status != RUN_OK ? time : memory;
    emit_head(&emit, options, allocator, worst);
    emit_time(&emit, time, floor_ns);
    emit_memory(&emit, options, memory);
    emit_string(&emit, "touch",
                options->engine.touch ? options->engine.touch : ENGINE_TOUCH_BY_MODE);
    emit_string(&emit, "order", options->engine.order);
    emit_pace(&emit, options, time);
    emit_bool(&emit, "damaged", time->result.damaged);
    emit_end(&emit);
    emit_finish(&emit);
    return exit_status(worst);
}

/* A run that is no result: interrupted, or the tape or machine is at fault and not the allocator.
 */
static void check_run(const struct replay_options *options, const struct engine_run *run)
{
    if (run->status == RUN_INTERRUPTED)
        exit(interrupt_exit_status());
    if (run->status == RUN_ERROR && run->result_is_there &&
        run->result.exit_status == HEAPTAPE_EXIT_BAD_INPUT)
        cli_die(HEAPTAPE_EXIT_BAD_INPUT, "%s", run->detail);
    /* "ok" after replaying nothing would pass --verify; an undamaged empty tape may be asked for.
     */
    if (run->status == RUN_OK && run->result.damaged && !run->result.operations)
        cli_die(HEAPTAPE_EXIT_BAD_INPUT,
                "%s: damaged, and no event of it can be read; see heaptape trace check, or record "
                "the program again",
                options->tape.path);
}

static int verify(struct replay_options *options, const struct allocator *allocator)
{
    static struct engine_run run;
    struct emit emit;
    verify_run(&options->tape, allocator, &options->engine, &run);
    check_run(options, &run);
    emit_head(&emit, options, allocator, &run);
    verify_emit(&emit, &options->tape, allocator, &options->engine, &run);
    emit_pace(&emit, options, &run);
    verify_emit_lists(&emit, &run);
    emit_end(&emit);
    emit_finish(&emit);
    return exit_status(&run);
}

static int memory_alone(struct replay_options *options, const struct allocator *allocator)
{
    static struct engine_run run;
    struct emit emit;
    engine_run(&options->tape, allocator, RUN_MODE_MEMORY, &options->engine, &run);
    check_run(options, &run);
    emit_head(&emit, options, allocator, &run);
    emit_bytes(&emit, "operations", run.status == RUN_OK, run.result.operations);
    emit_memory(&emit, options, &run);
    emit_string(&emit, "touch", options->engine.touch ? options->engine.touch : "page");
    emit_string(&emit, "order", options->engine.order);
    emit_pace(&emit, options, &run);
    emit_bool(&emit, "damaged", run.result.damaged);
    emit_end(&emit);
    emit_finish(&emit);
    return exit_status(&run);
}

static void emit_latency(struct emit *emit, const struct replay_options *options,
                         const struct allocator *allocator, const struct engine_latency *latency,
                         const struct engine_latency *floor)
{
    latency_emit_clock(emit, latency);
    if (options->format == EMIT_JSON)
        latency_emit_flat(emit, latency);
    emit_array(emit, "latency");
    latency_emit_rows(emit, latency, NULL, allocator->name, true);
    latency_emit_rows(emit, floor, NULL, ALLOCATOR_NULL, false);
    emit_end(emit);
}

static int latency(struct replay_options *options, const struct allocator *allocator,
                   const struct allocator *null)
{
    static struct engine_run run, floor;
    static struct engine_latency own; /* the next run takes the place of this one's */
    struct emit emit;
    engine_run(&options->tape, allocator, RUN_MODE_LATENCY, &options->engine, &run);
    check_run(options, &run);
    own = *run.latency;
    engine_run(&options->tape, null, RUN_MODE_LATENCY, &options->engine, &floor);
    check_run(options, &floor);
    emit_head(&emit, options, allocator, &run);
    emit_string(&emit, "touch", options->engine.touch ? options->engine.touch : "first");
    emit_string(&emit, "order", options->engine.order);
    emit_pace(&emit, options, &run);
    if (run.status == RUN_OK)
        emit_latency(&emit, options, allocator, &own, floor.latency);
    emit_end(&emit);
    emit_finish(&emit);
    return exit_status(&run);
}

int main(int argc, char **argv)
{
    static struct engine_run time, memory, floor;
    struct replay_options options;
    struct allocator_list list = {0};
    cli_begin("replay");
    parse(argc, argv, &options);
    open_tape(&options);
    interrupt_begin();
    allocators_add_one(&list, options.spec);
    if (options.verify)
        return verify(&options, &list.items[0]);
    if (options.memory)
        return memory_alone(&options, &list.items[0]);
    allocators_add(&list, ALLOCATOR_NULL);
    const struct allocator *allocator = &list.items[0], *null = allocators_named(&list, "null");
    if (options.latency)
        return latency(&options, allocator, null);
    engine_run(&options.tape, allocator, RUN_MODE_TIME, &options.engine, &time);
    check_run(&options, &time);
    engine_run(&options.tape, allocator, RUN_MODE_MEMORY, &options.engine, &memory);
    check_run(&options, &memory);
    engine_run(&options.tape, null, RUN_MODE_TIME, &options.engine, &floor);
    check_run(&options, &floor);
    return print(&options, allocator, &time, &memory, per_operation(&floor));
}
