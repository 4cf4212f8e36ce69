/* The two halves of family_calls: the table of calls (family_calls.c), and what takes more than one
 * call to see (family_scenarios.c). */
#ifndef HEAPTAPE_TESTS_STRESS_FAMILY_H
#define HEAPTAPE_TESTS_STRESS_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Whose behaviour is expected. */
enum as { AS_LIBC, AS_HTMALLOC, AS_HARD };
extern enum as as;
extern unsigned expected, failed;

/* "--as=NAME"; false when it is not that. */
bool read_as(const char *word);

/* Counts, and names what does not hold. */
void expect(const char *call, const char *what, bool holds);

bool all_are(const unsigned char *bytes, size_t count, unsigned char value);

/* Runs all; returns how many there are. */
size_t scenarios_run(void);

/* Prints those in which libc does otherwise, and why. */
void scenarios_list(void);

#endif
