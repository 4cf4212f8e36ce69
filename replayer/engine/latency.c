#include "replayer/engine/latency.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include "replayer/engine/engine.h"
#include "replayer/engine/latency_clock.h"
#include "replayer/engine/pages.h"

#define CALIBRATIONS     4095
#define CLOCK_RUN_NS     UINT64_C(20000000) /* at least so long is the tick measured */
#define SLICE_OPERATIONS UINT64_C(4096) /* a slice's first width where the length is not known */

uint32_t *latency_values;
_Bool latency_has_tsc;

static struct {
    struct engine_latency *latency;
    struct pages values;
    uint64_t opened_ns, opened_ticks;
    uint64_t slice_operations;
    struct rusage before;
    struct latency_histogram slices[LATENCY_SLICES];
} state;

/* ---- the clock ---------------------------------------------------------------------------------
 */

/* Whether the counter ticks alike on all cores, at any clock rate and while a core sleeps. */
static bool find_tsc(void)
{
#if defined(__x86_64__)
    static char text[8192];
    int fd = open("/proc/cpuinfo", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = 0;
    return strstr(text, " constant_tsc") && strstr(text, " nonstop_tsc");
#else
    return false;
#endif
}

static void sort(uint32_t *values, unsigned count)
{
    for (unsigned gap = count / 2; gap; gap /= 2)
        for (unsigned i = gap; i < count; i++)
            for (unsigned j = i; j >= gap && values[j - gap] > values[j]; j -= gap) {
                uint32_t value = values[j];
                values[j] = values[j - gap];
                values[j - gap] = value;
            }
}

/*
 * Two readings with nothing between them: the mean, since the clock may be coarse and only the mean
 * is then finer than its steps, of those that were not interrupted. *ret_step: the least difference
 * between any two.
 */
static double clock_cost(double *ret_step)
{
    static uint32_t costs[CALIBRATIONS];
    for (unsigned i = 0; i < CALIBRATIONS; i++) {
        uint64_t begin, end;
        if (latency_has_tsc) {
            begin = latency_now(true);
            end = latency_now(true);
        } else {
            begin = latency_now(false);
            end = latency_now(false);
        }
        costs[i] = end - begin < UINT32_MAX ? (uint32_t)(end - begin) : UINT32_MAX;
    }
    sort(costs, CALIBRATIONS);
    uint32_t most = 2 * costs[CALIBRATIONS / 2] + 1;
    uint64_t sum = 0, step = UINT32_MAX;
    unsigned count = 0;
    for (; count < CALIBRATIONS && costs[count] <= most; count++) {
        sum += costs[count];
        if (count && costs[count] != costs[count - 1] && costs[count] - costs[count - 1] < step)
            step = costs[count] - costs[count - 1];
    }
    *ret_step = step == UINT32_MAX ? 1 : (double)step;
    return (double)sum / count;
}

static double measure_tick(void)
{
    uint64_t ns, ticks;
    if (!latency_has_tsc)
        return 1;
    do {
        ns = engine_now_ns() - state.opened_ns;
        ticks = latency_now(true) - state.opened_ticks;
    } while (ns < CLOCK_RUN_NS);
    return (double)ns / (double)ticks;
}

void latency_open(struct engine_latency *latency, uint64_t operations)
{
    state.latency = latency;
    latency_has_tsc = find_tsc();
    latency->has_tsc = latency_has_tsc;
    state.opened_ns = engine_now_ns();
    state.opened_ticks = latency_now(latency_has_tsc);
    state.slice_operations =
        operations ? (operations + LATENCY_SLICES - 1) / LATENCY_SLICES : SLICE_OPERATIONS;
    memset(state.slices, 0, sizeof(state.slices)); /* resident before anything is measured */
    clock_cost(&latency->resolution_ticks);
    latency->cost_ticks = clock_cost(&latency->resolution_ticks);
}

/* ---- windows -----------------------------------------------------------------------------------
 */

void latency_resume(const struct window *window)
{
    latency_values = pages_reserve(&state.values, window->used * sizeof(uint32_t));
    getrusage(RUSAGE_SELF, &state.before);
}

/* The kind of the operation's call; LATENCY_KINDS: it is not measured. */
static enum latency_kind kind_of(const struct plan_side *side)
{
    static const uint8_t kinds[] = {
        [PLAN_SIDE_MALLOC] = LATENCY_MALLOC,     [PLAN_SIDE_CALLOC] = LATENCY_CALLOC,
        [PLAN_SIDE_ALIGNED] = LATENCY_ALIGNED,   [PLAN_SIDE_REALLOC_NEW] = LATENCY_REALLOC,
        [PLAN_SIDE_REALLOC] = LATENCY_REALLOC,   [PLAN_SIDE_REALLOC_FREE] = LATENCY_REALLOC,
        [PLAN_SIDE_FREE] = LATENCY_FREE,         [PLAN_SIDE_FREE_NULL] = LATENCY_KINDS,
        [PLAN_SIDE_USABLE_SIZE] = LATENCY_KINDS,
    };
    return kinds[side->kind];
}

/* Every two slices become one. */
static void widen_slices(void)
{
    struct latency_histogram *slices = state.slices;
    for (unsigned i = 0; i < LATENCY_SLICES / 2; i++) {
        if (i)
            slices[i] = slices[2 * i];
        latency_merge(&slices[i], &slices[2 * i + 1]);
    }
    memset(&slices[LATENCY_SLICES / 2], 0, sizeof(state.slices) / 2);
    state.slice_operations *= 2;
}

static void add(const struct plan_side *side, uint64_t ticks, uint64_t operation)
{
    enum latency_kind kind = kind_of(side);
    if (kind == LATENCY_KINDS)
        return;
    latency_add(&state.latency->histograms[kind][latency_class(side->size)], ticks);
    while (operation / state.slice_operations >= LATENCY_SLICES)
        widen_slices();
    latency_add(&state.slices[operation / state.slice_operations], ticks);
}

/*
 * Where in the tape an operation of the window stands: as far as its place in the array, which is
 * filled in the tape's order but for the last segment of each thread.
 */
static uint64_t operation_at(const struct window *window, uint32_t index, uint64_t calls_before)
{
    return calls_before + index * window->calls / window->used;
}

static void take_queue(const struct window *window, uint32_t first, uint64_t calls_before)
{
    const struct plan_op *ops = window_ops(window);
    for (uint32_t i = first;; i++) {
        unsigned code = plan_op_code(ops[i]);
        if (code == PLAN_END)
            return;
        if (code == PLAN_NEXT) {
            i = ops[i].size - 1;
        } else if (code <= PLAN_EXTENDED) {
            struct plan_side side =
                code == PLAN_EXTENDED ? window_side(window)[ops[i].size] : plan_side_of(ops[i]);
            add(&side, latency_unpack(latency_values[i]), operation_at(window, i, calls_before));
        }
    }
}

void latency_pause(const struct window *window, uint64_t calls_before)
{
    struct rusage after;
    getrusage(RUSAGE_SELF, &after);
    state.latency->preemptions += (uint64_t)(after.ru_nivcsw - state.before.ru_nivcsw);
    for (uint32_t thread = 0; thread < window->threads; thread++)
        if (window->queues[thread].limit)
            take_queue(window, window->queues[thread].first, calls_before);
}

/* ---- the end -----------------------------------------------------------------------------------
 */

void latency_close(void)
{
    struct engine_latency *latency = state.latency;
    double step;
    latency->cost_after_ticks = clock_cost(&step);
    latency->ns_per_tick = measure_tick();
    for (unsigned i = 0; i < LATENCY_SLICES; i++) {
        const struct latency_histogram *from = &state.slices[i];
        if (!from->count)
            continue;
        latency->slices[latency->slice_count++] = (struct latency_slice){
            .first_operation = i * state.slice_operations,
            .count = from->count,
            .p50_ns = latency_ns(latency, latency_percentile(from, 0.5, latency->resolution_ticks)),
            .p99_ns =
                latency_ns(latency, latency_percentile(from, 0.99, latency->resolution_ticks)),
            .max_ns = latency_ns(latency, (double)from->max_ticks),
        };
    }
}
