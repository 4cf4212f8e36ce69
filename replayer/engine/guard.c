#include "replayer/engine/guard.h"

#include <stddef.h>
#include <string.h>
#include <ucontext.h>

__thread struct guard guard;

static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
static struct sigaction previous[NSIG];
static void (*guard_on_death)(int, uintptr_t);

#define FAULT_WRITE 2 /* bit of the page fault's error code on x86 */

static void on_signal(int number, siginfo_t *info, void *context)
{
    bool memory = number == SIGSEGV || number == SIGBUS;
    uintptr_t address = memory ? (uintptr_t)info->si_addr : 0;
    if (memory && guard.armed) {
        const ucontext_t *machine = context;
        guard.armed = 0;
        guard.address = address;
        guard.write = machine->uc_mcontext.gregs[REG_ERR] & FAULT_WRITE;
        siglongjmp(guard.jump, 1);
    }
    guard_on_death(number, address);
    if (previous[number].sa_handler != SIG_DFL && previous[number].sa_handler != SIG_IGN)
        previous[number].sa_handler(number);
    /* Back to the instruction, which faults again, or to abort(), which goes on. */
    signal(number, SIG_DFL);
}

void guard_open(void (*on_death)(int signal_number, uintptr_t address))
{
    guard_on_death = on_death;
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    action.sa_sigaction = on_signal;
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, &previous[signals[i]]);
}
