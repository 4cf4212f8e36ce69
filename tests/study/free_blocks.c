/*
 *     TEXTBOOK_POLICY=best-fit free_blocks TAPE > CSV
 *
 * Plays a tape on a textbook policy in this process and looks at the whole heap 200 times: how many
 * blocks are used and how many are free, the free bytes and the largest of them, the pages that lie
 * wholly inside free blocks (madvise could give them back), and the processor time so far, decoding
 * included. Knuth's fifty-percent rule (The Art of Computer Programming 1, 2.5) says that there is
 * a free block for every two that are used, where few requests find one that fits exactly; `splits`
 * over `allocations` since the last look tells how many did not. Switches as in
 * allocator/textbook/options.h.
 *
 * Nothing here uses libc's malloc: brk is the allocator's alone.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "allocator/textbook/options.h"
#include "allocator/textbook/policy.h"
#include "allocator/textbook/textbook.h"
#include "traces/error.h"
#include "traces/reader.h"
#include "traces/track.h"

#define LOOKS 200
#define PAGE  ((uintptr_t)4096)
/* What a free block keeps in itself: a tag and two links, or the buddy's head and links; a footer.
 */
#define HEAD_MOST 32
#define TAG       8

struct look {
    uint64_t used, free, free_bytes, largest_free, free_pages;
};

static void **blocks; /* by object */
static struct tape_track track;

static void see(void *context, const struct region *region, const char *start, size_t bytes,
                size_t usable, bool used)
{
    struct look *look = context;
    (void)region, (void)start, (void)usable;
    if (used) {
        look->used++;
        return;
    }
    look->free++;
    look->free_bytes += bytes;
    uintptr_t from = ((uintptr_t)start + HEAD_MOST + PAGE - 1) & -PAGE;
    uintptr_t to = ((uintptr_t)start + bytes - TAG) & -PAGE;
    look->free_pages += to > from ? (to - from) / PAGE : 0;
    if (bytes > look->largest_free)
        look->largest_free = bytes;
}

static uint64_t processor_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t spent, begun; /* processor time on calls so far, without looks */

static void look(const struct policy *policy, uint64_t event)
{
    spent += processor_time() - begun;
    static struct textbook_stats before;
    struct textbook_stats now;
    struct look here = {0};
    policy->walk(see, &here);
    textbook_stats(&now);
    printf("%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
           ",%zu,%zu,%zu,%" PRIu64 "\n",
           event, here.used, here.free, here.free_bytes, here.largest_free, here.free_pages,
           now.allocations - before.allocations, now.splits - before.splits, now.held_bytes, spent);
    before = now;
    begun = processor_time();
}

static void call(const struct tape_event *event)
{
    void **block = &blocks[event->object];
    if (event->kind == TAPE_CALLOC)
        *block = textbook_calloc(1, event->size);
    else if (event->kind == TAPE_ALIGNED)
        *block = textbook_memalign((size_t)1 << event->align_log2, event->size);
    else if (tape_kind_allocates(event->kind))
        *block = textbook_malloc(event->size);
    else if (event->kind == TAPE_REALLOC)
        *block = textbook_realloc(*block, event->size);
    else if (tape_kind_frees(event->kind))
        textbook_free(*block);
}

static int play(const char *path, const struct policy *policy)
{
    struct tape_reader *reader;
    struct tape_error error;
    const struct tape_event *events;
    size_t batch;
    uint64_t done = 0, next = 0;
    enum tape_status status;
    if (tape_reader_open(path, &reader, &error) != TAPE_OK)
        return fprintf(stderr, "free_blocks: %s: %s\n", path, error.message), 3;
    struct tape_reader_totals totals = tape_reader_totals(reader);
    size_t bytes = (totals.peak_objects + 1) * sizeof *blocks;
    blocks = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (blocks == MAP_FAILED)
        return fputs("free_blocks: no memory for the table of blocks\n", stderr), 4;
    puts("event,used_blocks,free_blocks,free_bytes,largest_free_bytes,free_whole_pages,allocations,"
         "splits,held_bytes,cpu_ns");
    begun = processor_time();
    while ((status = tape_reader_next(reader, &events, &batch, &error)) == TAPE_OK)
        for (size_t i = 0; i < batch; i++, done++) {
            if (tape_track_event(&track, &events[i], NULL) != TAPE_TRACK_USE ||
                events[i].object > totals.peak_objects)
                continue;
            call(&events[i]);
            if (done >= next) {
                look(policy, done);
                next += totals.events / LOOKS + 1;
            }
        }
    if (status != TAPE_END)
        return fprintf(stderr, "free_blocks: %s: %s\n", path, error.message), 3;
    look(policy, done);
    tape_reader_close(reader);
    return 0;
}

int main(int count, char **arguments)
{
    static char buffer[65536];
    if (count != 2)
        return fputs("TEXTBOOK_POLICY=NAME free_blocks TAPE\n", stderr), 2;
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    options_read(environ);
    struct options switches = options;
    textbook_restart(&switches);
    tape_track_init(&track);
    int status = play(arguments[1], switches.fit == FIT_BUDDY  ? &buddy_policy
                                    : switches.fit == FIT_BUMP ? &bump_policy
                                                               : &heap_policy);
    return fflush(stdout) ? 4 : status;
}
