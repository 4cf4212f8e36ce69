/* A call when the thread exits. */
#ifndef HTMALLOC_THREAD_EXIT_H
#define HTMALLOC_THREAD_EXIT_H

#include <stdbool.h>

/* Arranges for handler(argument) to be called as the calling thread exits; it is called again in
 * the next round of thread-specific destructors for as long as it returns true. One handler a
 * process. */
void thread_exit_arm(bool (*handler)(void *), void *argument);

#endif
