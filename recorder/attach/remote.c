#include "recorder/attach/remote.h"

#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "recorder/attach/image.h"

enum {
    STACK_BYTES = 512 << 10,
    SCRATCH_BYTES = 32 << 10, /* at its top, for what is passed */
    SYSCALL_BYTES = 2,        /* length of the instruction */
    SYSCALL_MS = 10000,
    DIRECTION_FLAG = 0x400,
};

/* What a thread does to itself must not wait: a blocked fault ends the process. */
static const int synchronous[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};

static bool fail(struct tape_error *error, const struct remote *remote, const char *what)
{
    tape_error_set(error, TAPE_SYSTEM, UINT64_MAX, "process %d, thread %d: %s: %s",
                   (int)remote->tracer->pid, (int)remote->tid, what,
                   errno == ESRCH ? "it has ended meanwhile" : strerror(errno));
    return false;
}

static struct tracer_thread *thread_of(const struct remote *remote)
{
    for (size_t i = 0; i < remote->tracer->count; i++)
        if (remote->tracer->threads[i].tid == remote->tid)
            return &remote->tracer->threads[i];
    return NULL;
}

bool remote_read(const struct remote *remote, uint64_t address, void *buffer, size_t bytes)
{
    return image_read(remote->memory, address, buffer, bytes);
}

bool remote_write(const struct remote *remote, uint64_t address, const void *buffer, size_t bytes)
{
    return pwrite(remote->memory, buffer, bytes, (off_t)address) == (ssize_t)bytes;
}

void remote_read_text(const struct remote *remote, uint64_t address, char *text, size_t bytes)
{
    size_t used = 0;
    while (used < bytes - 1 && remote_read(remote, address + used, text + used, 1) && text[used])
        used++;
    text[used] = '\0';
}

/* ---- one step --------------------------------------------------------------------------------
 */

/*
 * Lets the thread run to the next stop that is ours: the entry or exit of a system call. Stops of
 * the whole process are waited for; a fault is our call's own and ends it.
 */
static bool step(struct remote *remote, long timeout_ms, struct tape_error *error)
{
    struct tracer_thread *thread = thread_of(remote);
    int request = PTRACE_SYSCALL;
    for (;;) {
        if (!thread->gone && thread->held) {
            if (ptrace(request, remote->tid, NULL, 0))
                return fail(error, remote, "cannot go on");
            thread->held = false;
        }
        if (!tracer_wait(remote->tracer, thread, timeout_ms)) {
            errno = ETIMEDOUT;
            fail(error, remote, "waits for something inside the program");
            errno = ETIMEDOUT; /* which callers look at */
            return false;
        }
        if (thread->gone) {
            errno = ESRCH;
            return fail(error, remote, "while it worked for us");
        }
        if (thread->call_stop)
            return true;
        if (thread->signal) {
            tape_error_set(error, TAPE_SYSTEM, UINT64_MAX,
                           "process %d: signal %d (%s) in what it was made to call; it was put "
                           "back",
                           (int)remote->tracer->pid, thread->signal, strsignal(thread->signal));
            return false;
        }
        request = thread->by_job ? PTRACE_LISTEN : PTRACE_SYSCALL;
    }
}

static bool set_registers(struct remote *remote, struct user_regs_struct *registers,
                          struct tape_error *error)
{
    registers->orig_rax = (unsigned long long)-1; /* nothing is to be restarted */
    registers->eflags &= ~(unsigned long long)DIRECTION_FLAG;
    return !ptrace(PTRACE_SETREGS, remote->tid, NULL, registers) ||
           fail(error, remote, "registers cannot be set");
}

static bool get_registers(struct remote *remote, struct user_regs_struct *registers,
                          struct tape_error *error)
{
    return !ptrace(PTRACE_GETREGS, remote->tid, NULL, registers) ||
           fail(error, remote, "registers cannot be read");
}

bool remote_syscall(struct remote *remote, long number, const uint64_t arguments[6],
                    long *ret_result, struct tape_error *error)
{
    struct user_regs_struct registers = remote->saved;
    registers.rip = remote->syscall_at;
    registers.rax = (unsigned long long)number;
    registers.rdi = arguments[0];
    registers.rsi = arguments[1];
    registers.rdx = arguments[2];
    registers.r10 = arguments[3];
    registers.r8 = arguments[4];
    registers.r9 = arguments[5];
    if (!set_registers(remote, &registers, error) || !step(remote, SYSCALL_MS, error) ||
        !step(remote, SYSCALL_MS, error) || !get_registers(remote, &registers, error))
        return false;
    *ret_result = (long)registers.rax;
    return true;
}

/*
 * The function returns to the syscall instruction with its result in place of a number. At the
 * entry of that call it is taken away, and the call with it.
 */
bool remote_call_again(struct remote *remote, long timeout_ms, uint64_t *ret_result,
                       struct tape_error *error)
{
    struct user_regs_struct registers;
    remote->marked = false;
    for (;;) {
        if (!step(remote, timeout_ms, error) || !get_registers(remote, &registers, error))
            return false;
        remote->marked = remote->mark && registers.orig_rax == SYS_getpid &&
                         registers.rdi == remote->mark &&
                         (long long)registers.rax == -ENOSYS; /* at its entry */
        if (remote->marked)
            return true;
        if (registers.rip == remote->syscall_at + SYSCALL_BYTES && registers.rsp == remote->scratch)
            break;
    }
    *ret_result = registers.orig_rax;
    return set_registers(remote, &registers, error) && step(remote, SYSCALL_MS, error);
}

bool remote_call(struct remote *remote, uint64_t function, const uint64_t arguments[3],
                 long timeout_ms, uint64_t *ret_result, struct tape_error *error)
{
    struct user_regs_struct registers = remote->saved;
    registers.rip = function;
    registers.rax = 0;
    registers.rdi = arguments[0];
    registers.rsi = arguments[1];
    registers.rdx = arguments[2];
    registers.rsp = remote->scratch - sizeof remote->syscall_at;
    if (!remote_write(remote, registers.rsp, &remote->syscall_at, sizeof remote->syscall_at))
        return fail(error, remote, "its stack cannot be written");
    return set_registers(remote, &registers, error) &&
           remote_call_again(remote, timeout_ms, ret_result, error);
}

/* ---- beginning and end -----------------------------------------------------------------------
 */

static bool save(struct remote *remote, struct tape_error *error)
{
    struct iovec vector = {remote->vector, sizeof remote->vector};
    if (ptrace(PTRACE_GETREGS, remote->tid, NULL, &remote->saved) ||
        ptrace(PTRACE_GETREGSET, remote->tid, NT_X86_XSTATE, &vector) ||
        vector.iov_len == sizeof remote->vector ||
        ptrace(PTRACE_GETSIGMASK, remote->tid, sizeof remote->saved_mask, &remote->saved_mask))
        return fail(error, remote, "its state cannot be saved");
    remote->vector_bytes = vector.iov_len;
    return true;
}

static bool map_stack(struct remote *remote, struct tape_error *error)
{
    const uint64_t arguments[6] = {0,
                                   STACK_BYTES,
                                   PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                                   (uint64_t)-1,
                                   0};
    long result;
    if (!remote_syscall(remote, SYS_mmap, arguments, &result, error))
        return false;
    if (result < 0 && result > -4096) {
        errno = (int)-result;
        return fail(error, remote, "no memory for a stack (see its ulimit -v)");
    }
    remote->stack = (uint64_t)result + STACK_BYTES;
    remote->scratch = remote->stack - SCRATCH_BYTES;
    return true;
}

bool remote_begin(struct remote *remote, struct tracer *tracer, pid_t tid, int memory,
                  uint64_t syscall_at, struct tape_error *error)
{
    *remote =
        (struct remote){.tracer = tracer, .tid = tid, .memory = memory, .syscall_at = syscall_at};
    if (!save(remote, error))
        return false;
    uint64_t mask = ~UINT64_C(0);
    for (size_t i = 0; i < sizeof synchronous / sizeof synchronous[0]; i++)
        mask &= ~(UINT64_C(1) << (synchronous[i] - 1));
    if (ptrace(PTRACE_SETSIGMASK, tid, sizeof mask, &mask))
        return fail(error, remote, "its signals cannot be held back");
    if (map_stack(remote, error))
        return true;
    remote_end(remote);
    return false;
}

bool remote_keep_errno(struct remote *remote, uint64_t errno_location, struct tape_error *error)
{
    const uint64_t none[3] = {0, 0, 0};
    uint64_t address = 0;
    if (!remote_call(remote, errno_location, none, SYSCALL_MS, &address, error))
        return false;
    if (remote_read(remote, address, &remote->saved_errno, sizeof remote->saved_errno))
        remote->errno_at = address;
    return true;
}

/*
 * The state is put back at a stop where the kernel, before the thread goes on, looks whether a
 * system call is to be restarted; the stops of system calls themselves are none.
 */
static void reach_interrupt_stop(struct remote *remote)
{
    struct tracer_thread *thread = thread_of(remote);
    struct user_regs_struct registers = remote->saved;
    registers.orig_rax = (unsigned long long)-1;
    if (!thread->call_stop || ptrace(PTRACE_SETREGS, remote->tid, NULL, &registers))
        return;
    ptrace(PTRACE_INTERRUPT, remote->tid, NULL, 0);
    if (ptrace(PTRACE_CONT, remote->tid, NULL, 0) == 0) {
        thread->held = false;
        tracer_wait(remote->tracer, thread, SYSCALL_MS);
    }
}

void remote_end(struct remote *remote)
{
    struct tracer_thread *thread = thread_of(remote);
    struct iovec vector = {remote->vector, remote->vector_bytes};
    struct tape_error ignored;
    long result;
    if (remote->errno_at)
        remote_write(remote, remote->errno_at, &remote->saved_errno, sizeof remote->saved_errno);
    if (remote->stack && !thread->gone && !thread->signal) {
        const uint64_t arguments[6] = {remote->stack - STACK_BYTES, STACK_BYTES, 0, 0, 0, 0};
        remote_syscall(remote, SYS_munmap, arguments, &result, &ignored);
    }
    if (thread->gone)
        return;
    reach_interrupt_stop(remote);
    ptrace(PTRACE_SETREGSET, remote->tid, NT_X86_XSTATE, &vector);
    ptrace(PTRACE_SETREGS, remote->tid, NULL, &remote->saved);
    ptrace(PTRACE_SETSIGMASK, remote->tid, sizeof remote->saved_mask, &remote->saved_mask);
}
