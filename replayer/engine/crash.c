#include "replayer/engine/crash.h"

#include <signal.h>
#include <string.h>
#include "replayer/engine/engine.h"

static const struct replay *crash_replay;
static uint64_t crash_calls_before;

/* Allocator calls in the thread's queue before `position`. */
static uint64_t calls_until(const struct replay_thread *thread, const struct plan_op *ops)
{
    const struct plan_op *position = thread->position;
    uint64_t calls = 0;
    if (!position)
        return 0;
    for (const struct plan_op *op = thread->first; op != position; op++) {
        unsigned code = plan_op_code(*op);
        calls += code < PLAN_WAIT;
        if (code == PLAN_END)
            break;
        if (code == PLAN_NEXT)
            op = ops + op->size - 1;
    }
    return calls;
}

static void on_crash(int signal_number)
{
    (void)signal_number;
    uint64_t calls = crash_calls_before;
    for (uint32_t i = 0; i < crash_replay->thread_count; i++)
        calls += calls_until(&crash_replay->threads[i], crash_replay->ops);
    atomic_store(&engine_result->progress, calls);
    /* SA_RESETHAND: back to the instruction, which faults again, or to abort(), which goes on. */
}

void crash_open(const struct replay *replay)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP};
    static char alternate[16384];
    crash_replay = replay;
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};
    sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = SA_RESETHAND | SA_ONSTACK};
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
}

void crash_window(uint64_t calls_before)
{
    crash_calls_before = calls_before;
}
