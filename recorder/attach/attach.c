#include "recorder/attach/attach.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "recorder/attach/eligible.h"
#include "recorder/attach/image.h"
#include "recorder/attach/procfs.h"
#include "recorder/attach/remote.h"
#include "recorder/attach/survey.h"
#include "recorder/preload/attach.h"
#include "traces/cli.h"

enum {
    FIND_MS = 5000,    /* to look for a safe point */
    HELD_CALL_MS = 10, /* for a call to return while the others are held */
    FREE_CALL_MS = 3,  /* and while they are not, before they are held again: twice it, then more */
    PATIENCE_MS = 3000,              /* for it to return at all; then we say so, and wait on */
    INTERNAL_MODE = (int)0x80000000, /* __RTLD_DLOPEN, for __libc_dlopen_mode */
};

struct attachment {
    pid_t pid;
    char program[64];
    int memory; /* /proc/PID/mem */
    struct tracer tracer;
    struct survey survey;
    struct remote remote;
    int remote_session, remote_library; /* descriptors in the process; -1: none */
    uint64_t entry;                     /* heaptape_attach() there */
    struct attach_report *report;
    bool holding; /* all threads but the one that works are held */
    double held_since;
};

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static bool fail(const struct attachment *at, struct tape_error *error, const char *what)
{
    tape_error_set(error, TAPE_SYSTEM, UINT64_MAX, "process %d (%s): %s", (int)at->pid, at->program,
                   what);
    return false;
}

static bool hold(struct attachment *at, pid_t but, struct tape_error *error)
{
    if (!at->holding)
        at->held_since = now_ms();
    at->holding = true;
    return tracer_hold(&at->tracer, but) || fail(at, error, "it ended while it was attached to");
}

static void release(struct attachment *at, pid_t but)
{
    if (!at->holding)
        return;
    at->holding = false;
    tracer_release(&at->tracer, but);
    at->report->held_ms += now_ms() - at->held_since;
}

/* ---- a safe point ----------------------------------------------------------------------------
 */

/* All threads are held afterwards, this one at a safe point. 0: none was found. */
static pid_t find_thread(struct attachment *at, struct tape_error *error)
{
    double begin = now_ms();
    for (unsigned round = 0;; round++) {
        if (!hold(at, 0, error))
            return 0;
        double waited = now_ms() - begin;
        pid_t tid = safepoint_find(&at->survey.safepoint, &at->tracer, (long)waited);
        if (tid)
            return tid;
        release(at, 0);
        if (waited >= FIND_MS)
            break;
        nanosleep(&(struct timespec){0, 200000 + (long)(round % 7) * 350000}, NULL);
    }
    fail(at, error,
         at->survey.safepoint.allocator_in_program
             ? "its allocator is part of the program itself, and no thread came to wait outside of "
               "it within 5 s; start it under heaptape record"
             : "no thread was seen outside the allocator and the loader within 5 s; try again, or "
               "start it under heaptape record");
    return 0;
}

/* ---- descriptors -----------------------------------------------------------------------------
 */

static bool call_kernel(struct attachment *at, long number, uint64_t a, uint64_t b, uint64_t c,
                        uint64_t d, const char *what, long *ret_result, struct tape_error *error)
{
    const uint64_t arguments[6] = {a, b, c, d, 0, 0};
    char text[128];
    if (!remote_syscall(&at->remote, number, arguments, ret_result, error))
        return false;
    if (*ret_result >= 0 || *ret_result < -4095)
        return true;
    snprintf(text, sizeof text, "%s in it: %s", what, strerror((int)-*ret_result));
    return fail(at, error, text);
}

static void close_there(struct attachment *at, int descriptor)
{
    const uint64_t arguments[6] = {(uint64_t)descriptor, 0, 0, 0, 0, 0};
    struct tape_error ignored;
    long result;
    if (descriptor >= 0)
        remote_syscall(&at->remote, SYS_close, arguments, &result, &ignored);
}

/* Our end of a pair of sockets that the process has made: taken out of it by number. */
static int take_socket(const struct attachment *at, int descriptor)
{
    int process = (int)syscall(SYS_pidfd_open, at->pid, 0);
    int taken = process < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, process, descriptor, 0);
    if (process >= 0)
        close(process);
    return taken;
}

static bool send_descriptor(int socket, int descriptor)
{
    char byte = 0;
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
    struct iovec data = {&byte, 1};
    struct msghdr message = {.msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    return sendmsg(socket, &message, MSG_NOSIGNAL) == 1;
}

/* What recvmsg() wants, laid out in the process's memory. */
struct receiver {
    struct msghdr message;
    struct iovec data;
    uint64_t byte;
    uint64_t control[(CMSG_SPACE(sizeof(int)) + 7) / 8];
};

static bool receive_there(struct attachment *at, int socket, int *ret_descriptor,
                          struct tape_error *error)
{
    uint64_t place = at->remote.scratch;
    struct receiver receiver = {
        .data = {(void *)(place + offsetof(struct receiver, byte)), 1},
        .message = {.msg_iov = (void *)(place + offsetof(struct receiver, data)),
                    .msg_iovlen = 1,
                    .msg_control = (void *)(place + offsetof(struct receiver, control)),
                    .msg_controllen = sizeof receiver.control},
    };
    long result;
    if (!remote_write(&at->remote, place, &receiver, sizeof receiver))
        return fail(at, error, "its memory cannot be written");
    if (!call_kernel(at, SYS_recvmsg, (uint64_t)socket, place, MSG_CMSG_CLOEXEC, 0, "recvmsg",
                     &result, error))
        return false;
    if (!remote_read(&at->remote, place, &receiver, sizeof receiver) ||
        receiver.message.msg_controllen < CMSG_LEN(sizeof(int)))
        return fail(at, error, "it has no room for another descriptor (see its ulimit -n)");
    memcpy(ret_descriptor, (char *)receiver.control + CMSG_LEN(0), sizeof *ret_descriptor);
    return true;
}

/*
 * Descriptors reach the process through a pair of sockets, since paths may mean something else to
 * it, or be closed to it: it may live in a container, or be another user's.
 */
static bool pass_descriptors(struct attachment *at, int session, int library,
                             struct tape_error *error)
{
    int pair[2] = {-1, -1}, ours = -1;
    long result;
    if (!call_kernel(at, SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, at->remote.scratch,
                     "socketpair", &result, error))
        return false;
    bool passed = remote_read(&at->remote, at->remote.scratch, pair, sizeof pair);
    ours = passed ? take_socket(at, pair[1]) : -1;
    if (ours < 0)
        passed = fail(at, error, "no descriptor can be passed to it (Linux before 5.6?)");
    if (passed &&
        (!send_descriptor(ours, session) || (library >= 0 && !send_descriptor(ours, library))))
        passed = fail(at, error, strerror(errno));
    passed = passed && receive_there(at, pair[0], &at->remote_session, error) &&
             (library < 0 || receive_there(at, pair[0], &at->remote_library, error));
    if (ours >= 0)
        close(ours);
    close_there(at, pair[0]);
    close_there(at, pair[1]);
    return passed;
}

/* ---- the library -----------------------------------------------------------------------------
 */

/* A copy, which the loader takes for another library than the one that is there already. */
static int copy_library(const char *path)
{
    struct stat file;
    int from = open(path, O_RDONLY | O_CLOEXEC);
    int copy = memfd_create("libheaptape-record.so", MFD_CLOEXEC);
    bool copied = from >= 0 && copy >= 0 && fstat(from, &file) == 0;
    for (off_t done = 0; copied && done < file.st_size;)
        copied = sendfile(copy, from, &done, (size_t)(file.st_size - done)) > 0;
    if (from >= 0)
        close(from);
    if (!copied && copy >= 0) {
        close(copy);
        copy = -1;
    }
    return copy;
}

/* Does the path lead the process to the very same file, which is not loaded yet? */
static bool path_will_do(const struct attachment *at, const char *path)
{
    char seen[PATH_MAX + 32];
    struct stat ours, theirs;
    snprintf(seen, sizeof seen, "/proc/%d/root%s", (int)at->pid, path);
    return !at->survey.has_file && stat(path, &ours) == 0 && stat(seen, &theirs) == 0 &&
           ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

/*
 * With the others held it is done at once, unless one of them has a lock that it needs: then they
 * go on for a moment. It is waited for as long as it takes: a thread that is left in a call never
 * comes back.
 */
static bool call_patiently(struct attachment *at, bool begun, uint64_t function,
                           const uint64_t arguments[3], uint64_t *ret_result,
                           struct tape_error *error)
{
    double begin = now_ms();
    struct tape_error ignored;
    long free_ms = FREE_CALL_MS;
    for (bool warned = false;; begun = true) {
        long limit = at->holding ? HELD_CALL_MS : (free_ms *= 2);
        bool done = begun ? remote_call_again(&at->remote, limit, ret_result, error)
                          : remote_call(&at->remote, function, arguments, limit, ret_result, error);
        if (done || errno != ETIMEDOUT || procfs_thread_state(at->pid, at->remote.tid) == 'Z')
            return done;
        if (at->holding)
            release(at, at->remote.tid);
        else
            (void)hold(at, at->remote.tid, &ignored);
        if (!warned && now_ms() - begin > PATIENCE_MS)
            cli_warn("process %d (%s): its loader is busy; waiting for it", (int)at->pid,
                     at->program);
        warned |= now_ms() - begin > PATIENCE_MS;
    }
}

static bool explain_refusal(struct attachment *at, const char *path, struct tape_error *error)
{
    const uint64_t none[3] = {0, 0, 0};
    char text[160] = "", message[256];
    uint64_t reason = 0;
    if (at->survey.dlerror && call_patiently(at, false, at->survey.dlerror, none, &reason, error) &&
        reason)
        remote_read_text(&at->remote, reason, text, sizeof text);
    snprintf(message, sizeof message, "its loader refused %.60s: %s", path,
             text[0] ? text : "no reason given");
    return fail(at, error, message);
}

/* Loads the library by the path that is good for it and finds the entry. */
static bool load(struct attachment *at, const char *path, uint64_t inode, struct tape_error *error)
{
    uint64_t mode = RTLD_NOW | RTLD_LOCAL, handle;
    if (at->survey.dlopen_is_internal)
        mode |= (uint32_t)INTERNAL_MODE;
    uint64_t place = at->remote.scratch;
    const uint64_t arguments[3] = {place, mode, 0};
    if (!remote_write(&at->remote, place, path, strlen(path) + 1))
        return fail(at, error, "its memory cannot be written");
    if (!call_patiently(at, false, at->survey.dlopen, arguments, &handle, error))
        return false;
    if (!handle)
        return explain_refusal(at, path, error);
    struct image image;
    uint64_t header = survey_find_file(at->pid, inode);
    if (!header || !image_open(&image, at->memory, header))
        return fail(at, error, "the recorder's library is not where its loader put it");
    at->entry = image_symbol(&image, ATTACH_ENTRY);
    image_close(&image);
    return at->entry || fail(at, error,
                             "the library and this program are of different versions; "
                             "install heaptape again");
}

static bool bring_library(struct attachment *at, int session, const char *preload,
                          struct tape_error *error)
{
    char path[PATH_MAX];
    struct stat file;
    bool direct = path_will_do(at, preload);
    int copy = direct ? -1 : copy_library(preload);
    if (!direct && copy < 0)
        return fail(at, error, "no memory for a copy of the library");
    bool brought = pass_descriptors(at, session, copy, error);
    /* As many slashes as there are copies: the loader knows libraries by name, too. */
    if (direct)
        snprintf(path, sizeof path, "%s", preload);
    else
        snprintf(path, sizeof path, "/proc/self/fd%.*s%d", (int)(at->survey.copies % 64) + 1,
                 "////////////////////////////////////////////////////////////////",
                 at->remote_library);
    brought = brought && (direct ? stat(preload, &file) : fstat(copy, &file)) == 0 &&
              load(at, path, file.st_ino, error);
    if (copy >= 0)
        close(copy);
    return brought;
}

/* ---- joining ---------------------------------------------------------------------------------
 */

static bool explain_result(const struct attachment *at, uint64_t result, struct tape_error *error)
{
    switch ((enum attach_result)(uint32_t)result) {
    case ATTACH_OK:
        return true;
    case ATTACH_NO_ALLOCATOR:
        return fail(at, error, "no allocator can be seen in it (malloc and its kin)");
    case ATTACH_NO_SESSION:
        return fail(at, error, "it cannot map the recorder's memory (see its ulimit -v)");
    case ATTACH_NO_CALLS:
        return fail(at, error,
                    "nothing in it calls an allocator that can be seen: it may bring one inside "
                    "its own file");
    case ATTACH_WRONG_VERSION:
        break;
    }
    return fail(at, error,
                "the library and this program are of different versions; install "
                "heaptape again");
}

static bool put_request(struct attachment *at, enum attach_step step, struct tape_error *error)
{
    struct attach_request request = {.version = ATTACH_VERSION,
                                     .step = step,
                                     .memory = at->remote_session,
                                     .pid = (uint32_t)at->pid};
    return remote_write(&at->remote, at->remote.scratch, &request, sizeof request) ||
           fail(at, error, "its memory cannot be written");
}

static bool join(struct attachment *at, struct tape_error *error)
{
    const uint64_t arguments[3] = {at->remote.scratch, 0, 0};
    uint64_t result;
    return put_request(at, ATTACH_JOIN, error) &&
           call_patiently(at, false, at->entry, arguments, &result, error) &&
           explain_result(at, result, error);
}

/* All other threads are held, none of them in the loader. After a second, wherever they are. */
static bool hold_others(struct attachment *at, struct tape_error *error)
{
    const double limit_ms = 1000;
    double begin = now_ms();
    for (;;) {
        if (!hold(at, at->remote.tid, error))
            return false;
        if (safepoint_loader_is_idle(&at->survey.safepoint, &at->tracer, at->remote.tid) ||
            now_ms() - begin > limit_ms)
            return true;
        release(at, at->remote.tid);
        nanosleep(&(struct timespec){0, 500000}, NULL);
    }
}

static bool redirect(struct attachment *at, struct tape_error *error)
{
    const uint64_t arguments[3] = {at->remote.scratch, 0, 0};
    struct attach_request request = {0};
    uint64_t result = 0;
    at->remote.mark = ATTACH_MARK;
    if (!put_request(at, ATTACH_REDIRECT, error) ||
        !call_patiently(at, false, at->entry, arguments, &result, error))
        return false;
    if (at->remote.marked) {
        at->remote.mark = 0;
        if (!hold_others(at, error) ||
            !call_patiently(at, true, at->entry, arguments, &result, error))
            return false;
    }
    if (!explain_result(at, result, error))
        return false;
    remote_read(&at->remote, at->remote.scratch, &request, sizeof request);
    at->report->objects = request.objects;
    at->report->words = request.words;
    at->report->sealed = request.sealed;
    return true;
}

static bool work(struct attachment *at, const struct session *session, const char *preload,
                 struct tape_error *error)
{
    if (!survey(at->pid, at->memory, preload, &at->survey, error))
        return false;
    pid_t tid = find_thread(at, error);
    if (!tid ||
        !remote_begin(&at->remote, &at->tracer, tid, at->memory, at->survey.syscall_at, error))
        return false;
    bool joined = (!at->survey.errno_location ||
                   remote_keep_errno(&at->remote, at->survey.errno_location, error)) &&
                  bring_library(at, session->memory, preload, error) && join(at, error) &&
                  redirect(at, error);
    close_there(at, at->remote_library);
    close_there(at, at->remote_session);
    remote_end(&at->remote);
    return joined;
}

bool attach_from_here(pid_t pid, const struct session *session, const char *preload,
                      struct attach_report *ret_report, struct tape_error *error)
{
    struct attachment at = {
        .pid = pid, .remote_session = -1, .remote_library = -1, .report = ret_report};
    char path[32];
    int refused = 0;
    double begin = now_ms();
    *ret_report = (struct attach_report){0};
    if (!eligible(pid, error))
        return false;
    if (!tracer_begin(&at.tracer, pid, &refused)) {
        eligible_explain(pid, refused, error);
        return false;
    }
    procfs_program(pid, at.program, sizeof at.program);
    snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
    at.memory = open(path, O_RDWR | O_CLOEXEC);
    bool attached = at.memory >= 0 ? work(&at, session, preload, error)
                                   : fail(&at, error, "its memory cannot be opened");
    if (at.holding)
        ret_report->held_ms += now_ms() - at.held_since;
    tracer_end(&at.tracer);
    if (at.memory >= 0)
        close(at.memory);
    char state = procfs_thread_state(pid, pid);
    if (!attached && (!state || state == 'Z' || state == 'X'))
        fail(&at, error, "it ended while it was attached to");
    ret_report->all_ms = now_ms() - begin;
    return attached;
}
