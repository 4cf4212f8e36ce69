/*
 * Keeps libc's own block of each thread away from the allocator that is measured. pthread_create
 * asks the heap (calloc) for the table of the thread's thread-local blocks; a program that makes a
 * thread pays for that too, and its tape has the call. The engine's threads would ask once more.
 *
 * How: the engine defines calloc, which comes before any preloaded one. Between thread_tls_begin()
 * and thread_tls_end() the calling thread gets blocks out of a small table of the engine's; any
 * other call goes on to the next calloc. The replay loop calls that one directly
 * (thread_tls_calloc). libc never frees these blocks: see STACK_BYTES in threads.c.
 */
#ifndef HEAPTAPE_REPLAYER_THREAD_TLS_H
#define HEAPTAPE_REPLAYER_THREAD_TLS_H

#include <stddef.h>

/* The allocator's calloc. Set before main(). */
extern void *(*thread_tls_calloc)(size_t count, size_t size);

void thread_tls_begin(void);
void thread_tls_end(void);

#endif
