#include "recorder/attach/safepoint.h"

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WORDS_MAX = 1024, WORDS_FEWER = 256, WORDS_FEWEST = 48 };

/* Calls in which threads wait, and the allocator or the loader never do. */
static const int waiting_calls[] = {
    SYS_read,
    SYS_readv,
    SYS_pread64,
    SYS_recvfrom,
    SYS_recvmsg,
    SYS_recvmmsg,
    SYS_write,
    SYS_writev,
    SYS_sendto,
    SYS_sendmsg,
    SYS_accept,
    SYS_accept4,
    SYS_connect,
    SYS_poll,
    SYS_ppoll,
    SYS_select,
    SYS_pselect6,
    SYS_epoll_wait,
    SYS_epoll_pwait,
    SYS_nanosleep,
    SYS_clock_nanosleep,
    SYS_pause,
    SYS_wait4,
    SYS_waitid,
    SYS_rt_sigsuspend,
    SYS_rt_sigtimedwait,
    SYS_flock,
    SYS_msgrcv,
    SYS_semop,
    SYS_semtimedop,
    SYS_io_getevents,
    SYS_restart_syscall,
    SYS_fsync,
    SYS_fdatasync,
    441 /* epoll_pwait2 */,
};

enum place { RUNS, WAITS, WAITS_FOR_THREAD, ELSEWHERE };

static enum place place_of(const struct user_regs_struct *registers)
{
    long long call = (long long)registers->orig_rax;
    if (call < 0)
        return RUNS;
    if (call == SYS_futex)
        return WAITS_FOR_THREAD;
    for (unsigned i = 0; i < sizeof waiting_calls / sizeof waiting_calls[0]; i++)
        if (call == waiting_calls[i])
            return WAITS;
    return ELSEWHERE;
}

static bool in_ranges(const struct code_range *range, unsigned count, uint64_t address)
{
    for (unsigned i = 0; i < count; i++)
        if (address >= range[i].begin && address < range[i].end)
            return true;
    return false;
}

struct stack {
    uint64_t word[WORDS_MAX];
    unsigned count;
};

/* What lies beyond the stack's end is not there: the read is cut short. */
static void read_stack(const struct safepoint *safepoint, uint64_t top, struct stack *stack)
{
    ssize_t bytes =
        pread(safepoint->memory, stack->word, sizeof stack->word, (off_t)(top & ~UINT64_C(7)));
    stack->count = bytes > 0 ? (unsigned)(bytes / (ssize_t)sizeof *stack->word) : 0;
}

static bool returns_into_locked(const struct safepoint *safepoint, const struct stack *stack,
                                unsigned words)
{
    for (unsigned i = 0; i < stack->count && i < words; i++)
        if (in_ranges(safepoint->locked, safepoint->locked_count, stack->word[i]))
            return true;
    return false;
}

/* A signal may have come in the middle of the allocator, and its handler be what waits now. */
static bool in_handler(const struct safepoint *safepoint, const struct stack *stack)
{
    for (unsigned i = 0; i < stack->count; i++)
        if (stack->word[i] == safepoint->handler_return)
            return true;
    return false;
}

/*
 * A restartable sequence must not be left for something else: per-CPU data would be written after
 * the thread has moved. The kernel tells where the thread registered, and there stands whether it
 * is in one.
 */
static bool in_restartable_sequence(const struct safepoint *safepoint, pid_t tid)
{
    struct {
        uint64_t area;
        uint32_t bytes, signature, flags, pad;
    } registered;
    uint64_t sequence = 0;
    const long get_configuration = 0x420f; /* PTRACE_GET_RSEQ_CONFIGURATION */
    const uint64_t sequence_offset = 8;    /* struct rseq, rseq_cs */
    if (ptrace(get_configuration, tid, sizeof registered, &registered) <= 0 || !registered.area)
        return false;
    return pread(safepoint->memory, &sequence, sizeof sequence,
                 (off_t)(registered.area + sequence_offset)) == (ssize_t)sizeof sequence &&
           sequence;
}

static unsigned words_that_count(long waited_ms)
{
    return waited_ms < 300 ? WORDS_MAX : waited_ms < 1500 ? WORDS_FEWER : WORDS_FEWEST;
}

static bool rip_is_free(const struct safepoint *safepoint, enum place place, uint64_t rip,
                        pid_t tid)
{
    if (rip >= safepoint->loader.begin && rip < safepoint->loader.end)
        return false;
    return place != RUNS || (!in_ranges(safepoint->busy, safepoint->busy_count, rip) &&
                             !in_ranges(safepoint->locked, safepoint->locked_count, rip) &&
                             !in_restartable_sequence(safepoint, tid));
}

static bool is_safe(const struct safepoint *safepoint, pid_t tid, bool running, long waited_ms)
{
    struct user_regs_struct registers;
    struct stack stack;
    if (ptrace(PTRACE_GETREGS, tid, NULL, &registers))
        return false;
    enum place place = place_of(&registers);
    if (place == ELSEWHERE || running != (place == RUNS) ||
        (safepoint->allocator_in_program && place != WAITS) ||
        !rip_is_free(safepoint, place, registers.rip, tid))
        return false;
    read_stack(safepoint, registers.rsp, &stack);
    if (place == WAITS && !in_handler(safepoint, &stack))
        return true;
    unsigned words = words_that_count(waited_ms);
    return !returns_into_locked(safepoint, &stack, words) &&
           (!safepoint->allocator_in_program || words == WORDS_FEWEST);
}

pid_t safepoint_find(const struct safepoint *safepoint, const struct tracer *tracer, long waited_ms)
{
    for (int running = 0; running < 2; running++)
        for (size_t i = 0; i < tracer->count; i++) {
            const struct tracer_thread *thread = &tracer->threads[i];
            if (thread->held && !thread->gone && !thread->by_job &&
                is_safe(safepoint, thread->tid, running, waited_ms))
                return thread->tid;
        }
    return 0;
}

bool safepoint_loader_is_idle(const struct safepoint *safepoint, const struct tracer *tracer,
                              pid_t but)
{
    for (size_t i = 0; i < tracer->count; i++) {
        const struct tracer_thread *thread = &tracer->threads[i];
        struct user_regs_struct registers;
        if (thread->gone || thread->tid == but)
            continue;
        if (!thread->held)
            return false;
        if (ptrace(PTRACE_GETREGS, thread->tid, NULL, &registers) == 0 &&
            registers.rip >= safepoint->loader.begin && registers.rip < safepoint->loader.end)
            return false;
    }
    return true;
}
