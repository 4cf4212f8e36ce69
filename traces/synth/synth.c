#include "traces/synth/synth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Time passes at this rate and moves in such steps, as on a recording. */
enum { NS_AN_EVENT = 50, TIME_STEP_NS = 10000, CLASSES = 8, YOUNG = 16 };

/* ---- randomness: Blackman and Vigna's xoshiro256**, seeded by splitmix64 ------------------------
 */

void synth_seed(struct synth_random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t mixed = seed += UINT64_C(0x9e3779b97f4a7c15);
        mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
        random->state[i] = mixed ^ mixed >> 31;
    }
}

static uint64_t rotated(uint64_t value, int by)
{
    return value << by | value >> (64 - by);
}

uint64_t synth_next(struct synth_random *random)
{
    uint64_t *s = random->state, result = rotated(s[1] * 5, 7) * 9, shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotated(s[3], 45);
    return result;
}

uint64_t synth_below(struct synth_random *random, uint64_t bound)
{
    return (uint64_t)((unsigned __int128)synth_next(random) * bound >> 64);
}

double synth_share(struct synth_random *random)
{
    return (double)(synth_next(random) >> 11) * 0x1p-53;
}

/* ---- the machine -------------------------------------------------------------------------------
 */

/* A lane's live objects, oldest first from `begin`; taking one from the middle moves the youngest
 * there. */
struct lane {
    uint32_t *ids;
    uint64_t begin, end, capacity;
};

struct machine {
    const struct synth_options *options;
    struct synth_random random;
    struct lane *lanes;
    uint32_t *free_ids;
    uint64_t free_count, live, done;
    uint32_t next_id, lane; /* lane: the one at work */
    bool (*event)(void *context, const struct tape_event *event);
    void *context;
};

struct synth_options synth_defaults(void)
{
    return (struct synth_options){
        .events = 1000000,
        .seed = 1,
        .live = 10000,
        .size_min = 16,
        .size_max = 1024,
        .lanes = 1,
        .lane_run = 32,
        .phases = 1,
    };
}

static bool lane_push(struct lane *lane, uint32_t id)
{
    if (lane->end == lane->capacity && lane->begin > lane->capacity / 2) {
        memmove(lane->ids, lane->ids + lane->begin, (lane->end - lane->begin) * sizeof *lane->ids);
        lane->end -= lane->begin;
        lane->begin = 0;
    }
    if (lane->end == lane->capacity) {
        uint64_t capacity = lane->capacity ? 2 * lane->capacity : 64;
        uint32_t *moved = reallocarray(lane->ids, capacity, sizeof *moved);
        if (!moved)
            return false;
        lane->ids = moved;
        lane->capacity = capacity;
    }
    lane->ids[lane->end++] = id;
    return true;
}

static uint32_t lane_take(struct lane *lane, uint64_t at)
{
    uint32_t id = lane->ids[at];
    if (at == lane->begin)
        lane->begin++;
    else
        lane->ids[at] = lane->ids[--lane->end];
    return id;
}

static uint64_t victim(struct machine *machine, const struct lane *lane)
{
    uint64_t count = lane->end - lane->begin, young = count < YOUNG ? count : YOUNG;
    switch (machine->options->lifetimes) {
    case SYNTH_LIFO:
        return lane->end - 1;
    case SYNTH_FIFO:
        return lane->begin;
    case SYNTH_MIXED:
        if (synth_below(&machine->random, 10))
            return lane->end - 1 - synth_below(&machine->random, young);
        break;
    case SYNTH_RANDOM:
        break;
    }
    return lane->begin + synth_below(&machine->random, count);
}

/* The phase's own range: bands of equal ratio, from small to large and back again. */
static void size_range(const struct machine *machine, double *ret_low, double *ret_high)
{
    const struct synth_options *options = machine->options;
    double low = (double)options->size_min, high = (double)options->size_max + 1;
    if (options->phases > 1 && low < high) {
        uint64_t phase = machine->done / (options->events / options->phases + 1);
        uint64_t bands = (options->phases + 1) / 2, band = phase % (2 * bands);
        band = band < bands ? band : 2 * bands - 1 - band;
        double from = low > 0 ? low : 1, ratio = pow(high / from, 1.0 / (double)bands);
        low = from * pow(ratio, (double)band);
        high = low * ratio;
    }
    *ret_low = low;
    *ret_high = high;
}

static uint64_t any_size(struct machine *machine)
{
    double low, high, share = synth_share(&machine->random);
    size_range(machine, &low, &high);
    if (machine->options->sizes == SYNTH_CLASSES)
        share = floor(share * CLASSES) / CLASSES;
    double size = low + share * (high - low);
    if (machine->options->sizes == SYNTH_LOG)
        size = (low > 0 ? low : 1) * pow(high / (low > 0 ? low : 1), share);
    uint64_t whole = (uint64_t)size;
    if (whole > machine->options->size_max)
        return machine->options->size_max;
    return whole < machine->options->size_min ? machine->options->size_min : whole;
}

static bool give(struct machine *machine, struct tape_event event)
{
    event.lane = machine->lane;
    event.time_ns = machine->done * NS_AN_EVENT / TIME_STEP_NS * TIME_STEP_NS;
    machine->done++;
    return machine->event(machine->context, &event);
}

static bool allocate(struct machine *machine)
{
    const struct synth_options *options = machine->options;
    struct tape_event event = {.kind = TAPE_MALLOC, .size = any_size(machine)};
    double share =
        options->calloc_share + options->aligned_share > 0 ? synth_share(&machine->random) : 1;
    if (share < options->calloc_share) {
        event.kind = TAPE_CALLOC;
    } else if (share < options->calloc_share + options->aligned_share) {
        event.kind = TAPE_ALIGNED;
        event.align_log2 = (uint8_t)(4 + synth_below(&machine->random, 9));
    }
    event.object =
        machine->free_count ? machine->free_ids[--machine->free_count] : machine->next_id++;
    machine->live++;
    return lane_push(&machine->lanes[machine->lane], event.object) && give(machine, event);
}

/* The lane whose object is freed: the one at work, or another where it has none or crosses over. */
static struct lane *lane_to_free_of(struct machine *machine)
{
    uint32_t lanes = machine->options->lanes, at = machine->lane;
    if (lanes > 1 && machine->options->cross_free_share > 0 &&
        synth_share(&machine->random) < machine->options->cross_free_share)
        at = (uint32_t)((at + 1 + synth_below(&machine->random, lanes - 1)) % lanes);
    while (machine->lanes[at].begin == machine->lanes[at].end)
        at = (at + 1) % lanes;
    return &machine->lanes[at];
}

static bool release(struct machine *machine)
{
    struct lane *lane = lane_to_free_of(machine);
    uint32_t id = lane_take(lane, victim(machine, lane));
    machine->free_ids[machine->free_count++] = id;
    machine->live--;
    return give(machine, (struct tape_event){.kind = TAPE_FREE, .object = id});
}

static bool resize(struct machine *machine)
{
    struct lane *lane = lane_to_free_of(machine);
    uint32_t id = lane->ids[victim(machine, lane)];
    return give(machine,
                (struct tape_event){.kind = TAPE_REALLOC, .object = id, .size = any_size(machine)});
}

static bool step(struct machine *machine)
{
    const struct synth_options *options = machine->options;
    if (options->lanes > 1 && synth_below(&machine->random, options->lane_run) == 0)
        machine->lane = (uint32_t)synth_below(&machine->random, options->lanes);
    if (machine->live && options->realloc_share > 0 &&
        synth_share(&machine->random) < options->realloc_share)
        return resize(machine);
    /* Around its full size the live set goes up or down by the toss of a coin. */
    bool full = machine->live >= options->live;
    bool filled = machine->done > 2 * options->live;
    bool frees = machine->live && (full || (filled && synth_next(&machine->random) >> 63));
    return frees ? release(machine) : allocate(machine);
}

static bool make_machine(struct machine *machine, const struct synth_options *options)
{
    if (!options->live || options->live >= UINT32_MAX || !options->lanes || !options->lane_run ||
        !options->phases || options->size_min > options->size_max)
        return false;
    machine->lanes = calloc(options->lanes, sizeof *machine->lanes);
    machine->free_ids = calloc(options->live + 1, sizeof *machine->free_ids);
    synth_seed(&machine->random, options->seed);
    return machine->lanes && machine->free_ids;
}

bool synth_run(const struct synth_options *options,
               bool (*event)(void *context, const struct tape_event *event), void *context)
{
    struct machine machine = {.options = options, .next_id = 1, .event = event, .context = context};
    bool good = make_machine(&machine, options);
    while (good && machine.done < options->events)
        good = step(&machine);
    while (good && options->free_at_end && machine.live)
        good = release(&machine);
    for (uint32_t i = 0; machine.lanes && i < options->lanes; i++)
        free(machine.lanes[i].ids);
    free(machine.lanes);
    free(machine.free_ids);
    return good;
}
