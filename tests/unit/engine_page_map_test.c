/* Both ways to read the page map see the same pages, and those that were touched. */
#include "replayer/engine/page_map.h"

#include <string.h>
#include <sys/mman.h>
#include "replayer/engine/result.h"
#include "tests/unit/check.h"

#define PAGES ((uint64_t)20000)
#define PAGE  ((uint64_t)4096)

static unsigned char expected[PAGES], seen[PAGES];
static uint64_t base, runs;

static void use(void *context, const struct page_map_run *run)
{
    (void)context;
    runs++;
    CHECK(run->start < run->end && run->start >= base && run->end <= base + PAGES * PAGE);
    for (uint64_t at = run->start; at < run->end; at += PAGE)
        seen[(at - base) / PAGE]++;
}

static void look(bool scan)
{
    memset(seen, 0, sizeof(seen));
    runs = 0;
    CHECK(page_map_open(scan));
    CHECK(page_map_runs(base, base + PAGES * PAGE, use, NULL));
    CHECK(!memcmp(seen, expected, sizeof(seen)));
}

static void map(void)
{
    void *area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(area != MAP_FAILED);
    CHECK(madvise(area, PAGES * PAGE, MADV_NOHUGEPAGE) == 0);
    base = (uint64_t)area;
    memset(expected, 0, sizeof(expected));
}

static void touch(uint64_t page)
{
    *(volatile char *)(base + page * PAGE) = 1;
    expected[page] = 1;
}

/* Single pages, rows, across what is read at a time, the first and the last; and given back. */
static void test_touched_pages(void)
{
    map();
    look(false);
    CHECK(runs == 0);
    look(true);
    CHECK(runs == 0);
    touch(0);
    touch(PAGES - 1);
    for (uint64_t page = 5; page < 9000; page += 1 + page % 7)
        touch(page);
    for (uint64_t page = 12000; page < 19000; page++)
        touch(page);
    look(false);
    uint64_t by_words = runs;
    look(true);
    CHECK(runs > 100 && by_words > 100);
    CHECK(madvise((void *)(base + 15000 * PAGE), 100 * PAGE, MADV_DONTNEED) == 0);
    memset(expected + 15000, 0, 100);
    look(false);
    look(true);
    munmap((void *)base, PAGES * PAGE);
}

/* Reading a page that was never written maps the kernel's page of zeros, which is nobody's. */
static void test_the_page_of_zeros_is_not_resident(void)
{
    map();
    CHECK(*(volatile char *)(base + 7 * PAGE) == 0);
    touch(9);
    look(true);
    munmap((void *)base, PAGES * PAGE);
}

static void test_what_is_too_large_to_read_is_left_out(void)
{
    CHECK(page_map_open(false));
    CHECK(!page_map_runs(0, PAGE_MAP_READ_MAX + PAGE, use, NULL));
}

int main(void)
{
    RUN(test_touched_pages);
    RUN(test_the_page_of_zeros_is_not_resident);
    RUN(test_what_is_too_large_to_read_is_left_out);
    return CHECK_MAIN_END();
}
