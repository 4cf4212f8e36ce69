#include "recorder/attach/procfs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *open_text(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return fopen(path, "re");
}

bool procfs_status(pid_t pid, const char *field, char *value, size_t bytes)
{
    char line[1024];
    size_t length = strlen(field);
    bool found = false;
    FILE *status = open_text(pid, "status");
    while (status && !found && fgets(line, sizeof line, status)) {
        if (strncmp(line, field, length) != 0 || line[length] != ':')
            continue;
        const char *text = line + length + 1;
        text += strspn(text, " \t");
        snprintf(value, bytes, "%.*s", (int)strcspn(text, "\n"), text);
        found = true;
    }
    if (status)
        fclose(status);
    return found;
}

bool procfs_status_number(pid_t pid, const char *field, int base, uint64_t *ret_number)
{
    char value[256], *end;
    if (!procfs_status(pid, field, value, sizeof value))
        return false;
    uint64_t number = strtoull(value, &end, base);
    if (end == value)
        return false;
    *ret_number = number;
    return true;
}

char procfs_thread_state(pid_t pid, pid_t tid)
{
    char name[48], text[512];
    snprintf(name, sizeof name, "task/%d/stat", (int)tid);
    FILE *stat = open_text(pid, name);
    if (!stat)
        return '\0';
    size_t bytes = fread(text, 1, sizeof text - 1, stat);
    fclose(stat);
    text[bytes] = '\0';
    const char *field = strrchr(text, ')'); /* the name before it may hold anything */
    return field && field[1] ? field[2] : '\0';
}

bool procfs_maps(pid_t pid, bool (*visit)(const struct procfs_map *map, void *context),
                 void *context)
{
    FILE *maps = open_text(pid, "maps");
    if (!maps)
        return false;
    char *line = NULL;
    size_t capacity = 0;
    bool any = false;
    while (getline(&line, &capacity, maps) > 0) {
        struct procfs_map map = {.path = ""};
        unsigned long long begin, end, offset, inode;
        int path_at = 0;
        if (sscanf(line, "%llx-%llx %4s %llx %*s %llu %n", &begin, &end, map.rights, &offset,
                   &inode, &path_at) < 5)
            continue;
        map.begin = begin;
        map.end = end;
        map.offset = offset;
        map.inode = inode;
        if (path_at)
            snprintf(map.path, sizeof map.path, "%.*s", (int)strcspn(line + path_at, "\n"),
                     line + path_at);
        any = true;
        if (!visit(&map, context))
            break;
    }
    free(line);
    fclose(maps);
    return any;
}

pid_t *procfs_threads(pid_t pid, size_t *ret_count)
{
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *folder = opendir(path);
    pid_t *threads = NULL;
    size_t count = 0, capacity = 0;
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        int tid = atoi(entry->d_name);
        if (tid <= 0)
            continue;
        if (count == capacity) {
            capacity = capacity ? 2 * capacity : 64;
            pid_t *more = realloc(threads, capacity * sizeof *threads);
            if (!more)
                break;
            threads = more;
        }
        threads[count++] = tid;
    }
    if (folder)
        closedir(folder);
    *ret_count = count;
    return threads;
}

bool procfs_auxiliary(pid_t pid, uint64_t type, uint64_t *ret_value)
{
    uint64_t pair[2];
    bool found = false;
    FILE *vector = open_text(pid, "auxv");
    while (vector && !found && fread(pair, sizeof pair, 1, vector) == 1)
        if (pair[0] == type) {
            *ret_value = pair[1];
            found = true;
        }
    if (vector)
        fclose(vector);
    return found;
}

void procfs_program(pid_t pid, char *path, size_t bytes)
{
    char link[48], target[PATH_MAX];
    snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
    ssize_t length = readlink(link, target, sizeof target - 1);
    if (length > 0) {
        target[length] = '\0';
        char *deleted = strstr(target, " (deleted)");
        if (deleted)
            *deleted = '\0';
        const char *slash = strrchr(target, '/');
        snprintf(path, bytes, "%s", slash ? slash + 1 : target);
    } else if (!procfs_status(pid, "Name", path, bytes)) {
        snprintf(path, bytes, "?");
    }
}
