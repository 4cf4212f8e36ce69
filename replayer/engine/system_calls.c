#include "replayer/engine/system_calls.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
#include "replayer/engine/engine.h"
#include "replayer/engine/proc.h"

#ifndef SECCOMP_FILTER_FLAG_SPEC_ALLOW
#define SECCOMP_FILTER_FLAG_SPEC_ALLOW (1UL << 2)
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
#define SIGNALS_BYTES 8 /* of the kernel's signal sets */

static _Atomic bool counting;
static _Atomic uint64_t total;

/* The call with this number; what the kernel answers (-errno). system_calls_raw_end: behind its
 * syscall instruction, which is where the filter sees an allowed call come from. */
long system_calls_raw(long number, long a, long b, long c, long d, long e, long f);
extern const char system_calls_raw_end[];
__asm__(".text\n"
        ".type system_calls_raw, @function\n"
        ".hidden system_calls_raw\n"
        ".globl system_calls_raw\n"
        "system_calls_raw:\n"
        "    mov %rdi, %rax\n"
        "    mov %rsi, %rdi\n"
        "    mov %rdx, %rsi\n"
        "    mov %rcx, %rdx\n"
        "    mov %r8, %r10\n"
        "    mov %r9, %r8\n"
        "    mov 8(%rsp), %r9\n"
        "    syscall\n"
        ".hidden system_calls_raw_end\n"
        ".globl system_calls_raw_end\n"
        "system_calls_raw_end:\n"
        "    ret\n"
        ".size system_calls_raw, .-system_calls_raw\n");

/* ---- counting ----------------------------------------------------------------------------------
 */

static enum engine_system_call by_advice(long advice)
{
    switch (advice) {
    case MADV_DONTNEED:
        return ENGINE_CALL_MADVISE_DONTNEED;
    case MADV_FREE:
        return ENGINE_CALL_MADVISE_FREE;
    case MADV_HUGEPAGE:
        return ENGINE_CALL_MADVISE_HUGEPAGE;
    case MADV_NOHUGEPAGE:
        return ENGINE_CALL_MADVISE_NOHUGEPAGE;
    case MADV_COLLAPSE:
        return ENGINE_CALL_MADVISE_COLLAPSE;
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
        return ENGINE_CALL_MADVISE_POPULATE;
    default:
        return ENGINE_CALL_MADVISE_OTHER;
    }
}

static void count(enum engine_system_call kind, bool failed, uint64_t bytes)
{
    struct engine_call_count *entry = &engine_result->system_calls[kind];
    atomic_fetch_add_explicit(&entry->calls, 1, memory_order_relaxed);
    if (failed)
        atomic_fetch_add_explicit(&entry->failed, 1, memory_order_relaxed);
    else
        atomic_fetch_add_explicit(&entry->bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&total, 1, memory_order_relaxed);
}

static void count_brk(uint64_t before, uint64_t wanted, uint64_t after)
{
    if (!wanted)
        count(ENGINE_CALL_BRK_QUERY, false, 0);
    else if (wanted >= before)
        count(ENGINE_CALL_BRK_GROW, after != wanted, after - before);
    else
        count(ENGINE_CALL_BRK_SHRINK, after != wanted, before - after);
}

static void count_call(long number, const long *given, long answer)
{
    bool failed = answer < 0 && answer > -4096;
    switch (number) {
    case SYS_mmap:
        count(given[2] == PROT_NONE ? ENGINE_CALL_MMAP_RESERVE : ENGINE_CALL_MMAP, failed,
              (uint64_t)given[1]);
        break;
    case SYS_munmap:
        count(ENGINE_CALL_MUNMAP, failed, (uint64_t)given[1]);
        break;
    case SYS_mremap:
        count(ENGINE_CALL_MREMAP, failed, (uint64_t)given[2]);
        break;
    case SYS_mprotect:
        count(ENGINE_CALL_MPROTECT, failed, (uint64_t)given[1]);
        break;
    case SYS_madvise:
        count(by_advice(given[2]), failed, (uint64_t)given[1]);
        break;
    }
}

/* ---- the signal --------------------------------------------------------------------------------
 */

/* rt_sigprocmask, done to the mask that is put back when the handler returns. */
static long change_mask(ucontext_t *context, const long *given)
{
    const uint64_t never =
        UINT64_C(1) << (SIGSYS - 1) | UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1);
    uint64_t old, mask, set;
    if (given[3] != SIGNALS_BYTES)
        return -EINVAL;
    memcpy(&old, &context->uc_sigmask, sizeof(old));
    mask = old;
    if (given[1]) {
        memcpy(&set, (const void *)given[1], sizeof(set));
        if (given[0] == SIG_BLOCK)
            mask |= set;
        else if (given[0] == SIG_UNBLOCK)
            mask &= ~set;
        else if (given[0] == SIG_SETMASK)
            mask = set;
        else
            return -EINVAL;
        mask &= ~never;
        memcpy(&context->uc_sigmask, &mask, sizeof(mask));
    }
    if (given[2])
        memcpy((void *)given[2], &old, sizeof(old));
    return 0;
}

static void on_call(int signal_number, siginfo_t *info, void *machine)
{
    ucontext_t *context = machine;
    greg_t *registers = context->uc_mcontext.gregs;
    const long given[6] = {registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                           registers[REG_R10], registers[REG_R8],  registers[REG_R9]};
    const long number = info->si_syscall;
    (void)signal_number;
    if (number == SYS_rt_sigprocmask) {
        registers[REG_RAX] = change_mask(context, given);
        return;
    }
    bool counts = atomic_load_explicit(&counting, memory_order_relaxed);
    long before = counts && number == SYS_brk ? system_calls_raw(SYS_brk, 0, 0, 0, 0, 0, 0) : 0;
    long answer =
        system_calls_raw(number, given[0], given[1], given[2], given[3], given[4], given[5]);
    registers[REG_RAX] = answer;
    if (counts && number == SYS_brk)
        count_brk((uint64_t)before, (uint64_t)given[0], (uint64_t)answer);
    else if (counts)
        count_call(number, given, answer);
}

/* ---- the filter --------------------------------------------------------------------------------
 */

#define FIELD(name)      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))
#define HIGH_FIELD(name) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name) + 4)
/* Goes on behind the next `same` instructions where it is equal, else behind the next `other`. */
#define EQUALS(value, same, other) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, same, other)
#define ANSWER(value)              BPF_STMT(BPF_RET | BPF_K, value)

static bool filter_set(unsigned long flags)
{
    const uint64_t from = (uintptr_t)system_calls_raw_end;
    struct sock_filter program[] = {
        FIELD(arch),
        EQUALS(AUDIT_ARCH_X86_64, 0, 8),
        FIELD(nr),
        EQUALS(SYS_mmap, 7, 0),
        EQUALS(SYS_munmap, 6, 0),
        EQUALS(SYS_mremap, 5, 0),
        EQUALS(SYS_madvise, 4, 0),
        EQUALS(SYS_mprotect, 3, 0),
        EQUALS(SYS_brk, 2, 0),
        EQUALS(SYS_rt_sigprocmask, 1, 0),
        ANSWER(SECCOMP_RET_ALLOW),
        FIELD(instruction_pointer),
        EQUALS((uint32_t)from, 0, 3),
        HIGH_FIELD(instruction_pointer),
        EQUALS((uint32_t)(from >> 32), 0, 1),
        ANSWER(SECCOMP_RET_ALLOW),
        ANSWER(SECCOMP_RET_TRAP),
    };
    struct sock_fprog filter = {.len = sizeof(program) / sizeof(*program), .filter = program};
    return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
           !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
}

/* A call on trial, so that nothing is told to be counted that is not. */
static bool is_counted(void)
{
    system_calls_count(true);
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool done = page != MAP_FAILED && !munmap(page, 4096);
    system_calls_count(false);
    struct engine_call_count *counts = engine_result->system_calls;
    done &= counts[ENGINE_CALL_MMAP].calls == 1 && counts[ENGINE_CALL_MUNMAP].calls == 1;
    memset(counts, 0, sizeof(engine_result->system_calls));
    atomic_store(&total, 0);
    return done;
}

void system_calls_open(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_NODEFER | SA_RESTART};
    sigset_t unblocked;
    unsigned blocked = 0;
    unsigned long flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    action.sa_sigaction = on_call;
    sigemptyset(&unblocked);
    sigaddset(&unblocked, SIGSYS);
    if (sigprocmask(SIG_UNBLOCK, &unblocked, NULL))
        return;
    if (proc_threads(SIGSYS, &blocked) > 1)
        flags |= SECCOMP_FILTER_FLAG_TSYNC; /* an allocator's own threads, too */
    if (blocked || sigaction(SIGSYS, &action, NULL) || !filter_set(flags))
        return;
    engine_result->system_calls_known = is_counted();
}

void system_calls_count(bool counts)
{
    atomic_store_explicit(&counting, counts, memory_order_relaxed);
}

uint64_t system_calls_total(void)
{
    return engine_result->system_calls_known ? atomic_load_explicit(&total, memory_order_relaxed)
                                             : ENGINE_UNKNOWN;
}
