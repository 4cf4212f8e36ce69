#include "recorder/record_options.h"

#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "recorder/attach/procfs.h"
#include "traces/cli.h"

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
    "  --start-after=N  the tape begins after N events, or bytes asked for (64MiB), or time "
    "(2.5s);\n"
    "                   in front of it stands what is live then. Memory is used for that, and the\n"
    "                   program's calls are recorded all the same\n"
    "  --stop-after=N   recording stops after N, counted from the beginning; the program runs on\n"
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

static struct window_limit parse_limit(const char *option, const char *text)
{
    struct window_limit limit;
    if (!window_parse(text, &limit))
        cli_die_usage("%s=%s: a number of events (2M), of bytes (64MiB) or a time (2.5s)", option,
                      text);
    return limit;
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
static void complete_for_pid(struct record_options *options, bool follow_given)
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

struct record_options record_options_parse(int argc, char **argv)
{
    static const struct option longs[] = {
        {"follow", required_argument, NULL, 'f'},     {"keep-raw", no_argument, NULL, 'k'},
        {"output", required_argument, NULL, 'o'},     {"quiet", no_argument, NULL, 'q'},
        {"verbose", no_argument, NULL, 'v'},          {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},          {"pid", required_argument, NULL, 'p'},
        {"sites", optional_argument, NULL, 's'},      {"start-after", required_argument, NULL, 'a'},
        {"stop-after", required_argument, NULL, 'b'}, {NULL, 0, NULL, 0},
    };
    struct record_options options = {.follow = RING_FOLLOW_EXEC};
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
        case 'a':
            options.start = parse_limit("--start-after", options.start_text = optarg);
            break;
        case 'b':
            options.stop = parse_limit("--stop-after", options.stop_text = optarg);
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
    if (options.start.unit == options.stop.unit && options.stop.unit != WINDOW_NEVER &&
        options.start.value >= options.stop.value)
        cli_die_usage("--start-after=%s --stop-after=%s: nothing is between them",
                      options.start_text, options.stop_text);
    if (!options.program[0])
        cli_die_usage("no program given; try: heaptape record -- PROGRAM ARGUMENTS");
    return options;
}
