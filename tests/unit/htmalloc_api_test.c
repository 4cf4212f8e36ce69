/* The ht_ functions: what they promise for every kind of size, errno, and memory that the system
 * refuses. The heap is validated after each test. */
#include "allocator/htmalloc/config.h"
#include "allocator/htmalloc/htmalloc.h"
#include "allocator/htmalloc/os.h"
#include "allocator/htmalloc/validate.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define SANITIZED 1 /* a sanitizer's shadow needs more address space than a limit leaves */
#else
#define SANITIZED 0
#endif

/* Around every border: of classes, of the fast path, of small, large and huge. */
static const size_t sizes[] = {0,      1,       15,      16,     17,    255,    256,
                               257,    1023,    1024,    1025,   4096,  8191,   16384,
                               16385,  32767,   32768,   32769,  65536, 131073, 524288,
                               524289, 1048576, 1048577, 5 << 20};
#define SIZES (sizeof sizes / sizeof *sizes)

static bool all_are(const unsigned char *bytes, size_t count, unsigned char value)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != value)
            return false;
    }
    return true;
}

static void test_sizes(void)
{
    for (size_t i = 0; i < SIZES; i++) {
        unsigned char *a = ht_malloc(sizes[i]), *b = ht_malloc(sizes[i]);
        CHECK(a != NULL && b != NULL && a != b);
        CHECK_EQ_U64((uintptr_t)a % 16, 0);
        size_t usable = ht_usable_size(a);
        CHECK_LE_U64(sizes[i], usable);
        memset(a, 1, usable);
        memset(b, 2, ht_usable_size(b));
        CHECK(all_are(a, usable, 1));
        ht_free_sized(a, sizes[i]);
        ht_free(b);
    }
    CHECK_EQ_U64(ht_usable_size(NULL), 0);
}

static void test_calloc_is_zero(void)
{
    for (size_t i = 0; i < SIZES; i++) {
        for (int again = 0; again < 3; again++) {
            unsigned char *block = ht_calloc(1, sizes[i]);
            if (!CHECK(block != NULL))
                return;
            CHECK(all_are(block, sizes[i], 0));
            memset(block, 0xa5, ht_usable_size(block));
            ht_free(block);
        }
    }
}

static void test_alignment(void)
{
    for (size_t align = 1; align <= (size_t)16 << 20; align *= 2) {
        for (size_t i = 0; i < SIZES; i++) {
            unsigned char *block = ht_memalign(align, sizes[i]);
            if (!CHECK(block != NULL) || !CHECK_EQ_U64((uintptr_t)block % align, 0))
                return;
            CHECK_LE_U64(sizes[i], ht_usable_size(block));
            memset(block, 7, sizes[i]);
            unsigned char *moved = ht_realloc(block, sizes[i] + 100);
            CHECK(moved != NULL && all_are(moved, sizes[i], 7));
            ht_free_aligned_sized(moved, 16, sizes[i] + 100);
        }
    }
}

static void test_realloc_keeps_content(void)
{
    for (size_t i = 0; i < SIZES; i++) {
        for (size_t j = 0; j < SIZES; j++) {
            size_t from = sizes[i], to = sizes[j] + 1, both = from < to ? from : to;
            unsigned char *block = ht_malloc(from);
            memset(block, 9, from);
            block = ht_realloc(block, to);
            if (!CHECK(block != NULL) || !CHECK(all_are(block, both, 9)))
                return;
            memset(block, 8, to);
            ht_free(block);
        }
    }
    void *block = ht_realloc(NULL, 10);
    CHECK(block != NULL);
    CHECK(ht_realloc(block, 0) == NULL); /* freed */
}

/* A block that grows a little at a time must not be copied each time: quadratic. */
static void test_realloc_grows_in_place(void)
{
    unsigned moves = 0;
    char *block = NULL;
    for (size_t size = 8; size <= 4 << 20; size += 1024) {
        char *old = block;
        block = ht_realloc(block, size);
        moves += block != old;
        if (!block)
            break;
        block[size - 1] = 1;
    }
    CHECK(block != NULL);
    ht_free(block);
    CHECK_LE_U64(moves, 400);
}

static void test_refusals(void)
{
    volatile size_t most = PTRDIFF_MAX, all = SIZE_MAX, half = SIZE_MAX / 2 + 2;
    void *kept = ht_malloc(100), *out = kept;
    const size_t too_much[] = {most, most + 1, all, all - 4096};
    for (size_t i = 0; i < 4; i++) {
        errno = 0;
        CHECK(ht_malloc(too_much[i]) == NULL);
        CHECK_EQ_INT(errno, ENOMEM);
        errno = 0;
        CHECK(ht_calloc(1, too_much[i]) == NULL);
        CHECK_EQ_INT(errno, ENOMEM);
        errno = 0;
        CHECK(ht_realloc(kept, too_much[i]) == NULL);
        CHECK_EQ_INT(errno, ENOMEM);
        CHECK(ht_memalign(4096, too_much[i]) == NULL);
        CHECK_EQ_INT(ht_posix_memalign(&out, 64, too_much[i]), ENOMEM);
    }
    errno = 0;
    CHECK(ht_calloc(half, 2) == NULL);
    CHECK_EQ_INT(errno, ENOMEM);
    errno = 0;
    CHECK(ht_reallocarray(kept, half, 2) == NULL);
    CHECK_EQ_INT(errno, ENOMEM);
    CHECK_EQ_INT(ht_posix_memalign(&out, 24, 1), EINVAL);
    CHECK_EQ_INT(ht_posix_memalign(&out, 4, 1), EINVAL);
    CHECK_EQ_INT(ht_posix_memalign(&out, 0, 1), EINVAL);
    CHECK(out == kept); /* untouched */
    errno = 0;
    volatile size_t uneven = 24; /* compilers know what aligned_alloc wants */
    CHECK(ht_aligned_alloc(uneven, 48) == NULL);
    CHECK_EQ_INT(errno, EINVAL);
    ht_free(kept);
}

static void test_free_keeps_errno(void)
{
    for (size_t i = 0; i < SIZES; i++) {
        void *block = ht_malloc(sizes[i]);
        errno = 1234;
        ht_free(block);
        CHECK_EQ_INT(errno, 1234);
    }
    ht_free(NULL);
    CHECK_EQ_INT(errno, 1234);
    void *block;
    CHECK_EQ_INT(ht_posix_memalign(&block, 64, 3 << 20), 0);
    CHECK_EQ_INT(errno, 1234);
    ht_free(block);
}

/* Whatever call for memory is the first to fail: NULL and ENOMEM, nothing is broken, and it goes on
 * as soon as there is memory again. */
static void test_refused_memory(void)
{
    static void *blocks[600];
    for (uint64_t call = 1; call <= 12; call++) {
        os_fail((struct os_failure){OS_TAKES, call, UINT64_MAX});
        unsigned refused = 0;
        for (size_t i = 0; i < 600; i++) {
            errno = 0;
            blocks[i] = ht_malloc(i % 3 == 0 ? 3 << 20 : i % 3 == 1 ? 300000 : 20000);
            if (blocks[i] == NULL) {
                refused++;
                CHECK_EQ_INT(errno, ENOMEM);
            } else {
                memset(blocks[i], 1, 20000);
            }
        }
        CHECK(refused > 0);
        CHECK(ht_validate());
        for (size_t i = 0; i < 600; i++)
            ht_free(blocks[i]);
        os_fail((struct os_failure){0});
        void *block = ht_malloc(3 << 20);
        CHECK(block != NULL);
        ht_free(block);
        ht_trim(0);
        CHECK(ht_validate());
    }
}

/* Bytes of address space that the process has; asks the system, and allocates nothing. */
static size_t address_space(void)
{
    char text[64] = {0};
    int file = open("/proc/self/statm", O_RDONLY);
    CHECK(file >= 0 && read(file, text, sizeof text - 1) > 0);
    close(file);
    return strtoul(text, NULL, 10) * 4096;
}

/* What is freed, cut off, or lost in aligning does not stay mapped. */
static void test_nothing_stays_mapped(void)
{
    size_t before = 0;
    for (size_t round = 0; round < 60; round++) {
        void *huge = ht_malloc(20 << 20), *aligned = ht_memalign(8 << 20, 3 << 20), *large[40];
        huge = ht_realloc(huge, (2 << 20) + round * 4096);
        aligned = ht_realloc(aligned, 9 << 20);
        for (size_t i = 0; i < 40; i++)
            large[i] = ht_malloc(500000);
        for (size_t i = 0; i < 40; i++)
            ht_free(large[i]);
        ht_free(huge);
        ht_free(aligned);
        ht_trim(0);
        if (round == 1)
            before = address_space();
    }
    CHECK_LE_U64(address_space(), before + (4 << 20));
}

/* Eats up all of the address space that a limit leaves, in a child, and recovers. */
static int under_a_limit(void)
{
    struct rlimit limit = {(rlim_t)256 << 20, (rlim_t)256 << 20};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
        return 10;
    static void *blocks[100000];
    const size_t steps[] = {3000000, 100000, 5000, 64};
    for (size_t step = 0; step < 4; step++) {
        size_t count = 0;
        while (count < 100000 && (blocks[count] = ht_malloc(steps[step])) != NULL)
            count++;
        if (step < 3 && (count == 100000 || errno != ENOMEM))
            return 11;
        for (size_t i = 0; i < count; i++)
            ht_free(blocks[i]);
        void *all = ht_malloc((size_t)100 << 20); /* what was freed serves anything */
        if (all == NULL)
            return 12;
        ht_free(all);
    }
    return ht_validate() ? 0 : 13;
}

static void test_address_space_limit(void)
{
    if (SANITIZED)
        return;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(under_a_limit());
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK_EQ_INT(WEXITSTATUS(status), 0);
}

/* What ends the program does so with a message, not silently later. */
static void dies(void (*misuse)(void))
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(1);
        misuse();
        _exit(0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

static char *volatile misused;
static void free_foreign(void)
{
    static char foreign[64];
    misused = foreign;
    ht_free(misused);
}
static void free_huge_twice(void)
{
    misused = ht_malloc(3 << 20);
    ht_free(misused);
    ht_free(misused);
}
static void free_inside_large(void)
{
    misused = ht_malloc(200000);
    ht_free(misused + 4096);
}
static void free_large_twice(void)
{
    misused = ht_malloc(200000);
    ht_free(misused);
    ht_free(misused);
}

static void test_misuse(void)
{
    dies(free_foreign);
    dies(free_huge_twice);
    dies(free_inside_large);
    dies(free_large_twice);
}

#define RUN_VALID(test)                                                                            \
    do {                                                                                           \
        RUN(test);                                                                                 \
        RUN(test_heap_is_valid);                                                                   \
    } while (0)

static void test_heap_is_valid(void)
{
    CHECK(ht_validate());
}

int main(void)
{
    RUN_VALID(test_sizes);
    RUN_VALID(test_calloc_is_zero);
    RUN_VALID(test_alignment);
    RUN_VALID(test_realloc_keeps_content);
    RUN_VALID(test_realloc_grows_in_place);
    RUN_VALID(test_refusals);
    RUN_VALID(test_free_keeps_errno);
    RUN_VALID(test_refused_memory);
    RUN_VALID(test_nothing_stays_mapped);
    RUN_VALID(test_address_space_limit);
    RUN_VALID(test_misuse);
    return CHECK_MAIN_END();
}
