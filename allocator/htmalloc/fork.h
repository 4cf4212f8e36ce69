/* fork() from a process with threads: the child must be able to allocate at once. */
#ifndef HTMALLOC_FORK_H
#define HTMALLOC_FORK_H

/* Registers the handlers. Once a process. */
void fork_setup(void);

#endif
