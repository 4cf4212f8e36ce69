#include "replayer/driver/machine.h"
#include <gnu/libc-version.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

const char *machine_read_line(const char *path, char *text, unsigned bytes)
{
    FILE *file = fopen(path, "re");
    text[0] = 0;
    if (!file)
        return text;
    if (!fgets(text, (int)bytes, file))
        text[0] = 0;
    text[strcspn(text, "\n")] = 0;
    fclose(file);
    return text;
}

/* What follows `key` and any of ":= \t" on its first line in the file, without quotes. */
static void read_field(const char *path, const char *key, char *text, size_t bytes)
{
    char line[512];
    FILE *file = fopen(path, "re");
    text[0] = 0;
    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        const char *value = line + strlen(key);
        value += strspn(value, ":= \t\"");
        snprintf(text, bytes, "%.*s", (int)strcspn(value, "\"\n"), value);
        break;
    }
    if (file)
        fclose(file);
}

static uint64_t meminfo_bytes(const char *key)
{
    char text[64];
    read_field("/proc/meminfo", key, text, sizeof text);
    return strtoull(text, NULL, 10) * 1024;
}

/* "always [madvise] never": the word in brackets. */
static void read_choice(const char *path, char *text, size_t bytes)
{
    char line[128];
    machine_read_line(path, line, sizeof line);
    const char *open = strchr(line, '[');
    snprintf(text, bytes, "%.*s", open ? (int)strcspn(open + 1, "]") : 0, open ? open + 1 : "");
}

void machine_describe(struct machine *ret_machine)
{
    struct machine machine = {0};
    struct utsname system;
    cpu_set_t cpus;
    read_field("/proc/cpuinfo", "model name", machine.cpu_model, sizeof machine.cpu_model);
    read_field("/etc/os-release", "PRETTY_NAME", machine.os, sizeof machine.os);
    read_choice("/sys/kernel/mm/transparent_hugepage/enabled", machine.thp, sizeof machine.thp);
    machine_read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", machine.governor,
                      sizeof machine.governor);
    if (uname(&system) == 0)
        snprintf(machine.kernel, sizeof machine.kernel, "%s %.60s", system.sysname, system.release);
    snprintf(machine.libc, sizeof machine.libc, "glibc %s", gnu_get_libc_version());
    machine.cores = sched_getaffinity(0, sizeof cpus, &cpus) == 0
                        ? (unsigned)CPU_COUNT(&cpus)
                        : (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    machine.memory_bytes = meminfo_bytes("MemTotal");
    machine.page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    *ret_machine = machine;
}

/* The control group's file of that name as bytes; 0 where there is no limit or no such file. */
static uint64_t cgroup_bytes(const char *name)
{
    char path[512], line[256], group[200];
    read_field("/proc/self/cgroup", "0::", group, sizeof group);
    snprintf(path, sizeof path, "/sys/fs/cgroup%s/%s", strcmp(group, "/") ? group : "", name);
    return strtoull(machine_read_line(path, line, sizeof line), NULL, 10);
}

uint64_t machine_available_bytes(void)
{
    uint64_t available = meminfo_bytes("MemAvailable");
    uint64_t limit = cgroup_bytes("memory.max"), used = cgroup_bytes("memory.current");
    if (limit && used < limit && limit - used < available)
        available = limit - used;
    return available;
}
