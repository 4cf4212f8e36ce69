#include "replayer/engine/threads.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include "replayer/engine/engine.h"
#include "replayer/engine/pace.h"
#include "replayer/engine/thread_tls.h"

/*
 * All stacks together stay below what libc keeps of them (40 MiB): it uses them, and the table of
 * thread_tls.c in them, again for the next thread, so that table does not run out.
 */
#define STACK_BYTES   ((size_t)128 << 10)
#define STACK_TOUCHED ((size_t)12 << 10) /* made resident before its first operation */
#define STACK_GUARD   ((size_t)4096)     /* below each of the engine's own */
#define TIMER_SLACK   1000

_Static_assert((STACK_BYTES + 4096) * WINDOW_THREADS < (size_t)40 << 20, "libc keeps all stacks");

struct runner {
    pthread_t handle;
    bool made, joinable;
    bool ends;      /* exits after the window that it is in */
    uint32_t after; /* first window: joins this one before it begins; or LANES_NONE */
    uint64_t ended_ns;
};

static struct {
    struct replay *replay;
    struct lanes *lanes;
    _Atomic uint32_t ready, go, remaining;
    cpu_set_t cores; /* that the process may use; empty where that cannot be told */
    char *stacks;    /* of the engine's own, by index; NULL: libc makes them */
    struct runner runners[WINDOW_THREADS];
} crew;

static const struct plan_op nothing = {(uint32_t)PLAN_END << PLAN_SLOT_BITS, 0};

static void stacks_map(void)
{
    const size_t each = STACK_GUARD + STACK_BYTES;
    char *base = mmap(NULL, each * WINDOW_THREADS, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        engine_fail(HEAPTAPE_EXIT_ENVIRONMENT, "no memory for stacks: %s: raise the memory limit",
                    strerror(errno));
    madvise(base, each * WINDOW_THREADS, MADV_NOHUGEPAGE);
    for (unsigned i = 0; i < WINDOW_THREADS; i++)
        mprotect(base + i * each, STACK_GUARD, PROT_NONE);
    crew.stacks = base;
}

void threads_open(struct replay *replay, struct lanes *lanes, bool own_stacks)
{
    static struct replay_thread threads[WINDOW_THREADS + 1]; /* the last one is PLAN_CLOCK */
    crew.replay = replay;
    crew.lanes = lanes;
    CPU_ZERO(&crew.cores);
    if (sched_getaffinity(0, sizeof(crew.cores), &crew.cores))
        CPU_ZERO(&crew.cores);
    replay->threads = threads;
    replay->thread_count = 1;
    if (own_stacks && lanes)
        stacks_map();
}

static __attribute__((noinline)) void touch_stack(void)
{
    volatile char room[STACK_TOUCHED];
    for (size_t at = 0; at < sizeof(room); at += 1024)
        room[at] = 0;
}

/*
 * To a core of its own, as far as there are enough. Threads that are woken together often begin on
 * one core, and the kernel takes some milliseconds to part them, which is a short tape's whole run.
 * It is only where they begin: they are not bound to it.
 */
static void spread(uint32_t index)
{
    int count = CPU_COUNT(&crew.cores);
    if (count < 2)
        return;
    int core = -1;
    for (int skip = (int)(index % (unsigned)count); skip >= 0; skip--)
        do
            core++;
        while (!CPU_ISSET(core, &crew.cores));
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    if (!sched_setaffinity(0, sizeof(one), &one))
        sched_setaffinity(0, sizeof(crew.cores), &crew.cores);
}

/* The thread's operations of the window. */
static void work(struct replay_thread *self)
{
    struct replay *replay = crew.replay;
    if (replay->paced)
        pace_enter();
    replay->loop(replay, self);
    if (replay->paced)
        pace_leave();
}

static void *runner_main(void *argument)
{
    uint32_t index = (uint32_t)(uintptr_t)argument;
    struct runner *runner = &crew.runners[index];
    struct replay_thread *self = &crew.replay->threads[index];
    prctl(PR_SET_TIMERSLACK, TIMER_SLACK);
    touch_stack();
    atomic_fetch_add(&crew.ready, 1);
    for (;;) {
        enum replay_started how = replay_park(self);
        if (runner->after != LANES_NONE)
            pthread_join(crew.runners[runner->after].handle, NULL);
        runner->after = LANES_NONE;
        if (how == REPLAY_TOGETHER) {
            spread(index);
            atomic_fetch_add(&crew.ready, 1);
            replay_wait_value(&crew.go, 1, crew.replay->crowded);
        }
        work(self);
        runner->ended_ns = engine_now_ns();
        bool ends = runner->ends;
        replay_count_down(&crew.remaining);
        if (ends)
            return NULL;
    }
}

static void runner_make(uint32_t index)
{
    struct runner *runner = &crew.runners[index];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (crew.stacks)
        pthread_attr_setstack(&attributes,
                              crew.stacks + index * (STACK_GUARD + STACK_BYTES) + STACK_GUARD,
                              STACK_BYTES);
    else
        pthread_attr_setstacksize(&attributes, STACK_BYTES);
    atomic_store(&crew.ready, 0);
    atomic_store(&crew.replay->threads[index].started, REPLAY_PARKED);
    thread_tls_begin();
    int failed =
        pthread_create(&runner->handle, &attributes, runner_main, (void *)(uintptr_t)index);
    thread_tls_end();
    pthread_attr_destroy(&attributes);
    if (failed)
        engine_fail(HEAPTAPE_EXIT_ENVIRONMENT, "thread %u cannot be made: %s: raise the limits",
                    index, strerror(failed));
    runner->made = runner->joinable = true;
    replay_wait_value(&crew.ready, 1, true);
    if (crew.replay->thread_count <= index)
        crew.replay->thread_count = index + 1;
}

/* Joins those that ended with the window before (or were joined by a thread after them). */
static void join_ended(void)
{
    for (uint32_t i = 1; i < crew.replay->thread_count; i++) {
        struct runner *runner = &crew.runners[i];
        if (!runner->made || !runner->ends)
            continue;
        if (runner->joinable)
            pthread_join(runner->handle, NULL);
        runner->made = runner->joinable = runner->ends = false;
    }
}

void threads_prepare(struct window *window)
{
    struct replay *replay = crew.replay;
    unsigned busy = 0;
    if (crew.lanes)
        join_ended();
    for (uint32_t i = 0; i < WINDOW_THREADS && crew.lanes; i++) {
        struct lanes_thread *lane = &crew.lanes->threads[i];
        struct runner *runner = &crew.runners[i];
        if (lane->state == LANES_FREE)
            continue;
        if (lane->state == LANES_NEW)
            runner_make(i);
        runner->after = lane->state == LANES_NEW ? lane->after : LANES_NONE;
        runner->ends = lane->ends;
        if (lane->awaited)
            runner->joinable = false;
        busy += window->queues[i].limit > 0;
    }
    replay->crowded = busy > (unsigned)CPU_COUNT(&crew.cores);
    replay->ops = window_ops(window);
    replay->side = window_side(window);
    for (uint32_t i = 0; i < replay->thread_count; i++) {
        const struct window_queue *queue = &window->queues[i];
        replay->threads[i].first = queue->limit ? replay->ops + queue->first : &nothing;
        replay->threads[i].position = replay->threads[i].first;
        atomic_store(&replay->threads[i].published, 0);
        atomic_store(&replay->threads[i].wanted, UINT32_MAX);
    }
}

/* Whether the thread takes part in the window. */
static bool takes_part(const struct window *window, uint32_t index)
{
    const struct lanes_thread *lane = &crew.lanes->threads[index];
    return lane->state != LANES_FREE &&
           (lane->state == LANES_NEW || lane->ends || window->queues[index].limit);
}

/* All that begin with the window stand ready; returns when they are about to be let go. */
static void line_up(const struct window *window)
{
    uint32_t together = 0, all = 0;
    atomic_store(&crew.ready, 0);
    atomic_store(&crew.go, 0);
    for (uint32_t i = 1; i < crew.replay->thread_count; i++)
        all += takes_part(window, i);
    atomic_store(&crew.remaining, all);
    for (uint32_t i = 1; i < crew.replay->thread_count; i++) {
        const struct lanes_thread *lane = &crew.lanes->threads[i];
        if (!takes_part(window, i) || (lane->state == LANES_NEW && !lane->at_once))
            continue;
        replay_start(&crew.replay->threads[i], REPLAY_TOGETHER);
        together++;
    }
    spread(0);
    replay_wait_value(&crew.ready, together, crew.replay->crowded);
}

/* The first thread's share of the window, and the end of it. Returns when the last was done. */
static uint64_t run_together(const struct window *window)
{
    struct replay *replay = crew.replay;
    atomic_store_explicit(&crew.go, 1, memory_order_release);
    work(&replay->threads[0]);
    uint64_t last = engine_now_ns();
    replay_wait_none(&crew.remaining);
    for (uint32_t i = 1; i < replay->thread_count; i++)
        if (takes_part(window, i) && crew.runners[i].ended_ns > last)
            last = crew.runners[i].ended_ns;
    return last;
}

static uint64_t cpu_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

void threads_run(struct window *window)
{
    struct replay *replay = crew.replay;
    struct rusage before, after;
    if (crew.lanes)
        line_up(window);
    getrusage(RUSAGE_SELF, &before);
    uint64_t cpu = cpu_now_ns(), begin = engine_now_ns(), end;
    if (replay->paced)
        pace_window(begin);
    if (crew.lanes) {
        end = run_together(window);
    } else {
        work(&replay->threads[0]);
        end = engine_now_ns();
    }
    uint64_t idle = replay->paced ? pace_idle_ns() : 0;
    engine_result->paced_ns = replay->paced ? pace_clock_ns(end) : 0;
    engine_result->timed_cpu_ns += cpu_now_ns() - cpu;
    engine_result->timed_ns += end - begin - idle;
    engine_result->pace_idle_ns += idle;
    getrusage(RUSAGE_SELF, &after);
    engine_result->minor_faults += (uint64_t)(after.ru_minflt - before.ru_minflt);
    engine_result->major_faults += (uint64_t)(after.ru_majflt - before.ru_majflt);
}

void threads_settle(void)
{
    if (crew.lanes)
        join_ended();
}

void threads_close(void)
{
    if (crew.lanes)
        join_ended();
    for (uint32_t i = 0; i < crew.replay->thread_count; i++) {
        const struct replay_thread *thread = &crew.replay->threads[i];
        engine_result->failed_calls += thread->failed;
        engine_result->waits += thread->waits;
        engine_result->wait_spins += thread->wait_spins;
        engine_result->realloc_moved += thread->realloc_moved;
        engine_result->realloc_in_place += thread->realloc_in_place;
        engine_result->realloc_moved_bytes += thread->realloc_moved_bytes;
        engine_result->timed_cpu_ns -= thread->pace_cpu_ns;
        engine_result->pace_late += thread->pace_late;
        if (thread->pace_max_lag_ns > engine_result->pace_max_lag_ns)
            engine_result->pace_max_lag_ns = thread->pace_max_lag_ns;
    }
}
