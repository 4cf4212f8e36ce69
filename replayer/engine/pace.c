#include "replayer/engine/pace.h"

#include <pthread.h>
#include <sys/prctl.h>
#include "replayer/engine/sampler.h"

#define TIMER_SLACK 1000

static struct {
    uint64_t start_ns; /* CLOCK_MONOTONIC of moment 0; 0 = not yet */
    pthread_mutex_t lock;
    uint32_t at_work;
    uint64_t idle_since_ns; /* 0: since before the window's first thread set to work */
    uint64_t idle_ns;
} pace = {.lock = PTHREAD_MUTEX_INITIALIZER};

void pace_open(void)
{
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK); /* of this thread, and of those that it makes */
}

void pace_window(uint64_t now_ns)
{
    if (!pace.start_ns)
        pace.start_ns = now_ns;
    pace.at_work = 0;
    pace.idle_since_ns = pace.idle_ns = 0;
}

uint64_t pace_clock_ns(uint64_t now_ns)
{
    return now_ns - pace.start_ns;
}

static void enter(uint64_t now_ns)
{
    pthread_mutex_lock(&pace.lock);
    if (!pace.at_work++ && pace.idle_since_ns && now_ns > pace.idle_since_ns)
        pace.idle_ns += now_ns - pace.idle_since_ns;
    pthread_mutex_unlock(&pace.lock);
}

static void leave(uint64_t now_ns)
{
    pthread_mutex_lock(&pace.lock);
    if (!--pace.at_work)
        pace.idle_since_ns = now_ns;
    pthread_mutex_unlock(&pace.lock);
}

void pace_enter(void)
{
    enter(engine_now_ns());
}

void pace_leave(void)
{
    leave(engine_now_ns());
}

uint64_t pace_idle_ns(void)
{
    return pace.idle_ns;
}

static uint64_t thread_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
    const struct timespec until = {(time_t)(ns / UINT64_C(1000000000)),
                                   (long)(ns % UINT64_C(1000000000))};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL); /* early: the caller looks */
}

/* Returns when it has come, with the time then. */
static uint64_t wait_until(const struct replay *replay, uint64_t now_ns, uint64_t due_ns)
{
    const uint64_t spin = replay->crowded ? 0 : PACE_SPIN_NS;
    uint64_t look = (due_ns - now_ns) / PACE_LOOKS_MAX;
    if (look < PACE_LOOK_NS)
        look = PACE_LOOK_NS;
    while (now_ns < due_ns) {
        uint64_t until = due_ns - now_ns > spin ? due_ns - spin : 0;
        if (replay->blocks && until > now_ns + look)
            until = now_ns + look;
        if (until)
            sleep_until(until);
        else
            __builtin_ia32_pause();
        if (replay->blocks && until)
            sampler_check_idle();
        now_ns = engine_now_ns();
    }
    return now_ns;
}

void pace_wait(const struct replay *replay, struct replay_thread *self,
               const struct plan_side *moment)
{
    uint64_t now = engine_now_ns(), due = pace.start_ns + moment->due_ns;
    if (now < due) {
        uint64_t cpu = thread_cpu_ns();
        leave(now);
        now = wait_until(replay, now, due);
        enter(now);
        self->pace_cpu_ns += thread_cpu_ns() - cpu;
    }
    uint64_t late = now - due;
    if (late > self->pace_max_lag_ns)
        self->pace_max_lag_ns = late;
    if (late > PACE_LATE_NS)
        self->pace_late += moment->operations;
}
