#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "recorder/attach/attach.h"

struct answer {
    bool attached;
    struct attach_report report;
    struct tape_error error;
};

/* What ends the recorder does not end us: we are done in a moment, and must be. */
static void outlive_recorder(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        signal(signals[i], SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    prctl(PR_SET_NAME, "heaptape-attach");
}

static void read_answer(int channel, struct answer *answer)
{
    ssize_t bytes;
    while ((bytes = read(channel, answer, sizeof *answer)) < 0 && errno == EINTR)
        ;
    if (bytes == (ssize_t)sizeof *answer)
        return;
    answer->attached = false;
    tape_error_set(&answer->error, TAPE_SYSTEM, UINT64_MAX,
                   "the helper that attaches was killed; look whether the process still runs");
}

bool attach_process(pid_t pid, const struct session *session, const char *preload,
                    struct attach_report *ret_report, struct tape_error *error)
{
    struct answer answer = {.attached = false};
    int channel[2];
    if (pipe2(channel, O_CLOEXEC)) {
        tape_error_set(error, TAPE_SYSTEM, UINT64_MAX, "pipe: %s", strerror(errno));
        return false;
    }
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        outlive_recorder();
        answer.attached = attach_from_here(pid, session, preload, &answer.report, &answer.error);
        _exit(write(channel[1], &answer, sizeof answer) != (ssize_t)sizeof answer);
    }
    close(channel[1]);
    if (child > 0)
        read_answer(channel[0], &answer);
    else
        tape_error_set(&answer.error, TAPE_SYSTEM, UINT64_MAX, "fork: %s", strerror(errno));
    close(channel[0]);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    *ret_report = answer.report;
    *error = answer.error;
    return answer.attached;
}
