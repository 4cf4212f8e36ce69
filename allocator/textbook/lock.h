/*
 * One mutex over everything, as in the first allocators for threads. fork() takes it in the parent,
 * so that the child finds the heap whole; the thread that forks passes meanwhile, because other
 * libraries' fork handlers may allocate.
 *
 * Built with TEXTBOOK_SINGLE there is no mutex: two calls at the same time end the program with a
 * message instead of damaging the heap in silence.
 */
#ifndef TEXTBOOK_LOCK_H
#define TEXTBOOK_LOCK_H

#include <stdbool.h>

/* True while this thread makes a call that is not to take the mutex (mem.h): then two at once end
 * the program as in the build for one thread. */
extern _Thread_local bool lock_alone;

/* In the build for Valgrind memcheck reports nothing of this thread's until lock_give(). */
void lock_take(void);
/* Also draws the picture that a signal asked for while the lock was held (setup.c). */
void lock_give(void);
/* For signal handlers: false where somebody has it, be it the thread that was interrupted. */
bool lock_try(void);
/* Once, when the library is loaded. */
void lock_setup(void);
/* What lock_give() calls once after lock_wish(), without the lock. */
extern void (*lock_wished)(void);
void lock_wish(void);

#endif
