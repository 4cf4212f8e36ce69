/*
 * May and can a running process be attached to? Each "no" is one line: what, why, what to do.
 */
#ifndef HEAPTAPE_RECORDER_ELIGIBLE_H
#define HEAPTAPE_RECORDER_ELIGIBLE_H

#include <stdbool.h>
#include <sys/types.h>
#include "traces/error.h"

/* What can be told without touching it: is it there, alive, dynamically linked, free to be traced?
 */
bool eligible(pid_t pid, struct tape_error *error);
/* Why PTRACE_SEIZE failed. */
void eligible_explain(pid_t pid, int seize_errno, struct tape_error *error);

#endif
