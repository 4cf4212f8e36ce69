/*
 * Can a program be recorded if it is started from here? Told from its file alone. vfork children
 * ask, so: little stack, no memory, no libc state. traces/target.h says the same, in words, of the
 * program that the user names.
 */
#ifndef HEAPTAPE_RECORDER_JUDGE_H
#define HEAPTAPE_RECORDER_JUDGE_H

#include <stddef.h>

enum verdict {
    NOT_THERE, /* no such file, or nothing that can be run, or not for us to read */
    RECORDABLE,
    STATIC,  /* nothing can be preloaded; no harm in trying */
    FOREIGN, /* nothing should be: setuid, another C library or machine, a sanitizer's runtime that
                must be the first library itself */
};

/* The program at `path`; of a script its interpreter. */
enum verdict judge(const char *path);
/* As execvp() searches: the first file that is there, its path into `found`. */
enum verdict judge_search(const char *name, char *found, size_t capacity);

#endif
