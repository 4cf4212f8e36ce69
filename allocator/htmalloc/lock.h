/* A lock of one word: spin a little, then sleep. Never on a fast path. Nothing is paid while the
 * process has one thread. The thread that is inside fork() passes through every lock, since it
 * holds them all (fork.c) and other libraries' fork handlers may allocate meanwhile. */
#ifndef HTMALLOC_LOCK_H
#define HTMALLOC_LOCK_H

#include "config.h"

#include <sys/single_threaded.h>

struct ht_lock {
    uint32_t word; /* 0 free, 1 held, 2 held and somebody may sleep */
};

/* The thread pointer of the thread that is inside fork(), or 0. */
extern uintptr_t lock_forking_thread;

/* Set when a lock is taken for the first time in a process with threads; lock_first() then arranges
 * for what only programs with threads need (fork handlers), before any lock is held. */
extern bool lock_seen_threads HT_HIDDEN;
void lock_first(void);

void lock_wait(struct ht_lock *lock);
void lock_wake(struct ht_lock *lock);

static inline bool lock_is_passed(void)
{
    uintptr_t forking = __atomic_load_n(&lock_forking_thread, __ATOMIC_RELAXED);
    return ht_unlikely(forking != 0) && forking == (uintptr_t)__builtin_thread_pointer();
}

static inline void lock_take(struct ht_lock *lock)
{
    if (__libc_single_threaded) {
        /* A plain store: the first pthread_create orders it before the new thread. */
        if (!lock_is_passed())
            __atomic_store_n(&lock->word, 1, __ATOMIC_RELAXED);
        return;
    }
    if (ht_unlikely(!__atomic_load_n(&lock_seen_threads, __ATOMIC_RELAXED)))
        lock_first();
    if (lock_is_passed())
        return;
    uint32_t free = 0;
    if (!__atomic_compare_exchange_n(&lock->word, &free, 1, false, __ATOMIC_ACQUIRE,
                                     __ATOMIC_RELAXED))
        lock_wait(lock);
}

/* True when the lock was taken; false when somebody has it. */
static inline bool lock_try(struct ht_lock *lock)
{
    uint32_t free = 0;
    return lock_is_passed() || __atomic_compare_exchange_n(&lock->word, &free, 1, false,
                                                           __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void lock_give(struct ht_lock *lock)
{
    if (lock_is_passed())
        return;
    if (__libc_single_threaded)
        __atomic_store_n(&lock->word, 0, __ATOMIC_RELEASE);
    else if (__atomic_exchange_n(&lock->word, 0, __ATOMIC_RELEASE) == 2)
        lock_wake(lock);
}

#endif
