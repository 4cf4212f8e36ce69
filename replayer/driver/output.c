#include "replayer/driver/output.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "traces/cli.h"

const char *output_path(const char *folder, const char *name, char path[PATH_MAX])
{
    if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX - 32)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%.200s...: the path is too long; use -o", folder);
    return path;
}

static void fail(struct output *output)
{
    int error = errno;
    unlink(output->temporary);
    cli_die(HEAPTAPE_EXIT_ENVIRONMENT,
            "cannot write %s: %s; make room or choose another folder with -o", output->path,
            strerror(error));
}

void output_open(struct output *output, const char *folder, const char *name)
{
    output_path(folder, name, output->path);
    if (snprintf(output->temporary, PATH_MAX, "%s.%d.tmp", output->path, (int)getpid()) >= PATH_MAX)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: the path is too long", output->path);
    output->file = fopen(output->temporary, "we");
    if (!output->file)
        fail(output);
}

void output_close(struct output *output)
{
    int bad = fflush(output->file) != 0 || ferror(output->file);
    if (fclose(output->file) != 0 || bad)
        fail(output);
    if (rename(output->temporary, output->path) < 0)
        fail(output);
}
