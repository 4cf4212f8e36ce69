/* Everything at rest: for fork() from a process with threads, whose child must be able to allocate
 * at once, and for the validator. */
#ifndef HTMALLOC_FORK_H
#define HTMALLOC_FORK_H

/* Registers the fork handlers. Once a process. */
void fork_setup(void);

/* Takes and gives every lock, so that nothing slow is half done. Fast paths go on. */
void world_stop(void);
void world_go(void);

#endif
