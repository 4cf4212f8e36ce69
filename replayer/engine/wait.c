/*
 * Waiting. First the cheapest way, a spin, in case the other is about to be done; then the
 * processor is given away; then a short sleep, since the other thread may need the core for long.
 *
 * With more threads than cores, what is waited for is often not even running. There the spin is
 * next to nothing and the processor is given away at once, and again and again: on two cores four
 * lanes in strict order took 2 us from one to the next that way, 13 us where they slept at once.
 * Only then the waiter sleeps, and who publishes looks whether it has come to what a sleeper waits
 * for: a fence and a load on each publication, which only such runs pay.
 */
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "replayer/engine/pace.h"
#include "replayer/engine/replay.h"

#define SPINS          200 /* some microseconds */
#define SPINS_CROWDED  5
#define YIELDS         200
#define YIELDS_CROWDED 100
#define SLEEP_NS       20000

static void futex(_Atomic uint32_t *word, int operation, uint32_t value)
{
    syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static void pause_a_little(bool crowded, uint64_t tried)
{
    uint64_t spins = crowded ? SPINS_CROWDED : SPINS;
    if (tried < spins) {
        __builtin_ia32_pause();
    } else if (tried < spins + YIELDS) {
        sched_yield();
    } else {
        struct timespec nap = {0, SLEEP_NS};
        nanosleep(&nap, NULL);
    }
}

/*
 * Sleeps until `other` has published the position, or something else woke it. No wake is missed:
 * who publishes stores the position and then looks at `wanted`, we lower `wanted` and then look at
 * the position. Where it takes `wanted` away between the two, it counts `wakes` up behind that, and
 * the futex does not let us sleep on the count from before.
 */
static void sleep_on(struct replay_thread *other, uint32_t position)
{
    uint32_t wakes = atomic_load(&other->wakes), wanted = atomic_load(&other->wanted);
    while (position < wanted && !atomic_compare_exchange_weak(&other->wanted, &wanted, position))
        continue;
    if (atomic_load(&other->published) < position)
        futex(&other->wakes, FUTEX_WAIT_PRIVATE, wakes);
}

void replay_wait(struct replay *replay, struct replay_thread *self, struct replay_thread *other,
                 uint32_t position)
{
    uint64_t tried = 0;
    if (ENGINE_UNLIKELY(other == &replay->threads[PLAN_CLOCK])) {
        pace_wait(replay, self, &replay->side[position - 1]);
        return;
    }
    if (ENGINE_UNLIKELY(replay->paced))
        pace_leave();
    for (; atomic_load_explicit(&other->published, memory_order_acquire) < position; tried++) {
        if (replay->crowded && tried >= SPINS_CROWDED + YIELDS_CROWDED)
            sleep_on(other, position);
        else
            pause_a_little(replay->crowded, tried);
    }
    if (ENGINE_UNLIKELY(replay->paced))
        pace_enter();
    self->waits++;
    self->wait_spins += tried;
}

void replay_wake(struct replay_thread *self)
{
    atomic_store(&self->wanted, UINT32_MAX);
    atomic_fetch_add(&self->wakes, 1);
    futex(&self->wakes, FUTEX_WAKE_PRIVATE, INT32_MAX);
}

void replay_wait_value(_Atomic uint32_t *word, uint32_t value, bool crowded)
{
    uint64_t tried = 0;
    while (atomic_load_explicit(word, memory_order_acquire) != value)
        pause_a_little(crowded, tried++);
}

void replay_start(struct replay_thread *other, enum replay_started how)
{
    atomic_store_explicit(&other->started, how, memory_order_release);
    futex(&other->started, FUTEX_WAKE_PRIVATE, 1);
}

enum replay_started replay_park(struct replay_thread *self)
{
    uint32_t how;
    while ((how = atomic_load_explicit(&self->started, memory_order_acquire)) == REPLAY_PARKED)
        futex(&self->started, FUTEX_WAIT_PRIVATE, REPLAY_PARKED);
    atomic_store_explicit(&self->started, REPLAY_PARKED, memory_order_relaxed);
    return (enum replay_started)how;
}

void replay_count_down(_Atomic uint32_t *remaining)
{
    if (atomic_fetch_sub(remaining, 1) == 1)
        futex(remaining, FUTEX_WAKE_PRIVATE, 1);
}

void replay_wait_none(_Atomic uint32_t *remaining)
{
    for (uint32_t now; (now = atomic_load(remaining));)
        futex(remaining, FUTEX_WAIT_PRIVATE, now);
}
