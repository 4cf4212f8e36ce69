/* heaptape record: runs a program with the preload in it and writes what its heap did to a tape. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "recorder/attach/attach.h"
#include "recorder/attach/procfs.h"
#include "recorder/collector/drain.h"
#include "recorder/collector/finish.h"
#include "recorder/collector/launch.h"
#include "traces/cli.h"
#include "traces/target.h"

static const char help[] =
    "Examples:\n"
    "  heaptape record -- sqlite3 my.db < queries.sql    leaves sqlite3.tape\n"
    "  heaptape record -o app.tape -- ./app --serve      app.tape; app.PID.tape for its children\n"
    "  heaptape record --follow=none -- make             the program itself and nothing else\n"
    "  heaptape record --pid=4711 -o server.tape         a process that runs already, until "
    "Ctrl-C\n"
    "\n"
    "Usage: heaptape record [OPTIONS] -- PROGRAM [ARGUMENTS]\n"
    "       heaptape record [OPTIONS] --pid=PID\n"
    "\n"
    "Records every allocator call of PROGRAM, over whatever allocator it uses. The program's "
    "input,\n"
    "output and exit status are its own.\n"
    "\n"
    "  -o TAPE          where to write (default: PROGRAM.tape in this folder)\n"
    "  --follow=WHAT    none: the program itself; children: its forked children too;\n"
    "                   exec: and the programs that they start (default)\n"
    "  --pid=PID        attach to this process (below); follows its forked children by default,\n"
    "                   and no programs that they start\n"
    "  --sites[=DEPTH]  who asks for each block: up to DEPTH return addresses (default 8, at most\n"
    "                   64); then heaptape trace top TAPE\n"
    "  --keep-raw       keep the raw tapes (TAPE.raw)\n"
    "  -q, --quiet      no summary\n"
    "  -v, --verbose    more of it\n"
    "  --help, --version\n"
    "\n"
    "Tapes: X.tape is the program itself, X.PID.tape a process that it started. A process that\n"
    "became another program by exec (a wrapper, a shell's child) has a tape for each: the last "
    "one\n"
    "has the plain name, those before it are X.PID.1.tape, X.PID.2.tape and so on.\n"
    "\n"
    "Recording lasts until the last recorded process has ended. Ctrl-C goes to the program; a "
    "second\n"
    "one kills what is left. What was recorded until then is kept.\n"
    "\n"
    "With --pid the process is held for some milliseconds while the recorder's library is brought\n"
    "in, and runs on when the recording ends: by Ctrl-C, or with the process. It takes the right "
    "to\n"
    "trace it: being root, or its user where kernel.yama.ptrace_scope is 0. What was allocated\n"
    "before is not on the tape; where such a block is freed, that is a free of an unknown "
    "address.\n"
    "Calls through addresses that the program has kept (dlsym) are not seen.\n"
    "\n"
    "Exit status: the program's own, 128 + n where signal n ended it; 2 usage, 4 the program "
    "cannot\n"
    "be recorded (static, setuid, another C library) or the tape cannot be written, 126 it cannot "
    "be\n"
    "run, 127 it is not there. With --pid 0, or 4 where it cannot be attached to.\n";

#define SITE_DEPTH_DEFAULT 8

struct options {
    const char *output;
    enum ring_follow follow;
    uint32_t site_depth; /* 0: no call sites */
    bool keep_raw, quiet, verbose;
    pid_t pid; /* to attach to; 0: none */
    char **program;
};

static struct session session;
static struct recorded_list list;
static struct drain drain;

static enum ring_follow parse_follow(const char *word)
{
    if (!strcmp(word, "none"))
        return RING_FOLLOW_NONE;
    if (!strcmp(word, "children"))
        return RING_FOLLOW_CHILDREN;
    if (!strcmp(word, "exec"))
        return RING_FOLLOW_EXEC;
    cli_die_usage("--follow=%s: none, children or exec", word);
}

static uint32_t parse_depth(const char *word)
{
    char *end = NULL;
    if (!word)
        return SITE_DEPTH_DEFAULT;
    unsigned long depth = strtoul(word, &end, 10);
    if (*word < '0' || *word > '9' || *end || !depth || depth > RING_SITE_DEPTH_MAX)
        cli_die_usage("--sites=%s: a number of frames, 1 to %d", word, RING_SITE_DEPTH_MAX);
    return (uint32_t)depth;
}

static pid_t parse_pid(const char *text)
{
    uint64_t pid;
    if (strspn(text, "0123456789") != strlen(text) || !cli_parse_count(text, &pid) || !pid ||
        pid > INT_MAX)
        cli_die_usage("--pid=%s: the number of a process", text);
    return (pid_t)pid;
}

/* The process stands for the program: its name is for messages and the tape's. */
static void complete_for_pid(struct options *options, bool follow_given)
{
    static char name[PATH_MAX], *program[] = {name, NULL};
    if (options->program[0])
        cli_die_usage("--pid and a program to start exclude each other");
    if (follow_given && options->follow == RING_FOLLOW_EXEC)
        cli_die_usage("--follow=exec: programs that an attached process starts cannot be followed; "
                      "children or none");
    if (!follow_given)
        options->follow = RING_FOLLOW_CHILDREN;
    procfs_program(options->pid, name, sizeof name);
    options->program = program;
}

static struct options parse(int argc, char **argv)
{
    static const struct option longs[] = {
        {"follow", required_argument, NULL, 'f'},
        {"keep-raw", no_argument, NULL, 'k'},
        {"output", required_argument, NULL, 'o'},
        {"quiet", no_argument, NULL, 'q'},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {"pid", required_argument, NULL, 'p'},
        {"sites", optional_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.follow = RING_FOLLOW_EXEC};
    bool follow_given = false;
    for (int letter; (letter = getopt_long(argc, argv, "+o:qv", longs, NULL)) != -1;)
        switch (letter) {
        case 'o':
            options.output = optarg;
            break;
        case 'f':
            options.follow = parse_follow(optarg);
            follow_given = true;
            break;
        case 'p':
            options.pid = parse_pid(optarg);
            break;
        case 's':
            options.site_depth = parse_depth(optarg);
            break;
        case 'k':
            options.keep_raw = true;
            break;
        case 'q':
            options.quiet = true;
            break;
        case 'v':
            options.verbose = true;
            break;
        case 'h':
            cli_help(help);
            break;
        case 'V':
            cli_version();
        default:
            exit(HEAPTAPE_EXIT_USAGE);
        }
    options.program = argv + optind;
    if (options.pid)
        complete_for_pid(&options, follow_given);
    if (!options.program[0])
        cli_die_usage("no program given; try: heaptape record -- PROGRAM ARGUMENTS");
    return options;
}

/* ---- before the start ------------------------------------------------------------------------
 */

static char *default_output(const char *program)
{
    const char *slash = strrchr(program, '/');
    char *output = NULL;
    if (asprintf(&output, "%s.tape", slash ? slash + 1 : program) < 0)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "no memory");
    return output;
}

/* Fails before the program starts where its tape could not be written. */
static void check_writable(const char *path)
{
    bool was_there = access(path, F_OK) == 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: %s; choose another place with -o", path,
                strerror(errno));
    close(fd);
    if (!was_there)
        unlink(path);
}

static void check_output(const char *output)
{
    char raw[PATH_MAX];
    if ((size_t)snprintf(raw, sizeof raw, "%s.raw", output) >= sizeof raw - 32)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: too long a path", output);
    check_writable(output);
    check_writable(raw);
}

static const char *find_preload(void)
{
    static char path[PATH_MAX];
    cli_lib_path("libheaptape-record.so", path, sizeof path);
    if (access(path, R_OK))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: %s; build or install heaptape again", path,
                strerror(errno));
    if (strpbrk(path, " :\t\n"))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT,
                "%s: LD_PRELOAD takes no path with spaces or colons; move heaptape elsewhere",
                path);
    return path;
}

/* ---- while it runs ---------------------------------------------------------------------------
 */

static void kill_all(int number)
{
    for (struct recorded *process = list.first; process; process = process->next)
        if (!process->closed && process->end == RECORDED_LIVES)
            kill((pid_t)process->pid, number);
    if (!drain.root_ended)
        kill(drain.root, number);
}

/*
 * The first signal reaches the program, by the terminal or by us, and is its own affair. With the
 * program gone and only its descendants left, it ends the recording; they run on. A second one
 * kills.
 */
static bool heed_interrupts(unsigned *heeded)
{
    struct launch_interrupts interrupts = launch_interrupts();
    if (interrupts.count == *heeded)
        return true;
    *heeded = interrupts.count;
    if (drain.root_ended) {
        drain_detach(&drain);
        return false;
    }
    if (interrupts.count > 1)
        kill_all(SIGKILL);
    else if (!interrupts.by_terminal)
        kill(drain.root, interrupts.signal);
    return true;
}

static void say_who_is_left(bool quiet)
{
    static time_t since;
    static bool said;
    if (!since)
        since = time(NULL);
    if (said || quiet || time(NULL) - since < 2)
        return;
    said = true;
    cli_warn("the program has ended; still recording %u that it started (Ctrl-C ends that)",
             list.live);
}

/* Rounds until everything that was recorded has ended. */
static void run(const struct options *options)
{
    unsigned heeded = 0, idle = 0;
    for (bool last = false;;) {
        uint32_t doorbell = atomic_load(&session.shared->doorbell);
        struct drain_round round = drain_round(&drain);
        if (!heed_interrupts(&heeded))
            return;
        if (drain.root_ended && !list.live) {
            if (last) /* nobody came in between */
                return;
            last = true;
            continue;
        }
        last = false;
        if (drain.root_ended && !options->pid)
            say_who_is_left(options->quiet);
        idle = round.words ? 0 : idle + 1;
        if (round.fullest < RING_WORDS / 4)
            session_sleep(&session, doorbell, idle > 20 ? 50000000 : 10000000);
    }
}

/* ---- afterwards ------------------------------------------------------------------------------
 */

static bool program_was_seen(const char *output)
{
    for (struct recorded *process = list.first; process; process = process->next)
        if (strcmp(process->tape_path, output) == 0)
            return true;
    return false;
}

/* A program of which nothing was seen leaves an empty tape that says so. */
static void write_empty_tape(const struct options *options)
{
    char raw[PATH_MAX];
    struct tape_meta pairs[] = {{"program", options->program[0]},
                                {"tool", "heaptape record " HEAPTAPE_VERSION},
                                {"cut_reason", "no allocator call of the program was seen"}};
    struct raw_writer *writer;
    struct tape_error error;
    snprintf(raw, sizeof raw, "%s.raw", options->output);
    if (raw_writer_open(raw, pairs, 3, &writer, &error) == TAPE_OK &&
        raw_writer_close(writer, false, NULL, 0, &error) == TAPE_OK)
        finish_add(raw, options->output);
    cli_warn("no allocator call of %s was seen: it makes none, brings an allocator inside its own "
             "file, or ended before its first",
             options->program[0]);
}

static double cpu_seconds(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void warn_of_losses(void)
{
    struct ring_session *shared = session.shared;
    uint64_t processes = atomic_load(&shared->lost_processes);
    uint64_t statics = atomic_load(&shared->static_programs);
    uint64_t foreign = atomic_load(&shared->foreign_programs);
    if (processes)
        cli_warn("%llu processes could not be recorded: too many at once, or too little address "
                 "space (ulimit -v)",
                 (unsigned long long)processes);
    if (statics || foreign)
        cli_warn("not recorded, because nothing can be preloaded into them: %llu static and %llu "
                 "other programs that were started, %.*s the first",
                 (unsigned long long)statics, (unsigned long long)foreign,
                 (int)strnlen(shared->unrecorded, sizeof shared->unrecorded), shared->unrecorded);
}

/* Where a tape is right and yet not what its reader thinks. */
static void hint(const struct options *options)
{
    const char *slash = strrchr(options->program[0], '/');
    const char *name = slash ? slash + 1 : options->program[0];
    if (!strncmp(name, "python", 6) && !getenv("PYTHONMALLOC"))
        fputs("heaptape record: hint: python takes small objects from pools of its own, of which "
              "the tape shows only the arenas; PYTHONMALLOC=malloc shows them all\n",
              stderr);
    for (struct recorded *process = list.first; process; process = process->next)
        if (!strcmp(process->tape_path, options->output) && process->words < 2)
            fprintf(stderr,
                    "heaptape record: hint: %s made no call: it may bring an allocator inside its "
                    "own file, which cannot be seen from outside\n",
                    options->program[0]);
}

static void summarize(const struct options *options, struct finish_totals totals)
{
    char size[16];
    if (options->quiet)
        return;
    fprintf(stderr, "heaptape record: %llu events on %u tape%s, %s, in %s%s\n",
            (unsigned long long)totals.events, totals.tapes, totals.tapes == 1 ? "" : "s",
            cli_format_bytes(totals.bytes, size), options->output,
            totals.tapes > 1 ? " and beside it" : "");
    if (options->verbose)
        fprintf(stderr,
                "heaptape record: CPU seconds: program %.3f, collector %.3f, resolver %.3f\n",
                cpu_seconds(RUSAGE_CHILDREN), cpu_seconds(RUSAGE_SELF) - totals.cpu_seconds,
                totals.cpu_seconds);
    hint(options);
    if (options->verbose || totals.live_twice)
        fprintf(stderr,
                "heaptape record: addresses live twice %llu, frees of unknown addresses "
                "%llu\n",
                (unsigned long long)totals.live_twice, (unsigned long long)totals.foreign_frees);
}

/* An attached process is not our child: it ends as those do that a program leaves behind. */
static void attach(const struct options *options, const char *preload)
{
    struct attach_report report;
    struct tape_error error;
    drain.root_ended = true;
    list.attached = true;
    if (!attach_process(options->pid, &session, preload, &report, &error))
        cli_die_error(&error);
    if (report.sealed)
        cli_warn("process %d (%s): %u calls could not be redirected: their pages cannot be written",
                 (int)options->pid, options->program[0], report.sealed);
    if (options->verbose)
        fprintf(stderr,
                "heaptape record: attached in %.1f ms, of which the process stood still for %.1f; "
                "%u words of %u objects redirected\n",
                report.all_ms, report.held_ms, report.words, report.objects);
    if (!options->quiet && isatty(STDERR_FILENO))
        fprintf(stderr, "heaptape record: recording process %d (%s); Ctrl-C ends that\n",
                (int)options->pid, options->program[0]);
}

int main(int argc, char **argv)
{
    cli_begin("record");
    struct options options = parse(argc, argv);
    struct target target;
    struct tape_error error;
    if (!options.pid && target_check(options.program[0], &target) != TARGET_OK)
        cli_die((enum heaptape_exit)target_exit_status(target.class), "%s", target.message);
    if (!options.output)
        options.output = default_output(options.program[0]);
    check_output(options.output);
    const char *preload = find_preload();
    if (session_open(&session, options.follow, options.site_depth, &error) != TAPE_OK)
        cli_die_error(&error);
    launch_catch_signals(&session);
    recorded_list_init(&list, options.output);
    finish_begin(options.keep_raw, options.site_depth);
    drain.session = &session;
    drain.list = &list;
    if (options.pid)
        attach(&options, preload);
    else
        drain.root = launch_program(&session, target.path, options.program, preload);
    run(&options);
    session_close(&session);
    if (!program_was_seen(options.output))
        write_empty_tape(&options);
    struct finish_totals totals = finish_end(!options.quiet && isatty(STDERR_FILENO));
    warn_of_losses();
    summarize(&options, totals);
    return recorded_shell_status(drain.root_wait_status);
}
