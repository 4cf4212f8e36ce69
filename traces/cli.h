/*
 * What every C program of heaptape needs on its command line: sizes, times and counts in people's
 * units, one-line errors with the documented exit statuses, and where the program's siblings lie.
 * Nothing here is thread-safe but the parsers.
 */
#ifndef HEAPTAPE_TRACES_CLI_H
#define HEAPTAPE_TRACES_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "traces/error.h"

/*
 * Names the command for messages: cli_begin("trace info") makes cli_die() print "heaptape trace
 * info: ...". `name` is kept, not copied. Call it first in main(): it also sees to
 * it that the descriptors 0 to 2 are open.
 */
void cli_begin(const char *name);
/* "heaptape NAME: MESSAGE" on stderr, then exit(status). MESSAGE is one line: what, where, what to
 * do. */
_Noreturn void cli_die(enum heaptape_exit status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same line without the exit: a warning. */
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A usage error: exit 2, with "; see heaptape NAME --help" at its end. */
_Noreturn void cli_die_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The error of a library call: its message and its documented exit status. */
_Noreturn void cli_die_error(const struct tape_error *error);
/* Prints `text` (a usage) on stdout and exits 0; 4 where stdout cannot be written. */
_Noreturn void cli_help(const char *text);
/* "heaptape NAME VERSION" on stdout, exit 0. */
_Noreturn void cli_version(void);
/* Ends main(): flushes stdout; a write error there (a full disk) is told and gives 4, else
 * `status`. */
int cli_end(int status);

/*
 * The parsers accept the whole string or nothing; *ret is untouched on failure.
 *   size:     "4096", "64k", "1M", "1GiB", "2T" (1024s; "kB" and "MB" with the B are 1000s, "KiB"
 * is 1024) duration: "500ns", "20us", "10ms", "2s", "1.5s", "3m", "1h"; a bare number is seconds
 *   count:    "100", "10k", "2M", "1G" (1000s; also "1e6")
 */
bool cli_parse_size(const char *text, uint64_t *ret_bytes);
bool cli_parse_duration(const char *text, uint64_t *ret_ns);
bool cli_parse_count(const char *text, uint64_t *ret_count);
bool cli_parse_double(const char *text, double *ret_value);

/* As above, but on bad text: usage error naming the option (with its dashes), exit 2. */
uint64_t cli_size(const char *option, const char *text);
uint64_t cli_duration(const char *option, const char *text);
uint64_t cli_count(const char *option, const char *text);
/* --pace=asap|recorded|FACTOR, with a FACTOR from 0.5 to 1000: how many times as fast as recorded;
 * asap is 0, recorded 1. */
double cli_speed(const char *option, const char *text);

/*
 * ROOT of the tree this program was started from (build in a checkout, PREFIX once installed): two
 * folders above the one of /proc/self/exe, no slash at its end. Dies with status 4 where /proc is
 * not there.
 */
const char *cli_root(void);
/* ROOT/lib/heaptape/NAME (or libexec) into buffer; cut short never: dies where it does not
 * fit. */
const char *cli_lib_path(const char *name, char *buffer, size_t bytes);
const char *cli_libexec_path(const char *name, char *buffer, size_t bytes);

/* Whether two names are one file: what is read must not be written over. False where one is not
 * there. */
bool cli_same_file(const char *a, const char *b);
/* Removes what was half written, where it is an ordinary file: not a device that was named as
 * output. */
void cli_remove_output(const char *path);

/* "1.5 MiB", "999 B" for people; buffer of at least 16 bytes. Returns buffer. */
const char *cli_format_bytes(uint64_t bytes, char buffer[16]);

#endif
