#include "replayer/driver/probe.h"
#include <dlfcn.h>
#include <errno.h>
#include <gnu/libc-version.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "replayer/driver/interrupt.h"
#include "replayer/driver/process.h"
#include "traces/cli.h"

#define PROBE_TIMEOUT_NS UINT64_C(5000000000)

/* ---- the child's side: runs on the allocator that is asked about
 * ----------------------------------- */

static void version_jemalloc(char *text, size_t bytes)
{
    int (*control)(const char *, void *, size_t *, void *, size_t) = NULL;
    const char *version = NULL;
    size_t size = sizeof version;
    *(void **)&control = dlsym(RTLD_DEFAULT, "mallctl");
    if (control && control("version", &version, &size, NULL, 0) == 0 && version)
        snprintf(text, bytes, "%.*s", (int)strcspn(version, "-"), version);
}

/* 209 is 2.0.9; newer ones count two digits each, 30105 is 3.1.5. */
static void version_mimalloc(char *text, size_t bytes)
{
    int (*version)(void) = NULL;
    *(void **)&version = dlsym(RTLD_DEFAULT, "mi_version");
    if (!version)
        return;
    int number = version();
    int step = number >= 10000 ? 100 : 10;
    snprintf(text, bytes, "%d.%d.%d", number / (step * step), number / step % step, number % step);
}

static void version_tcmalloc(char *text, size_t bytes)
{
    const char *(*version)(int *, int *, const char **) = NULL;
    int major, minor;
    const char *patch;
    *(void **)&version = dlsym(RTLD_DEFAULT, "tc_version");
    if (version)
        snprintf(text, bytes, "%s", version(&major, &minor, &patch));
}

/* From the file that PATH leads to: libtbbmalloc_proxy.so.2.8 is 2.8. */
static void version_by_file(const char *path, char *text, size_t bytes)
{
    char file[PATH_MAX];
    if (!realpath(path, file))
        return;
    const char *end = strstr(file, ".so.");
    if (end)
        snprintf(text, bytes, "%s", end + 4);
}

static bool is_libc(const char *path)
{
    const char *base = strrchr(path, '/');
    return strncmp(base ? base + 1 : path, "libc.so", 7) == 0;
}

int probe_self(void)
{
    char version[64] = "";
    Dl_info info = {0};
    void *found = dlsym(RTLD_DEFAULT, "malloc");
    if (!found || !dladdr(found, &info) || !info.dli_fname)
        return 1;
    if (is_libc(info.dli_fname))
        snprintf(version, sizeof version, "%s", gnu_get_libc_version());
    else if (strstr(info.dli_fname, "/lib/heaptape/"))
        snprintf(version, sizeof version, "%s", HEAPTAPE_VERSION);
    if (!version[0])
        version_jemalloc(version, sizeof version);
    if (!version[0])
        version_mimalloc(version, sizeof version);
    if (!version[0])
        version_tcmalloc(version, sizeof version);
    if (!version[0])
        version_by_file(info.dli_fname, version, sizeof version);
    dprintf(STDOUT_FILENO, "%s\n%s\n", info.dli_fname, version);
    return 0;
}

/* ---- the asker's side
 * ------------------------------------------------------------------------------- */

/* The reason in "ERROR: ld.so: object 'X' from LD_PRELOAD cannot be preloaded (REASON): ignored."
 */
static bool loader_refused(const char *words, char *reason, size_t bytes)
{
    const char *start = strstr(words, "cannot be preloaded (");
    if (!start)
        return false;
    start = strchr(start, '(') + 1;
    const char *end = strstr(start, "): ignored");
    snprintf(reason, bytes, "%.*s", (int)(end ? (size_t)(end - start) : strcspn(start, "\n")),
             start);
    return true;
}

static enum probe_status judge(const char *preload, const struct process_result *result,
                               const char *answer, const char *words, struct probe *probe)
{
    char reason[256];
    if (loader_refused(words, reason, sizeof reason)) {
        snprintf(probe->message, sizeof probe->message, "the loader says: %s", reason);
        return strstr(reason, "cannot open shared object file") && !strchr(preload, '/')
                   ? PROBE_NOT_FOUND
                   : PROBE_BROKEN;
    }
    const char *line_end = strchr(answer, '\n');
    if (result->end != PROCESS_EXITED || result->exit_status || !line_end) {
        snprintf(probe->message, sizeof probe->message, "a program that does nothing %s on it",
                 result->end == PROCESS_SIGNALED  ? "crashes"
                 : result->end == PROCESS_TIMEOUT ? "hangs"
                                                  : "fails");
        return PROBE_DIED;
    }
    snprintf(probe->path, sizeof probe->path, "%.*s", (int)(line_end - answer), answer);
    snprintf(probe->version, sizeof probe->version, "%.*s", (int)strcspn(line_end + 1, "\n"),
             line_end + 1);
    if (*preload && is_libc(probe->path)) {
        snprintf(probe->message, sizeof probe->message, "loads, but defines no malloc of its own");
        return PROBE_BROKEN;
    }
    return PROBE_OK;
}

enum probe_status probe_run(const char *preload, const char *const *environment,
                            struct probe *ret_probe)
{
    char program[PATH_MAX], answer[PATH_MAX + 128], words[4096];
    const char *arguments[] = {cli_libexec_path("heaptape-allocators", program, sizeof program),
                               PROBE_ARGUMENT, NULL};
    struct process_result result;
    struct process_request request = {
        .arguments = arguments,
        .preload = preload,
        .environment = environment,
        .input = PROCESS_NULL,
        .output = process_scratch("answer"),
        .error = process_scratch("words"),
        .timeout_ns = PROBE_TIMEOUT_NS,
    };
    memset(ret_probe, 0, sizeof *ret_probe);
    process_run(&request, &result);
    process_scratch_text(request.output, answer, sizeof answer);
    process_scratch_text(request.error, words, sizeof words);
    close(request.output);
    close(request.error);
    if (result.end == PROCESS_INTERRUPTED)
        exit(interrupt_exit_status());
    if (result.end == PROCESS_NOT_STARTED)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: %s; run make again", program,
                strerror(result.error));
    return judge(preload, &result, answer, words, ret_probe);
}
