#include "replayer/engine/plan_file.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLAN_FILE_MAGIC UINT64_C(0x314e414c50415448)
#define PLAN_FILE_PAGE  ((uint64_t)4096)

struct plan_file {
    uint64_t magic, bytes; /* of the whole file */
    uint64_t tape_device, tape_inode, tape_bytes, tape_changed_ns;
    uint32_t mode, touch, order; /* as planned */
    uint32_t several, lane_count, slots, damaged;
    uint32_t used, side_used, threads;
    uint64_t calls, skipped, peak_bytes, events;
    uint64_t ops_at, side_at; /* offsets in the file, on pages */
    struct window_queue queues[WINDOW_THREADS];
    struct lanes_thread lanes[WINDOW_THREADS];
};

static uint64_t page_up(uint64_t bytes)
{
    return (bytes + PLAN_FILE_PAGE - 1) & ~(PLAN_FILE_PAGE - 1);
}

/* What must be the same for a plan to be used again. Time mode's ways to touch share one where they
 * can. */
static bool identify(struct plan_file *file, const struct engine_settings *settings)
{
    struct stat status;
    if (stat(settings->tape, &status))
        return false;
    file->magic = PLAN_FILE_MAGIC;
    file->tape_device = status.st_dev;
    file->tape_inode = status.st_ino;
    file->tape_bytes = (uint64_t)status.st_size;
    file->tape_changed_ns =
        (uint64_t)status.st_mtim.tv_sec * 1000000000 + (uint64_t)status.st_mtim.tv_nsec;
    file->mode = settings->mode;
    file->touch = settings->touch >= ENGINE_TOUCH_PAGE;
    file->order = settings->order;
    return true;
}

static bool same_identity(const struct plan_file *a, const struct plan_file *b)
{
    return a->magic == b->magic && a->tape_device == b->tape_device &&
           a->tape_inode == b->tape_inode && a->tape_bytes == b->tape_bytes &&
           a->tape_changed_ns == b->tape_changed_ns && a->mode == b->mode && a->touch == b->touch &&
           a->order == b->order;
}

/* The file's length and offsets are as it says. */
static bool is_whole(const struct plan_file *file, uint64_t file_bytes)
{
    return file->bytes == file_bytes && file->ops_at == page_up(sizeof(*file)) &&
           file->side_at == file->ops_at + page_up((file->used + (uint64_t)WINDOW_OVERREAD) *
                                                   sizeof(struct plan_op)) &&
           file->bytes == file->side_at + page_up(file->side_used * sizeof(struct plan_side)) &&
           file->threads <= WINDOW_THREADS;
}

static bool map_part(int fd, struct pages *pages, uint64_t at, uint64_t bytes)
{
    if (!bytes)
        return true;
    void *base = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, (off_t)at);
    if (base == MAP_FAILED)
        return false;
    pages->base = base;
    pages->bytes = bytes;
    return true;
}

bool plan_file_load(int fd, struct plan *plan, const struct engine_settings *settings)
{
    static struct plan_file file, wanted;
    struct stat status;
    if (fstat(fd, &status) || pread(fd, &file, sizeof(file), 0) != sizeof(file) ||
        !identify(&wanted, settings) || !same_identity(&file, &wanted) ||
        !is_whole(&file, (uint64_t)status.st_size))
        return false;
    memset(plan, 0, sizeof(*plan));
    struct window *window = &plan->window;
    if (!map_part(fd, &window->ops, file.ops_at, file.side_at - file.ops_at) ||
        !map_part(fd, &window->side, file.side_at, file.bytes - file.side_at))
        return false;
    window->used = file.used;
    window->side_used = file.side_used;
    window->threads = file.threads;
    window->calls = file.calls;
    memcpy(window->queues, file.queues, sizeof(file.queues));
    memcpy(plan->lanes.threads, file.lanes, sizeof(file.lanes));
    plan->settings = settings;
    plan->several = file.several;
    plan->lanes.count = file.lane_count;
    plan->slots = file.slots;
    plan->calls = file.calls;
    plan->skipped = file.skipped;
    plan->peak_bytes = file.peak_bytes;
    plan->events_claimed = file.events;
    plan->kept = true;
    engine_result->damaged = file.damaged;
    return true;
}

static bool write_part(int fd, const void *data, uint64_t bytes, uint64_t at)
{
    const char *from = data;
    while (bytes) {
        ssize_t written = pwrite(fd, from, bytes, (off_t)at);
        if (written <= 0)
            return false;
        from += written;
        at += (uint64_t)written;
        bytes -= (uint64_t)written;
    }
    return true;
}

void plan_file_save(int fd, const struct plan *plan)
{
    static struct plan_file file;
    struct stat status;
    const struct window *window = &plan->window;
    if (plan->kept || plan->windows != 1 || fstat(fd, &status) || status.st_size ||
        !identify(&file, plan->settings))
        return;
    file.several = plan->several;
    file.lane_count = plan->lanes.count;
    file.slots = plan->slots;
    file.damaged = engine_result->damaged;
    file.used = window->used;
    file.side_used = window->side_used;
    file.threads = window->threads;
    file.calls = plan->calls;
    file.skipped = plan->skipped;
    file.peak_bytes = plan->peak_bytes;
    file.events = plan->events_claimed;
    memcpy(file.queues, window->queues, sizeof(file.queues));
    memcpy(file.lanes, plan->lanes.threads, sizeof(file.lanes));
    file.ops_at = page_up(sizeof(file));
    uint64_t ops_bytes = (file.used + (uint64_t)WINDOW_OVERREAD) * sizeof(struct plan_op);
    file.side_at = file.ops_at + page_up(ops_bytes);
    file.bytes = file.side_at + page_up(file.side_used * sizeof(struct plan_side));
    /* The head last: half a plan is none. */
    if (ftruncate(fd, (off_t)file.bytes) ||
        !write_part(fd, window->ops.base, ops_bytes, file.ops_at) ||
        !write_part(fd, window->side.base, file.side_used * sizeof(struct plan_side),
                    file.side_at) ||
        !write_part(fd, &file, sizeof(file), 0)) {
        if (ftruncate(fd, 0))
            return;
    }
}
