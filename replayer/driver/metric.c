#include "replayer/driver/metric.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "traces/cli.h"

const struct metric metrics[] = {
    {"time", "of libc's", "time per operation over libc's, paired by round", "time",
     "ns_per_operation", METRIC_TO_LIBC, true},
    {"net_time", "of libc's", "the same, the floor taken off both", "time", "ns_per_operation",
     METRIC_NET, false},
    {"absolute_time", "ns", "time per operation", "time", "ns_per_operation", METRIC_ABSOLUTE,
     false},
    {"faults", "faults", "page faults while timed", "time", "minor_faults", METRIC_ABSOLUTE, false},
    {"peak_resident", "bytes", "peak of P with what was resident at the start", "memory",
     "peak_resident_bytes", METRIC_ABSOLUTE, true},
    {"peak_held", "bytes", "peak of H", "memory", "peak_held_bytes", METRIC_ABSOLUTE, true},
    {"peak_usable", "bytes", "peak of U", "memory", "peak_usable_bytes", METRIC_ABSOLUTE, false},
    {"p50", "of libc's", "median call over libc's, paired by round", "latency", "latency_ns_p50",
     METRIC_TO_LIBC, false},
    {"p90", "of libc's", "likewise", "latency", "latency_ns_p90", METRIC_TO_LIBC, false},
    {"p99", "of libc's", "likewise", "latency", "latency_ns_p99", METRIC_TO_LIBC, false},
    {"p99_9", "of libc's", "likewise", "latency", "latency_ns_p99_9", METRIC_TO_LIBC, false},
    {"p99_99", "of libc's", "likewise", "latency", "latency_ns_p99_99", METRIC_TO_LIBC, false},
    {"startup_resident", "bytes", "resident before the first operation", "memory",
     "startup_resident_bytes", METRIC_ABSOLUTE, false},
};
const size_t metrics_count = sizeof metrics / sizeof *metrics;

_Static_assert(sizeof metrics / sizeof *metrics <= METRIC_LIMITS_MAX, "all of them by default");

_Noreturn static void unknown(const char *option, const char *text, const char *at, size_t length)
{
    char names[512] = "";
    for (size_t i = 0; i < metrics_count; i++) {
        strncat(names, i ? ", " : "", sizeof names - strlen(names) - 1);
        strncat(names, metrics[i].name, sizeof names - strlen(names) - 1);
    }
    cli_die_usage("%s '%s': character %zu: '%.*s' is none of %s", option, text,
                  (size_t)(at - text) + 1, (int)length, at, names);
}

_Noreturn static void expected(const char *option, const char *text, const char *at,
                               const char *what)
{
    cli_die_usage("%s '%s': character %zu: %s, as in time>3%%,peak_resident>1%%", option, text,
                  (size_t)(at - text) + 1, what);
}

static const char *skip_spaces(const char *at)
{
    return at + strspn(at, " \t\n");
}

/* Takes "NAME > SHARE%" from *ret_at on. */
static struct metric_limit take(const char *option, const char *text, const char **ret_at)
{
    struct metric_limit limit = {NULL, 0};
    const char *at = skip_spaces(*ret_at);
    size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_.");
    if (!length)
        expected(option, text, at, "a metric is expected");
    for (size_t i = 0; i < metrics_count; i++)
        if (strlen(metrics[i].name) == length && !strncmp(metrics[i].name, at, length))
            limit.metric = &metrics[i];
    if (!limit.metric)
        unknown(option, text, at, length);
    at = skip_spaces(at + length);
    if (*at != '>')
        expected(option, text, at, "'>' is expected");
    at = skip_spaces(at + 1);
    char *end = (char *)at;
    if (isdigit((unsigned char)*at) || *at == '.')
        limit.share = strtod(at, &end) / 100;
    if (end == at)
        expected(option, text, at, "a number is expected");
    at = skip_spaces(end);
    if (*at != '%')
        expected(option, text, at, "'%' is expected");
    *ret_at = skip_spaces(at + 1);
    return limit;
}

size_t metric_limits(const char *option, const char *text,
                     struct metric_limit limits[METRIC_LIMITS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; !text && i < metrics_count; i++)
        if (metrics[i].by_default)
            limits[count++] = (struct metric_limit){&metrics[i], 0};
    for (const char *at = text; at;) {
        const char *start = at;
        struct metric_limit limit = take(option, text, &at);
        for (size_t i = 0; i < count; i++)
            if (limits[i].metric == limit.metric)
                expected(option, text, start, "a metric comes twice; each may once");
        limits[count++] = limit;
        if (!*at)
            break;
        if (*at != ',')
            expected(option, text, at, "',' is expected");
        at++;
    }
    return count;
}
