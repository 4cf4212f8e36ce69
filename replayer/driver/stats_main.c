/* heaptape stats: run a program, then say what it cost and what its heap did. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include "replayer/driver/counted.h"
#include "replayer/driver/options.h"
#include "replayer/driver/preload.h"
#include "replayer/driver/stats_print.h"
#include "traces/cli.h"
#include "traces/target.h"

static const char usage[] =
    "Examples:\n"
    "  heaptape stats -- sqlite3 my.db 'select count(*) from t'\n"
    "  heaptape stats -a best-fit -- python3 script.py\n"
    "  heaptape stats -a jemalloc --evaluate=cost.txt --limit-time=10s -- ./app\n"
    "\n"
    "Usage: heaptape stats [OPTIONS] -- PROGRAM ARGS\n"
    "\n"
    "Runs PROGRAM and prints on stderr how it ended, what it cost (time, CPU time, peak resident\n"
    "memory), and what its heap did: how large it was at most and on the mean after each call,\n"
    "allocations, frees, splits and coalesces where the allocator tells them (the textbook ones "
    "do),\n"
    "and what was not freed at the end. Input and output are PROGRAM's own. It is counted inside "
    "the\n"
    "program, so that _exit and crashes lose nothing. Where PROGRAM starts others, times and "
    "counts\n"
    "are sums and peaks those of the largest process; \"not freed\" is PROGRAM's own.\n"
    "\n"
    "The heap is what the allocator holds from the system by brk and mmap, writable memory alone.\n"
    "libc's and the textbook allocators' is exact; others' is sampled.\n"
    "htmalloc tells at its end where its memory is: live, free in runs, dirty, by size class and\n"
    "by thread; that follows, as the program and its children ended.\n"
    "\n"
    "  -a ALLOCATOR         run it on this one: a name of heaptape allocators, NAME=PATH or\n"
    "                       NAME=PATH,ENV=VALUE (default: what it has anyway)\n"
    "  -o FILE              print into FILE instead\n"
    "  --format=WORD        table (default), json or csv\n"
    "  --evaluate=FILE      the figures for scripts into FILE, one \"key=value\" a line (the keys "
    "of\n"
    "                       --format=json; nothing behind \"=\" where a figure is unknown)\n"
    "  --limit-time=TIME    end it after this long (10s, 2m)\n"
    "  --limit-memory=SIZE  end it when a process has more resident than this (64M, 2G)\n"
    "  --no-count           cost alone: PROGRAM runs without the counting\n"
    "  --help, --version\n"
    "\n"
    "Exit status: PROGRAM's own, 128 and the signal's number where one ended it; 124 the time "
    "limit\n"
    "ended it; 125 the memory limit; 2 usage; 4 where nothing can be preloaded or the allocator "
    "does\n"
    "not load; 126 PROGRAM cannot be run; 127 it is not there.\n";

enum { OPTION_EVALUATE = 400, OPTION_LIMIT_TIME, OPTION_LIMIT_MEMORY, OPTION_NO_COUNT };

struct arguments {
    const char *spec, *output, *evaluate;
    enum emit_format format;
    struct counted_request request;
};

static void take_options(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"allocator", required_argument, NULL, 'a'},
        {"output", required_argument, NULL, 'o'},
        {"format", required_argument, NULL, OPTION_FORMAT},
        {"evaluate", required_argument, NULL, OPTION_EVALUATE},
        {"limit-time", required_argument, NULL, OPTION_LIMIT_TIME},
        {"limit-memory", required_argument, NULL, OPTION_LIMIT_MEMORY},
        {"no-count", no_argument, NULL, OPTION_NO_COUNT},
        OPTIONS_COMMON};
    for (int option; (option = options_next(argc, argv, "+:a:o:h", options, usage)) != -1;) {
        if (option == 'a')
            arguments->spec = optarg;
        else if (option == 'o')
            arguments->output = optarg;
        else if (option == OPTION_EVALUATE)
            arguments->evaluate = optarg;
        else if (option == OPTION_LIMIT_TIME)
            arguments->request.limit_ns = cli_duration("--limit-time", optarg);
        else if (option == OPTION_LIMIT_MEMORY)
            arguments->request.limit_bytes = cli_size("--limit-memory", optarg);
        else if (option == OPTION_NO_COUNT)
            arguments->request.count = false;
        else
            arguments->format = options_format(optarg);
    }
    if (optind == argc)
        cli_die_usage("no program given; put it after --");
}

static FILE *open_output(const char *path)
{
    FILE *out = path ? fopen(path, "we") : stderr;
    if (!out)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot write %s: %s", path, strerror(errno));
    return out;
}

static void close_output(FILE *out, const char *path)
{
    if (fflush(out) != 0 || ferror(out))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot write %s: %s", path ? path : "stderr",
                strerror(errno));
}

int main(int argc, char **argv)
{
    static struct allocator allocator;
    static struct counted counted;
    struct arguments arguments = {
        .format = EMIT_TABLE, .request = {.count = true, .own = true, .input = -1, .output = -1}};
    struct counted_request *request = &arguments.request;
    struct target target;
    cli_begin("stats");
    take_options(argc, argv, &arguments);
    if (arguments.spec) {
        allocator = preload_choose(arguments.spec);
        request->allocator = &allocator;
    }
    request->arguments = argv + optind;
    enum target_class class = target_check(argv[optind], &target);
    if (class != TARGET_OK &&
        (arguments.spec || class == TARGET_NOT_FOUND || class == TARGET_NOT_EXECUTABLE))
        preload_refuse(&target);
    request->count = request->count && class == TARGET_OK;
    FILE *out = open_output(arguments.output);
    FILE *evaluate = arguments.evaluate ? open_output(arguments.evaluate) : NULL;
    counted_run(request, &counted);
    stats_print(out, arguments.format, request, &counted);
    close_output(out, arguments.output);
    if (evaluate) {
        stats_print_lines(evaluate, request, &counted);
        close_output(evaluate, arguments.evaluate);
    }
    return counted_exit_status(&counted);
}
