#include "recorder/attach/eligible.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "recorder/attach/procfs.h"

static bool refuse(struct tape_error *error, pid_t pid, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(struct tape_error *error, pid_t pid, const char *format, ...)
{
    char reason[256], program[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    procfs_program(pid, program, sizeof program);
    tape_error_set(error, TAPE_SYSTEM, UINT64_MAX, "process %d (%s) %s", (int)pid, program, reason);
    return false;
}

static bool is_there(pid_t pid, struct tape_error *error)
{
    uint64_t group = 0;
    if (!procfs_status_number(pid, "Tgid", 10, &group)) {
        tape_error_set(error, TAPE_SYSTEM, UINT64_MAX, "process %d: there is none; see ps -e",
                       (int)pid);
        return false;
    }
    if (group != (uint64_t)pid)
        return refuse(error, pid, "is a thread of process %llu; give --pid=%llu",
                      (unsigned long long)group, (unsigned long long)group);
    if (pid == getpid() || pid == getppid()) /* we are a child of the recorder's */
        return refuse(error, pid, "is this recorder itself; give another process");
    return true;
}

static bool is_alive(pid_t pid, struct tape_error *error)
{
    uint64_t kernel_thread = 0, bytes;
    bool told = procfs_status_number(pid, "Kthread", 10, &kernel_thread); /* by newer kernels */
    bool has_memory = procfs_status_number(pid, "VmSize", 10, &bytes);
    char state = procfs_thread_state(pid, pid); /* one that ends loses its memory before that */
    if (state == 'Z' || state == 'X' || !state || (told && !kernel_thread && !has_memory))
        return refuse(error, pid,
                      "has ended already and only waits to be noticed by its parent; there is "
                      "nothing to record");
    if (kernel_thread || !has_memory)
        return refuse(error, pid, "is a thread of the kernel, which has no heap of this kind");
    if (state == 'T')
        return refuse(error, pid, "is stopped; let it go on first: kill -CONT %d", (int)pid);
    return true;
}

static bool is_untraced(pid_t pid, struct tape_error *error)
{
    uint64_t tracer = 0;
    char name[64];
    if (!procfs_status_number(pid, "TracerPid", 10, &tracer) || !tracer)
        return true;
    procfs_program((pid_t)tracer, name, sizeof name);
    return refuse(error, pid, "is traced already, by process %llu (%s); end that first",
                  (unsigned long long)tracer, name);
}

/*
 * A filter of system calls may end the process for what attaching makes it do (opening files).
 * Those that we run under ourselves, in a container, are none of its own.
 */
static bool is_unfiltered(pid_t pid, struct tape_error *error)
{
    uint64_t its = 0, ours = 0;
    procfs_status_number(pid, "Seccomp_filters", 10, &its);
    procfs_status_number(getpid(), "Seccomp_filters", 10, &ours);
    if (its <= ours)
        return true;
    return refuse(error, pid,
                  "runs in a sandbox (seccomp) that may end it for loading a library; start it "
                  "under heaptape record, or without the sandbox");
}

/* True where the file cannot be read, too: then what follows tells. */
static bool is_of_our_kind(pid_t pid, struct tape_error *error)
{
    char path[48];
    Elf64_Ehdr elf;
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return true;
    ssize_t bytes = pread(fd, &elf, sizeof elf, 0);
    bool interpreter = false;
    Elf64_Phdr segment;
    for (unsigned i = 0; bytes == (ssize_t)sizeof elf && i < elf.e_phnum; i++)
        if (pread(fd, &segment, sizeof segment, (off_t)(elf.e_phoff + i * sizeof segment)) ==
            (ssize_t)sizeof segment)
            interpreter |= segment.p_type == PT_INTERP;
    close(fd);
    if (bytes != (ssize_t)sizeof elf)
        return true;
    if (elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_machine != EM_X86_64)
        return refuse(error, pid, "is not a 64-bit x86 program; use a build for x86-64");
    if (!interpreter)
        return refuse(error, pid,
                      "is static: it has no loader that could bring a library in; use a "
                      "dynamically linked build");
    return true;
}

bool eligible(pid_t pid, struct tape_error *error)
{
    return is_there(pid, error) && is_alive(pid, error) && is_untraced(pid, error) &&
           is_unfiltered(pid, error) && is_of_our_kind(pid, error);
}

/* ---- permission ------------------------------------------------------------------------------
 */

static int yama_scope(void)
{
    int scope = 0;
    FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
    if (file && fscanf(file, "%d", &scope) != 1)
        scope = 0;
    if (file)
        fclose(file);
    return scope;
}

static void explain_permission(pid_t pid, struct tape_error *error)
{
    uint64_t user = 0;
    int scope = yama_scope();
    procfs_status_number(pid, "Uid", 10, &user);
    if (geteuid() != 0 && user != geteuid()) {
        const struct passwd *entry = getpwuid((uid_t)user);
        refuse(error, pid, "belongs to the user %s; run heaptape as that user or as root",
               entry ? entry->pw_name : "of another number");
    } else if (scope == 3) {
        refuse(error, pid,
               "cannot be traced: kernel.yama.ptrace_scope is 3, which forbids it to everybody "
               "until the next boot; start it under heaptape record");
    } else if (scope && geteuid() != 0) {
        refuse(error, pid,
               "may not be traced: kernel.yama.ptrace_scope is %d; run heaptape as root, or sudo "
               "sysctl kernel.yama.ptrace_scope=0",
               scope);
    } else if (geteuid() != 0) {
        refuse(error, pid,
               "may not be traced: it changed its user, has capabilities, or forbids it "
               "(PR_SET_DUMPABLE); run heaptape as root");
    } else {
        refuse(error, pid,
               "may not be traced: this root lacks CAP_SYS_PTRACE over it; in a container, start "
               "that with --cap-add=SYS_PTRACE");
    }
}

void eligible_explain(pid_t pid, int seize_errno, struct tape_error *error)
{
    struct tape_error other;
    if (!eligible(pid, &other)) /* it has changed since we looked */
        *error = other;
    else if (seize_errno == EPERM || seize_errno == EACCES)
        explain_permission(pid, error);
    else
        refuse(error, pid, "cannot be traced: %s", strerror(seize_errno));
}
