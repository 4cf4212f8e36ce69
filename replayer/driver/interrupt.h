/*
 * Ctrl-C, kill and a lost terminal, for jobs that must keep what they have and leave no child
 * behind. From interrupt_begin() on the signals are held back and looked at where the job waits and
 * between its steps. Not thread-safe: for single-threaded tools.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_INTERRUPT_H
#define HEAPTAPE_REPLAYER_DRIVER_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

/* Holds back SIGINT, SIGTERM, SIGHUP and SIGCHLD. Again: no effect. */
void interrupt_begin(void);
/* Signals act as before interrupt_begin() again. */
void interrupt_end(void);
/* In a forked child: the signal mask as it was before interrupt_begin(). */
void interrupt_release_child(void);
/* Waits until a child changes, a signal arrives or `ns` have passed. True once a signal has come.
 */
bool interrupt_wait(uint64_t ns);
/* Has SIGINT, SIGTERM or SIGHUP come? Does not wait. */
bool interrupt_seen(void);
/* 128 + the number of the signal that has come: the exit status to give. */
int interrupt_exit_status(void);

#endif
