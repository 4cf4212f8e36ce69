/* heaptape live: the real program under each allocator, beside what replay predicted. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "replayer/driver/interrupt.h"
#include "replayer/driver/live.h"
#include "replayer/driver/live_print.h"
#include "replayer/driver/options.h"
#include "replayer/driver/output.h"
#include "replayer/driver/prediction.h"
#include "replayer/driver/preload.h"
#include "replayer/driver/process.h"
#include "traces/cli.h"

#define DEFAULT_FOLDER  "heaptape-results"
#define DEFAULT_RUNS    5
#define DEFAULT_TIMEOUT UINT64_C(600000000000)

static const char usage[] =
    "Examples:\n"
    "  heaptape live -- sqlite3 my.db .dump\n"
    "  heaptape live -o results -- python3 script.py       beside what results/ predicts\n"
    "  heaptape live -n 10 -a jemalloc app.tape -- ./app   beside what replaying app.tape "
    "predicts\n"
    "\n"
    "Usage: heaptape live [OPTIONS] [TAPE...] -- PROGRAM ARGS\n"
    "\n"
    "Runs PROGRAM itself under each allocator: its time by hyperfine, its peak resident (of the "
    "largest\n"
    "process where it starts others) and its processor time by runs of our own, beside what "
    "replay\n"
    "predicts:\n"
    "    predicted = real on libc + replayed - replayed on libc\n"
    "with the replayed peaks from RESULTS/results.json, or from replaying the TAPEs here, which "
    "tells "
    "more:\n"
    "at the recorded pace, so that allocators that give memory back by the clock do so; with what "
    "the\n"
    "tape's samples show beside the heap; and the processor time, too. The program's output is "
    "thrown\n"
    "away. Leaves RESULTS/live.json, which heaptape report shows.\n"
    "\n"
    "  -a ALLOCATOR      run on this one beside libc (again for more; default: every one found)\n"
    "  -n RUNS           of each kind on each allocator (default 5)\n"
    "  -o RESULTS        folder of results (default " DEFAULT_FOLDER ")\n"
    "  --input=FILE      the program's standard input (default: nothing)\n"
    "  --no-hyperfine    leave the elapsed times out\n"
    "  --pace=WORD       of replay for memory: recorded (default), asap, or how many times as "
    "fast\n"
    "  --touch=WORD      what replay writes of a new block: none, first, page (default) or full\n"
    "  --timeout=TIME    for each run of the program (default 10m)\n"
    "  --format=WORD     of what is printed: table (default), json or csv\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 ok, 2 usage, 3 bad input, 4 environment (no hyperfine, a static program), 126 "
    "PROGRAM\n"
    "cannot be run, 127 it is not there, 130 interrupted (what was measured is kept).\n";

struct live_options {
    struct options_texts allocators;
    struct live_program program;
    char **tapes;
    unsigned tape_count;
    const char *folder;
    struct engine_settings engine;
    bool no_hyperfine;
    enum emit_format format;
};

/* The index of "--", before which options and tapes stand. */
static int find_program(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--"))
            return i;
    return argc;
}

static void parse(int argc, char **argv, struct live_options *options)
{
    static const struct option table[] = {{"allocator", required_argument, NULL, 'a'},
                                          {"runs", required_argument, NULL, 'n'},
                                          {"output", required_argument, NULL, 'o'},
                                          {"input", required_argument, NULL, OPTION_INPUT},
                                          {"timeout", required_argument, NULL, OPTION_TIMEOUT},
                                          {"no-hyperfine", no_argument, NULL, OPTION_NO_HYPERFINE},
                                          {"pace", required_argument, NULL, OPTION_PACE},
                                          {"touch", required_argument, NULL, OPTION_TOUCH},
                                          {"format", required_argument, NULL, OPTION_FORMAT},
                                          OPTIONS_COMMON};
    int split = find_program(argc, argv);
    options->program.runs = DEFAULT_RUNS;
    options->program.timeout_ns = DEFAULT_TIMEOUT;
    options->folder = DEFAULT_FOLDER;
    options_engine(OPTION_PACE, "recorded", &options->engine);
    for (int option; (option = options_next(split, argv, ":a:n:o:h", table, usage)) != -1;) {
        if (option == 'a')
            options_collect(&options->allocators, "-a", optarg);
        else if (option == 'n')
            options->program.runs = options_number("-n", optarg, LIVE_RUNS_MAX);
        else if (option == 'o')
            options->folder = optarg;
        else if (option == OPTION_INPUT)
            options->program.input = optarg;
        else if (option == OPTION_TIMEOUT)
            options->program.timeout_ns = cli_duration("--timeout", optarg);
        else if (option == OPTION_NO_HYPERFINE)
            options->no_hyperfine = true;
        else if (option == OPTION_FORMAT)
            options->format = options_format(optarg);
        else
            options_engine(option, optarg, &options->engine);
    }
    if (split >= argc - 1)
        cli_die_usage("no program given; put it after --");
    if (options->program.runs < 2 && !options->no_hyperfine)
        cli_die_usage("-n %u: hyperfine needs 2 runs or more; use more, or --no-hyperfine",
                      options->program.runs);
    options->program.arguments = argv + split + 1;
    options->tapes = argv + optind;
    options->tape_count = (unsigned)(split - optind);
}

static void need_hyperfine(void)
{
    const char *arguments[] = {"hyperfine", "--version", NULL};
    struct process_result result;
    struct process_request request = {
        .arguments = arguments,
        .input = PROCESS_NULL,
        .output = PROCESS_NULL,
        .error = PROCESS_NULL,
    };
    process_run(&request, &result);
    if (result.end == PROCESS_INTERRUPTED)
        exit(interrupt_exit_status());
    if (result.end != PROCESS_EXITED || result.exit_status)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "hyperfine is not there; apt-get install hyperfine");
}

/* libc first; the null allocator hands the same memory out again and again, so no program runs on
 * it. */
static void choose_allocators(struct allocator_list *list, const struct options_texts *specs)
{
    if (!specs->count)
        allocators_find(list, false);
    else
        allocators_add(list, ALLOCATOR_LIBC);
    for (size_t i = 0; i < specs->count; i++)
        allocators_add(list, specs->items[i]);
    for (size_t i = list->count; i-- > 0;)
        if (list->items[i].is_floor) {
            if (specs->count)
                cli_die_usage("-a null: measures replay alone; no program can run on it");
            memmove(&list->items[i], &list->items[i + 1],
                    (--list->count - i) * sizeof *list->items);
        }
}

static void open_folder(const char *folder)
{
    if (mkdir(folder, 0777) < 0 && errno != EEXIST)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot make %s: %s; choose another with -o", folder,
                strerror(errno));
    if (access(folder, W_OK | X_OK) < 0)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot write to %s: %s; choose another with -o", folder,
                strerror(errno));
}

int main(int argc, char **argv)
{
    static struct live_options options;
    struct target target;
    struct live_report report = {0};
    struct allocator_list list = {0};
    cli_begin("live");
    parse(argc, argv, &options);
    if (target_check(options.program.arguments[0], &target) != TARGET_OK)
        preload_refuse(&target);
    interrupt_begin();
    if (!options.no_hyperfine)
        need_hyperfine();
    choose_allocators(&list, &options.allocators);
    open_folder(options.folder);
    struct live_entry *entries = calloc(list.count, sizeof *entries);
    if (!entries)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    for (size_t i = 0; i < list.count; i++)
        entries[i].mean = entries[i].stddev = entries[i].median = entries[i].min = entries[i].max =
            entries[i].peak_median_bytes = entries[i].cpu_median_seconds = NAN;
    prediction_begin(&report.prediction, list.count);
    options.engine.order = ENGINE_DEFAULT_ORDER;
    options.engine.memory_bytes = engine_default_memory_bytes();
    report.complete = true;
    if (options.tape_count)
        report.complete = prediction_replay(&report.prediction, options.tapes, options.tape_count,
                                            &list, &options.engine, options.program.runs);
    else
        prediction_read(&report.prediction, options.folder, &list, options.program.arguments[0]);
    report.complete =
        report.complete && live_measure_peaks(&options.program, &list, entries) &&
        (options.no_hyperfine || live_measure_times(&options.program, &list, entries));
    report.program = &options.program;
    report.list = &list;
    report.entries = entries;
    live_write(&report, options.folder);
    live_print(stdout, &report, options.format);
    if (!report.complete)
        return interrupt_exit_status();
    return cli_end(HEAPTAPE_EXIT_OK);
}
