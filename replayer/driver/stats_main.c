/* heaptape stats: run a program, then say what it cost. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "replayer/driver/allocators.h"
#include "replayer/driver/options.h"
#include "replayer/driver/preload.h"
#include "replayer/driver/process.h"
#include "traces/cli.h"
#include "traces/target.h"

static const char usage[] =
    "Examples:\n"
    "  heaptape stats -- sqlite3 my.db 'select count(*) from t'\n"
    "  heaptape stats -a jemalloc --format=json -o cost.json -- ./app\n"
    "\n"
    "Usage: heaptape stats [OPTIONS] -- PROGRAM ARGS\n"
    "\n"
    "Runs PROGRAM and prints on stderr what it cost: time, CPU time, peak resident memory, page "
    "faults,\n"
    "context switches. Its input and output are its own. The peak is that of the largest single "
    "process\n"
    "where PROGRAM starts others; times and faults are sums.\n"
    "\n"
    "  -a ALLOCATOR      run it on this one: a name of heaptape allocators, NAME=PATH or\n"
    "                    NAME=PATH,ENV=VALUE (default: what it has anyway)\n"
    "  -o FILE           print into FILE instead\n"
    "  --format=WORD     table (default), json or csv\n"
    "  --help, --version\n"
    "\n"
    "Exit status: PROGRAM's own, 128 and the signal's number where one ended it; 2 usage; 4 where "
    "nothing\n"
    "can be preloaded or the allocator does not load; 126 PROGRAM cannot be run; 127 it is not "
    "there.\n";

struct stats {
    int status; /* as of wait */
    double wall_seconds;
    struct rusage usage;
};

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static _Noreturn void become(char **arguments, const struct allocator *allocator)
{
    if (allocator)
        preload_environment(allocator);
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    execvp(arguments[0], arguments);
    int error = errno;
    cli_warn("%s: %s", arguments[0], strerror(error));
    _exit(error == ENOENT ? 127 : 126);
}

/*
 * ru_maxrss of a child begins with what its parent had resident at the exec; this process is small,
 * and fork() copies only what it has written, some 200 KiB, less than any dynamic program has.
 */
static struct stats run(char **arguments, const struct allocator *allocator)
{
    struct stats stats = {0};
    struct timespec begin, end;
    signal(SIGINT, SIG_IGN); /* Ctrl-C is the program's; what it cost is told all the same */
    signal(SIGQUIT, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    pid_t pid = fork();
    if (pid == 0)
        become(arguments, allocator);
    if (pid < 0)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot start %s: %s", arguments[0], strerror(errno));
    while (wait4(pid, &stats.status, 0, &stats.usage) < 0 && errno == EINTR)
        ;
    clock_gettime(CLOCK_MONOTONIC, &end);
    stats.wall_seconds =
        (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9;
    return stats;
}

static void print(FILE *out, enum emit_format format, const char *program,
                  const struct allocator *allocator, const struct stats *stats)
{
    struct emit emit;
    emit_begin(&emit, out, format);
    emit_object(&emit, NULL);
    if (format == EMIT_JSON)
        emit_u64(&emit, "schema_version", 1);
    emit_string(&emit, "program", program);
    emit_string(&emit, "allocator", allocator ? allocator->name : "its own");
    if (WIFSIGNALED(stats->status))
        emit_string(&emit, "signal", process_signal_name(WTERMSIG(stats->status)));
    else
        emit_null(&emit, "signal");
    emit_i64(&emit, "exit_status", WIFEXITED(stats->status) ? WEXITSTATUS(stats->status) : -1);
    emit_fixed(&emit, "wall_seconds", stats->wall_seconds, 6);
    emit_fixed(&emit, "user_seconds", seconds(stats->usage.ru_utime), 6);
    emit_fixed(&emit, "system_seconds", seconds(stats->usage.ru_stime), 6);
    emit_u64(&emit, "peak_resident_bytes", (uint64_t)stats->usage.ru_maxrss * 1024);
    emit_u64(&emit, "minor_faults", (uint64_t)stats->usage.ru_minflt);
    emit_u64(&emit, "major_faults", (uint64_t)stats->usage.ru_majflt);
    emit_u64(&emit, "voluntary_switches", (uint64_t)stats->usage.ru_nvcsw);
    emit_u64(&emit, "involuntary_switches", (uint64_t)stats->usage.ru_nivcsw);
    emit_end(&emit);
    emit_finish(&emit);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"allocator", required_argument, NULL, 'a'},
                                            {"output", required_argument, NULL, 'o'},
                                            {"format", required_argument, NULL, OPTION_FORMAT},
                                            OPTIONS_COMMON};
    static struct allocator allocator;
    const char *spec = NULL, *output = NULL;
    enum emit_format format = EMIT_TABLE;
    struct target target;
    FILE *out = stderr;
    cli_begin("stats");
    for (int option; (option = options_next(argc, argv, "+:a:o:h", options, usage)) != -1;) {
        if (option == 'a')
            spec = optarg;
        else if (option == 'o')
            output = optarg;
        else
            format = options_format(optarg);
    }
    if (optind == argc)
        cli_die_usage("no program given; put it after --");
    if (spec)
        allocator = preload_choose(spec);
    enum target_class class = target_check(argv[optind], &target);
    if (class != TARGET_OK && (spec || class == TARGET_NOT_FOUND || class == TARGET_NOT_EXECUTABLE))
        preload_refuse(&target);
    if (output && !(out = fopen(output, "we")))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot write %s: %s", output, strerror(errno));
    struct stats stats = run(argv + optind, spec ? &allocator : NULL);
    print(out, format, argv[optind], spec ? &allocator : NULL, &stats);
    if (fflush(out) != 0)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot write %s: %s", output ? output : "stderr",
                strerror(errno));
    return WIFSIGNALED(stats.status) ? 128 + WTERMSIG(stats.status) : WEXITSTATUS(stats.status);
}
