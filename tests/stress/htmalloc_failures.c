/*
 * The system refuses the n-th call for memory, for every n: one such call, or all from the n-th on
 * until the memory is back; mmap, mremap and mprotect alone, munmap and madvise alone, and all
 * together. Always the same work, each time in a process of its own whose first allocation is
 * counted, too. free() must work whatever fails, malloc must say ENOMEM and no more than that, the
 * heap must be valid at every step, and afterwards everything works and comes back.
 *
 *     htmalloc_failures [--kinds=N] [--first=N] [--count=N]   one case, to be debugged
 */
#include "allocator/htmalloc/htmalloc.h"
#include "allocator/htmalloc/os.h"
#include "allocator/htmalloc/validate.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS 140
#define ZEROS  ((size_t)120000)
#define ENDS   ((size_t)5000)

struct item {
    unsigned char *address;
    size_t size;
};

static struct item items[BLOCKS];
static struct os_failure failure;
static unsigned refused, steps;
static size_t spaces_before;

static _Noreturn void fail(const char *what, size_t size)
{
    fprintf(stderr,
            "htmalloc_failures: --kinds=%u --first=%llu --count=%llu, step %u: %s (%zu bytes)\n",
            failure.kinds, (unsigned long long)failure.first, (unsigned long long)failure.count,
            steps, what, size);
    abort();
}

static void validate(void)
{
    steps++;
    if (!ht_validate())
        fail("the heap is not valid", 0);
}

static bool all_are(const unsigned char *bytes, size_t count, unsigned char value)
{
    return count == 0 || (bytes[0] == value && memcmp(bytes, bytes + 1, count - 1) == 0);
}

/* The ends of a block carry its pattern; touching all of it is what would take the time. */
static size_t end_of(size_t size)
{
    return size < ENDS ? size : ENDS;
}

static void fill(unsigned char *address, size_t size, size_t pattern)
{
    memset(address, (int)(pattern % 251), end_of(size));
    memset(address + size - end_of(size), (int)(pattern % 251), end_of(size));
}

/* `size` is what was filled; no more of it than `upto` bytes may be there now. */
static void check_content(const unsigned char *address, size_t size, size_t upto, size_t pattern)
{
    size_t head = end_of(size);
    unsigned char value = (unsigned char)(pattern % 251);
    if (!all_are(address, head < upto ? head : upto, value) ||
        (upto >= size && !all_are(address + size - head, head, value)))
        fail("content lost", size);
}

/* Counts NULL, which must come with ENOMEM. */
static bool got(const void *address, size_t size)
{
    if (address != NULL)
        return true;
    if (errno != ENOMEM)
        fail("errno", size);
    refused++;
    return false;
}

static void release(struct item *item)
{
    if (item->address == NULL)
        return;
    check_content(item->address, item->size, item->size, item->size);
    errno = 1234;
    ht_free(item->address);
    if (errno != 1234)
        fail("free changed errno", item->size);
    item->address = NULL;
}

static void take(struct item *item, size_t size)
{
    bool clear = size % 2 == 0;
    release(item);
    errno = 0;
    item->address = size % 5 == 0 ? ht_memalign(4096, size)
                    : clear       ? ht_calloc(1, size)
                                  : ht_malloc(size);
    item->size = size;
    if (!got(item->address, size))
        return;
    if (clear && size % 5 != 0 && !all_are(item->address, size < ZEROS ? size : ZEROS, 0))
        fail("calloc is not zero", size);
    fill(item->address, size, size);
}

static void resize(struct item *item, size_t size)
{
    if (item->address == NULL)
        return;
    errno = 0;
    unsigned char *moved = ht_realloc(item->address, size);
    size_t both = item->size < size ? item->size : size;
    if (got(moved, size))
        check_content(moved, item->size, both, item->size);
    else
        check_content(item->address, item->size, item->size, item->size);
    if (moved == NULL && size <= item->size)
        fail("there is no need of memory to make a block smaller", size);
    if (moved != NULL)
        *item = (struct item){moved, size};
    fill(item->address, item->size, item->size);
}

static const size_t sizes[] = {40, 1000, 3001, 20000, 100001, 700000, 1500000, 3000001, 50};
#define SIZES (sizeof sizes / sizeof *sizes)

/* Another thread frees some of what it finds, takes some, and ends. */
static void *helper(void *of)
{
    struct item *own = of;
    for (size_t i = 0; i < 40; i++) {
        if (i % 2 == 0)
            release(&own[i]);
        else if (own[i].address == NULL)
            take(&own[i], sizes[i % SIZES] + i);
        validate();
    }
    return NULL;
}

static void with_helper(struct item *own)
{
    pthread_t thread;
    pthread_attr_t attributes; /* a small stack, for the sake of recover() */
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 128 << 10);
    if (pthread_create(&thread, &attributes, helper, own) != 0)
        fail("no thread", 0);
    pthread_join(thread, NULL);
    validate();
}

static void work(void)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        take(&items[i], sizes[i % SIZES] + i);
        if (i % 16 == 0)
            validate();
    }
    for (size_t i = 0; i < BLOCKS; i += 7) {
        resize(&items[i], items[i].size * (i % 2 == 0 ? 3 : 1) + 1);
        validate();
    }
    with_helper(items + BLOCKS - 40);
    for (size_t i = 0; i < BLOCKS; i++) {
        if (i % 3 != 0)
            release(&items[i]);
    }
    validate();
    ht_trim(0);
    validate();
    for (size_t i = 0; i < BLOCKS; i += 5) {
        resize(&items[i], items[i].size / 3 + 1);
        if (items[i].address == NULL)
            take(&items[i], sizes[i % SIZES] + 3 * i);
    }
    validate();
    for (size_t i = 0; i < BLOCKS; i += 2)
        release(&items[i]);
    validate();
}

/* Bytes of address space that the process has. */
static size_t address_space(void)
{
    char text[64] = {0};
    int file = open("/proc/self/statm", O_RDONLY);
    if (file < 0 || read(file, text, sizeof text - 1) <= 0)
        fail("/proc/self/statm", 0);
    close(file);
    return strtoul(text, NULL, 10) * 4096;
}

/* With memory again: all works as ever, and nothing has been lost. */
static void recover(void)
{
    struct ht_stats stats;
    refused = 0;
    work();
    if (refused != 0)
        fail("still refused though there is memory", refused);
    for (size_t i = 0; i < BLOCKS; i++)
        release(&items[i]);
    ht_trim(0);
    validate();
    ht_stats(&stats);
    if (stats.live != 0 || stats.dirty + stats.cached + stats.huge_kept != 0)
        fail("memory is lost", stats.live + stats.dirty + stats.cached + stats.huge_kept);
    /* The map of segments, pages for heaps and the table of huge blocks, a thread's stack. */
    size_t most = spaces_before + stats.mapped + ((size_t)32 << 20) + ((size_t)1 << 20);
    if ((failure.kinds & OS_UNMAP) == 0 && address_space() > most)
        fail("address space is lost", address_space() - most);
}

/* The result is how many calls of the kinds there are, or what was refused where one failed. */
static unsigned run(void)
{
    spaces_before = address_space();
    os_fail(failure);
    work();
    unsigned result = failure.first == 0 ? (unsigned)os_calls() : refused;
    os_fail((struct os_failure){0});
    recover();
    return result;
}

static unsigned run_in_child(void)
{
    int pipes[2], status = -1;
    unsigned result = 0;
    if (pipe(pipes) != 0)
        fail("pipe", 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        result = run();
        _exit(write(pipes[1], &result, sizeof result) != sizeof result);
    }
    close(pipes[1]);
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) {
        fprintf(stderr, "htmalloc_failures: --kinds=%u --first=%llu --count=%llu: status %d\n",
                failure.kinds, (unsigned long long)failure.first, (unsigned long long)failure.count,
                status);
        exit(1);
    }
    if (read(pipes[0], &result, sizeof result) != sizeof result)
        exit(1);
    close(pipes[0]);
    return result;
}

/* The n-th alone: what is kept without need is given back, and a second try succeeds. */
static unsigned each_alone(unsigned kinds, unsigned calls)
{
    for (unsigned n = 1; n <= calls; n++) {
        failure = (struct os_failure){kinds, n, 1};
        if (run_in_child() > 0)
            fail("one refusal was enough for ENOMEM", 0);
    }
    return calls;
}

static void every_call(unsigned kinds, const char *name)
{
    failure = (struct os_failure){kinds, 0, 0};
    unsigned calls = run_in_child(), refusals = 0;
    unsigned alone = kinds == OS_ALL ? 0 : each_alone(kinds, calls); /* the parts have been */
    for (unsigned n = 1; n <= calls; n += 1 + n / 8) {
        failure = (struct os_failure){kinds, n, UINT64_MAX};
        refusals += run_in_child();
    }
    if ((refusals > 0) != ((kinds & OS_TAKES) != 0))
        fail("refusals", refusals);
    printf("%s: each of %u calls failed alone, %u blocks refused without end: valid\n", name, alone,
           refusals);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"kinds", required_argument, NULL, 'k'},
                                            {"first", required_argument, NULL, 'f'},
                                            {"count", required_argument, NULL, 'c'},
                                            {NULL, 0, NULL, 0}};
    int option;
    failure.count = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'k')
            failure.kinds = (unsigned)strtoul(optarg, NULL, 0);
        else if (option == 'f')
            failure.first = strtoull(optarg, NULL, 0);
        else if (option == 'c')
            failure.count = strtoull(optarg, NULL, 0);
        else
            return 2;
    }
    if (failure.kinds != 0) {
        printf("%u blocks refused: valid\n", run());
        return 0;
    }
    every_call(OS_TAKES, "mmap, mremap and mprotect");
    every_call(OS_UNMAP | OS_PURGE, "munmap and madvise");
    every_call(OS_ALL, "all");
    return 0;
}
