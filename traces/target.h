/*
 * Can a program be run with something of ours preloaded? Looked at before anything is started, so
 * that a program on which LD_PRELOAD has no effect is refused in clear words and not run
 * unrecorded.
 *
 * The program is found as a shell would (PATH where the name has no slash). Scripts lead to their
 * interpreter ("#!/usr/bin/env NAME" to NAME), up to a few levels; a text file without "#!" leads
 * to /bin/sh, as execvp() does it. Nothing here allocates or changes anything.
 */
#ifndef HEAPTAPE_TRACES_TARGET_H
#define HEAPTAPE_TRACES_TARGET_H

#include <limits.h>

enum target_class {
    TARGET_OK,             /* dynamic, glibc, this machine's kind: LD_PRELOAD works */
    TARGET_NOT_FOUND,      /* no such file, or not on PATH */
    TARGET_NOT_EXECUTABLE, /* a folder, or no permission */
    TARGET_STATIC,         /* no dynamic loader, so nothing can be preloaded */
    TARGET_SETUID,         /* setuid, setgid or file capabilities: the loader ignores LD_PRELOAD */
    TARGET_FOREIGN_LIBC,   /* another C library's loader (musl), or another kind of machine (32 bit)
                            */
    TARGET_SANITIZED,      /* its sanitizer wants to be the first library, and so do we */
    TARGET_NOT_ELF,        /* neither a program nor a script */
};

struct target {
    enum target_class class;
    char path[PATH_MAX]; /* the program as found: what to exec (by execv, or execvp for scripts) */
    char binary[PATH_MAX]; /* the ELF file that was judged: `path`, or the script's interpreter */
    char message[PATH_MAX + 256]; /* one line: what, where, what to do; empty where class is OK */
};

/* Judges PROGRAM (argv[0] as the user typed it). Fills *ret_target wholly and returns its class. */
enum target_class target_check(const char *program, struct target *ret_target);
/*
 * The exit status to give: 127 not found, 126 not executable or not a program (as env does), 4
 * (HEAPTAPE_EXIT_ENVIRONMENT) where nothing can be preloaded; 0 for OK.
 */
int target_exit_status(enum target_class class);

#endif
