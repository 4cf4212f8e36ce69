/*
 * One forbidden act a run, for an allocator that is to notice it: `misuse NAME [SIZE [trim]]`. It
 * says on stdout which address it misuses, acts, and goes on for a moment as a program would: it
 * frees and allocates blocks of the size; with `trim` it calls malloc_trim() first, a slow path of
 * any allocator. Exit status 0 means that nobody noticed. `misuse --list` prints the names; `misuse
 * none` does everything but the act.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From the library that is preloaded; libc has none. */
__attribute__((weak)) void free_sized(void *address, size_t size);
__attribute__((weak)) void free_aligned_sized(void *address, size_t align, size_t size);

#define AROUND 64

static size_t size;
static unsigned char *around[AROUND];

/* What the compiler must not see through. */
static void *hide(void *address)
{
    __asm__ volatile("" : "+r"(address) : : "memory");
    return address;
}

static unsigned char *tell(void *address)
{
    printf("%p\n", address);
    fflush(stdout);
    return hide(address);
}

static void *make(void)
{
    unsigned char *block = malloc(size);
    if (block == NULL)
        abort();
    memset(block, 0x11, size);
    return hide(block);
}

/* A block among others in use. */
static unsigned char *block_in_use(void)
{
    for (int i = 0; i < AROUND; i++)
        around[i] = make();
    unsigned char *block = around[AROUND / 2];
    around[AROUND / 2] = make();
    return block;
}

static void go_on(void)
{
    for (int i = 0; i < AROUND; i++)
        free(hide(around[i]));
    for (int i = 0; i < AROUND; i++)
        around[i] = make();
    for (int i = 0; i < AROUND; i++)
        free(hide(around[i]));
}

static void none(void)
{
    free(block_in_use());
}

static void double_free_at_once(void)
{
    unsigned char *block = tell(block_in_use());
    free(block);
    free(hide(block));
}

static void double_free_later(void)
{
    unsigned char *block = tell(block_in_use());
    free(block);
    for (int i = 0; i < AROUND / 4; i++) {
        free(around[i]);
        around[i] = NULL;
    }
    free(hide(block));
}

static void *free_it(void *block)
{
    free(block);
    return NULL;
}

static void double_free_in_threads(void)
{
    unsigned char *block = tell(block_in_use());
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, free_it, block) != 0)
            abort();
        pthread_join(thread, NULL);
    }
}

static void write_after_free(void)
{
    unsigned char *block = tell(block_in_use());
    free(block);
    ((unsigned char *)hide(block))[0] = 0x42;
}

static void write_after_free_inside(void)
{
    unsigned char *block = tell(block_in_use());
    free(block);
    ((unsigned char *)hide(block))[size / 2 < 200 ? size / 2 : 200] = 0x42;
}

static void modify_after_free(void)
{
    unsigned char *block = tell(block_in_use());
    free(block);
    ++*(uintptr_t *)hide(block);
}

static void overflow_by_1(void)
{
    unsigned char *block = tell(block_in_use());
    block[size] = 0;
    free(block);
}

static void overflow_by_16(void)
{
    unsigned char *block = tell(block_in_use());
    memset(block + size, 0x42, 16);
    free(block);
}

static void overflow_never_freed(void)
{
    unsigned char *block = tell(block_in_use());
    block[size] = 0x42;
}

static void overflow_after_realloc(void)
{
    unsigned char *block = realloc(block_in_use(), size + 3);
    tell(block);
    block[size + 3] = 0x42;
    block = realloc(block, size * 3);
    free(block);
}

static void underflow_by_1(void)
{
    unsigned char *block = tell(block_in_use());
    block[-1] = 0x42;
    free(block);
}

static void free_interior(void)
{
    unsigned char *block = block_in_use();
    free(tell(block + 16));
}

static void free_misaligned(void)
{
    unsigned char *block = block_in_use();
    free(tell(block + 1));
}

static void free_stack(void)
{
    unsigned char bytes[64];
    free(tell(bytes + 16));
}

static void free_static(void)
{
    static unsigned char bytes[64];
    free(tell(bytes));
}

static void free_wild(void)
{
    free(tell((void *)0x1234567890));
}

static void realloc_freed(void)
{
    unsigned char *block = tell(block_in_use());
    free(block);
    block = realloc(hide(block), size * 2);
    free(block);
}

static void realloc_interior(void)
{
    unsigned char *block = tell(block_in_use() + 16);
    free(realloc(block, size * 2));
}

static void usable_size_freed(void)
{

    unsigned char *block = tell(block_in_use());
    free(block);
    if (malloc_usable_size(hide(block)) == 1)
        abort();
}

static void free_sized_mismatch(void)
{
    free_sized(tell(block_in_use()), size + 1);
}

static void free_aligned_sized_mismatch(void)
{
    void *block = aligned_alloc(64, 128);
    free_aligned_sized(tell(block), 32, 128);
}

static void free_aligned_sized_wrong_size(void)
{
    void *block = aligned_alloc(64, 128);
    free_aligned_sized(tell(block), 64, 64);
}

#define ACTS(X)                                                                                    \
    X(none)                                                                                        \
    X(double_free_at_once)                                                                         \
    X(double_free_later)                                                                           \
    X(double_free_in_threads)                                                                      \
    X(write_after_free)                                                                            \
    X(write_after_free_inside)                                                                     \
    X(modify_after_free)                                                                           \
    X(overflow_by_1)                                                                               \
    X(overflow_by_16)                                                                              \
    X(overflow_never_freed)                                                                        \
    X(overflow_after_realloc)                                                                      \
    X(underflow_by_1)                                                                              \
    X(free_interior)                                                                               \
    X(free_misaligned)                                                                             \
    X(free_stack)                                                                                  \
    X(free_static)                                                                                 \
    X(free_wild)                                                                                   \
    X(realloc_freed)                                                                               \
    X(realloc_interior)                                                                            \
    X(usable_size_freed)                                                                           \
    X(free_sized_mismatch)                                                                         \
    X(free_aligned_sized_mismatch)                                                                 \
    X(free_aligned_sized_wrong_size)

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*act)(void);
    } acts[] = {
#define ACT(name) {#name, name},
        ACTS(ACT)
#undef ACT
    };
    size = argc > 2 ? strtoul(argv[2], NULL, 0) : 40;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (argc > 1 && strcmp(argv[1], "--list") == 0) {
            puts(acts[i].name);
        } else if (argc > 1 && strcmp(argv[1], acts[i].name) == 0) {
            acts[i].act();
            if (argc > 3)
                malloc_trim(0);
            go_on();
            return 0;
        }
    }
    return argc > 1 && strcmp(argv[1], "--list") == 0 ? 0 : 2;
}
