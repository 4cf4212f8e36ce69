#include "recorder/collector/samples.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static size_t read_text(uint32_t pid, const char *name, char *text, size_t capacity)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%u/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t bytes = read(fd, text, capacity - 1);
    close(fd);
    text[bytes > 0 ? bytes : 0] = '\0';
    return bytes > 0 ? (size_t)bytes : 0;
}

bool samples_resident(uint32_t pid, uint64_t *ret_bytes)
{
    char text[256];
    unsigned long long size, resident;
    if (!read_text(pid, "statm", text, sizeof text) ||
        sscanf(text, "%llu %llu", &size, &resident) != 2)
        return false;
    *ret_bytes = resident * (uint64_t)sysconf(_SC_PAGESIZE);
    return true;
}

/* "begin-end rw-p offset device inode   name": counts where writable, private and of no file. */
static uint64_t held_of_line(const char *line)
{
    char *rest;
    uint64_t begin = strtoull(line, &rest, 16);
    uint64_t end = *rest == '-' ? strtoull(rest + 1, &rest, 16) : 0;
    if (end <= begin || strncmp(rest, " rw-p", 5) != 0)
        return 0;
    rest += 5;
    (void)strtoull(rest, &rest, 16); /* offset */
    rest += strspn(rest, " ");
    rest += strcspn(rest, " "); /* device */
    if (strtoull(rest, &rest, 10) != 0)
        return 0;
    rest += strspn(rest, " ");
    return strncmp(rest, "[stack", 6) == 0 || strncmp(rest, "[v", 2) == 0 ? 0 : end - begin;
}

uint64_t samples_held(uint32_t pid)
{
    char path[48], line[512];
    snprintf(path, sizeof path, "/proc/%u/maps", pid);
    FILE *maps = fopen(path, "re");
    if (!maps)
        return 0;
    uint64_t bytes = 0;
    bool at_line = true; /* names may be longer than `line` */
    while (fgets(line, sizeof line, maps)) {
        if (at_line)
            bytes += held_of_line(line);
        at_line = strchr(line, '\n') != NULL;
    }
    fclose(maps);
    return bytes;
}

bool samples_exit_status(uint32_t pid, int *ret_wait_status)
{
    char text[1024];
    if (!read_text(pid, "stat", text, sizeof text))
        return false;
    char *field = strrchr(text, ')'); /* the name may hold anything */
    if (!field || (field[1] && field[2] != 'Z' && field[2] != 'X'))
        return false;
    field = strrchr(text, ' '); /* exit_code is the last field */
    if (!field)
        return false;
    *ret_wait_status = atoi(field + 1);
    return true;
}

/* As in <linux/pidfd.h> of 6.15; the headers of older systems lack it. */
struct pidfd_info_exit {
    uint64_t mask, cgroup;
    uint32_t ids[11];
    int32_t exit_code;
};
#define PIDFD_INFO_EXIT_BIT (UINT64_C(1) << 3)
#define PIDFD_GET_INFO_CALL _IOWR(0xff, 11, struct pidfd_info_exit)

bool samples_pidfd_status(int pidfd, int *ret_wait_status)
{
    struct pidfd_info_exit info = {.mask = PIDFD_INFO_EXIT_BIT};
    if (pidfd < 0 || ioctl(pidfd, PIDFD_GET_INFO_CALL, &info) || !(info.mask & PIDFD_INFO_EXIT_BIT))
        return false;
    *ret_wait_status = info.exit_code;
    return true;
}

/* The environment as it was at the start; values may be longer than what is read. */
static bool has_variable(uint32_t pid, const char *name)
{
    char path[48], text[65536];
    snprintf(path, sizeof path, "/proc/%u/environ", pid);
    FILE *file = fopen(path, "re");
    size_t bytes = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[bytes] = '\0';
    for (const char *at = text; at < text + bytes; at += strlen(at) + 1)
        if (!strncmp(at, name, strlen(name)) && at[strlen(name)] == '=')
            return true;
    return false;
}

bool samples_is_pooled_python(uint32_t pid)
{
    char path[48], program[512];
    snprintf(path, sizeof path, "/proc/%u/exe", pid);
    ssize_t bytes = readlink(path, program, sizeof program - 1);
    program[bytes > 0 ? bytes : 0] = '\0';
    const char *slash = strrchr(program, '/');
    return slash && !strncmp(slash + 1, "python", 6) && !has_variable(pid, "PYTHONMALLOC");
}
