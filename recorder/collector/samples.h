/*
 * What the kernel says about a recorded process from outside: its resident and its held memory, and
 * how it ended.
 */
#ifndef HEAPTAPE_RECORDER_SAMPLES_H
#define HEAPTAPE_RECORDER_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

/* Resident bytes of a process, by its pid. False: it is not there. A few microseconds. */
bool samples_resident(uint32_t pid, uint64_t *ret_bytes);
/*
 * Held: writable private anonymous mappings and brk, without the stack of the main thread. Address
 * space that is only reserved (no access) does not count; stacks of threads do, since they cannot
 * be told from other mappings. Reads /proc/PID/maps: tens of microseconds and more. 0: not known.
 */
uint64_t samples_held(uint32_t pid);
/* Is it a python whose small objects come from pools of its own (no PYTHONMALLOC)? */
bool samples_is_pooled_python(uint32_t pid);
/*
 * The wait status of a process that has ended and has not been waited for yet by its parent. False:
 * it is gone, or lives.
 */
bool samples_exit_status(uint32_t pid, int *ret_wait_status);

/* The same by a pidfd, of a process that has been waited for: Linux 6.15 and later. */
bool samples_pidfd_status(int pidfd, int *ret_wait_status);

#endif
