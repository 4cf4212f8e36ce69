/*
 * Programs that a recorded one starts and that cannot be recorded (static, setuid, another C
 * library, 32 bit) would be missing without a word, so the calls that start programs look at the
 * file first and count those in the session. And calls that end the process leave its exit status
 * there, which a parent that waits quickly takes away from everybody else.
 *
 * These hooks run in vfork children too: little stack, no memory of their own, no libc state.
 */
#include <elf.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder/preload/next.h"
#include "recorder/preload/process.h"
#include "recorder/preload/syscalls.h"

#define EXPORT __attribute__((visibility("default")))

/* ---- judging a file --------------------------------------------------------------------------
 */

enum verdict { NOT_THERE, RECORDABLE, STATIC, FOREIGN };

/* Program headers within `bytes` of the file's beginning are looked at; they nearly always are. */
static enum verdict judge_elf(const char *file, long bytes)
{
    const Elf64_Ehdr *elf = (const Elf64_Ehdr *)file;
    if (elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_machine != EM_X86_64)
        return FOREIGN;
    enum verdict verdict = STATIC;
    for (unsigned i = 0; i < elf->e_phnum; i++) {
        uint64_t at = elf->e_phoff + i * sizeof(Elf64_Phdr);
        if (at + sizeof(Elf64_Phdr) > (uint64_t)bytes)
            return RECORDABLE; /* cannot tell */
        const Elf64_Phdr *header = (const Elf64_Phdr *)(file + at);
        if (header->p_type != PT_INTERP)
            continue;
        uint64_t end = header->p_offset + header->p_filesz;
        bool musl = end < (uint64_t)bytes &&
                    memmem(file + header->p_offset, header->p_filesz, "ld-musl", 7);
        verdict = musl ? FOREIGN : RECORDABLE;
    }
    return verdict;
}

static enum verdict judge(const char *path)
{
    _Alignas(8) char file[1024];
    struct stat status;
    long fd = raw_open(path, O_RDONLY);
    if (raw_failed(fd)) /* not readable may still be executable; nothing is known then */
        return NOT_THERE;
    long bytes = raw_read(fd, file, sizeof file);
    long stated = raw_call(SYS_fstat, fd, (long)&status, 0, 0, 0, 0);
    raw_close(fd);
    if (raw_failed(stated) || !S_ISREG(status.st_mode) || !(status.st_mode & 0111))
        return NOT_THERE;
    if (raw_failed(bytes) || bytes < (long)sizeof(Elf64_Ehdr) || memcmp(file, ELFMAG, SELFMAG) != 0)
        return RECORDABLE; /* a script: its interpreter is what runs */
    if ((status.st_mode & S_ISUID && status.st_uid != geteuid()) ||
        (status.st_mode & S_ISGID && status.st_gid != getegid()))
        return FOREIGN;
    return judge_elf(file, bytes);
}

static void look_at(const char *path)
{
    enum verdict verdict = path ? judge(path) : NOT_THERE;
    if (verdict == STATIC || verdict == FOREIGN)
        process_count_unrecordable(path, verdict == STATIC);
}

/* As execvp() searches; looks at the first file that is there. */
static void look_for(const char *name)
{
    char path[1024];
    if (!next_exec.execve)
        (void)process_ready(); /* a constructor that came before ours starts a program */
    if (!process_follows_exec())
        return;
    if (!name || strchr(name, '/')) {
        look_at(name);
        return;
    }
    const char *folders = getenv("PATH");
    size_t name_bytes = strlen(name) + 1;
    while (folders && *folders) {
        size_t bytes = strcspn(folders, ":");
        if (bytes && bytes + 1 + name_bytes <= sizeof path) {
            memcpy(path, folders, bytes);
            path[bytes] = '/';
            memcpy(path + bytes + 1, name, name_bytes);
            if (judge(path) != NOT_THERE) {
                look_at(path);
                return;
            }
        }
        folders += bytes + (folders[bytes] == ':');
    }
}

/* ---- starting programs -----------------------------------------------------------------------
 */

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
    look_for(path);
    return next_exec.execve(path, argv, envp);
}

EXPORT int execv(const char *path, char *const argv[])
{
    look_for(path);
    return next_exec.execve(path, argv, environ);
}

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
    look_for(file);
    return next_exec.execvpe(file, argv, envp);
}

EXPORT int execvp(const char *file, char *const argv[])
{
    look_for(file);
    return next_exec.execvpe(file, argv, environ);
}

EXPORT int posix_spawn(pid_t *restrict ret_pid, const char *restrict path,
                       const posix_spawn_file_actions_t *restrict actions,
                       const posix_spawnattr_t *restrict attributes, char *const argv[restrict],
                       char *const envp[restrict])
{
    look_for(path);
    return next_exec.posix_spawn(ret_pid, path, actions, attributes, argv, envp);
}

EXPORT int posix_spawnp(pid_t *restrict ret_pid, const char *restrict file,
                        const posix_spawn_file_actions_t *restrict actions,
                        const posix_spawnattr_t *restrict attributes, char *const argv[restrict],
                        char *const envp[restrict])
{
    look_for(file);
    return next_exec.posix_spawnp(ret_pid, file, actions, attributes, argv, envp);
}

/* The arguments of execl() and its kin as an array on the stack. */
#define GATHER(argv, first)                                                                        \
    size_t argc = 1;                                                                               \
    va_list list;                                                                                  \
    va_start(list, first);                                                                         \
    while (va_arg(list, char *))                                                                   \
        argc++;                                                                                    \
    va_end(list);                                                                                  \
    char **argv = __builtin_alloca((argc + 1) * sizeof *argv);                                     \
    argv[0] = (char *)(uintptr_t)(first);                                                          \
    va_start(list, first);                                                                         \
    for (size_t at = 1; at <= argc; at++)                                                          \
    argv[at] = va_arg(list, char *)

EXPORT int execl(const char *path, const char *first, ...)
{
    GATHER(argv, first);
    va_end(list);
    return execv(path, argv);
}

EXPORT int execlp(const char *file, const char *first, ...)
{
    GATHER(argv, first);
    va_end(list);
    return execvp(file, argv);
}

EXPORT int execle(const char *path, const char *first, ...)
{
    GATHER(argv, first);
    char **envp = va_arg(list, char **);
    va_end(list);
    return execve(path, argv, envp);
}

/* ---- ending ----------------------------------------------------------------------------------
 */

EXPORT _Noreturn void _exit(int status)
{
    process_note_exit(status);
    for (;;)
        raw_call(SYS_exit_group, status, 0, 0, 0, 0, 0);
}

EXPORT _Noreturn void _Exit(int status)
{
    _exit(status);
}

static void at_exit(int status, void *unused)
{
    (void)unused;
    process_note_exit(status);
}

__attribute__((constructor)) static void watch_exit(void)
{
    if (process_ready())
        on_exit(at_exit, NULL);
}
