#include "replayer/driver/load.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include "replayer/driver/machine.h"

#define CPUS_MAX 1024

static double seconds_of(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* The first line of /proc/stat: user nice system idle iowait irq softirq steal, in ticks. */
static void read_stat(struct load_reading *reading)
{
    char line[256];
    unsigned long long ticks[8];
    double second = (double)sysconf(_SC_CLK_TCK);
    machine_read_line("/proc/stat", line, sizeof line);
    if (sscanf(line, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &ticks[0], &ticks[1], &ticks[2],
               &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]) != 8)
        return;
    reading->busy_seconds = (double)(ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) / second;
    reading->steal_seconds = (double)ticks[7] / second;
}

/* The sum (or the least) of a number that each processor has in /sys; NAN where none has. */
static double of_processors(const char *name, int least)
{
    char path[128], line[64];
    double all = NAN;
    long count = sysconf(_SC_NPROCESSORS_CONF);
    for (long i = 0; i < count && i < CPUS_MAX; i++) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld/%s", i, name);
        if (!*machine_read_line(path, line, sizeof line))
            continue;
        double value = atof(line);
        if (isnan(all) || (least && value < all))
            all = value;
        else if (!least)
            all += value;
    }
    return all;
}

struct load_reading load_read(void)
{
    struct load_reading reading = {NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    struct timespec now;
    char line[64];
    clock_gettime(CLOCK_MONOTONIC, &now);
    reading.wall_seconds = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
    read_stat(&reading);
    reading.own_seconds = seconds_of(RUSAGE_SELF) + seconds_of(RUSAGE_CHILDREN);
    if (*machine_read_line("/proc/loadavg", line, sizeof line))
        reading.average = atof(line);
    reading.throttled = of_processors("thermal_throttle/core_throttle_count", 0);
    reading.mhz = of_processors("cpufreq/scaling_cur_freq", 1) / 1000;
    return reading;
}

struct load load_between(const struct load_reading *before, const struct load_reading *after)
{
    double wall = after->wall_seconds - before->wall_seconds;
    double others =
        (after->busy_seconds - before->busy_seconds) - (after->own_seconds - before->own_seconds);
    return (struct load){
        .average_before = before->average,
        .average_after = after->average,
        .others_cores = wall > 0 ? (others < 0 ? 0 : others) / wall : NAN,
        .steal_share = wall > 0 ? (after->steal_seconds - before->steal_seconds) / wall : NAN,
        .throttled = after->throttled - before->throttled,
        .mhz_low = fmin(before->mhz, after->mhz),
        .mhz_high = fmax(before->mhz, after->mhz),
    };
}
