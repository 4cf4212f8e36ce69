#include "replayer/engine/sampler.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "replayer/engine/engine.h"
#include "replayer/engine/proc.h"

#define TIME_STEP_NS            UINT64_C(100000)
#define SERIES_AIM              2048 /* points wanted of a tape whose length is known */
#define SLOW_SHARE              50   /* a slow sample may take 1/50 of the time */
#define HELD_SLACK_BYTES        ((uint64_t)8 << 20)
#define HELD_SLACK_THREAD_BYTES ((uint64_t)2 << 20)
#define HWM_SLACK_BYTES         ((uint64_t)512 << 10) /* the kernel's high-water mark is that coarse */

struct memory {
    uint64_t held_bytes, resident_bytes;
};

static struct {
    struct replay *replay;
    atomic_flag busy;
    bool exact_statm;
    uint64_t statm_off_bytes, next_rollup_ns; /* where it is not: see memory_now() */
    struct proc_footprint startup;
    struct memory baseline, pause; /* of the whole process */
    uint64_t high_water;           /* the kernel's own peak of P, over the windows so far */
    uint64_t running_ns, resumed_at_ns;
    uint64_t operation_step, time_step_ns;
    _Atomic uint64_t next_operation, next_time_ns; /* the grids; read without the lock */
    uint32_t peak_r, peak_h, peak_p;               /* indices of the points to keep */
} sampler;

/*
 * Where statm is only near, what it is off by is found out anew whenever the share of time for it
 * allows, and at once where `exactly`.
 */
static struct memory memory_now(bool exactly)
{
    struct proc_statm statm = proc_statm();
    if (!sampler.exact_statm) {
        uint64_t begin = engine_now_ns();
        if (exactly || begin >= sampler.next_rollup_ns) {
            sampler.statm_off_bytes = proc_rollup_resident() - statm.resident_bytes;
            uint64_t end = engine_now_ns();
            sampler.next_rollup_ns = end + (end - begin) * SLOW_SHARE;
        }
        statm.resident_bytes += sampler.statm_off_bytes;
    }
    return (struct memory){statm.data_bytes, statm.resident_bytes};
}

/* Whether each page that is made resident shows in statm at once. Kernels differ. */
static bool statm_is_exact(void)
{
    enum { PAGES = 24, PAGE = 4096 };
    char *area =
        mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED)
        return false;
    bool exact = true;
    proc_statm(); /* its own pages */
    uint64_t before = proc_statm().resident_bytes;
    for (int done = 0, step = 1; done + step <= PAGES; done += step, step++) {
        for (int i = 0; i < step; i++)
            ((volatile char *)area)[(done + i) * PAGE] = 1;
        uint64_t after = proc_statm().resident_bytes;
        exact &= after - before == (uint64_t)step * PAGE;
        before = after;
    }
    munmap(area, PAGES * PAGE);
    return exact;
}

static uint64_t saturating_minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t running_ns(uint64_t now)
{
    return sampler.running_ns + (now - sampler.resumed_at_ns);
}

uint32_t sampler_stride(uint64_t operations)
{
    uint64_t stride = operations / (4 * SERIES_AIM);
    return stride < 16 ? 16 : stride > 256 ? 256 : (uint32_t)stride;
}

void sampler_open(struct replay *replay, uint64_t operations, struct proc_footprint startup)
{
    sampler.startup = startup;
    sampler.replay = replay;
    sampler.operation_step = operations / SERIES_AIM ? operations / SERIES_AIM : 1;
    sampler.time_step_ns = TIME_STEP_NS;
    proc_open();
    sampler.exact_statm = statm_is_exact();
    memory_now(true); /* touches what a sample touches */
    sampler.baseline = sampler.pause = memory_now(true);
    sampler.baseline.held_bytes -= startup.held_bytes;
}

void sampler_pause(void)
{
    sampler.running_ns = running_ns(engine_now_ns());
    sampler.pause = memory_now(true);
    uint64_t high_water = saturating_minus(proc_high_water(), sampler.baseline.resident_bytes);
    if (high_water > sampler.high_water)
        sampler.high_water = high_water;
}

void sampler_resume(void)
{
    struct memory now = memory_now(true);
    sampler.baseline.held_bytes += now.held_bytes - sampler.pause.held_bytes;
    sampler.baseline.resident_bytes += now.resident_bytes - sampler.pause.resident_bytes;
    proc_reset_high_water();
    sampler.resumed_at_ns = engine_now_ns();
}

/* Every second point goes, except the three highest. */
static void thin(void)
{
    struct engine_result *result = engine_result;
    uint32_t kept = 0;
    uint32_t peaks[3] = {sampler.peak_r, sampler.peak_h, sampler.peak_p};
    for (uint32_t i = 0; i < result->series_count; i++) {
        bool peak = i == peaks[0] || i == peaks[1] || i == peaks[2];
        if (i % 2 && !peak)
            continue;
        sampler.peak_r = i == peaks[0] ? kept : sampler.peak_r;
        sampler.peak_h = i == peaks[1] ? kept : sampler.peak_h;
        sampler.peak_p = i == peaks[2] ? kept : sampler.peak_p;
        result->series[kept++] = result->series[i];
    }
    result->series_count = kept;
    sampler.operation_step *= 2;
    sampler.time_step_ns *= 2;
}

static void append(const struct engine_sample *sample)
{
    struct engine_result *result = engine_result;
    if (result->series_count == ENGINE_SERIES_MAX)
        thin();
    uint32_t at = result->series_count++;
    result->series[at] = *sample;
    if (sample->requested_bytes > result->series[sampler.peak_r].requested_bytes)
        sampler.peak_r = at;
    if (sample->held_bytes > result->series[sampler.peak_h].held_bytes)
        sampler.peak_h = at;
    if (sample->resident_bytes > result->series[sampler.peak_p].resident_bytes)
        sampler.peak_p = at;
}

/* The calls of all threads so far. While several run this is a moment of each, not one of all. */
static void add_up(struct engine_sample *sample)
{
    for (uint32_t i = 0; i < sampler.replay->thread_count; i++) {
        struct replay_thread *thread = &sampler.replay->threads[i];
        sample->operation += atomic_load_explicit(&thread->operations, memory_order_relaxed);
        sample->requested_bytes +=
            atomic_load_explicit(&thread->requested_bytes, memory_order_relaxed);
        sample->usable_bytes += atomic_load_explicit(&thread->usable_bytes, memory_order_relaxed);
    }
}

static void take(bool exactly)
{
    uint64_t begin = engine_now_ns();
    struct memory now = memory_now(exactly);
    struct engine_sample sample = {
        .time_ns = running_ns(begin),
        .held_bytes = saturating_minus(now.held_bytes, sampler.baseline.held_bytes),
        .resident_bytes = saturating_minus(now.resident_bytes, sampler.baseline.resident_bytes),
    };
    add_up(&sample);
    append(&sample);
    atomic_store_explicit(&sampler.next_operation, sample.operation + sampler.operation_step,
                          memory_order_relaxed);
    atomic_store_explicit(&sampler.next_time_ns, engine_now_ns() + sampler.time_step_ns,
                          memory_order_relaxed);
}

static uint64_t operations_now(void)
{
    struct engine_sample sum = {0};
    add_up(&sum);
    return sum.operation;
}

void sampler_check(void)
{
    if (operations_now() < atomic_load_explicit(&sampler.next_operation, memory_order_relaxed) &&
        engine_now_ns() < atomic_load_explicit(&sampler.next_time_ns, memory_order_relaxed))
        return;
    if (atomic_flag_test_and_set_explicit(&sampler.busy, memory_order_acquire))
        return; /* another thread is at it */
    take(false);
    atomic_flag_clear_explicit(&sampler.busy, memory_order_release);
}

void sampler_peak(void)
{
    while (atomic_flag_test_and_set_explicit(&sampler.busy, memory_order_acquire))
        __builtin_ia32_pause();
    take(true);
    atomic_flag_clear_explicit(&sampler.busy, memory_order_release);
}

/*
 * Peaks between two samples. The kernel's high-water mark of each window sees them, but only to
 * some pages, so it counts only where it is clearly higher.
 */
static uint64_t peak_resident(uint64_t sampled)
{
    return sampler.high_water > sampled + HWM_SLACK_BYTES ? sampler.high_water : sampled;
}

/*
 * Whether H means something. An allocator that maps writable memory long before it uses it
 * (segments or arenas given out by the kernel only when touched) holds nothing by having it. The
 * rule: at the highest R, H is more than half above what is resident or usable (whichever is more;
 * with
 * --touch=none nothing need be resident) plus 8 MiB and 2 MiB a thread. Then P stands in for H.
 */
static bool held_is_known(void)
{
    if (!engine_result->series_count)
        return true;
    const struct engine_sample *at = &engine_result->series[sampler.peak_r];
    uint64_t used = at->resident_bytes > at->usable_bytes ? at->resident_bytes : at->usable_bytes;
    return at->held_bytes <= used + used / 2 + HELD_SLACK_BYTES +
                                 sampler.replay->thread_count * HELD_SLACK_THREAD_BYTES;
}

void sampler_close(void)
{
    struct engine_result *result = engine_result;
    sampler.resumed_at_ns = engine_now_ns(); /* the time since the last window does not count */
    take(true);
    result->held_known = held_is_known();
    for (uint32_t i = 0; i < result->series_count; i++) {
        struct engine_sample *at = &result->series[i];
        if (!result->held_known)
            at->held_bytes = at->resident_bytes;
        if (at->usable_bytes > result->peak_usable_bytes)
            result->peak_usable_bytes = at->usable_bytes;
        if (at->held_bytes > result->peak_held_bytes)
            result->peak_held_bytes = at->held_bytes;
        if (at->resident_bytes > result->peak_resident_bytes)
            result->peak_resident_bytes = at->resident_bytes;
    }
    result->startup_resident_bytes = sampler.startup.resident_bytes;
    result->peak_resident_bytes =
        sampler.startup.resident_bytes + peak_resident(result->peak_resident_bytes);
}
