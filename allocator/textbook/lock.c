#include "lock.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

#include "memcheck.h"
#include "words.h"

void (*lock_wished)(void);
static volatile sig_atomic_t wish;

void lock_wish(void)
{
    wish = 1;
}

static void fulfil(void)
{
    wish = 0;
    if (lock_wished)
        lock_wished();
}

_Thread_local bool lock_alone;
static volatile bool busy; /* in a call that holds no mutex */

static bool try_alone(void)
{
    return busy ? false : (busy = true);
}

#ifdef TEXTBOOK_SINGLE

bool lock_try(void)
{
    if (!try_alone())
        return false;
    memcheck_inside();
    return true;
}

void lock_take(void)
{
    memcheck_inside();
    if (!try_alone())
        words_misuse("malloc", NULL, "two calls at once; this build is for one thread");
}

void lock_give(void)
{
    busy = false;
    memcheck_outside();
    if (__builtin_expect(wish, 0))
        fulfil();
}

void lock_setup(void) {}

#else

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void *forking; /* thread pointer of the thread inside fork(), which holds the mutex */

static bool passes(void)
{
    void *thread = __atomic_load_n(&forking, __ATOMIC_RELAXED);
    return __builtin_expect(thread != NULL, 0) && thread == __builtin_thread_pointer();
}

void lock_take(void)
{
    memcheck_inside();
    if (__builtin_expect(lock_alone, 0)) {
        if (!try_alone())
            words_misuse("mem_malloc", NULL,
                         "two calls at once; these are for one thread, and there is mem_malloc_ts");
    } else if (!passes()) {
        pthread_mutex_lock(&mutex);
    }
}

bool lock_try(void)
{
    if (busy || passes() || pthread_mutex_trylock(&mutex) != 0)
        return false;
    memcheck_inside();
    return true;
}

void lock_give(void)
{
    memcheck_outside();
    if (__builtin_expect(lock_alone, 0))
        busy = false;
    else if (passes())
        return;
    else
        pthread_mutex_unlock(&mutex);
    if (__builtin_expect(wish, 0))
        fulfil();
}

static void before_fork(void)
{
    pthread_mutex_lock(&mutex);
    __atomic_store_n(&forking, __builtin_thread_pointer(), __ATOMIC_RELAXED);
}

static void in_parent(void)
{
    __atomic_store_n(&forking, NULL, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&mutex);
}

static void in_child(void)
{
    __atomic_store_n(&forking, NULL, __ATOMIC_RELAXED);
    pthread_mutex_init(&mutex, NULL);
}

void lock_setup(void)
{
    pthread_atfork(before_fork, in_parent, in_child);
}

#endif
