/* The textbook allocators where things go wrong: errors, the system's refusals, misuse, and a
 * damaged heap, which the checker must find. Linked with them; malloc is libc's. */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/textbook_case.h"

/* ---- errors and refusals --------------------------------------------------------------------- */

static void test_errors(void)
{
    begin("first-fit");
    char *block = textbook_malloc(10);
    strcpy(block, "still");
    volatile size_t most = SIZE_MAX;
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 100, PTRDIFF_MAX, (size_t)1 << 47};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        errno = 0;
        CHECK(textbook_malloc(sizes[i]) == NULL && errno == ENOMEM);
        errno = 0;
        CHECK(textbook_realloc(block, sizes[i]) == NULL && errno == ENOMEM);
        CHECK(textbook_memalign(4096, sizes[i]) == NULL);
    }
    CHECK(textbook_calloc(most / 2, 3) == NULL && errno == ENOMEM);
    CHECK(textbook_memalign(48, 10) == NULL && errno == EINVAL);
    CHECK(textbook_memalign((size_t)1 << 62, 10) == NULL && errno == ENOMEM);
    CHECK_STR(block, "still");
    textbook_free(NULL);
    CHECK(textbook_malloc(0) != textbook_malloc(0));
    in_order();
}

/* Runs `body` in a child; its exit status, or 128 + the signal. */
static int in_child(int (*body)(void), char said[256])
{
    int ends[2], status;
    if (!CHECK(pipe(ends) == 0))
        return -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        _exit(body());
    }
    close(ends[1]);
    ssize_t got = read(ends[0], said, 255);
    said[got > 0 ? got : 0] = 0;
    close(ends[0]);
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* A mapping stands where the break would go: the heap goes on in mappings. */
static int behind_the_break(void)
{
    begin("first-fit");
    char *end = (char *)round_up((uintptr_t)sbrk(0), PAGE_BYTES);
    if (mmap(end, PAGE_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
             0) != end)
        return 2;
    char *block = textbook_malloc(60000), *more = textbook_malloc(60000);
    if (!block || !more || (more > block ? more - block : block - more) < (64 << 10))
        return 3;
    textbook_free(block);
    textbook_free(more);
    return textbook_check() || stats().held_bytes != 0 ? 4 : 0; /* they went back */
}

/* No memory at all. */
static int no_memory(void)
{
    static const char *const names[] = {"first-fit", "segregated", "buddy", "bump"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        begin(names[i]);
        char *large = textbook_malloc(1 << 20), *block = textbook_malloc(100);
        struct rlimit limit, before;
        size_t bytes = 0;
        strcpy(large, "large");
        getrlimit(RLIMIT_AS, &before);
        limit = (struct rlimit){0, before.rlim_max};
        setrlimit(RLIMIT_AS, &limit);
        while (textbook_malloc(1000) && bytes < 1 << 20)
            bytes += 1000;
        if (bytes >= 64 << 10 || errno != ENOMEM || textbook_malloc(1 << 20))
            return 2;
        if (textbook_realloc(large, 4 << 20) || strcmp(large, "large") != 0)
            return 3;
        if (stats().held_bytes < 1 << 20)
            return 6;
        if (!block || textbook_realloc(block, 60000) || textbook_check())
            return 4;
        setrlimit(RLIMIT_AS, &before);
        if (!textbook_malloc(60000) || textbook_check())
            return 5;
    }
    return 0;
}

/* munmap fails (the kernel's limit on mappings): the memory is kept and used again. */
static int no_munmap(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_munmap, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    struct options switches = begin("first-fit");
    switches.source = SOURCE_MMAP;
    textbook_restart(&switches);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        return 2;
    char *large = textbook_malloc(1 << 20), *block = textbook_malloc(100);
    errno = 0;
    textbook_free(large);
    textbook_free(block);
    if (errno || textbook_check() || stats().held_bytes < 1 << 20)
        return 3;
    if (textbook_malloc(1 << 20) != large || textbook_malloc(100) != block)
        return 4;
    return textbook_malloc(1 << 20) == large || textbook_check() ? 5 : 0;
}

static void test_refusals_of_the_system(void)
{
    char said[256];
    CHECK_EQ_INT(in_child(behind_the_break, said), 0);
    CHECK_EQ_INT(in_child(no_memory, said), 0);
    CHECK_EQ_INT(in_child(no_munmap, said), 0);
}

/* ---- misuse, and a checker that finds things ------------------------------------------------- */

static int free_twice(void)
{
    begin("first-fit");
    char *block = textbook_malloc(10);
    textbook_malloc(1);
    textbook_free(block);
    textbook_free(block);
    return 0;
}

static int free_inside(void)
{
    begin("best-fit");
    char *block = textbook_calloc(1, 100);
    textbook_free(block + 16);
    return 0;
}

static int free_foreign(void)
{
    static char outside[64] __attribute__((aligned(16)));
    begin("buddy");
    textbook_malloc(1);
    textbook_free(outside + 32);
    return 0;
}

static int write_past(void)
{
    begin("first-fit");
    char *block = textbook_malloc(24);
    memset(block, 'x', 40);
    textbook_free(block);
    return 0;
}

static void test_misuse_is_told(void)
{
    static const struct {
        int (*body)(void);
        const char *word;
    } cases[] = {{free_twice, "freed before"},
                 {free_inside, "free("},
                 {free_foreign, "not a block"},
                 {write_past, "written over"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char said[256];
        CHECK_EQ_INT(in_child(cases[i].body, said), 128 + 6);
        if (!CHECK(strncmp(said, "textbook: ", 10) == 0 && strstr(said, cases[i].word)))
            printf("  said: %s\n", said);
        CHECK(strchr(said, '\n') == said + strlen(said) - 1);
    }
}

static void test_the_checker_finds_damage(void)
{
    char *blocks[4];
    four(blocks);
    textbook_free(blocks[1]);
    struct block *used = block_of(blocks[0]), *unused = block_of(blocks[1]);
    size_t tag = unused->tag;
    *block_footer(used) ^= 16;
    CHECK_STR(textbook_check(), "a block's footer is not its tag");
    *block_footer(used) ^= 16;
    used->tag += (size_t)1 << 40;
    CHECK_STR(textbook_check(), "a block's size is impossible");
    used->tag -= (size_t)1 << 40;
    block_set(unused, block_bytes(unused), TAG_USED);
    CHECK_STR(textbook_check(), "a used block is on a free list");
    block_set(unused, tag, 0);
    block_set(used, block_bytes(used), 0);
    CHECK_STR(textbook_check(), "two free blocks lie side by side");
    block_set(used, block_bytes(used), TAG_USED);
    block_set(block_of(blocks[3]), 48, 0);
    CHECK_STR(textbook_check(), "a free block is on no list");
    block_set(block_of(blocks[3]), 48, TAG_USED);
    in_order();
}

int main(int argc, char **argv)
{
    check_only = argc > 1 ? argv[1] : NULL;
    RUN(test_errors);
    RUN(test_refusals_of_the_system);
    RUN(test_misuse_is_told);
    RUN(test_the_checker_finds_damage);
    return CHECK_MAIN_END();
}
