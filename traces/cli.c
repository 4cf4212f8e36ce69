#include "traces/cli.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLI_SPEED_LEAST 0.5
#define CLI_SPEED_MOST  1000.0

static const char *cli_name = "?";

/*
 * Where one of the three was closed by who started us, a file or a pipe of our own would get its
 * number, and be written to in its stead. What takes the place of stdout cannot be written, so
 * that this is told; what stderr would have said is lost, as it was meant to be.
 */
static void keep_standard_files(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY);
}

void cli_begin(const char *name)
{
    cli_name = name;
    keep_standard_files();
}

static void say(const char *format, va_list arguments, const char *end)
{
    fflush(stdout);
    fprintf(stderr, "heaptape %s: ", cli_name);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "%s\n", end);
}

void cli_die(enum heaptape_exit status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments, "");
    va_end(arguments);
    exit(status);
}

void cli_warn(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments, "");
    va_end(arguments);
}

void cli_die_usage(const char *format, ...)
{
    char hint[128];
    snprintf(hint, sizeof hint, "; see heaptape %s --help", cli_name);
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments, hint);
    va_end(arguments);
    exit(HEAPTAPE_EXIT_USAGE);
}

void cli_die_error(const struct tape_error *error)
{
    cli_die(tape_exit_status(error->status), "%s", error->message);
}

void cli_help(const char *text)
{
    fputs(text, stdout);
    exit(cli_end(HEAPTAPE_EXIT_OK));
}

void cli_version(void)
{
    printf("heaptape %s %s\n", cli_name, HEAPTAPE_VERSION);
    exit(cli_end(HEAPTAPE_EXIT_OK));
}

int cli_end(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    /* A closed pipe (| head) has had what it wanted. */
    if (errno == EPIPE)
        return status;
    fprintf(stderr, "heaptape %s: cannot write the output: %s\n", cli_name,
            errno ? strerror(errno) : "an earlier write failed");
    return HEAPTAPE_EXIT_ENVIRONMENT;
}

/* ---- numbers with units ------------------------------------------------------------------------
 */

struct unit {
    const char *word;
    double factor;
};

bool cli_parse_double(const char *text, double *ret_value)
{
    if (!text || (!isdigit((unsigned char)*text) && *text != '.' && *text != '-'))
        return false;
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !isfinite(value))
        return false;
    *ret_value = value;
    return true;
}

/* A number, then one of the units' words to the end. Whole numbers are exact to 64 bits. */
static bool parse_with_unit(const char *text, const struct unit *units, size_t count, uint64_t *ret)
{
    if (!text || !isdigit((unsigned char)*text))
        return false;
    char *end, *whole_end;
    errno = 0;
    uint64_t whole = strtoull(text, &whole_end, 10);
    bool whole_fits = errno == 0;
    double value = strtod(text, &end);
    /* strtod reads hex too; no unit begins with x, so 0x10 ends up with its end beyond an 'x'. */
    if (memchr(text, 'x', (size_t)(end - text)) || memchr(text, 'X', (size_t)(end - text)))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(end, units[i].word))
            continue;
        uint64_t factor = (uint64_t)units[i].factor;
        if (end == whole_end) {
            if (!whole_fits || __builtin_mul_overflow(whole, factor, &whole))
                return false;
            *ret = whole;
            return true;
        }
        double product = value * units[i].factor;
        if (!(product < 18446744073709551616.0))
            return false;
        *ret = (uint64_t)(product + 0.5);
        return true;
    }
    return false;
}

bool cli_parse_size(const char *text, uint64_t *ret_bytes)
{
    static const struct unit units[] = {
        {"", 1},         {"B", 1},      {"k", 0x1p10}, {"K", 0x1p10},   {"KiB", 0x1p10},
        {"kiB", 0x1p10}, {"kB", 1e3},   {"KB", 1e3},   {"M", 0x1p20},   {"m", 0x1p20},
        {"MiB", 0x1p20}, {"MB", 1e6},   {"G", 0x1p30}, {"g", 0x1p30},   {"GiB", 0x1p30},
        {"GB", 1e9},     {"T", 0x1p40}, {"t", 0x1p40}, {"TiB", 0x1p40}, {"TB", 1e12},
    };
    return parse_with_unit(text, units, sizeof units / sizeof *units, ret_bytes);
}

bool cli_parse_duration(const char *text, uint64_t *ret_ns)
{
    static const struct unit units[] = {
        {"", 1e9}, {"s", 1e9},  {"ms", 1e6},   {"us", 1e3},
        {"ns", 1}, {"m", 60e9}, {"min", 60e9}, {"h", 3600e9},
    };
    return parse_with_unit(text, units, sizeof units / sizeof *units, ret_ns);
}

bool cli_parse_count(const char *text, uint64_t *ret_count)
{
    static const struct unit units[] = {
        {"", 1}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"m", 1e6}, {"G", 1e9}, {"g", 1e9},
    };
    return parse_with_unit(text, units, sizeof units / sizeof *units, ret_count);
}

uint64_t cli_size(const char *option, const char *text)
{
    uint64_t value;
    if (!cli_parse_size(text, &value))
        cli_die_usage("%s=%s: not a size (64k, 1M, 1GiB)", option, text);
    return value;
}

uint64_t cli_duration(const char *option, const char *text)
{
    uint64_t value;
    if (!cli_parse_duration(text, &value))
        cli_die_usage("%s=%s: not a time (10ms, 2s)", option, text);
    return value;
}

double cli_speed(const char *option, const char *text)
{
    double speed;
    if (!strcmp(text, "asap"))
        return 0;
    if (!strcmp(text, "recorded"))
        return 1;
    if (!cli_parse_double(text, &speed) || !(speed >= CLI_SPEED_LEAST && speed <= CLI_SPEED_MOST))
        cli_die_usage("%s=%s: not asap, recorded or a factor from %g to %g (2 is twice as fast)",
                      option, text, CLI_SPEED_LEAST, CLI_SPEED_MOST);
    return speed;
}

uint64_t cli_count(const char *option, const char *text)
{
    uint64_t value;
    if (!cli_parse_count(text, &value))
        cli_die_usage("%s=%s: not a count (100, 10k, 2M)", option, text);
    return value;
}

/* ---- where the siblings lie --------------------------------------------------------------------
 */

const char *cli_root(void)
{
    static char root[PATH_MAX];
    if (root[0])
        return root;
    ssize_t bytes = readlink("/proc/self/exe", root, sizeof root - 1);
    if (bytes < 0)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "cannot read /proc/self/exe: %s; mount /proc",
                strerror(errno));
    root[bytes] = 0;
    for (int up = 0; up < 3; up++) {
        char *slash = strrchr(root, '/');
        if (!slash)
            cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s is not in a folder ROOT/libexec/heaptape", root);
        *slash = 0;
    }
    return root;
}

static const char *path_below(const char *folder, const char *name, char *buffer, size_t bytes)
{
    int length = snprintf(buffer, bytes, "%s/%s/heaptape/%s", cli_root(), folder, name);
    if (length < 0 || (size_t)length >= bytes)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "the path of %s is too long", name);
    return buffer;
}

const char *cli_lib_path(const char *name, char *buffer, size_t bytes)
{
    return path_below("lib", name, buffer, bytes);
}

const char *cli_libexec_path(const char *name, char *buffer, size_t bytes)
{
    return path_below("libexec", name, buffer, bytes);
}

const char *cli_format_bytes(uint64_t bytes, char buffer[16])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        snprintf(buffer, 16, "%u B", (unsigned)bytes);
        return buffer;
    }
    double value = (double)bytes / 1024;
    size_t unit = 0;
    while (value >= 1023.95 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1024;
        unit++;
    }
    snprintf(buffer, 16, "%.1f %s", value, units[unit]);
    return buffer;
}

bool cli_same_file(const char *a, const char *b)
{
    struct stat first, second;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
           first.st_ino == second.st_ino;
}

void cli_remove_output(const char *path)
{
    struct stat info;
    if (lstat(path, &info) == 0 && S_ISREG(info.st_mode))
        unlink(path);
}
