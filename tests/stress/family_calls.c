/*
 * Every entry point of the malloc family with every kind of argument, held against the manual pages
 * (malloc, posix_memalign, malloc_usable_size, mallopt, ...). Where the C library does otherwise
 * than htmalloc, the row of the table says how and why.
 *
 *     family_calls --as=libc|htmalloc|hard [--list]
 *
 * --as tells whose column holds; the allocator is the one that is preloaded. --list prints the
 * differences. Prints a line for what does not hold and exits 1; else how many rows held.
 */
#include "tests/stress/family.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MOST  ((size_t)PTRDIFF_MAX)
#define ALL   SIZE_MAX
#define HALF  (SIZE_MAX / 2 + 1) /* the greatest power of two */
#define KEPT  100                /* bytes of the block that realloc is given */
#define MAGIC 77                 /* errno before each call */

enum entry {
    MALLOC,
    CALLOC,
    REALLOC,
    REALLOCARRAY,
    ALIGNED_ALLOC,
    POSIX_MEMALIGN,
    MEMALIGN,
    VALLOC,
    PVALLOC,
};

/* A call, and what must come of it: a block of at least `bytes` at a multiple of `align`, or NULL
 * and `error` (posix_memalign: as its result, with errno and *memptr as they were; 0: errno as it
 * was). */
struct row {
    const char *text;
    enum entry entry;
    size_t a, b;         /* count or alignment where there is one; size */
    bool with_block;     /* realloc's first argument is a block, not NULL */
    size_t align, bytes; /* align 0: NULL */
    int error;
    const char *why;   /* libc does otherwise, because; else NULL */
    size_t libc_align; /* then this and */
    int libc_error;    /* this hold; posix_memalign: errno afterwards */
};

#define GIVES(call, entry, a, b, align, bytes)                                                     \
    {                                                                                              \
        call, entry, a, b, false, align, bytes, 0, NULL, 0, 0                                      \
    }
#define FAILS(call, entry, a, b, error)                                                            \
    {                                                                                              \
        call, entry, a, b, false, 0, 0, error, NULL, 0, 0                                          \
    }
#define KEEPS(call, entry, a, b, align, error)                                                     \
    {                                                                                              \
        call, entry, a, b, true, align, b, error, NULL, 0, 0                                       \
    }
#define LIBC(call, entry, a, b, error, why, libc_align, libc_error)                                \
    {                                                                                              \
        call, entry, a, b, false, 0, 0, error, why, libc_align, libc_error                         \
    }

#define ROUNDS "glibc 2.36 takes the next power of two"
#define SETS   "glibc sets errno, which posix_memalign(3) says is not done"

static const struct row rows[] = {
    GIVES("malloc(0)", MALLOC, 0, 0, 16, 0),
    GIVES("malloc(1)", MALLOC, 0, 1, 16, 1),
    GIVES("malloc(17)", MALLOC, 0, 17, 16, 17),
    GIVES("malloc(1024)", MALLOC, 0, 1024, 16, 1024),
    GIVES("malloc(1025)", MALLOC, 0, 1025, 16, 1025),
    GIVES("malloc(32 KiB)", MALLOC, 0, 32768, 16, 32768),
    GIVES("malloc(32 KiB + 1)", MALLOC, 0, 32769, 16, 32769),
    GIVES("malloc(1 MiB)", MALLOC, 0, 1 << 20, 16, 1 << 20),
    GIVES("malloc(1 MiB + 1)", MALLOC, 0, (1 << 20) + 1, 16, (1 << 20) + 1),
    GIVES("malloc(40 MiB)", MALLOC, 0, 40 << 20, 16, 40 << 20),
    FAILS("malloc(PTRDIFF_MAX)", MALLOC, 0, MOST, ENOMEM),
    FAILS("malloc(PTRDIFF_MAX + 1)", MALLOC, 0, MOST + 1, ENOMEM),
    FAILS("malloc(SIZE_MAX - 15)", MALLOC, 0, ALL - 15, ENOMEM),
    FAILS("malloc(SIZE_MAX)", MALLOC, 0, ALL, ENOMEM),

    GIVES("calloc(0, 0)", CALLOC, 0, 0, 16, 0),
    GIVES("calloc(0, 8)", CALLOC, 0, 8, 16, 0),
    GIVES("calloc(8, 0)", CALLOC, 8, 0, 16, 0),
    GIVES("calloc(3, 7)", CALLOC, 3, 7, 16, 21),
    GIVES("calloc(100, 1000)", CALLOC, 100, 1000, 16, 100000),
    GIVES("calloc(5, 1 MiB)", CALLOC, 5, 1 << 20, 16, 5 << 20),
    FAILS("calloc(1, PTRDIFF_MAX + 1)", CALLOC, 1, MOST + 1, ENOMEM),
    FAILS("calloc(2, SIZE_MAX / 2 + 1)", CALLOC, 2, HALF, ENOMEM),
    FAILS("calloc(SIZE_MAX, SIZE_MAX)", CALLOC, ALL, ALL, ENOMEM),
    FAILS("calloc(SIZE_MAX / 2, 3)", CALLOC, ALL / 2, 3, ENOMEM),

    GIVES("realloc(NULL, 0)", REALLOC, 0, 0, 16, 0),
    GIVES("realloc(NULL, 100)", REALLOC, 0, 100, 16, 100),
    FAILS("realloc(NULL, PTRDIFF_MAX + 1)", REALLOC, 0, MOST + 1, ENOMEM),
    KEEPS("realloc(p, 0)", REALLOC, 0, 0, 0, 0), /* frees it */
    KEEPS("realloc(p, 1)", REALLOC, 0, 1, 16, 0),
    KEEPS("realloc(p, 101)", REALLOC, 0, 101, 16, 0),
    KEEPS("realloc(p, 50 KiB)", REALLOC, 0, 50 << 10, 16, 0),
    KEEPS("realloc(p, 5 MiB)", REALLOC, 0, 5 << 20, 16, 0),
    KEEPS("realloc(p, PTRDIFF_MAX)", REALLOC, 0, MOST, 0, ENOMEM),
    KEEPS("realloc(p, PTRDIFF_MAX + 1)", REALLOC, 0, MOST + 1, 0, ENOMEM),
    KEEPS("realloc(p, SIZE_MAX)", REALLOC, 0, ALL, 0, ENOMEM),

    GIVES("reallocarray(NULL, 0, 8)", REALLOCARRAY, 0, 8, 16, 0),
    GIVES("reallocarray(NULL, 10, 10)", REALLOCARRAY, 10, 10, 16, 100),
    FAILS("reallocarray(NULL, SIZE_MAX / 2 + 1, 2)", REALLOCARRAY, HALF, 2, ENOMEM),
    KEEPS("reallocarray(p, 0, 0)", REALLOCARRAY, 0, 0, 0, 0),
    KEEPS("reallocarray(p, 1, 5000)", REALLOCARRAY, 1, 5000, 16, 0),
    KEEPS("reallocarray(p, 1, PTRDIFF_MAX + 1)", REALLOCARRAY, 1, MOST + 1, 0, ENOMEM),
    KEEPS("reallocarray(p, SIZE_MAX, 2)", REALLOCARRAY, ALL, 2, 0, ENOMEM),

    LIBC("aligned_alloc(0, 10)", ALIGNED_ALLOC, 0, 10, EINVAL, ROUNDS, 1, 0),
    GIVES("aligned_alloc(1, 10)", ALIGNED_ALLOC, 1, 10, 16, 10),
    LIBC("aligned_alloc(3, 9)", ALIGNED_ALLOC, 3, 9, EINVAL, ROUNDS, 4, 0),
    GIVES("aligned_alloc(8, 8)", ALIGNED_ALLOC, 8, 8, 8, 8),
    LIBC("aligned_alloc(24, 48)", ALIGNED_ALLOC, 24, 48, EINVAL, ROUNDS, 32, 0),
    GIVES("aligned_alloc(64, 0)", ALIGNED_ALLOC, 64, 0, 64, 0),
    GIVES("aligned_alloc(64, 100)", ALIGNED_ALLOC, 64, 100, 64, 100), /* no multiple: C17 allows */
    GIVES("aligned_alloc(4096, 4096)", ALIGNED_ALLOC, 4096, 4096, 4096, 4096),
    GIVES("aligned_alloc(64 MiB, 1)", ALIGNED_ALLOC, 64 << 20, 1, 64 << 20, 1),
    FAILS("aligned_alloc(64, PTRDIFF_MAX)", ALIGNED_ALLOC, 64, MOST, ENOMEM),
    FAILS("aligned_alloc(64, SIZE_MAX - 63)", ALIGNED_ALLOC, 64, ALL - 63, ENOMEM),
    FAILS("aligned_alloc(SIZE_MAX / 2 + 1, 1)", ALIGNED_ALLOC, HALF, 1, ENOMEM),
    FAILS("aligned_alloc(SIZE_MAX / 2 + 2, 1)", ALIGNED_ALLOC, HALF + 1, 1, EINVAL),
    FAILS("aligned_alloc(SIZE_MAX, 1)", ALIGNED_ALLOC, ALL, 1, EINVAL),

    FAILS("posix_memalign(0, 1)", POSIX_MEMALIGN, 0, 1, EINVAL),
    FAILS("posix_memalign(1, 1)", POSIX_MEMALIGN, 1, 1, EINVAL),
    FAILS("posix_memalign(4, 1)", POSIX_MEMALIGN, 4, 1, EINVAL),
    FAILS("posix_memalign(12, 1)", POSIX_MEMALIGN, 12, 1, EINVAL),
    FAILS("posix_memalign(24, 1)", POSIX_MEMALIGN, 24, 1, EINVAL),
    FAILS("posix_memalign(SIZE_MAX, 1)", POSIX_MEMALIGN, ALL, 1, EINVAL),
    GIVES("posix_memalign(8, 0)", POSIX_MEMALIGN, 8, 0, 8, 0),
    GIVES("posix_memalign(8, 100)", POSIX_MEMALIGN, 8, 100, 8, 100),
    GIVES("posix_memalign(128, 20)", POSIX_MEMALIGN, 128, 20, 128, 20),
    GIVES("posix_memalign(2 MiB, 9 MiB)", POSIX_MEMALIGN, 2 << 20, 9 << 20, 2 << 20, 9 << 20),
    LIBC("posix_memalign(64, PTRDIFF_MAX)", POSIX_MEMALIGN, 64, MOST, ENOMEM, SETS, 0, ENOMEM),
    LIBC("posix_memalign(64, SIZE_MAX)", POSIX_MEMALIGN, 64, ALL, ENOMEM, SETS, 0, ENOMEM),
    LIBC("posix_memalign(SIZE_MAX / 2 + 1, 1)", POSIX_MEMALIGN, HALF, 1, ENOMEM, SETS, 0, ENOMEM),

    GIVES("memalign(0, 10)", MEMALIGN, 0, 10, 16, 10),
    GIVES("memalign(1, 10)", MEMALIGN, 1, 10, 16, 10),
    GIVES("memalign(32, 10)", MEMALIGN, 32, 10, 32, 10),
    GIVES("memalign(64 KiB, 100 KiB)", MEMALIGN, 64 << 10, 100 << 10, 64 << 10, 100 << 10),
    LIBC("memalign(48, 10)", MEMALIGN, 48, 10, EINVAL, ROUNDS, 64, 0),
    FAILS("memalign(4096, PTRDIFF_MAX)", MEMALIGN, 4096, MOST, ENOMEM),
    FAILS("memalign(SIZE_MAX / 2 + 1, 1)", MEMALIGN, HALF, 1, ENOMEM),
    FAILS("memalign(SIZE_MAX / 2 + 2, 1)", MEMALIGN, HALF + 1, 1, EINVAL),

    GIVES("valloc(0)", VALLOC, 0, 0, 4096, 0),
    GIVES("valloc(1)", VALLOC, 0, 1, 4096, 1),
    GIVES("valloc(5000)", VALLOC, 0, 5000, 4096, 5000),
    FAILS("valloc(PTRDIFF_MAX)", VALLOC, 0, MOST, ENOMEM),
    FAILS("valloc(SIZE_MAX)", VALLOC, 0, ALL, ENOMEM),
    GIVES("pvalloc(0)", PVALLOC, 0, 0, 4096, 0),
    GIVES("pvalloc(1)", PVALLOC, 0, 1, 4096, 4096),
    GIVES("pvalloc(4096)", PVALLOC, 0, 4096, 4096, 4096),
    GIVES("pvalloc(4097)", PVALLOC, 0, 4097, 4096, 8192),
    FAILS("pvalloc(PTRDIFF_MAX)", PVALLOC, 0, MOST, ENOMEM),
    FAILS("pvalloc(SIZE_MAX - 4095)", PVALLOC, 0, ALL - 4095, ENOMEM),
    FAILS("pvalloc(SIZE_MAX)", PVALLOC, 0, ALL, ENOMEM),
};

/* `kept`: what realloc is given. posix_memalign's result is told by `ret_code`; -1 for the others.
 */
static void *call(const struct row *row, void *kept, int *ret_code)
{
    size_t a = row->a, b = row->b;
    void *block = kept; /* whatever it was must stand */
    *ret_code = -1;
    switch (row->entry) {
    case MALLOC:
        return malloc(b);
    case CALLOC:
        return calloc(a, b);
    case REALLOC:
        return realloc(kept, b);
    case REALLOCARRAY:
        return reallocarray(kept, a, b);
    case ALIGNED_ALLOC:
        return aligned_alloc(a, b);
    case MEMALIGN:
        return memalign(a, b);
    case VALLOC:
        return valloc(b);
    case PVALLOC:
        return pvalloc(b);
    default:
        *ret_code = posix_memalign(&block, a, b);
        if (*ret_code != 0 && block != kept)
            return (void *)-1;
        return *ret_code == 0 ? block : NULL;
    }
}

static void check_block(const struct row *row, unsigned char *block, size_t align, int code)
{
    expect(row->text, "a block", block != NULL);
    if (block == NULL)
        return;
    expect(row->text, "aligned", (uintptr_t)block % align == 0);
    expect(row->text, "as long as asked for", malloc_usable_size(block) >= row->bytes);
    if (row->entry == CALLOC)
        expect(row->text, "zero", all_are(block, row->bytes, 0));
    if (row->with_block)
        expect(row->text, "the content kept", all_are(block, row->b < KEPT ? row->b : KEPT, 5));
    expect(row->text, "result 0", code <= 0);
    memset(block, 0xa5, malloc_usable_size(block));
    errno = MAGIC;
    free(block);
    expect(row->text, "free keeps errno", errno == MAGIC);
}

static void check_null(const struct row *row, unsigned char *kept, void *block, int code)
{
    int error = row->error, saved = errno;
    bool is_posix = row->entry == POSIX_MEMALIGN;
    expect(row->text, "*memptr as it was", block != (void *)-1);
    expect(row->text, "NULL", block == NULL);
    if (is_posix)
        expect(row->text, "the code", code == error);
    int after = is_posix || error == 0 ? MAGIC : error;
    if (as == AS_LIBC && row->why != NULL)
        after = row->libc_error;
    expect(row->text, "errno", saved == after);
    if (!row->with_block || error == 0)
        return;
    expect(row->text, "the old block stands", all_are(kept, KEPT, 5));
    free(kept);
}

static void check_row(const struct row *row)
{
    unsigned char *kept = row->with_block ? malloc(KEPT) : NULL;
    if (kept != NULL)
        memset(kept, 5, KEPT);
    int code;
    errno = MAGIC;
    void *block = call(row, kept, &code);
    size_t align = as == AS_LIBC && row->why != NULL ? row->libc_align : row->align;
    if (align != 0)
        check_block(row, block, align, code);
    else
        check_null(row, kept, block, code);
}

static void list_rows(void)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].why != NULL)
            printf("%-38s %s\n", rows[i].text, rows[i].why);
    }
    scenarios_list();
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        list_rows();
        return 0;
    }
    if (argc != 2 || !read_as(argv[1])) {
        fprintf(stderr, "usage: family_calls --as=libc|htmalloc|hard | --list\n");
        return 2;
    }
    /* Twice: the second time on memory that was in use before. */
    for (size_t i = 0; i < sizeof rows / sizeof *rows * 2; i++)
        check_row(&rows[i / 2]);
    size_t scenarios = scenarios_run();
    printf("%zu calls, %zu scenarios: %u expectations, %u broken\n", sizeof rows / sizeof *rows,
           scenarios, expected, failed);
    return failed > 0;
}
