#include "replayer/engine/page_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "replayer/engine/result.h"

#define PAGE_BYTES ((uint64_t)4096)

/* As linux/fs.h has them since 6.7. */
struct scan_region {
    uint64_t start, end, categories;
};
struct scan_request {
    uint64_t size, flags, start, end, walk_end, regions, region_count, pages_max;
    uint64_t inverted, all_of, any_of, wanted;
};
_Static_assert(sizeof(struct scan_request) == 96, "the kernel's struct pm_scan_arg");
#define SCAN         _IOWR('f', 16, struct scan_request)
#define SCAN_PRESENT ((uint64_t)1 << 3)
#define SCAN_SWAPPED ((uint64_t)1 << 4)
#define SCAN_ZERO    ((uint64_t)1 << 5) /* the kernel's page of zeros: in nobody's resident memory */
#define SCAN_HUGE    ((uint64_t)1 << 6)

/* Of a word of /proc/self/pagemap. */
#define WORD_PRESENT ((uint64_t)1 << 63)
#define WORD_SWAPPED ((uint64_t)1 << 62)

#define REGIONS 1024
#define WORDS   8192

static int map_fd = -1;
static bool can_scan;
static struct scan_region regions[REGIONS];
static uint64_t words[WORDS];

static long scan(struct scan_request *request)
{
    request->size = sizeof(*request);
    request->regions = (uintptr_t)regions;
    request->region_count = REGIONS;
    request->any_of = SCAN_PRESENT | SCAN_SWAPPED;
    request->wanted = SCAN_PRESENT | SCAN_SWAPPED | SCAN_ZERO | SCAN_HUGE;
    return ioctl(map_fd, SCAN, request);
}

bool page_map_open(bool scans)
{
    if (map_fd < 0)
        map_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    if (map_fd < 0)
        return false;
    memset(regions, 0, sizeof(regions)); /* resident from now on */
    memset(words, 0, sizeof(words));
    uint64_t page = (uintptr_t)regions & ~(PAGE_BYTES - 1);
    struct scan_request request = {.start = page, .end = page + PAGE_BYTES};
    can_scan = scans && scan(&request) >= 0;
    return can_scan || pread(map_fd, words, 8, (off_t)(page / PAGE_BYTES * 8)) == 8;
}

static bool by_scan(uint64_t start, uint64_t end, page_map_use *use, void *context)
{
    struct scan_request request = {.start = start, .end = end};
    while (request.start < end) {
        long count = scan(&request);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 || (!count && request.walk_end <= request.start))
            return false;
        for (long i = 0; i < count; i++) {
            uint64_t categories = regions[i].categories;
            struct page_map_run run = {regions[i].start, regions[i].end, 0};
            if (categories & SCAN_ZERO)
                continue;
            run.flags |= categories & SCAN_HUGE ? ENGINE_RUN_HUGE : 0;
            run.flags |= categories & SCAN_SWAPPED ? ENGINE_RUN_SWAPPED : 0;
            use(context, &run);
        }
        /* Where there was no more room, walk_end may lie before regions that were told. */
        uint64_t told = count > 0 ? regions[count - 1].end : 0;
        request.start = told > request.walk_end ? told : request.walk_end;
    }
    return true;
}

static bool by_words(uint64_t start, uint64_t end, page_map_use *use, void *context)
{
    struct page_map_run run = {start, start, 0};
    if (end - start > PAGE_MAP_READ_MAX)
        return false;
    for (uint64_t at = start; at < end;) {
        uint64_t pages = (end - at) / PAGE_BYTES;
        size_t bytes = (pages < WORDS ? pages : WORDS) * 8;
        ssize_t got = pread(map_fd, words, bytes, (off_t)(at / PAGE_BYTES * 8));
        if (got <= 0)
            return false;
        for (size_t i = 0; i < (size_t)got / 8; i++, at += PAGE_BYTES) {
            uint32_t flags = words[i] & WORD_SWAPPED ? ENGINE_RUN_SWAPPED : 0;
            bool there = words[i] & (WORD_PRESENT | WORD_SWAPPED);
            if (there && run.end == at && run.flags == flags && run.end > run.start) {
                run.end = at + PAGE_BYTES;
                continue;
            }
            if (run.end > run.start)
                use(context, &run);
            run = (struct page_map_run){at, there ? at + PAGE_BYTES : at, flags};
        }
    }
    if (run.end > run.start)
        use(context, &run);
    return true;
}

bool page_map_runs(uint64_t start, uint64_t end, page_map_use *use, void *context)
{
    return can_scan ? by_scan(start, end, use, context) : by_words(start, end, use, context);
}
