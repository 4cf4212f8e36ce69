#include "analysis/blame_take.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "analysis/heap_file.h"
#include "traces/cli.h"

static char folder[PATH_MAX], file[PATH_MAX + 16];

static void remove_all(void)
{
    unlink(file);
    rmdir(folder);
}

static void make_folder(void)
{
    const char *place = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/heaptape-blame.XXXXXX", place && *place ? place : "/tmp");
    if (!mkdtemp(folder))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: %s; name another folder with TMPDIR", folder,
                strerror(errno));
    snprintf(file, sizeof file, "%s/it.heap", folder);
    atexit(remove_all);
}

/* Its figures are not asked for here. */
static pid_t start(const char *const *arguments)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    int failed = posix_spawn(&pid, arguments[0], &actions, NULL, (char *const *)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: %s; run make again", arguments[0],
                strerror(failed));
    return pid;
}

/* Ctrl-C ends the replay, which says so by its status; the file must go then, too. */
static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "waiting for the replay: %s", strerror(errno));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

const char *blame_take(const struct blame_take *take)
{
    char program[PATH_MAX], snapshots[PATH_MAX + 32], event[48];
    const char *arguments[BLAME_TAKE_OPTIONS + 8] = {
        cli_libexec_path("heaptape-replay", program, sizeof program), "--memory", snapshots};
    unsigned count = 3;
    make_folder();
    snprintf(snapshots, sizeof snapshots, "--snapshots=%s", file);
    if (take->event != HEAP_NO_EVENT) {
        snprintf(event, sizeof event, "--snapshot-at=%" PRIu64, take->event);
        arguments[count++] = event;
    }
    for (unsigned i = 0; take->options[i]; i++)
        arguments[count++] = take->options[i];
    arguments[count++] = "--";
    arguments[count] = take->tape;
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    int status = wait_for(start(arguments));
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    if (status == HEAPTAPE_EXIT_CHECK_FAILED)
        cli_die(HEAPTAPE_EXIT_CHECK_FAILED,
                "the replay did not end well; heaptape replay with the same options says how");
    if (status) /* it has said why */
        exit(status);
    return file;
}
