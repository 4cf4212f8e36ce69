#include "fork.h"

#include "heap.h"
#include "huge.h"
#include "memcheck.h"
#include "segment.h"
#include "span.h"

#include <pthread.h>

void world_stop(void)
{
    lock_take(&heap_registry_lock);
    for (struct heap *heap = heap_first(); heap != NULL; heap = heap->next)
        lock_take(&heap->lock);
    lock_take(&span_lock);
    lock_take(&huge_lock);
#ifdef HT_VALGRIND
    lock_take(&memcheck_lock);
#endif
}

void world_go(void)
{
#ifdef HT_VALGRIND
    lock_give(&memcheck_lock);
#endif
    lock_give(&huge_lock);
    lock_give(&span_lock);
    for (struct heap *heap = heap_first(); heap != NULL; heap = heap->next)
        lock_give(&heap->lock);
    lock_give(&heap_registry_lock);
}

/* Other libraries' handlers may allocate while we hold the locks: lock.h lets this thread through.
 */
static void before(void)
{
    world_stop();
    __atomic_store_n(&lock_forking_thread, (uintptr_t)__builtin_thread_pointer(), __ATOMIC_RELAXED);
}

static void in_parent(void)
{
    __atomic_store_n(&lock_forking_thread, 0, __ATOMIC_RELAXED);
    world_go();
}

/* The other threads are gone, and what they held. Fast paths take no lock: heap_orphan_others()
 * puts right what they may have left behind. */
static void in_child(void)
{
    __atomic_store_n(&lock_forking_thread, 0, __ATOMIC_RELAXED);
#ifdef HT_VALGRIND
    memcheck_lock.word = 0;
#endif
    huge_lock.word = 0;
    span_lock.word = 0;
    memcheck_inside();
    heap_orphan_others(heap_self);
    memcheck_outside();
}

void fork_setup(void)
{
    pthread_atfork(before, in_parent, in_child);
}
