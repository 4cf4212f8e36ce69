/* heaptape score: allocators against libc by the formula of the malloc contest. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "replayer/driver/counted.h"
#include "replayer/driver/interrupt.h"
#include "replayer/driver/options.h"
#include "replayer/driver/preload.h"
#include "replayer/driver/score.h"
#include "replayer/driver/statistics.h"
#include "traces/cli.h"
#include "traces/emit.h"
#include "traces/target.h"

static const char usage[] =
    "Examples:\n"
    "  heaptape score -a best-fit -- sqlite3 :memory: < queries.sql\n"
    "  heaptape score -a mine=./libmine.so -c 'jq . big.json' -c 'perl script.pl' -c 'lua5.4 "
    "bench.lua'\n"
    "  heaptape score -a textbook -n 3 --format=json -- python3 script.py\n"
    "\n"
    "Usage: heaptape score -a ALLOCATOR... [OPTIONS] [-- PROGRAM ARGS]\n"
    "\n"
    "Runs each program on libc and on each allocator and scores the allocator:\n"
    "  100 % / 3n * sum over n programs of\n"
    "    log2(t_libc/t + 1) + log2(avg_libc/avg + 1) + log2(max_libc/max + 1)\n"
    "t is CPU time (median over the rounds, run without counting), avg the mean heap after each "
    "call\n"
    "and max the largest heap (heaptape stats, one run). Like libc is 100 %, twice as good 158 %, "
    "half\n"
    "as good 58 %; a program that ends otherwise than on libc gives 0.\n"
    "\n"
    "  -a ALLOCATOR         a name of heaptape allocators, NAME=PATH or NAME=PATH,ENV=VALUE; again "
    "for\n"
    "                       more\n"
    "  -c COMMAND           a program as a line for sh -c; again for more\n"
    "  -n ROUNDS            runs for the time, in turn with the others' (default 5)\n"
    "  --input=FILE         what PROGRAM and commands read (default: standard input where that is "
    "a\n"
    "                       file, else nothing); what they print is dropped\n"
    "  --limit-time=TIME    of each run\n"
    "  --format=WORD        table (default), json or csv\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0; 1 where a program failed on an allocator; 2 usage; 3 a program fails on libc "
    "by a\n"
    "signal or a limit; 4 environment; 130 interrupted.\n";

enum { OPTION_SCORE_INPUT = 400, OPTION_SCORE_TIME };

#define PROGRAMS_MAX 64

static struct score_program programs[PROGRAMS_MAX];
static unsigned program_count, rounds = 5;
static struct allocator_list list;
static struct score_cell *cells; /* [allocator][program]; allocator 0 is libc */
static int input = -1, nothing = -1;
static uint64_t limit_ns;

static struct score_cell *cell(size_t allocator, unsigned program)
{
    return &cells[allocator * program_count + program];
}

/* ---- what is asked for ---- */

static void add_command(const char *line)
{
    if (program_count == PROGRAMS_MAX)
        cli_die_usage("at most %d commands", PROGRAMS_MAX);
    char **words = calloc(4, sizeof *words);
    if (!words)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    words[0] = "sh";
    words[1] = "-c";
    words[2] = (char *)line;
    programs[program_count++] = (struct score_program){line, words};
}

static void add_program(char **arguments)
{
    struct target target;
    if (program_count == PROGRAMS_MAX)
        cli_die_usage("at most %d commands", PROGRAMS_MAX);
    if (target_check(arguments[0], &target) != TARGET_OK)
        preload_refuse(&target);
    programs[program_count++] = (struct score_program){arguments[0], arguments};
}

static bool is_file(int fd)
{
    return lseek(fd, 0, SEEK_CUR) >= 0;
}

static void open_input(const char *path)
{
    nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    input = path ? open(path, O_RDONLY | O_CLOEXEC) : is_file(0) ? 0 : nothing;
    if (nothing < 0 || input < 0)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot read %s: %s", path ? path : "/dev/null",
                strerror(errno));
}

static enum emit_format take_options(int argc, char **argv, struct options_texts *specs)
{
    static const struct option options[] = {
        {"allocator", required_argument, NULL, 'a'},
        {"command", required_argument, NULL, 'c'},
        {"rounds", required_argument, NULL, 'n'},
        {"input", required_argument, NULL, OPTION_SCORE_INPUT},
        {"limit-time", required_argument, NULL, OPTION_SCORE_TIME},
        {"format", required_argument, NULL, OPTION_FORMAT},
        OPTIONS_COMMON};
    enum emit_format format = EMIT_TABLE;
    const char *path = NULL;
    for (int option; (option = options_next(argc, argv, "+:a:c:n:h", options, usage)) != -1;) {
        if (option == 'a')
            options_collect(specs, "-a", optarg);
        else if (option == 'c')
            add_command(optarg);
        else if (option == 'n')
            rounds = options_number("-n", optarg, SCORE_ROUNDS_MAX);
        else if (option == OPTION_SCORE_INPUT)
            path = optarg;
        else if (option == OPTION_SCORE_TIME)
            limit_ns = cli_duration("--limit-time", optarg);
        else
            format = options_format(optarg);
    }
    if (optind < argc)
        add_program(argv + optind);
    if (!program_count)
        cli_die_usage("no program given; put it after --, or give commands with -c");
    if (!specs->count)
        cli_die_usage("no allocator given; try -a htmalloc");
    open_input(path);
    return format;
}

/* ---- runs ---- */

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* One run; false where it ended otherwise than it should. */
static void run(size_t allocator, unsigned program, bool count, struct counted *counted)
{
    struct score_cell *into = cell(allocator, program);
    struct counted_request request = {.arguments = programs[program].arguments,
                                      .allocator = &list.items[allocator],
                                      .count = count,
                                      .input = input,
                                      .output = nothing,
                                      .limit_ns = limit_ns};
    lseek(input, 0, SEEK_SET);
    counted_run(&request, counted);
    into->status = counted_exit_status(counted);
    if (WIFSIGNALED(counted->status) && WTERMSIG(counted->status) == SIGINT)
        exit(130);                                              /* Ctrl-C */
    if (counted->end != COUNTED_ENDED || into->status >= 128) { /* by a signal, or sh says so */
        into->failed = true;
        into->detail = counted->end != COUNTED_ENDED ? "took too long" : "ended by a signal";
    }
    if (into->failed && allocator == 0)
        cli_die(HEAPTAPE_EXIT_BAD_INPUT, "%s: %s on libc; give a program that ends by itself",
                programs[program].words, into->detail);
}

static void run_counted(size_t allocator, unsigned program)
{
    static struct counted counted;
    struct score_cell *into = cell(allocator, program);
    run(allocator, program, true, &counted);
    bool known = counted.heap.processes && counted.heap.known != COUNTS_HEAP_UNKNOWN;
    into->mean_bytes = known ? counted.heap.mean_bytes : NAN;
    into->largest_bytes = known ? (double)counted.heap.largest_bytes : NAN;
}

static void run_all(void)
{
    static struct counted counted;
    double *times = calloc(list.count * rounds, sizeof *times);
    if (!times)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    for (unsigned program = 0; program < program_count; program++) {
        for (size_t i = 0; i < list.count; i++)
            run_counted(i, program);
        for (unsigned round = 0; round < rounds; round++)
            for (size_t i = 0; i < list.count; i++) {
                if (cell(i, program)->failed)
                    continue;
                run(i, program, false, &counted);
                times[i * rounds + round] =
                    seconds(counted.usage.ru_utime) + seconds(counted.usage.ru_stime);
            }
        for (size_t i = 0; i < list.count; i++)
            cell(i, program)->cpu_seconds = statistics_median(times + i * rounds, rounds);
        for (size_t i = 1; i < list.count; i++)
            score_judge(cell(0, program), cell(i, program));
    }
    free(times);
}

/* ---- what came out ---- */

static void print_row(const struct score_cell *cell, const struct score_cell *libc,
                      const char *words)
{
    char mean[16], largest[16];
    if (cell->failed) {
        printf("  %-28.28s %s\n", words, cell->detail);
        return;
    }
    bool known = !isnan(cell->mean_bytes);
    printf("  %-28.28s %8.3f s %10s %10s", words, cell->cpu_seconds,
           known ? cli_format_bytes((uint64_t)cell->mean_bytes, mean) : "unknown",
           known ? cli_format_bytes((uint64_t)cell->largest_bytes, largest) : "unknown");
    if (cell != libc)
        printf("  %5.2f %5.2f %5.2f", cell->time_part, cell->mean_part, cell->largest_part);
    putchar('\n');
}

static void print_table(void)
{
    printf("%-30s %10s %10s %10s   parts: time, mean, largest\n", "", "CPU time", "mean heap",
           "largest");
    for (size_t i = 0; i < list.count; i++) {
        if (i == 0)
            printf("libc\n");
        else
            printf("%-30s %.1f %%\n", list.items[i].name, score_sum(cell(i, 0), program_count));
        for (unsigned program = 0; program < program_count; program++)
            print_row(cell(i, program), cell(0, program), programs[program].words);
    }
}

static void emit_cell(struct emit *emit, size_t allocator, unsigned program)
{
    const struct score_cell *own = cell(allocator, program);
    emit_object(emit, NULL);
    emit_string(emit, "allocator", list.items[allocator].name);
    emit_string(emit, "program", programs[program].words);
    emit_string(emit, "status", own->failed ? "failed" : "ok");
    if (own->detail)
        emit_string(emit, "detail", own->detail);
    else
        emit_null(emit, "detail");
    emit_i64(emit, "exit_status", own->status);
    emit_fixed(emit, "cpu_seconds", own->failed ? NAN : own->cpu_seconds, 6);
    emit_fixed(emit, "mean_heap_bytes", own->mean_bytes, 1);
    emit_fixed(emit, "largest_heap_bytes", own->largest_bytes, 0);
    emit_fixed(emit, "time_part", allocator ? own->time_part : 1, 4);
    emit_fixed(emit, "mean_heap_part", allocator ? own->mean_part : 1, 4);
    emit_fixed(emit, "largest_heap_part", allocator ? own->largest_part : 1, 4);
    emit_fixed(emit, "score_percent",
               allocator ? score_sum(cell(allocator, 0), program_count) : 100, 2);
    emit_end(emit);
}

static void print_data(enum emit_format format)
{
    struct emit emit;
    emit_begin(&emit, stdout, format);
    emit_object(&emit, NULL);
    emit_u64(&emit, "schema_version", 1);
    emit_u64(&emit, "rounds", rounds);
    emit_array(&emit, "runs");
    for (size_t i = 0; i < list.count; i++)
        for (unsigned program = 0; program < program_count; program++)
            emit_cell(&emit, i, program);
    emit_end(&emit);
    emit_end(&emit);
    emit_finish(&emit);
}

int main(int argc, char **argv)
{
    static struct options_texts specs;
    bool failed = false;
    cli_begin("score");
    enum emit_format format = take_options(argc, argv, &specs);
    interrupt_begin();
    allocators_add(&list, ALLOCATOR_LIBC);
    for (size_t i = 0; i < specs.count; i++)
        allocators_add(&list, specs.items[i]);
    interrupt_end();
    if (list.count < 2)
        cli_die_usage("libc is what the others are scored against; name another allocator");
    cells = calloc(list.count * program_count, sizeof *cells);
    if (!cells)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    run_all();
    if (format == EMIT_TABLE)
        print_table();
    else
        print_data(format);
    for (size_t i = 1; i < list.count; i++)
        for (unsigned program = 0; program < program_count; program++)
            failed = failed || cell(i, program)->failed;
    return cli_end(failed ? HEAPTAPE_EXIT_CHECK_FAILED : 0);
}
