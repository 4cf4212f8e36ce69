#include "replayer/engine/sampler.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <x86intrin.h>
#include "replayer/engine/engine.h"
#include "replayer/engine/proc.h"
#include "replayer/engine/snapshot.h"
#include "replayer/engine/system_calls.h"
#include "replayer/engine/warm.h"

#define TIME_STEP_NS            UINT64_C(100000)
#define SERIES_AIM              2048 /* points wanted of a tape whose length is known */
#define SERIES_LEAST            640  /* points taken whatever they cost */
#define COST_SHARE              125  /* the others may take 1/125 of the time: all, 1/100 */
#define SLOW_SHARE              200  /* a slow reading may take 1/200 of it */
#define HUGE_STEP               16   /* huge pages are read anew where P is a 16th higher */
#define HELD_SLACK_BYTES        ((uint64_t)8 << 20)
#define HELD_SLACK_THREAD_BYTES ((uint64_t)2 << 20)
#define HWM_SLACK_BYTES         ((uint64_t)512 << 10) /* the kernel's high-water mark is that coarse */

/* huge_bytes: ENGINE_UNKNOWN where it was not read. */
struct memory {
    uint64_t held_bytes, resident_bytes, anonymous_bytes, huge_bytes;
};

struct faults {
    uint64_t minor, major;
};

static struct {
    struct replay *replay;
    atomic_flag busy;
    bool exact_statm;
    uint64_t statm_off_bytes, next_rollup_ns; /* where it is not: see memory_now() */
    struct proc_footprint startup;
    struct memory baseline, pause; /* of the whole process */
    struct faults faults, pause_faults;
    uint64_t high_water; /* the kernel's own peak of P, over the windows so far */
    uint64_t running_ns, resumed_at_ns;
    uint64_t resumed_ticks, running_ticks; /* of the time-stamp counter */
    uint64_t spent_ns, last_cost_ns;       /* by sampling */
    uint64_t cost_share, snapshots_ns;     /* with snapshots: half the share; and their time */
    uint64_t operation_step, required_step, time_step_ns;
    _Atomic uint64_t next_operation, next_time_ns; /* the grids; read without the lock */
    _Atomic uint64_t required_operation;           /* the grid that is kept whatever it costs */
    uint32_t peak_r, peak_h, peak_p;               /* indices of the points to keep */
    uint64_t huge_seen_at, rollup_ns;              /* P when huge pages were read last; the cost */
    bool peak_seen;                                /* ... at a peak of R, once at least */
    bool huge_lost; /* the engine's own may have changed: no more figures */
} sampler;

static uint64_t saturating_minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t running_ns(uint64_t now)
{
    return sampler.running_ns + (now - sampler.resumed_at_ns);
}

/* Whether something that costs so much more stays within the share of time. */
static bool is_affordable(uint64_t now, uint64_t cost_ns)
{
    return (sampler.spent_ns + cost_ns) * sampler.cost_share <= running_ns(now);
}

/* Adds the rollup's figures to those of statm. */
static void read_rollup(struct memory *now, uint64_t begin)
{
    struct proc_rollup rollup = proc_rollup();
    now->huge_bytes = rollup.huge_bytes;
    sampler.huge_seen_at = now->resident_bytes;
    sampler.statm_off_bytes = rollup.resident_bytes - now->resident_bytes;
    sampler.rollup_ns = engine_now_ns() - begin;
    sampler.next_rollup_ns = begin + sampler.rollup_ns * SLOW_SHARE;
}

/*
 * What is there now. Where statm is only near, the rollup tells by how much: always where it must
 * be `exact`, else as often as its share of time allows. Where statm is exact the rollup is read
 * for the huge pages alone: at a `peak` and where P has grown, if it can be afforded; and at the
 * first peak in any case.
 */
static struct memory memory_now(bool exact, bool peak)
{
    struct proc_statm statm = proc_statm();
    struct memory now = {statm.data_bytes, statm.resident_bytes, statm.anonymous_bytes,
                         ENGINE_UNKNOWN};
    bool grown = statm.resident_bytes > sampler.huge_seen_at + sampler.huge_seen_at / HUGE_STEP;
    uint64_t begin = engine_now_ns();
    if (!sampler.exact_statm) {
        if (exact || begin >= sampler.next_rollup_ns)
            read_rollup(&now, begin);
        now.resident_bytes += sampler.statm_off_bytes;
    } else if ((peak && !sampler.peak_seen) ||
               ((peak || grown) && is_affordable(begin, sampler.rollup_ns))) {
        read_rollup(&now, begin);
        sampler.peak_seen |= peak;
    }
    return now;
}

static struct faults faults_now(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (struct faults){(uint64_t)usage.ru_minflt, (uint64_t)usage.ru_majflt};
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

uint32_t sampler_stride(uint64_t operations)
{
    uint64_t stride = operations / (4 * SERIES_AIM);
    return stride < 16 ? 16 : stride > 256 ? 256 : (uint32_t)stride;
}

static uint64_t at_least(uint64_t value, uint64_t least)
{
    return value > least ? value : least;
}

void sampler_open(struct replay *replay, uint64_t operations, struct proc_footprint startup)
{
    sampler.startup = startup;
    sampler.replay = replay;
    sampler.operation_step = at_least(operations / SERIES_AIM, 1);
    sampler.required_step = at_least(operations / SERIES_LEAST, 16);
    sampler.time_step_ns = TIME_STEP_NS;
    sampler.cost_share = replay->births ? 2 * COST_SHARE : COST_SHARE;
    snapshot_begin(operations);
    proc_open();
    sampler.exact_statm = statm_is_exact();
    engine_result->exact_resident = sampler.exact_statm;
    engine_result->huge_bytes_at_peak = engine_result->huge_peak_resident_bytes = ENGINE_UNKNOWN;
    memory_now(true, false); /* touches what a sample touches */
    proc_high_water();
    proc_reset_high_water();
    warm_up();
    sampler.baseline = memory_now(true, false);
    sampler.baseline.huge_bytes = proc_rollup().huge_bytes;
    sampler.pause = sampler.baseline;
    sampler.huge_seen_at = 0;
    sampler.baseline.held_bytes -= startup.held_bytes;
    sampler.faults = sampler.pause_faults = faults_now();
}

void sampler_pause(void)
{
    uint64_t begin = engine_now_ns();
    system_calls_count(false);
    sampler.running_ns = running_ns(begin);
    sampler.running_ticks += __rdtsc() - sampler.resumed_ticks;
    sampler.pause_faults = faults_now();
    sampler.pause = memory_now(true, false);
    uint64_t high_water = saturating_minus(proc_high_water(), sampler.baseline.resident_bytes);
    if (high_water > sampler.high_water)
        sampler.high_water = high_water;
    sampler.resumed_at_ns = engine_now_ns(); /* so that running_ns() of now is that of the pause */
    sampler.spent_ns += sampler.resumed_at_ns - begin;
}

void sampler_resume(void)
{
    uint64_t begin = engine_now_ns();
    proc_reset_high_water();
    struct memory now = memory_now(true, false);
    struct faults faults = faults_now();
    sampler.baseline.held_bytes += now.held_bytes - sampler.pause.held_bytes;
    sampler.baseline.resident_bytes += now.resident_bytes - sampler.pause.resident_bytes;
    sampler.huge_lost |= now.anonymous_bytes != sampler.pause.anonymous_bytes;
    sampler.faults.minor += faults.minor - sampler.pause_faults.minor;
    sampler.faults.major += faults.major - sampler.pause_faults.major;
    sampler.resumed_at_ns = engine_now_ns();
    sampler.spent_ns += sampler.resumed_at_ns - begin;
    sampler.resumed_ticks = __rdtsc();
    system_calls_count(true);
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
    sampler.required_step *= 2;
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

/* A point of what is there now. */
static struct engine_sample put(const struct memory *now, const struct faults *faults,
                                uint64_t time_ns)
{
    struct engine_sample sample = {
        .time_ns = time_ns,
        .held_bytes = saturating_minus(now->held_bytes, sampler.baseline.held_bytes),
        .resident_bytes = saturating_minus(now->resident_bytes, sampler.baseline.resident_bytes),
        .huge_bytes = ENGINE_UNKNOWN,
        .minor_faults = faults->minor - sampler.faults.minor,
        .major_faults = faults->major - sampler.faults.major,
        .system_calls = system_calls_total(),
    };
    if (now->huge_bytes != ENGINE_UNKNOWN && !sampler.huge_lost)
        sample.huge_bytes = saturating_minus(now->huge_bytes, sampler.baseline.huge_bytes);
    add_up(&sample);
    append(&sample);
    atomic_store_explicit(&sampler.next_operation, sample.operation + sampler.operation_step,
                          memory_order_relaxed);
    atomic_store_explicit(&sampler.required_operation, sample.operation + sampler.required_step,
                          memory_order_relaxed);
    return sample;
}

static struct engine_sample take(bool peak)
{
    uint64_t begin = engine_now_ns();
    struct memory now = memory_now(peak, peak);
    struct faults faults = faults_now();
    struct engine_sample sample = put(&now, &faults, running_ns(begin));
    uint64_t end = engine_now_ns();
    atomic_store_explicit(&sampler.next_time_ns, end + sampler.time_step_ns, memory_order_relaxed);
    sampler.last_cost_ns = end - begin;
    sampler.spent_ns += sampler.last_cost_ns;
    return sample;
}

static uint64_t operations_now(void)
{
    struct engine_sample sum = {0};
    add_up(&sum);
    return sum.operation;
}

void sampler_check(void)
{
    uint64_t operations = operations_now(), now = engine_now_ns();
    bool required =
        operations >= atomic_load_explicit(&sampler.required_operation, memory_order_relaxed);
    if (!required &&
        operations < atomic_load_explicit(&sampler.next_operation, memory_order_relaxed) &&
        now < atomic_load_explicit(&sampler.next_time_ns, memory_order_relaxed))
        return;
    if (atomic_flag_test_and_set_explicit(&sampler.busy, memory_order_acquire))
        return; /* another thread is at it */
    if (required || is_affordable(now, sampler.last_cost_ns))
        take(false);
    atomic_flag_clear_explicit(&sampler.busy, memory_order_release);
}

void sampler_check_idle(void)
{
    if (engine_now_ns() < atomic_load_explicit(&sampler.next_time_ns, memory_order_relaxed) ||
        atomic_flag_test_and_set_explicit(&sampler.busy, memory_order_acquire))
        return;
    uint64_t spent_ns = sampler.spent_ns;
    take(false);
    sampler.spent_ns = spent_ns;
    atomic_flag_clear_explicit(&sampler.busy, memory_order_release);
}

void sampler_mark(const struct plan_op *op, unsigned flags)
{
    bool peak = flags & PLAN_SIDE_SAMPLE, asked = flags & PLAN_SIDE_ASKED;
    while (atomic_flag_test_and_set_explicit(&sampler.busy, memory_order_acquire))
        __builtin_ia32_pause();
    /* Only at a chance are the other threads waiting: a pause alone is none. */
    bool chance = flags & PLAN_SIDE_SNAPSHOT &&
                  snapshot_may_be_due(operations_now(), running_ns(engine_now_ns()));
    if (peak || asked || chance) {
        struct engine_sample sample = take(peak);
        sampler.snapshots_ns +=
            peak || asked ? snapshot_now(op, flags, &sample) : snapshot_chance(op, &sample);
    } else if (flags & PLAN_SIDE_PAUSE) {
        take(false);
    }
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

/* Huge pages at the highest P at which they were read. */
static void close_huge(struct engine_result *result)
{
    const struct engine_sample *best = NULL;
    for (uint32_t i = 0; i < result->series_count; i++) {
        const struct engine_sample *at = &result->series[i];
        if (at->huge_bytes != ENGINE_UNKNOWN &&
            (!best || at->resident_bytes > best->resident_bytes))
            best = at;
    }
    if (!best)
        return;
    result->huge_bytes_at_peak = best->huge_bytes;
    result->huge_peak_resident_bytes = best->resident_bytes;
}

/* What keeping R and U took: the calls that were timed stand for all. */
static uint64_t accounting_ns(void)
{
    double ticks = 0;
    for (uint32_t i = 0; i < sampler.replay->thread_count; i++) {
        const struct replay_thread *thread = &sampler.replay->threads[i];
        if (thread->accounts_timed)
            ticks += (double)thread->account_ticks / (double)thread->accounts_timed *
                     (double)thread->accounts;
    }
    if (!sampler.running_ticks)
        return 0;
    return (uint64_t)(ticks * (double)sampler.running_ns / (double)sampler.running_ticks);
}

void sampler_close(void)
{
    struct engine_result *result = engine_result;
    struct engine_sample last = put(&sampler.pause, &sampler.pause_faults, sampler.running_ns);
    sampler.snapshots_ns += snapshot_end(&last);
    /* The series' own, which begin and end with the windows' pauses: a little more than is timed.
     */
    result->minor_faults = sampler.pause_faults.minor - sampler.faults.minor;
    result->major_faults = sampler.pause_faults.major - sampler.faults.major;
    close_huge(result);
    result->sampling_ns = sampler.spent_ns + sampler.snapshots_ns;
    result->accounting_ns = accounting_ns();
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
