/*
 * Errors are values. Every fallible function of the tape library returns an `enum tape_status`; on
 * anything but TAPE_OK it has filled the caller's `struct tape_error` (where one is passed) with
 * one line that says what went wrong, where (file and byte offset) and, where there is something to
 * do, what to do next. Each level may add what it knows with tape_error_add(). Nothing here
 * allocates.
 */
#ifndef HEAPTAPE_TRACES_ERROR_H
#define HEAPTAPE_TRACES_ERROR_H

#include <stdint.h>

/* Exit statuses of every heaptape command (documented in README.md). */
enum heaptape_exit {
    HEAPTAPE_EXIT_OK = 0,
    HEAPTAPE_EXIT_CHECK_FAILED = 1,
    HEAPTAPE_EXIT_USAGE = 2,
    HEAPTAPE_EXIT_BAD_INPUT = 3,
    HEAPTAPE_EXIT_ENVIRONMENT = 4,
};

enum tape_status {
    TAPE_OK = 0,
    TAPE_END,       /* no more events: not an error */
    TAPE_BAD_INPUT, /* not a tape, wrong version, nothing readable */
    TAPE_DAMAGED,   /* part of the tape was lost and skipped; reading can go on */
    TAPE_SYSTEM,    /* a system call failed; the message carries strerror */
    TAPE_NO_MEMORY,
};

struct tape_error {
    enum tape_status status;
    uint64_t offset;   /* byte offset in the file, or UINT64_MAX where there is none */
    char message[320]; /* one line, no newline at its end */
};

/* Fills *error (may be NULL) and returns status, so that callers can `return tape_error_set(...)`.
 */
enum tape_status tape_error_set(struct tape_error *error, enum tape_status status, uint64_t offset,
                                const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Puts "prefix: " in front of the message. Keeps status and offset. */
void tape_error_add(struct tape_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The documented exit status for a tape status (BAD_INPUT and DAMAGED 3, SYSTEM and NO_MEMORY 4).
 */
enum heaptape_exit tape_exit_status(enum tape_status status);

#endif
