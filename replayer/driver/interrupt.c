#include "replayer/driver/interrupt.h"
#include <signal.h>
#include <time.h>

static sigset_t held, before;
static bool began;
static int seen; /* the signal's number; 0 = none */

void interrupt_begin(void)
{
    if (began)
        return;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    struct sigaction hangup;
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaddset(&held, SIGHUP); /* unless under nohup */
    sigaddset(&held, SIGCHLD);
    signal(SIGCHLD, SIG_DFL); /* ignored, as some parents leave it, no child could be waited for */
    sigprocmask(SIG_BLOCK, &held, &before);
    began = true;
}

void interrupt_end(void)
{
    if (began)
        sigprocmask(SIG_SETMASK, &before, NULL);
    began = false;
}

void interrupt_release_child(void)
{
    if (began)
        sigprocmask(SIG_SETMASK, &before, NULL);
}

bool interrupt_wait(uint64_t ns)
{
    struct timespec limit = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    int signal_number = sigtimedwait(&held, NULL, &limit);
    if (signal_number > 0 && signal_number != SIGCHLD && !seen)
        seen = signal_number;
    return seen != 0;
}

bool interrupt_seen(void)
{
    if (!began)
        return false;
    sigset_t pending, asking = held;
    sigdelset(&asking, SIGCHLD);
    sigpending(&pending);
    for (int i = 1; i < NSIG && !seen; i++)
        if (sigismember(&pending, i) == 1 && sigismember(&asking, i) == 1)
            seen = i;
    return seen != 0;
}

int interrupt_exit_status(void)
{
    return 128 + (seen ? seen : SIGINT);
}
