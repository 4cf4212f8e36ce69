/* Which Debian package owns an allocator's file. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "replayer/driver/allocators.h"
#include "replayer/driver/process.h"

#define TIMEOUT_NS UINT64_C(5000000000)

/* The first line that dpkg-query prints; false where it is not there or knows nothing. */
static bool ask(const char *option, const char *format, const char *about, char *line,
                unsigned bytes)
{
    const char *arguments[] = {"dpkg-query", option, format ? format : about, format ? about : NULL,
                               NULL};
    struct process_result result;
    struct process_request request = {.arguments = arguments,
                                      .preload = "",
                                      .input = PROCESS_NULL,
                                      .output = process_scratch("answer"),
                                      .error = PROCESS_NULL,
                                      .timeout_ns = TIMEOUT_NS};
    process_run(&request, &result);
    process_scratch_text(request.output, line, bytes);
    close(request.output);
    line[strcspn(line, "\n")] = 0;
    return result.end == PROCESS_EXITED && result.exit_status == 0 && *line;
}

static void find_package(struct allocator *allocator)
{
    char owner[512], version[64], other[PATH_MAX + 8];
    const char *path = allocator->path;
    /* With /lib a link to /usr/lib, a package may name its file by either. */
    bool usr = !strncmp(path, "/usr/", 5);
    snprintf(other, sizeof other, "%s%s", usr ? "" : "/usr", usr ? path + 4 : path);
    if (!ask("-S", NULL, usr ? path : other, owner, sizeof owner) &&
        !ask("-S", NULL, other, owner, sizeof owner))
        return;
    owner[strcspn(owner, ",: ")] = 0;
    if (ask("-W", "-f=${Version}\n", owner, version, sizeof version))
        snprintf(allocator->package, sizeof allocator->package, "%.30s %.63s", owner, version);
}

void allocators_packages(struct allocator_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (!strncmp(list->items[i].path, "/usr/lib/", 9) ||
            !strncmp(list->items[i].path, "/lib/", 5))
            find_package(&list->items[i]);
}
