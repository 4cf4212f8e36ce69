/*
 * What is loaded in a process that is to be attached to: the C library's functions that we need,
 * the code in which no thread may be while we use them, copies of our own library from before.
 */
#ifndef HEAPTAPE_RECORDER_SURVEY_H
#define HEAPTAPE_RECORDER_SURVEY_H

#include "recorder/attach/safepoint.h"

struct survey {
    struct safepoint safepoint;
    uint64_t dlopen, dlerror, errno_location; /* functions; errno_location and dlerror may be 0 */
    bool dlopen_is_internal;                  /* __libc_dlopen_mode, before glibc 2.34 */
    uint64_t syscall_at;                      /* a syscall instruction */
    unsigned copies;                          /* of our library that are loaded */
    bool has_file;                            /* the library's very file is one of them */
};

/* `library`: path of ours. False: the process cannot be attached to, error says why. */
bool survey(pid_t pid, int memory, const char *library, struct survey *ret,
            struct tape_error *error);
/* Where the object that is this file begins in memory. 0: it is not loaded. */
uint64_t survey_find_file(pid_t pid, uint64_t inode);

#endif
