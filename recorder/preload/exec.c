/*
 * Programs that a recorded one starts and that cannot be recorded (static, setuid, another C
 * library, 32 bit, a sanitizer's) would be missing without a word, so the calls that start programs
 * look at the file first and count those in the session. The environment that they give to the
 * program is changed where recording goes on only so, or where our library would be in the
 * program's way (environment.h). And calls that end the process leave its exit status in the
 * session, which a parent that waits quickly takes away from everybody else.
 *
 * system() and popen() start their shell past these hooks: in a program whose environment has lost
 * our variables that shell is not recorded.
 *
 * These hooks run in vfork children too: little stack, no memory of their own, no libc state.
 */
#include <dlfcn.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "recorder/preload/environment.h"
#include "recorder/preload/judge.h"
#include "recorder/preload/next.h"
#include "recorder/preload/process.h"
#include "recorder/preload/syscalls.h"

#define EXPORT __attribute__((visibility("default")))

/* ---- before ---------------------------------------------------------------------------------
 */

/*
 * After setuid() the capabilities that may still open the session are gone with the exec, and only
 * the collector's own user, to whom its folder in /proc belongs, can open it.
 */
static bool other_user(void)
{
    char folder[64];
    struct stat status = {.st_uid = 0};
    const char *session = environment_session();
    const char *end = session ? strstr(session, "/fd/") : NULL;
    if (!end || !geteuid() || (size_t)(end - session) >= sizeof folder)
        return false;
    memcpy(folder, session, (size_t)(end - session));
    folder[end - session] = '\0';
    return !raw_failed(raw_call(SYS_stat, (long)folder, (long)&status, 0, 0, 0, 0)) &&
           status.st_uid != geteuid();
}

/*
 * What becomes of the environment of a program that is about to be started. Counts it where it
 * cannot be recorded.
 */
static enum environment_change look_for(const char *name, bool by_path)
{
    char found[1024];
    if (!next_exec.execve)
        (void)process_ready(); /* a constructor that came before ours starts a program */
    if (!process_follows_exec())
        return ENVIRONMENT_DROP; /* it is none of ours, and is not to notice us */
    if (!name)
        return ENVIRONMENT_KEEP;
    bool searched = by_path && !strchr(name, '/');
    enum verdict verdict = searched ? judge_search(name, found, sizeof found) : judge(name);
    if (verdict == NOT_THERE)
        return ENVIRONMENT_KEEP;
    if (verdict == RECORDABLE && environment_reachable() && !other_user())
        return ENVIRONMENT_CARRY;
    process_count_unrecordable(searched ? found : name, verdict == STATIC);
    return verdict == STATIC ? ENVIRONMENT_KEEP : ENVIRONMENT_DROP;
}

/* On the caller's stack; a very long one in pages that only the exec, or nobody, gives back. */
#define CHANGED(envp, change)                                                                      \
    ({                                                                                             \
        enum environment_change change_ = (change);                                                \
        size_t room_ = environment_room(envp, change_);                                            \
        void *memory_ = !room_                ? NULL                                               \
                        : room_ <= STACK_ROOM ? __builtin_alloca(room_)                            \
                                              : raw_mmap(NULL, room_, PROT_READ | PROT_WRITE,      \
                                                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);      \
        memory_ ? environment_build(envp, change_, memory_) : (char **)(uintptr_t)(envp);          \
    })
enum { STACK_ROOM = 4096 };

/* ---- starting programs -----------------------------------------------------------------------
 */

EXPORT int execve(const char *path, char *const argv[], char *const envp[])
{
    return next_exec.execve(path, argv, CHANGED(envp, look_for(path, false)));
}

EXPORT int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

EXPORT int execvpe(const char *file, char *const argv[], char *const envp[])
{
    return next_exec.execvpe(file, argv, CHANGED(envp, look_for(file, true)));
}

EXPORT int execvp(const char *file, char *const argv[])
{
    return execvpe(file, argv, environ);
}

EXPORT int posix_spawn(pid_t *restrict ret_pid, const char *restrict path,
                       const posix_spawn_file_actions_t *restrict actions,
                       const posix_spawnattr_t *restrict attributes, char *const argv[restrict],
                       char *const envp[restrict])
{
    return next_exec.posix_spawn(ret_pid, path, actions, attributes, argv,
                                 CHANGED(envp, look_for(path, false)));
}

EXPORT int posix_spawnp(pid_t *restrict ret_pid, const char *restrict file,
                        const posix_spawn_file_actions_t *restrict actions,
                        const posix_spawnattr_t *restrict attributes, char *const argv[restrict],
                        char *const envp[restrict])
{
    return next_exec.posix_spawnp(ret_pid, file, actions, attributes, argv,
                                  CHANGED(envp, look_for(file, true)));
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

/* ---- the beginning ---------------------------------------------------------------------------
 */

static void watch_exit(void)
{
    if (process_ready())
        on_exit(at_exit, NULL);
}

/* What programs that are started need is kept here; the program itself is not to find it. */
static void take_environment(void)
{
    Dl_info own;
    if (dladdr(&next_exec, &own))
        environment_remember(own.dli_fname);
    environment_hide();
}

__attribute__((constructor)) static void before_main(void)
{
    watch_exit();
    take_environment();
}
