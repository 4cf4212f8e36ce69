#include "lock.h"

#include "fork.h"
#include "os.h"

uintptr_t lock_forking_thread;
bool lock_seen_threads;

static const int spins_max = 100;

void lock_wait(struct ht_lock *lock)
{
    for (int spin = 0; spin < spins_max; spin++) {
        uint32_t free = 0;
        if (__atomic_load_n(&lock->word, __ATOMIC_RELAXED) == 0 &&
            __atomic_compare_exchange_n(&lock->word, &free, 1, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            return;
        __builtin_ia32_pause();
    }
    while (__atomic_exchange_n(&lock->word, 2, __ATOMIC_ACQUIRE) != 0)
        os_wait(&lock->word, 2);
}

void lock_wake(struct ht_lock *lock)
{
    os_wake(&lock->word);
}

void lock_first(void)
{
    if (!__atomic_exchange_n(&lock_seen_threads, true, __ATOMIC_ACQ_REL))
        fork_setup();
}
