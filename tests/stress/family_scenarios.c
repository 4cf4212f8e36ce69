#include "tests/stress/family.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum as as;
unsigned expected, failed;

/* Around every border: of classes, of the fast path, of small, large and huge. */
static const size_t sizes[] = {0,     1,     15,    16,    17,     24,     255,     256,    257,
                               1023,  1024,  1025,  4095,  4096,   4097,   8192,    16384,  16385,
                               32767, 32768, 32769, 65536, 131073, 524288, 1 << 20, 5 << 20};
#define SIZES (sizeof sizes / sizeof *sizes)

bool read_as(const char *word)
{
    static const char *const names[] = {"--as=libc", "--as=htmalloc", "--as=hard"};
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(word, names[i]) == 0) {
            as = (enum as)i;
            return true;
        }
    }
    return false;
}

void expect(const char *call, const char *what, bool holds)
{
    expected++;
    if (holds)
        return;
    failed++;
    fprintf(stderr, "family_calls: %s: not so: %s\n", call, what);
}

bool all_are(const unsigned char *bytes, size_t count, unsigned char value)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != value)
            return false;
    }
    return true;
}

static void every_alignment(const char *name)
{
    for (size_t align = 1; align <= (size_t)16 << 20; align *= 2) {
        const size_t lengths[] = {0, 1, align - 1, align, align + 1, align + align / 2};
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            unsigned char *block = memalign(align, lengths[i]);
            expect(name, "a block", block != NULL);
            expect(name, "aligned", (uintptr_t)block % (align < 16 ? 16 : align) == 0);
            expect(name, "long enough", malloc_usable_size(block) >= lengths[i]);
            size_t head = lengths[i] < 100 ? lengths[i] : 100;
            memset(block, 7, head);
            unsigned char *moved = realloc(block, lengths[i] + 1000);
            expect(name, "content kept", moved != NULL && all_are(moved, head, 7));
            free(moved);
        }
    }
}

static void calloc_is_zero(const char *name)
{
    for (size_t i = 0; i < SIZES; i++) {
        for (int again = 0; again < 3; again++) {
            unsigned char *block = calloc(1, sizes[i]);
            expect(name, "zero", block != NULL && all_are(block, sizes[i], 0));
            memset(block, 0xa5, malloc_usable_size(block));
            if (again == 1)
                block = realloc(block, sizes[i] / 2 + 1); /* leaves what it cut off */
            free(block);
        }
    }
}

static void realloc_keeps_content(const char *name)
{
    for (size_t i = 0; i < SIZES; i++) {
        for (size_t j = 0; j < SIZES; j++) {
            size_t to = sizes[j] + 1, both = sizes[i] < to ? sizes[i] : to;
            unsigned char *block = malloc(sizes[i]);
            memset(block, 9, sizes[i]);
            block = realloc(block, to);
            expect(name, "kept", block != NULL && all_are(block, both, 9));
            expect(name, "aligned", (uintptr_t)block % 16 == 0);
            memset(block, 8, to);
            free(block);
        }
    }
}

static void free_keeps_errno(const char *name)
{
    void *blocks[SIZES];
    for (size_t i = 0; i < SIZES; i++)
        blocks[i] = malloc(sizes[i]);
    errno = 1234;
    for (size_t i = 0; i < SIZES; i++)
        free(blocks[i]);
    free(NULL);
    expect(name, "free", errno == 1234);
    void *kept = malloc(3 << 20);
    errno = 1234;
    kept = realloc(kept, 0); /* frees, too */
    expect(name, "realloc(p, 0)", kept == NULL && errno == 1234);
}

static void empty_blocks_differ(const char *name)
{
    void *blocks[100];
    for (int i = 0; i < 100; i++) {
        blocks[i] = malloc(0);
        for (int j = 0; j < i; j++)
            expect(name, "differ", blocks[i] != NULL && blocks[i] != blocks[j]);
    }
    for (int i = 0; i < 100; i++)
        free(blocks[i]);
}

static void usable_sizes(const char *name)
{
    expect(name, "0 of NULL", malloc_usable_size(NULL) == 0);
    for (size_t i = 0; i < SIZES; i++) {
        unsigned char *a = malloc(sizes[i]), *b = malloc(sizes[i]);
        size_t usable = malloc_usable_size(a);
        memset(a, 1, usable);
        memset(b, 2, malloc_usable_size(b));
        expect(name, "at least what was asked for", usable >= sizes[i]);
        expect(name, "blocks do not overlap", all_are(a, usable, 1));
        if (as == AS_HARD)
            expect(name, "exactly what was asked for", usable == sizes[i]);
        free(a);
        free(b);
    }
}

static size_t in_use(void)
{
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void mallinfo2_counts(const char *name)
{
    enum { BLOCKS = 1000, BYTES = 4000, HUGE = 8 << 20 };
    static void *blocks[BLOCKS];
    size_t before = in_use();
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = malloc(BYTES);
    void *huge = malloc(HUGE);
    size_t full = in_use() - before;
    struct mallinfo2 wide = mallinfo2();
    struct mallinfo narrow = mallinfo();
    expect(name, "the old fields are the new as int",
           narrow.uordblks == (int)wide.uordblks && narrow.hblkhd == (int)wide.hblkhd &&
               narrow.arena == (int)wide.arena && narrow.fordblks == (int)wide.fordblks);
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    free(huge);
    malloc_trim(0);
    expect(name, "what is allocated", full >= BLOCKS * BYTES + HUGE);
    expect(name, "and not much more", full <= BLOCKS * BYTES * 5 / 4 + HUGE + (1 << 20));
    expect(name, "down again", in_use() <= before + (64 << 10));
    expect(name, "arena is used and free", wide.arena == wide.uordblks + wide.fordblks);
}

/* Every tag is closed, in order. */
static bool is_well_formed(const char *text)
{
    const char *open[32];
    int depth = 0;
    for (const char *at = strchr(text, '<'); at != NULL; at = strchr(at + 1, '<')) {
        const char *end = strchr(at, '>');
        if (end == NULL || depth == 32)
            return false;
        size_t length = strcspn(at + 2, " />");
        if (at[1] == '/') {
            if (depth == 0 || strncmp(open[--depth], at + 2, length) != 0)
                return false;
        } else if (end[-1] != '/') {
            open[depth++] = at + 1;
        }
    }
    return depth == 0 && strchr(text, '<') != NULL;
}

static void malloc_info_is_xml(const char *name)
{
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    expect(name, "0", malloc_info(0, stream) == 0);
    fclose(stream);
    expect(name, "begins with its version", strncmp(text, "<malloc version=\"", 17) == 0);
    expect(name, "well-formed", is_well_formed(text));
    free(text);
    errno = 0;
    int result = malloc_info(1, stdout);
    if (as == AS_LIBC)
        expect(name, "options: the code", result == EINVAL);
    else
        expect(name, "options: -1 and EINVAL", result == -1 && errno == EINVAL);
}

static void malloc_stats_is_text(const char *name)
{
    char found[64] = {0};
    FILE *file = tmpfile();
    fflush(NULL);
    int kept = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    errno = 1234;
    malloc_stats();
    int after = errno;
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    rewind(file);
    expect(name, "on stderr", fread(found, 1, sizeof found - 1, file) > 20);
    if (as != AS_LIBC)
        expect(name, "errno kept", after == 1234 && strncmp(found, "htmalloc: ", 10) == 0);
    fclose(file);
}

static void trim_tells(const char *name)
{
    enum { BLOCKS = 20000 };
    static unsigned char *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = memset(malloc(1000), 1, 1000);
    malloc_trim(0);
    for (int i = 0; i < BLOCKS; i++) {
        if (i % 16 != 0) /* of 16 KB 15 are free */
            free(blocks[i]);
    }
    expect(name, "1 for pages between blocks in use", malloc_trim(0) == 1);
    int again = malloc_trim(0);
    if (as == AS_LIBC)
        expect(name, "1 again", again == 1);
    else
        expect(name, "0 when there is nothing left", again == 0);
    for (int i = 0; i < BLOCKS; i += 16) {
        expect(name, "the others stand", all_are(blocks[i], 1000, 1));
        free(blocks[i]);
    }
    void *volatile huge = memset(malloc(20 << 20), 1, 20 << 20);
    free(huge);
    if (as != AS_LIBC) /* has unmapped it */
        expect(name, "1 for what was freed", malloc_trim(0) == 1);
}

static void mallopt_answers(const char *name)
{
    static const int known[][2] = {{M_MXFAST, 64},       {M_TRIM_THRESHOLD, 1 << 17},
                                   {M_TOP_PAD, 1 << 16}, {M_MMAP_THRESHOLD, 1 << 17},
                                   {M_MMAP_MAX, 65536},  {M_CHECK_ACTION, 3},
                                   {M_PERTURB, 0},       {M_ARENA_TEST, 8},
                                   {M_ARENA_MAX, 8}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        expect(name, "1 for what it knows", mallopt(known[i][0], known[i][1]) == 1);
    expect(name, "0 for a value out of range", mallopt(M_MXFAST, 1 << 20) == 0);
    expect(name, "unknown", mallopt(-1000, 1) == (as == AS_LIBC));
}

static void sized_free(const char *name)
{
    void (*sized)(void *, size_t) = (void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "free_sized");
    void (*aligned)(void *, size_t, size_t) =
        (void (*)(void *, size_t, size_t))dlsym(RTLD_DEFAULT, "free_aligned_sized");
    void (*old)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "cfree");
    if (as != AS_LIBC)
        expect(name, "there", sized != NULL && aligned != NULL && old != NULL);
    if (sized == NULL || aligned == NULL || old == NULL)
        return;
    errno = 1234;
    for (size_t i = 0; i < SIZES; i++) {
        sized(malloc(sizes[i]), sizes[i]);
        sized(calloc(1, sizes[i]), sizes[i]);
        sized(realloc(malloc(10), sizes[i] + 1), sizes[i] + 1);
        for (size_t align = 16; align <= 8192; align *= 8)
            aligned(aligned_alloc(align, sizes[i]), align, sizes[i]);
        old(malloc(sizes[i]));
    }
    sized(NULL, 10);
    aligned(NULL, 16, 10);
    old(NULL);
    expect(name, "errno kept", errno == 1234);
}

/* A block that grows a little at a time must not be copied each time: quadratic. */
static void realloc_grows_in_place(const char *name)
{
    unsigned moves = 0;
    char *block = NULL;
    for (size_t size = 8; size <= 8 << 20; size += 1000) {
        char *old = block;
        block = realloc(block, size);
        moves += block != old;
        block[size - 1] = 1;
    }
    expect(name, "at most one move in twenty", moves <= 400);
    free(block);
}

static const struct {
    const char *name;
    void (*run)(const char *name);
    const char *libc; /* what it does otherwise, and why; else NULL */
} scenarios[] = {
    {"every alignment", every_alignment, NULL},
    {"calloc on used memory", calloc_is_zero, NULL},
    {"realloc, size to size", realloc_keeps_content, NULL},
    {"realloc in small steps", realloc_grows_in_place, NULL},
    {"free keeps errno", free_keeps_errno, NULL},
    {"empty blocks", empty_blocks_differ, NULL},
    {"malloc_usable_size", usable_sizes, "hard: exactly what was asked for; else whole blocks"},
    {"mallinfo, mallinfo2", mallinfo2_counts, NULL},
    {"malloc_info(options != 0)", malloc_info_is_xml,
     "glibc returns the code itself; the manual page says -1 and errno, which is done here"},
    {"malloc_stats", malloc_stats_is_text, "glibc may change errno"},
    {"malloc_trim", trim_tells, "glibc says 1 again for pages that it gave back before"},
    {"mallopt(unknown)", mallopt_answers, "glibc says 1, done; the manual page says 0, as we do"},
    {"free_sized, free_aligned_sized, cfree", sized_free, "glibc 2.36 lacks them"},
};

size_t scenarios_run(void)
{
    const size_t count = sizeof scenarios / sizeof *scenarios;
    for (size_t i = 0; i < count; i++)
        scenarios[i].run(scenarios[i].name);
    return count;
}

void scenarios_list(void)
{
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        if (scenarios[i].libc != NULL)
            printf("%-38s %s\n", scenarios[i].name, scenarios[i].libc);
    }
}
