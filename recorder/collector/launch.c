#include "recorder/collector/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traces/cli.h"

static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD};
static const int ignored[] = {SIGPIPE, SIGXFSZ};
enum { CAUGHT = sizeof caught / sizeof caught[0], IGNORED = sizeof ignored / sizeof ignored[0] };

static struct sigaction caught_before[CAUGHT], ignored_before[IGNORED];
static struct session *watched;
static volatile sig_atomic_t interrupt_count, interrupt_signal, interrupt_by_terminal;

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (number != SIGCHLD) {
        interrupt_signal = number;
        interrupt_by_terminal = info->si_code == SI_KERNEL;
        interrupt_count++;
    }
    atomic_fetch_add(&watched->shared->doorbell, 1); /* so that a sleep about to begin does not */
}

void launch_catch_signals(struct session *session)
{
    watched = session;
    struct sigaction catch = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    for (int i = 0; i < IGNORED; i++)
        sigaction(ignored[i], &ignore, &ignored_before[i]);
    for (int i = 0; i < CAUGHT; i++) {
        sigaction(caught[i], NULL, &caught_before[i]);
        if (caught_before[i].sa_handler != SIG_IGN || caught[i] == SIGCHLD)
            sigaction(caught[i], &catch, NULL);
    }
}

struct launch_interrupts launch_interrupts(void)
{
    return (struct launch_interrupts){(unsigned)interrupt_count, interrupt_signal,
                                      interrupt_by_terminal};
}

static void set_environment(const struct session *session, const char *preload)
{
    const char *users = getenv("LD_PRELOAD");
    char *text = NULL;
    if (users && *users && asprintf(&text, "%s:%s", preload, users) < 0)
        text = NULL;
    setenv("LD_PRELOAD", text ? text : preload, 1);
    setenv(RING_ENV, session->path, 1);
}

static _Noreturn void become_program(struct session *session, const char *path, char **argv,
                                     const char *preload, int failure)
{
    atomic_store(&session->shared->root_pid, (uint32_t)getpid());
    set_environment(session, preload);
    for (int i = 0; i < CAUGHT; i++)
        sigaction(caught[i], &caught_before[i], NULL);
    for (int i = 0; i < IGNORED; i++)
        sigaction(ignored[i], &ignored_before[i], NULL);
    execvp(path, argv); /* a path with a slash; a text file without #! goes to /bin/sh */
    int error = errno;
    if (write(failure, &error, sizeof error) < 0)
        _exit(126);
    _exit(127);
}

pid_t launch_program(struct session *session, const char *path, char **argv, const char *preload)
{
    int channel[2], error = 0;
    if (pipe2(channel, O_CLOEXEC))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child < 0)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "fork: %s", strerror(errno));
    if (child == 0)
        become_program(session, path, argv, preload, channel[1]);
    close(channel[1]);
    ssize_t bytes;
    while ((bytes = read(channel[0], &error, sizeof error)) < 0 && errno == EINTR)
        ;
    close(channel[0]);
    if (bytes == sizeof error) {
        waitpid(child, NULL, 0);
        cli_die(error == ENOENT ? 127 : 126, "%s: %s", path, strerror(error));
    }
    return child;
}
