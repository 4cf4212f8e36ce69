#include "recorder/attach/tracer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#include "recorder/attach/procfs.h"

#define EVENT_OF(status) ((unsigned)(status) >> 16)

enum {
    HOLD_MS = 2000,              /* until a thread has stopped */
    LEAVE_MS = 30000,            /* until it has, in the end, when it must be left in good order */
    KERNEL_ERESTARTNOHAND = 514, /* "again, unless a handler runs": never seen by programs */
};

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_us(long us)
{
    nanosleep(&(struct timespec){0, us * 1000}, NULL);
}

static struct tracer_thread *find_thread(struct tracer *tracer, pid_t tid)
{
    for (size_t i = 0; i < tracer->count; i++)
        if (tracer->threads[i].tid == tid)
            return &tracer->threads[i];
    return NULL;
}

static bool add_thread(struct tracer *tracer, pid_t tid)
{
    if (tracer->count == tracer->capacity) {
        size_t capacity = tracer->capacity ? 2 * tracer->capacity : 64;
        struct tracer_thread *more = realloc(tracer->threads, capacity * sizeof *more);
        if (!more)
            return false;
        tracer->threads = more;
        tracer->capacity = capacity;
    }
    tracer->threads[tracer->count++] = (struct tracer_thread){.tid = tid};
    return true;
}

bool tracer_begin(struct tracer *tracer, pid_t pid, int *ret_errno)
{
    *tracer = (struct tracer){.pid = pid};
    if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD) || !add_thread(tracer, pid)) {
        *ret_errno = errno;
        return false;
    }
    return true;
}

/*
 * Some system calls (epoll_wait, sigtimedwait, semop...) give EINTR when a thread was merely held.
 * What they gave is turned into the kernel's own "again", so that the program does not notice.
 */
static void repair_interrupted_call(pid_t tid)
{
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, tid, NULL, &registers) || (long long)registers.orig_rax < 0 ||
        (long long)registers.rax != -EINTR)
        return;
    registers.rax = (unsigned long long)-KERNEL_ERESTARTNOHAND;
    ptrace(PTRACE_SETREGS, tid, NULL, &registers);
}

/* What a wait told about a thread. `mine`: remote.c looks after its signals and calls. */
static void note(struct tracer_thread *thread, int status, bool mine)
{
    thread->call_stop = false;
    thread->signal = 0;
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
        thread->gone = true;
        thread->held = false;
        return;
    }
    int signal = WSTOPSIG(status);
    thread->held = true;
    if (EVENT_OF(status) == PTRACE_EVENT_STOP) {
        thread->by_job = signal != SIGTRAP;
        if (!mine)
            repair_interrupted_call(thread->tid);
        return;
    }
    if (signal == (SIGTRAP | 0x80)) {
        thread->call_stop = true;
        return;
    }
    if (mine) {
        thread->signal = signal;
        return;
    }
    ptrace(PTRACE_CONT, thread->tid, NULL, signal); /* on its way; the hold is still to come */
    thread->held = false;
}

static bool look(struct tracer_thread *thread, bool mine)
{
    int status;
    pid_t got = waitpid(thread->tid, &status, __WALL | WNOHANG);
    if (got == thread->tid)
        note(thread, status, mine);
    else if (got < 0 && errno == ECHILD)
        thread->gone = true;
    return got != 0;
}

/* Threads that came since the last look. False: none, all are known. */
static bool seize_new(struct tracer *tracer)
{
    size_t count;
    bool any = false;
    pid_t *tids = procfs_threads(tracer->pid, &count);
    for (size_t i = 0; i < count; i++) {
        struct tracer_thread *known = find_thread(tracer, tids[i]);
        if (known && !known->gone)
            continue;
        char state = procfs_thread_state(tracer->pid, tids[i]);
        if (state == 'D' || state == 'Z' || state == 'X' || !state)
            continue;
        if (ptrace(PTRACE_SEIZE, tids[i], NULL, PTRACE_O_TRACESYSGOOD))
            continue; /* it has just ended */
        if (known)
            known->gone = false;
        else if (!add_thread(tracer, tids[i]))
            ptrace(PTRACE_DETACH, tids[i], NULL, 0);
        any = true;
    }
    free(tids);
    return any;
}

static void wait_until_held(struct tracer *tracer, pid_t but, long deadline)
{
    for (bool all = false; !all && now_ms() < deadline;) {
        all = true;
        for (size_t i = 0; i < tracer->count; i++) {
            struct tracer_thread *thread = &tracer->threads[i];
            if (thread->gone || thread->held || thread->tid == but)
                continue;
            look(thread, false);
            all &= thread->gone || thread->held;
        }
        if (!all)
            pause_us(50);
    }
}

static void interrupt_all(struct tracer *tracer, pid_t but)
{
    for (size_t i = 0; i < tracer->count; i++) {
        struct tracer_thread *thread = &tracer->threads[i];
        if (!thread->gone && !thread->held && thread->tid != but)
            ptrace(PTRACE_INTERRUPT, thread->tid, NULL, 0);
    }
}

bool tracer_hold(struct tracer *tracer, pid_t but)
{
    long deadline = now_ms() + HOLD_MS;
    bool first = true, alive = false;
    while (seize_new(tracer) || first) {
        interrupt_all(tracer, but);
        wait_until_held(tracer, but, deadline);
        first = false;
    }
    for (size_t i = 0; i < tracer->count; i++)
        alive |= !tracer->threads[i].gone;
    return alive;
}

void tracer_release(struct tracer *tracer, pid_t but)
{
    for (size_t i = 0; i < tracer->count; i++) {
        struct tracer_thread *thread = &tracer->threads[i];
        if (!thread->held || thread->gone || thread->tid == but)
            continue;
        ptrace(thread->by_job ? PTRACE_LISTEN : PTRACE_CONT, thread->tid, NULL, 0);
        thread->held = thread->by_job = false;
    }
}

void tracer_end(struct tracer *tracer)
{
    long deadline = now_ms() + LEAVE_MS;
    for (bool left = true; left && now_ms() < deadline;) {
        interrupt_all(tracer, 0);
        wait_until_held(tracer, 0, now_ms() + HOLD_MS);
        left = false;
        for (size_t i = 0; i < tracer->count; i++) {
            struct tracer_thread *thread = &tracer->threads[i];
            if (thread->held) { /* else killed meanwhile, and is still to be waited for */
                thread->gone = ptrace(PTRACE_DETACH, thread->tid, NULL, 0) == 0;
                thread->held = false;
            }
            left |= !thread->gone;
        }
    }
    free(tracer->threads);
    *tracer = (struct tracer){.pid = 0};
}

bool tracer_wait(struct tracer *tracer, struct tracer_thread *thread, long timeout_ms)
{
    long deadline = now_ms() + timeout_ms;
    for (unsigned round = 0;; round++) {
        if (look(thread, true))
            return true;
        for (size_t i = 0; i < tracer->count; i++) {
            struct tracer_thread *other = &tracer->threads[i];
            bool held =
                other->held; /* may have been killed; the first thread ends after all others */
            if (other == thread || other->gone || !look(other, false))
                continue;
            if (other->held && !held) { /* the whole process stops, or a trap is left of a hold */
                ptrace(other->by_job ? PTRACE_LISTEN : PTRACE_CONT, other->tid, NULL, 0);
                other->held = false;
            }
        }
        if (now_ms() >= deadline)
            return false;
        pause_us(round < 100 ? 20 : 200);
    }
}
