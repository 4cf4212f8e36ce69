/*
 * What /proc tells about a process: fields of its status, its mappings, its threads. All functions
 * return false where there is nothing to read: the process is gone, or forbidden to us.
 */
#ifndef HEAPTAPE_RECORDER_PROCFS_H
#define HEAPTAPE_RECORDER_PROCFS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The text behind "FIELD:" in /proc/PID/status, without the blanks around it. */
bool procfs_status(pid_t pid, const char *field, char *value, size_t bytes);
/* As a number; the first one where there are several. */
bool procfs_status_number(pid_t pid, const char *field, int base, uint64_t *ret_number);
/* R, S, D, T, t, Z, X... of a thread. '\0': it is gone. */
char procfs_thread_state(pid_t pid, pid_t tid);

struct procfs_map {
    uint64_t begin, end, offset, inode;
    char rights[5]; /* "r-xp" */
    char path[PATH_MAX];
};
/* Calls visit() for each mapping in order of address, until it returns false. */
bool procfs_maps(pid_t pid, bool (*visit)(const struct procfs_map *map, void *context),
                 void *context);

/* Thread numbers, in a malloc()ed array. NULL: none. */
pid_t *procfs_threads(pid_t pid, size_t *ret_count);
/* An entry of the auxiliary vector. */
bool procfs_auxiliary(pid_t pid, uint64_t type, uint64_t *ret_value);
/* The program's file name without folders; "?" where it cannot be read. */
void procfs_program(pid_t pid, char *path, size_t bytes);

#endif
