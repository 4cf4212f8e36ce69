#include "replayer/engine/snapshot.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "replayer/engine/own.h"
#include "replayer/engine/page_map.h"
#include "replayer/engine/proc.h"

#define GRID_POINTS   64
#define GRID_REQUIRED 8         /* every so many of them are taken whatever they cost */
#define COST_SHARE    250       /* the others may take 1/250 of the time, */
#define COST_FREE_NS  300000000 /* or so long, where that is more and the file short: */
#define FREE_BYTES    ((uint64_t)128 << 20)
#define HIGHER        16                /* P a 16th above the highest before */
#define RANGES_MAX    ((size_t)1 << 16) /* the kernel's own limit on mappings */
#define BUFFER_BYTES  ((size_t)256 << 10)
#define EVENT_MASK    ((UINT64_C(1) << ENGINE_BIRTH_LANE) - 1)

static struct {
    int fd;
    struct replay *replay;
    uint64_t grid_step, next_grid, grid_seen; /* operations; points so far */
    uint64_t highest_resident;                /* of the snapshots so far */
    uint64_t spent_ns, last_cost_ns;
    uint64_t file_bytes; /* written and kept */
    size_t buffered;
    bool failed; /* a write did */
    struct engine_snapshot head;
    char buffer[BUFFER_BYTES];
    struct proc_range ranges[RANGES_MAX];
} snapshot = {.fd = -1};

/* ---- writing -----------------------------------------------------------------------------------
 */

static void flush(void)
{
    for (size_t done = 0; done < snapshot.buffered && !snapshot.failed;) {
        ssize_t wrote = write(snapshot.fd, snapshot.buffer + done, snapshot.buffered - done);
        if (wrote < 0 && errno == EINTR)
            continue;
        snapshot.failed = wrote <= 0;
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    snapshot.file_bytes += snapshot.buffered;
    snapshot.buffered = 0;
}

static void put(const void *data, size_t bytes)
{
    if (snapshot.buffered + bytes > BUFFER_BYTES)
        flush();
    memcpy(snapshot.buffer + snapshot.buffered, data, bytes);
    snapshot.buffered += bytes;
}

/* ---- what is there -----------------------------------------------------------------------------
 */

typedef void use_range(const struct proc_range *range);

/* The parts of the mapping that are the allocator's. */
static void each_part(const struct proc_range *range, use_range *use)
{
    struct proc_range part = *range;
    while (part.start < range->end) {
        uint64_t change;
        bool own = own_next(part.start, &change);
        part.end = change < range->end ? change : range->end;
        if (!own)
            use(&part);
        part.start = part.end;
    }
}

static void each_range(size_t count, use_range *use)
{
    for (size_t i = 0; i < count; i++)
        if (!snapshot.ranges[i].foreign)
            each_part(&snapshot.ranges[i], use);
}

static void put_mapping(const struct proc_range *range)
{
    struct engine_snapshot_mapping mapping = {.start = range->start, .end = range->end};
    mapping.flags = (range->readable ? ENGINE_MAPPING_READ : 0) |
                    (range->writable ? ENGINE_MAPPING_WRITE : 0) |
                    (range->executable ? ENGINE_MAPPING_EXECUTE : 0) |
                    (range->shared ? ENGINE_MAPPING_SHARED : 0) |
                    (range->kind == PROC_FILE ? ENGINE_MAPPING_FILE : 0) |
                    (range->kind == PROC_HEAP ? ENGINE_MAPPING_BRK : 0);
    snapshot.head.mappings++;
    put(&mapping, sizeof(mapping));
}

static void put_run(void *context, const struct page_map_run *run)
{
    (void)context;
    struct engine_snapshot_run raw = {.start = run->start, .end = run->end, .flags = run->flags};
    snapshot.head.runs++;
    put(&raw, sizeof(raw));
}

static void put_pages(const struct proc_range *range)
{
    if (!page_map_runs(range->start, range->end, put_run, NULL))
        snapshot.head.kinds |= ENGINE_SNAPSHOT_NO_PAGES;
}

static void put_blocks(void)
{
    const struct replay *replay = snapshot.replay;
    for (uint32_t slot = 0; slot < replay->slot_count; slot++) {
        uint64_t birth = replay->births[slot];
        if (!birth || !replay->slots[slot])
            continue;
        struct engine_snapshot_block block = {
            .address = (uintptr_t)replay->slots[slot],
            .requested = replay->blocks[slot].requested_bytes,
            .usable = replay->blocks[slot].usable_bytes,
            .birth = ((birth & EVENT_MASK) - 1) | (birth & ~EVENT_MASK),
        };
        snapshot.head.blocks++;
        put(&block, sizeof(block));
    }
}

/* The head is written last: until then what follows it does not count. */
static void write_whole(void)
{
    uint64_t begin = snapshot.file_bytes;
    put(&snapshot.head, sizeof(snapshot.head));
    size_t count = proc_ranges(snapshot.ranges, RANGES_MAX);
    each_range(count, put_mapping);
    each_range(count, put_pages);
    put_blocks();
    flush();
    if (snapshot.failed || snapshot.file_bytes > SNAPSHOT_BYTES_MAX) {
        engine_result->snapshots_left_out++;
        snapshot.failed = ftruncate(snapshot.fd, (off_t)begin) != 0 ||
                          lseek(snapshot.fd, (off_t)begin, SEEK_SET) < 0;
        snapshot.file_bytes = begin;
        return;
    }
    snapshot.head.magic = ENGINE_SNAPSHOT_MAGIC;
    if (pwrite(snapshot.fd, &snapshot.head, sizeof(snapshot.head), (off_t)begin) !=
        sizeof(snapshot.head))
        snapshot.failed = true;
    engine_result->snapshots++;
}

/* What the blocks that are live now take in the file. */
static uint64_t expected_bytes(void)
{
    uint64_t blocks = 0;
    for (uint32_t slot = 0; slot < snapshot.replay->slot_count; slot++)
        blocks += snapshot.replay->births[slot] != 0;
    return (blocks + blocks / 8) * sizeof(struct engine_snapshot_block);
}

static uint64_t take(unsigned kinds, uint64_t event, const struct engine_sample *sample)
{
    uint64_t begin = engine_now_ns();
    /* Room for this one and for the end's. */
    if (!(kinds & ENGINE_SNAPSHOT_END) &&
        snapshot.file_bytes + 2 * expected_bytes() > SNAPSHOT_BYTES_MAX) {
        engine_result->snapshots_left_out++;
        return engine_now_ns() - begin;
    }
    snapshot.head = (struct engine_snapshot){.event = event, .kinds = kinds, .sample = *sample};
    write_whole();
    if (sample->resident_bytes > snapshot.highest_resident)
        snapshot.highest_resident = sample->resident_bytes;
    snapshot.last_cost_ns = engine_now_ns() - begin;
    snapshot.spent_ns += snapshot.last_cost_ns;
    engine_result->snapshot_ns = snapshot.spent_ns;
    return snapshot.last_cost_ns;
}

/* ---- when --------------------------------------------------------------------------------------
 */

void snapshot_open(int fd, struct replay *replay)
{
    snapshot.fd = fd;
    snapshot.replay = replay;
    if (fd < 0)
        return;
    own_pause();
    page_map_open(true);
}

void snapshot_begin(uint64_t events)
{
    if (snapshot.fd < 0)
        return;
    snapshot.grid_step = events > GRID_POINTS ? events / GRID_POINTS : 1;
    snapshot.next_grid = snapshot.grid_step;
    memset(snapshot.ranges, 0, sizeof(snapshot.ranges));
    memset(snapshot.buffer, 0, sizeof(snapshot.buffer));
}

void snapshot_pause(void)
{
    if (snapshot.fd >= 0)
        own_pause();
}

void snapshot_resume(const struct window *window)
{
    if (snapshot.fd < 0)
        return;
    snapshot.replay->origins = window->origins.base;
    snapshot.replay->first_event = window->first_event;
    own_resume();
}

static uint64_t event_of(const struct plan_op *op)
{
    const struct replay *replay = snapshot.replay;
    return replay->first_event + replay->origins[op - replay->ops].event;
}

/* What may be spent anyhow is spent evenly over the run. */
static bool is_free(uint64_t operation, uint64_t cost_ns)
{
    double done = (double)operation / ((double)snapshot.grid_step * GRID_POINTS);
    done = done < 1 ? done : 1;
    return (double)cost_ns <= done * COST_FREE_NS &&
           (double)snapshot.file_bytes <= done * (double)FREE_BYTES;
}

static bool is_affordable(uint64_t operation, uint64_t time_ns)
{
    uint64_t cost_ns = snapshot.spent_ns + snapshot.last_cost_ns;
    return is_free(operation, cost_ns) || cost_ns * COST_SHARE <= time_ns;
}

bool snapshot_may_be_due(uint64_t operation, uint64_t time_ns)
{
    return snapshot.fd >= 0 && !snapshot.failed &&
           (operation >= snapshot.next_grid || is_affordable(operation, time_ns));
}

uint64_t snapshot_chance(const struct plan_op *op, const struct engine_sample *sample)
{
    if (snapshot.fd < 0 || snapshot.failed)
        return 0;
    bool grid = sample->operation >= snapshot.next_grid;
    bool higher =
        sample->resident_bytes > snapshot.highest_resident + snapshot.highest_resident / HIGHER;
    bool required = grid && snapshot.grid_seen++ % GRID_REQUIRED == 0;
    while (snapshot.next_grid <= sample->operation)
        snapshot.next_grid += snapshot.grid_step;
    if (!required && !((grid || higher) && is_affordable(sample->operation, sample->time_ns)))
        return 0;
    return take(ENGINE_SNAPSHOT_GRID, event_of(op), sample);
}

uint64_t snapshot_now(const struct plan_op *op, unsigned flags, const struct engine_sample *sample)
{
    if (snapshot.fd < 0 || snapshot.failed)
        return 0;
    unsigned kinds = (flags & PLAN_SIDE_SAMPLE ? ENGINE_SNAPSHOT_PEAK : 0) |
                     (flags & PLAN_SIDE_ASKED ? ENGINE_SNAPSHOT_ASKED : 0);
    return take(kinds, event_of(op), sample);
}

uint64_t snapshot_end(const struct engine_sample *sample)
{
    if (snapshot.fd < 0 || snapshot.failed)
        return 0;
    own_resume();
    return take(ENGINE_SNAPSHOT_END, ENGINE_NO_EVENT, sample);
}
