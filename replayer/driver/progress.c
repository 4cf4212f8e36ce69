#include "replayer/driver/progress.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void progress_begin(struct progress *progress, unsigned all)
{
    const char *terminal = getenv("TERM");
    *progress = (struct progress){.all = all, .began_ns = now_ns()};
    progress->shown = isatty(STDERR_FILENO) && !(terminal && !strcmp(terminal, "dumb"));
}

static unsigned columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
        return size.ws_col;
    return 80;
}

/* "1:05 left" by the mean of the steps so far. */
static void left(const struct progress *progress, char text[32])
{
    text[0] = 0;
    if (!progress->done || progress->done >= progress->all)
        return;
    double step = (double)(now_ns() - progress->began_ns) / 1e9 / progress->done;
    unsigned seconds = (unsigned)(step * (progress->all - progress->done) + 0.5);
    snprintf(text, 32, "  %u:%02u left", seconds / 60, seconds % 60);
}

void progress_step(struct progress *progress, const char *format, ...)
{
    char what[256], when[32], line[384];
    va_list arguments;
    if (!progress->shown)
        return;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    left(progress, when);
    int length =
        snprintf(line, sizeof line, "[%u/%u]%s  %s", progress->done + 1, progress->all, when, what);
    unsigned room = columns() - 1;
    if (length > 0 && (unsigned)length > room)
        line[room < sizeof line ? room : sizeof line - 1] = 0;
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
}

void progress_done(struct progress *progress)
{
    progress->done++;
}

void progress_clear(const struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
}
