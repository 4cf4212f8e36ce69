/* heaptape record: runs a program with the preload in it and writes what its heap did to a tape. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "recorder/attach/attach.h"
#include "recorder/collector/drain.h"
#include "recorder/collector/finish.h"
#include "recorder/collector/launch.h"
#include "recorder/record_options.h"
#include "recorder/record_report.h"
#include "traces/cli.h"
#include "traces/target.h"

static struct session session;
static struct recorded_list list;
static struct drain drain;

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
static void run(const struct record_options *options)
{
    unsigned heeded = 0, idle = 0;
    for (bool last = false;;) {
        uint32_t doorbell = atomic_load(&session.shared->doorbell);
        struct drain_round round = drain_round(&drain);
        if (!heed_interrupts(&heeded))
            return;
        if (options->pid && list.live && drain_has_stopped(&drain)) {
            drain_detach(&drain);
            return;
        }
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
static void write_empty_tape(const struct record_options *options)
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

/* An attached process is not our child: it ends as those do that a program leaves behind. */
static void attach(const struct record_options *options, const char *preload)
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
    struct record_options options = record_options_parse(argc, argv);
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
    finish_begin((struct finish_options){options.keep_raw, options.site_depth, options.start,
                                         options.stop, options.start_text, options.stop_text});
    drain.session = &session;
    drain.list = &list;
    drain.stop = options.stop;
    if (options.pid)
        attach(&options, preload);
    else
        drain.root = launch_program(&session, target.path, options.program, preload);
    run(&options);
    session_close(&session);
    if (!program_was_seen(options.output))
        write_empty_tape(&options);
    struct finish_totals totals = finish_end(!options.quiet && isatty(STDERR_FILENO));
    report_losses(session.shared);
    report_summary(&options, &list, &totals);
    return recorded_shell_status(drain.root_wait_status);
}
