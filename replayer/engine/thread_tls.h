/*
 * Keeps libc's own business with a thread away from the allocator that is measured. pthread_create
 * asks the heap (calloc) for the table of the thread's thread-local blocks, and a thread's end
 * frees (mostly nothing: free(NULL)) what libc kept for it. A program that makes threads does the
 * same, and its tape has those calls; the engine's threads would do them once more.
 *
 * How: the engine defines calloc and free, which come before any preloaded ones. Between
 * thread_tls_begin() and thread_tls_end() the calling thread's calloc is served out of a small
 * table of the engine's, free of those blocks and of NULL does nothing, and all other calls go on
 * to the next definition. The replay loops call that one directly (replay_calloc, replay_free).
 */
#ifndef HEAPTAPE_REPLAYER_THREAD_TLS_H
#define HEAPTAPE_REPLAYER_THREAD_TLS_H

#include <stddef.h>

/* The allocator's own. Set before main(). */
extern void *(*replay_calloc)(size_t count, size_t size);
extern void (*replay_free)(void *block);

void thread_tls_begin(void);
void thread_tls_end(void);

#endif
