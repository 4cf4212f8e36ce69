#include "replayer/engine/plan_file.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLAN_FILE_MAGIC UINT64_C(0x324e414c50415448)
#define PLAN_FILE_PAGE  ((uint64_t)4096)

/* At the file's start, on a page of its own; written last. */
struct plan_file_head {
    uint64_t magic, bytes; /* of the whole file */
    uint64_t tape_device, tape_inode, tape_bytes, tape_changed_ns;
    uint32_t mode, touch, order; /* as planned */
    uint32_t several, lane_count, damaged;
    double speed; /* as planned */
    uint64_t windows, skipped, peak_bytes, events;
};
_Static_assert(sizeof(struct plan_file_head) <= PLAN_FILE_PAGE, "windows begin behind it");

/* Before each window's operations and side table; all three begin on a page. */
struct plan_file_window {
    uint64_t calls;
    uint32_t used, side_used, threads, slots;
    struct window_queue queues[WINDOW_THREADS];
    struct lanes_thread lanes[WINDOW_THREADS];
};

struct plan_file {
    int fd;
    bool keeps;  /* this run fills it */
    uint64_t at; /* of the next window */
    const struct engine_settings *settings;
    struct plan_file_head head;
    struct plan_file_window window;
};

static uint64_t page_up(uint64_t bytes)
{
    return (bytes + PLAN_FILE_PAGE - 1) & ~(PLAN_FILE_PAGE - 1);
}

/* What must be the same for a plan to be used again. Time mode's ways to touch share one where they
 * can. */
static bool identify(struct plan_file_head *head, const struct engine_settings *settings)
{
    struct stat status;
    if (stat(settings->tape, &status))
        return false;
    head->magic = PLAN_FILE_MAGIC;
    head->tape_device = status.st_dev;
    head->tape_inode = status.st_ino;
    head->tape_bytes = (uint64_t)status.st_size;
    head->tape_changed_ns =
        (uint64_t)status.st_mtim.tv_sec * 1000000000 + (uint64_t)status.st_mtim.tv_nsec;
    head->mode = settings->mode;
    head->touch = settings->touch >= ENGINE_TOUCH_PAGE;
    head->order = settings->order;
    head->speed = settings->speed;
    return true;
}

static bool same_identity(const struct plan_file_head *a, const struct plan_file_head *b)
{
    return a->magic == b->magic && a->tape_device == b->tape_device &&
           a->tape_inode == b->tape_inode && a->tape_bytes == b->tape_bytes &&
           a->tape_changed_ns == b->tape_changed_ns && a->mode == b->mode && a->touch == b->touch &&
           a->order == b->order && a->speed == b->speed;
}

struct plan_file *plan_file_open(int fd, const struct engine_settings *settings)
{
    static struct plan_file file;
    /* Plans with origins (verify mode, snapshots) are run once: never kept. */
    file.fd = settings->mode == ENGINE_MODE_VERIFY || settings->snapshots ? -1 : fd;
    file.settings = settings;
    file.at = PLAN_FILE_PAGE;
    return &file;
}

/* ---- using one ---------------------------------------------------------------------------------
 */

bool plan_file_load(struct plan_file *file, struct plan *plan)
{
    struct plan_file_head *head = &file->head, wanted = {0};
    struct stat status;
    if (file->fd < 0 || fstat(file->fd, &status) || !identify(&wanted, file->settings))
        return false;
    file->keeps = status.st_size == 0;
    if (pread(file->fd, head, sizeof(*head), 0) != sizeof(*head) || !same_identity(head, &wanted) ||
        head->bytes != (uint64_t)status.st_size) {
        *head = wanted;
        return false;
    }
    memset(plan, 0, sizeof(*plan));
    plan->settings = file->settings;
    plan->several = head->several;
    plan->lanes.count = head->lane_count;
    plan->skipped = head->skipped;
    plan->peak_bytes = head->peak_bytes;
    plan->events_claimed = head->events;
    plan->kept = true;
    engine_result->damaged = head->damaged;
    return true;
}

/* The part of the file takes the place of what the array was. */
static void map_part(struct plan_file *file, struct pages *pages, uint64_t bytes)
{
    pages_release(pages);
    if (!bytes)
        return;
    void *base = mmap(NULL, bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, file->fd, (off_t)file->at);
    if (base == MAP_FAILED)
        engine_fail(HEAPTAPE_EXIT_ENVIRONMENT, "the kept plan cannot be mapped: raise the limits");
    pages->base = base;
    pages->bytes = bytes;
    file->at += bytes;
}

static uint64_t ops_bytes(uint32_t used)
{
    return page_up((used + (uint64_t)WINDOW_OVERREAD) * sizeof(struct plan_op));
}

static uint64_t side_bytes(uint32_t used)
{
    return page_up(used * (uint64_t)sizeof(struct plan_side));
}

/* Only a file that was changed meanwhile gets here. */
static void check_window(const struct plan_file *file)
{
    const struct plan_file_window *kept = &file->window;
    if (kept->threads > WINDOW_THREADS ||
        file->at + ops_bytes(kept->used) + side_bytes(kept->side_used) > file->head.bytes)
        engine_fail(HEAPTAPE_EXIT_ENVIRONMENT, "the kept plan is damaged: run again without it");
}

bool plan_file_window(struct plan_file *file, struct plan *plan)
{
    struct plan_file_window *kept = &file->window;
    struct window *window = &plan->window;
    if (plan->windows == file->head.windows)
        return false;
    if (pread(file->fd, kept, sizeof(*kept), (off_t)file->at) != sizeof(*kept))
        memset(kept, 0xff, sizeof(*kept));
    file->at += page_up(sizeof(*kept));
    check_window(file);
    map_part(file, &window->ops, ops_bytes(kept->used));
    map_part(file, &window->side, side_bytes(kept->side_used));
    window->used = kept->used;
    window->side_used = kept->side_used;
    window->threads = kept->threads;
    window->calls = kept->calls;
    memcpy(window->queues, kept->queues, sizeof(kept->queues));
    memcpy(plan->lanes.threads, kept->lanes, sizeof(kept->lanes));
    plan->slots = kept->slots;
    plan->calls += kept->calls;
    plan->windows++;
    return true;
}

/* ---- filling one -------------------------------------------------------------------------------
 */

/* Writes it at the file's end, and zeros up to the next page. */
static void append(struct plan_file *file, const void *data, uint64_t bytes)
{
    const char *from = data;
    const uint64_t end = file->at + page_up(bytes);
    while (bytes && file->keeps) {
        ssize_t written = pwrite(file->fd, from, bytes, (off_t)file->at);
        if (written <= 0) {
            file->keeps = false;
            break;
        }
        from += written;
        bytes -= (uint64_t)written;
        file->at += (uint64_t)written;
    }
    file->at = end;
}

/* Half a plan is none; where even this fails, its head is missing. */
static void give_up(struct plan_file *file)
{
    file->keeps = false;
    if (ftruncate(file->fd, 0))
        return;
}

void plan_file_keep(struct plan_file *file, const struct plan *plan)
{
    const struct window *window = &plan->window;
    struct plan_file_window *kept = &file->window;
    if (!file->keeps)
        return;
    kept->calls = window->calls;
    kept->used = window->used;
    kept->side_used = window->side_used;
    kept->threads = window->threads;
    kept->slots = plan->slots;
    memcpy(kept->queues, window->queues, sizeof(kept->queues));
    memcpy(kept->lanes, plan->lanes.threads, sizeof(kept->lanes));
    append(file, kept, sizeof(*kept));
    append(file, window->ops.base,
           (window->used + (uint64_t)WINDOW_OVERREAD) * sizeof(struct plan_op));
    append(file, window->side.base, window->side_used * (uint64_t)sizeof(struct plan_side));
    if (!file->keeps)
        give_up(file);
    file->head.windows++;
}

void plan_file_close(struct plan_file *file, const struct plan *plan)
{
    struct plan_file_head *head = &file->head;
    if (!file->keeps)
        return;
    head->several = plan->several;
    head->lane_count = plan->lanes.count;
    head->damaged = engine_result->damaged;
    head->skipped = plan->skipped;
    head->peak_bytes = plan->peak_bytes;
    head->events = plan->events_claimed;
    head->bytes = file->at;
    if (ftruncate(file->fd, (off_t)head->bytes) ||
        pwrite(file->fd, head, sizeof(*head), 0) != sizeof(*head))
        give_up(file);
}
