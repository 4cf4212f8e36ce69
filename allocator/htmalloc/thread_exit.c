#include "thread_exit.h"

#include <pthread.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static bool key_made;
static bool (*on_exit_handler)(void *);

static void destructor(void *argument)
{
    if (on_exit_handler(argument))
        pthread_setspecific(key, argument);
}

static void make_key(void)
{
    key_made = pthread_key_create(&key, destructor) == 0;
}

void thread_exit_arm(bool (*handler)(void *), void *argument)
{
    __atomic_store_n(&on_exit_handler, handler, __ATOMIC_RELAXED);
    pthread_once(&once, make_key);
    /* Without a key the heap of a thread that exits is lost; everything else works.
     * pthread_setspecific may allocate for a late key: the caller has its heap by now. */
    if (key_made)
        pthread_setspecific(key, argument);
}
