/* heaptape bench: tapes on allocators, again and again, into a results folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "replayer/driver/allocator_file.h"
#include "replayer/driver/allocators.h"
#include "replayer/driver/bench_table.h"
#include "replayer/driver/blame_files.h"
#include "replayer/driver/bounds.h"
#include "replayer/driver/changes.h"
#include "replayer/driver/changes_print.h"
#include "replayer/driver/interrupt.h"
#include "replayer/driver/noise.h"
#include "replayer/driver/options.h"
#include "replayer/driver/results.h"
#include "replayer/driver/schedule.h"
#include "replayer/driver/tape_tables.h"
#include "replayer/driver/tapes.h"
#include "traces/cli.h"

#define DEFAULT_FOLDER         "heaptape-results"
#define DEFAULT_SEED           1
#define QUICK_ROUNDS           3
#define DEFAULT_MEMORY_ROUNDS  3
#define LATE_SHARE_WARN        0.05 /* of a run's operations are late, and the most by */
#define LATE_LAG_WARN          0.05 /* of its time */
#define DEFAULT_LATENCY_ROUNDS 1
#define CHECKED_LATENCY_ROUNDS 5 /* with a percentile in --fail-if: an interval needs rounds */
#define LATENCY_ROUNDS_MAX     100

static const char usage[] =
    "Examples:\n"
    "  heaptape bench app.tape\n"
    "  heaptape bench app.tape -a libc -a jemalloc -a mine=./libmine.so -n 9 -o results\n"
    "  heaptape bench traces/corpus/*.tape --quick --format=csv\n"
    "  heaptape bench app.tape -a mine=./libmine.so --against old --fail-if "
    "'time>3%,peak_resident>1%'\n"
    "  heaptape bench server.tape --pace=10          ten times as fast as recorded, pauses and "
    "all\n"
    "\n"
    "Usage: heaptape bench [OPTIONS] TAPE...\n"
    "\n"
    "Replays each TAPE on every allocator, each run in a fresh process, in rounds of a random "
    "order, and\n"
    "leaves RESULTS/results.json and RESULTS/series/*.csv for heaptape report and heaptape plot. "
    "The table\n"
    "on stdout gives medians with 95 % intervals; \"no difference shown\" where a test over the "
    "rounds does\n"
    "not tell the allocator from libc. libc (the baseline) and null (the floor: the replay's own "
    "cost)\n"
    "always run.\n"
    "\n"
    "  -a ALLOCATOR      run this one (again for more; default: every one found): a name of "
    "heaptape\n"
    "                    allocators, NAME=PATH or NAME=PATH,ENV=VALUE or NAME,ENV=VALUE (heaptape "
    "allocators\n"
    "                    --help)\n"
    "  --allocators=FILE allocators that FILE describes: names for -a, and among those found\n"
    "  -n ROUNDS         runs for time of each: a number, or auto (the default): at least as many "
    "as can\n"
    "                    show a difference, then until the interval of the time relative to libc "
    "is narrow\n"
    "                    enough, at most 30\n"
    "  --precision=SHARE how narrow for -n auto: its whole width, default 2%\n"
    "  --max-time=TIME   of one allocator's runs for time on one tape with -n auto (default 5s)\n"
    "  -o RESULTS        folder for the results (default " DEFAULT_FOLDER
    "); an earlier bench's results\n"
    "                    there are replaced, any other folder is refused\n"
    "  --latency-rounds=N  runs of each in which every call is timed by itself (default 1; 0 = "
    "none)\n"
    "  --quick           3 rounds: a first look\n"
    "  --seed=NUMBER     of the order and the intervals (default 1)\n"
    "  --touch=WORD      what of a new block is written: none, first (byte; the default for time), "
    "page\n"
    "                    (a byte of each page; the default for memory) or full\n"
    "  --order=WORD      causal (threads wait for what they depend on, the default), strict (the "
    "recorded\n"
    "                    order), or serial (likewise, all by one thread)\n"
    "  --pace=WORD       asap (as fast as it goes, the default), recorded (no call before its "
    "recorded\n"
    "                    moment), or how many times as fast as that, from 0.5 to 1000\n"
    "  --snapshots       snapshots of each heap into RESULTS/snapshots, from the first memory run "
    "(heaptape\n"
    "                    report draws heap maps of them)\n"
    "  --timeout=TIME    for each run (default: 60s, 1us for each event, and the recording's time "
    "at\n"
    "                    its pace)\n"
    "  --memory-limit=SIZE  resident at most (default: four fifths of the free memory)\n"
    "  --verify          first one run of each that checks every answer of the allocator (heaptape "
    "replay\n"
    "                    --verify); one that breaks a promise is a row saying so, is not "
    "measured,\n"
    "                    and makes the exit status 1\n"
    "  --against=OLD     compare with this earlier results folder, as heaptape diff does\n"
    "  --fail-if=LIST    exit 1 where that shows something worse: METRIC>PERCENT%, with commas "
    "between\n"
    "  --fail-missing    exit 1 also where OLD has a tape or an allocator that was not run\n"
    "  --strict          exit 1 where an allocator crashed, hung or ran out of memory\n"
    "  --format=WORD     of the summary on stdout: table (default), json or csv\n"
    "  --help, --version\n"
    "\n"
    "An allocator that crashes, hangs or runs out of memory is a row saying so; after a second "
    "failure (a\n"
    "first time-out) on a tape it is not run there again. Ctrl-C keeps what was measured.\n"
    "\n"
    "Exit status: 0 ok, 1 with --fail-if, --fail-missing, --strict or --verify, 2 usage, 3 not a "
    "tape,\n"
    "4 environment, 130 interrupted.\n";

struct bench_options {
    struct options_texts allocators;
    struct schedule_options schedule;
    enum emit_format format;
    const char *against, *fail_if; /* NULL where not given */
    bool fail_missing;
    struct metric_limit limits[METRIC_LIMITS_MAX];
    size_t limit_count;
    struct saved old; /* of `against`, read before anything runs */
    bool strict;
};

static unsigned latency_rounds(const char *text)
{
    uint64_t rounds = cli_count("--latency-rounds", text);
    if (rounds > LATENCY_ROUNDS_MAX)
        cli_die_usage("--latency-rounds=%s: at most %d", text, LATENCY_ROUNDS_MAX);
    return (unsigned)rounds;
}

static void parse(int argc, char **argv, struct bench_options *options, struct results *results)
{
    static const struct option table[] = {
        {"allocator", required_argument, NULL, 'a'},
        {"rounds", required_argument, NULL, 'n'},
        {"output", required_argument, NULL, 'o'},
        {"against", required_argument, NULL, OPTION_AGAINST},
        {"fail-if", required_argument, NULL, OPTION_FAIL_IF},
        {"fail-missing", no_argument, NULL, OPTION_FAIL_MISSING},
        {"precision", required_argument, NULL, OPTION_PRECISION},
        {"max-time", required_argument, NULL, OPTION_MAX_TIME},
        {"latency-rounds", required_argument, NULL, OPTION_LATENCY},
        {"quick", no_argument, NULL, OPTION_QUICK},
        {"seed", required_argument, NULL, OPTION_SEED},
        {"touch", required_argument, NULL, OPTION_TOUCH},
        {"order", required_argument, NULL, OPTION_ORDER},
        {"pace", required_argument, NULL, OPTION_PACE},
        {"snapshots", no_argument, NULL, OPTION_SNAPSHOTS},
        {"timeout", required_argument, NULL, OPTION_TIMEOUT},
        {"memory-limit", required_argument, NULL, OPTION_MEMORY_LIMIT},
        {"verify", no_argument, NULL, OPTION_VERIFY},
        {"strict", no_argument, NULL, OPTION_STRICT},
        {"allocators", required_argument, NULL, OPTION_ALLOCATORS},
        {"format", required_argument, NULL, OPTION_FORMAT},
        OPTIONS_COMMON};
    options->schedule.folder = DEFAULT_FOLDER;
    options->schedule.memory_rounds = DEFAULT_MEMORY_ROUNDS;
    results->latency_rounds = DEFAULT_LATENCY_ROUNDS;
    for (int option; (option = options_next(argc, argv, ":a:n:o:h", table, usage)) != -1;) {
        if (option == 'a')
            options_collect(&options->allocators, "-a", optarg);
        else if (option == 'n')
            options->schedule.rounds =
                strcmp(optarg, "auto") ? options_number("-n", optarg, STATISTICS_VALUES) : 0;
        else if (option == OPTION_ALLOCATORS)
            allocator_file_read(optarg);
        else if (option == OPTION_AGAINST)
            options->against = optarg;
        else if (option == OPTION_FAIL_IF)
            options->fail_if = optarg;
        else if (option == OPTION_FAIL_MISSING)
            options->fail_missing = true;
        else if (option == OPTION_PRECISION)
            results->precision = options_share("--precision", optarg);
        else if (option == OPTION_MAX_TIME)
            results->max_time_ns = cli_duration("--max-time", optarg);
        else if (option == 'o')
            options->schedule.folder = optarg;
        else if (option == OPTION_LATENCY)
            results->latency_rounds = latency_rounds(optarg);
        else if (option == OPTION_QUICK)
            options->schedule.rounds = QUICK_ROUNDS;
        else if (option == OPTION_SEED)
            results->seed = cli_count("--seed", optarg);
        else if (option == OPTION_VERIFY)
            options->schedule.verify = true;
        else if (option == OPTION_SNAPSHOTS)
            options->schedule.snapshots = true;
        else if (option == OPTION_STRICT)
            options->strict = true;
        else if (option == OPTION_FORMAT)
            options->format = options_format(optarg);
        else
            options_engine(option, optarg, &results->settings);
    }
    if (optind == argc)
        cli_die_usage("no tape given; heaptape record -o app.tape -- PROGRAM makes one");
    if ((options->fail_if || options->fail_missing) && !options->against)
        cli_die_usage(
            "--fail-if and --fail-missing need --against=OLD, the results to compare with");
    options->limit_count = metric_limits("--fail-if", options->fail_if, options->limits);
    for (size_t i = 0; i < options->limit_count; i++)
        if (!strcmp(options->limits[i].metric->mode, "latency") &&
            results->latency_rounds < CHECKED_LATENCY_ROUNDS)
            results->latency_rounds = CHECKED_LATENCY_ROUNDS;
    if (options->against) /* before it is replaced, where it is our own folder */
        saved_read(&options->old, options->against);
    unsigned rounds = options->schedule.rounds;
    if (rounds && rounds < options->schedule.memory_rounds)
        options->schedule.memory_rounds = rounds;
    results->rounds = rounds;
}

/* The command as a person would type it again. */
static void keep_command(struct results *results, int argc, char **argv)
{
    const char **command = calloc((size_t)argc + 2, sizeof *command);
    if (!command)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    command[0] = "heaptape";
    command[1] = "bench";
    for (int i = 1; i < argc; i++)
        command[i + 1] = argv[i];
    results->command = command;
}

static void describe(struct results *results)
{
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(results->created_utc, sizeof results->created_utc, "%Y-%m-%dT%H:%M:%SZ", &utc);
    machine_describe(&results->machine);
    if (!results->settings.memory_bytes)
        results->settings.memory_bytes = engine_default_memory_bytes();
}

static void choose_allocators(struct results *results, const struct options_texts *specs)
{
    if (specs->count) {
        allocators_add(&results->allocators, ALLOCATOR_LIBC);
        for (size_t i = 0; i < specs->count; i++)
            allocators_add(&results->allocators, specs->items[i]);
        allocators_add(&results->allocators, ALLOCATOR_NULL);
    } else {
        allocators_find(&results->allocators, false);
    }
    allocators_packages(&results->allocators);
}

/* What of the surroundings changes the figures and may not be meant to. */
static void warn_environment(struct results *results)
{
    static const char *const variables[] = {"MALLOC_CONF",           "GLIBC_TUNABLES",
                                            "MALLOC_ARENA_MAX",      "MALLOC_TRIM_THRESHOLD_",
                                            "MALLOC_PERTURB_",       "MALLOC_TOP_PAD_",
                                            "MIMALLOC_VERBOSE",      "MIMALLOC_LARGE_OS_PAGES",
                                            "HTMALLOC_OPTIONS",      "TCMALLOC_RELEASE_RATE",
                                            "MALLOC_MMAP_THRESHOLD_"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        if (getenv(variables[i]))
            results_warn(results, "environment", "unset it, or name it with -a NAME=PATH,ENV=VALUE",
                         "%s is set and applies to every run", variables[i]);
    if (results->machine.governor[0] && strcmp(results->machine.governor, "performance") != 0)
        results_warn(results, "governor", "cpupower frequency-set -g performance",
                     "the CPU's frequency governor is %s", results->machine.governor);
    unsigned least = schedule_least_rounds(results);
    char hint[64];
    snprintf(hint, sizeof hint, "use -n %u or more, or -n auto", least);
    if (results->rounds && results->rounds < least)
        results_warn(results, "few_rounds", hint,
                     "%u rounds are too few to show a difference in time where one allocator "
                     "differs and the others do not",
                     results->rounds);
}

/* What was felt (the probe's computation) and what is known of its cause. */
static void warn_noise(struct results *results)
{
    const struct load *load = &results->load;
    char cause[128] = "";
    if (load->others_cores >= LOAD_WARN_CORES)
        snprintf(cause, sizeof cause, "; other programs kept %.1f of %u cores busy",
                 load->others_cores, results->machine.cores);
    if (load->steal_share >= LOAD_WARN_STEAL)
        results_warn(results, "steal", "bench on a machine of your own, or at another hour",
                     "the host took %.1f %% of a core's time away from this virtual machine",
                     100 * load->steal_share);
    if (load->throttled > 0)
        results_warn(results, "throttled", "let it cool down, or fix a lower frequency",
                     "the processor slowed itself down for its heat %.0f times", load->throttled);
    if (results->noise_percent >= NOISE_TELL_PERCENT)
        results_warn(results, "noisy_machine",
                     "too noisy to tell small differences: close other programs and bench again",
                     "the same computation varied by %.0f %% during the bench%s",
                     results->noise_percent, cause);
    else if (results->noise_percent >= NOISE_WARN_PERCENT)
        results_warn(results, "noisy_machine",
                     "close other programs or use more rounds, for example -n 30",
                     "the same computation varied by %.0f %% during the bench%s",
                     results->noise_percent, cause);
    else if (cause[0])
        results_warn(results, "busy_machine", "close them for narrower intervals",
                     "the machine was not ours alone%s", cause);
}

/* What hurries after its moments is no longer the recorded pace. */
static void warn_late(struct results *results)
{
    for (size_t i = 0; results->settings.pace && i < results->run_count; i++) {
        const struct results_run *run = &results->runs[i];
        if (run->status == RUN_OK && run->late_share >= LATE_SHARE_WARN &&
            run->max_lag_seconds >= LATE_LAG_WARN * run->paced_seconds)
            results_warn(results, "late", "choose a slower --pace, or a machine with less to do",
                         "%s: the replay did not keep up with its pace everywhere",
                         results->tapes[run->tape].name);
    }
}

/* The check against earlier results; what it says goes to stdout with the summary. */
struct check {
    bool made, failed;
    struct changes changes;
};

static void check_make(struct check *check, const struct bench_options *options)
{
    static struct saved new;
    if (!options->against)
        return;
    saved_read(&new, options->schedule.folder);
    changes_find(&check->changes, &options->old, &new, options->limits, options->limit_count);
    check->failed = changes_fail(&check->changes, options->fail_if, options->fail_missing);
    check->made = true;
}

static void print(const struct results *results, const struct bench_options *options,
                  const struct check *check)
{
    struct emit emit;
    if (options->format == EMIT_TABLE) {
        bench_table_print(stdout, results, options_colour());
        if (check->made) {
            putchar('\n');
            changes_print_table(stdout, &check->changes, check->failed, options_colour());
        }
    } else {
        emit_begin(&emit, stdout, options->format);
        emit_object(&emit, NULL);
        emit_u64(&emit, "schema_version", RESULTS_SCHEMA_VERSION);
        emit_bool(&emit, "complete", results->complete);
        if (check->made) { /* first, for in CSV the first list is what is printed */
            emit_object(&emit, "against");
            changes_emit(&emit, &check->changes, check->failed);
            emit_end(&emit);
        }
        results_emit_summary(&emit, results);
        emit_end(&emit);
        emit_finish(&emit);
    }
    fflush(stdout);
    for (unsigned i = 0; i < results->warning_count; i++)
        cli_warn("%s; %s", results->warnings[i].message, results->warnings[i].hint);
    changes_warn(&check->changes);
}

/* Whether a check that was asked for failed: any run with `strict`, else those that verify. */
static bool any_failed(const struct results *results, bool strict)
{
    for (size_t i = 0; i < results->run_count; i++)
        if (results->runs[i].status != RUN_OK &&
            (strict || results->runs[i].mode == RUN_MODE_VERIFY))
            return true;
    return false;
}

int main(int argc, char **argv)
{
    static struct results results = {.seed = DEFAULT_SEED,
                                     .precision = SCHEDULE_PRECISION,
                                     .max_time_ns = SCHEDULE_MAX_TIME_NS,
                                     .settings.order = ENGINE_DEFAULT_ORDER};
    static struct bench_options options;
    static struct noise noise;
    static struct check check;
    cli_begin("bench");
    keep_command(&results, argc, argv);
    parse(argc, argv, &options, &results);
    describe(&results);
    choose_allocators(&results, &options.allocators);
    tapes_load(&results, argv + optind, (unsigned)(argc - optind));
    interrupt_begin();
    results_open_folder(options.schedule.folder);
    results_write_sizes(&results, options.schedule.folder);
    tape_tables_write(&results, options.schedule.folder);
    bounds_find(&results, options.schedule.folder);
    warn_environment(&results);
    noise_sample(&noise, 10);
    results.noise_before_percent = noise_percent(&noise);
    struct load_reading before = load_read();
    results.complete = schedule_run(&results, &options.schedule, &noise);
    struct load_reading after = load_read();
    results.load = load_between(&before, &after);
    results.noise_percent = noise_percent(&noise);
    results.load_known = true;
    warn_noise(&results);
    warn_late(&results);
    results_summarize(&results);
    results_write(&results, options.schedule.folder);
    blame_files_write(&results, options.schedule.folder);
    if (results.complete)
        check_make(&check, &options);
    print(&results, &options, &check);
    if (!results.complete) {
        cli_warn("interrupted; what was measured is in %s", options.schedule.folder);
        return interrupt_exit_status();
    }
    return cli_end(check.failed || any_failed(&results, options.strict) ? HEAPTAPE_EXIT_CHECK_FAILED
                                                                        : HEAPTAPE_EXIT_OK);
}
