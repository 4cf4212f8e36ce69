/*
 * The malloc family under its usual names, on whatever allocator the process has: run it preloaded.
 *
 *     htmalloc_names [--from=WORD] [NAME...]   tests to run (all), what the object must be called
 *
 * Prints a line a test; exits 1 at the first expectation that does not hold. Threads end while
 * others use their blocks, thread-specific destructors free and allocate, children of fork() work
 * on in a process whose other threads were in the middle of something.
 */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXPECT(condition) ((condition) ? (void)0 : broken(#condition, __LINE__))

static const char *from;

static _Noreturn void broken(const char *what, int line)
{
    fprintf(stderr, "htmalloc_names.c:%d: not true: %s\n", line, what);
    _exit(1);
}

/* --- every name is there, and all are one allocator's --- */

static void test_names(void)
{
    static const char *const names[] = {"malloc",
                                        "free",
                                        "calloc",
                                        "realloc",
                                        "reallocarray",
                                        "memalign",
                                        "aligned_alloc",
                                        "posix_memalign",
                                        "valloc",
                                        "pvalloc",
                                        "malloc_usable_size",
                                        "malloc_trim",
                                        "malloc_stats",
                                        "malloc_info",
                                        "mallinfo",
                                        "mallinfo2",
                                        "mallopt",
                                        "cfree",
                                        "free_sized",
                                        "free_aligned_sized"};
    for (size_t i = 0; from != NULL && i < sizeof names / sizeof *names; i++) {
        void *at = dlsym(RTLD_DEFAULT, names[i]);
        Dl_info info = {.dli_fname = "nowhere"};
        if (at == NULL || dladdr(at, &info) == 0 || strstr(info.dli_fname, from) == NULL) {
            fprintf(stderr, "htmalloc_names: %s comes from %s\n", names[i], info.dli_fname);
            _exit(1);
        }
    }
}

/* --- what the C library's manual promises --- */

static void test_rules(void)
{
    volatile size_t most = PTRDIFF_MAX;
    void *block = NULL;
    errno = 0;
    EXPECT(malloc(most + 1) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(calloc(most, 3) == NULL && errno == ENOMEM);
    errno = 0;
    EXPECT(reallocarray(NULL, most, 3) == NULL && errno == ENOMEM);
    EXPECT(posix_memalign(&block, 3, 1) == EINVAL && posix_memalign(&block, 64, most) == ENOMEM);
    block = valloc(100);
    EXPECT(block != NULL && (uintptr_t)block % 4096 == 0);
    errno = 77;
    free(block);
    EXPECT(errno == 77);
    block = pvalloc(5000);
    EXPECT(block != NULL && (uintptr_t)block % 4096 == 0 && malloc_usable_size(block) >= 8192);
    free(block);
    block = memalign(1 << 16, 10);
    EXPECT(block != NULL && (uintptr_t)block % (1 << 16) == 0);
    free(block);
    EXPECT(malloc_usable_size(NULL) == 0);
    block = malloc(0);
    EXPECT(block != NULL);
    free(block);
}

static void test_counts(void)
{
    enum { BLOCKS = 1000, BYTES = 4000 };
    static void *blocks[BLOCKS];
    struct mallinfo2 before = mallinfo2();
    for (int i = 0; i < BLOCKS; i++)
        blocks[i] = memset(malloc(BYTES), 1, BYTES);
    void *volatile huge = malloc(8 << 20); /* or the compiler does without it */
    struct mallinfo2 full = mallinfo2();
    size_t in_use = full.uordblks + full.hblkhd, was = before.uordblks + before.hblkhd;
    EXPECT(in_use >= was + BLOCKS * BYTES + (8 << 20));
    EXPECT(in_use <= was + BLOCKS * BYTES * 5 / 4 + (9 << 20));
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    EXPECT(malloc_info(0, stream) == 0 && malloc_info(1, stream) != 0);
    fclose(stream);
    EXPECT(strncmp(text, "<malloc version=", 16) == 0 && strstr(text, "</malloc>") != NULL);
    free(text);
    for (int i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    free(huge);
    malloc_trim(0);
    struct mallinfo2 after = mallinfo2();
    EXPECT(after.uordblks + after.hblkhd <= was + (64 << 10));
}

/* --- threads --- */

#define SHARED 256
static void *shared[SHARED];
static pthread_key_t key;
static long destructed;

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* The first word holds the size, the last byte its low bits. */
static void *make(uint64_t random)
{
    size_t size = 16 + (random % 64 == 0 ? random >> 8 & 0x3ffff : random >> 8 & 0x3ff);
    char *block = random & 64 ? malloc(size) : calloc(1, size);
    EXPECT(block != NULL);
    memcpy(block, &size, sizeof size);
    block[size - 1] = (char)size;
    return block;
}

static void drop(void *block)
{
    size_t size;
    if (block == NULL)
        return;
    memcpy(&size, block, sizeof size);
    EXPECT(size >= 16 && size <= 0x40010 && ((char *)block)[size - 1] == (char)size);
    free(block);
}

/* Exchanges blocks with all other threads. */
static void churn(uint64_t *random, int steps)
{
    for (int i = 0; i < steps; i++) {
        uint64_t r = next_random(random);
        drop(__atomic_exchange_n(&shared[r % SHARED], r & 1024 ? make(r >> 12) : NULL,
                                 __ATOMIC_ACQ_REL));
    }
}

static void destructor(void *block)
{
    drop(block);
    uint64_t random = 99;
    churn(&random, 50);
    __atomic_add_fetch(&destructed, 1, __ATOMIC_RELAXED);
    static __thread int rounds;
    if (++rounds < 4)
        pthread_setspecific(key, make(random)); /* another round, after others' destructors */
}

static void *thread_main(void *seed)
{
    uint64_t random = (uintptr_t)seed * 0x9e3779b97f4a7c15u + 1;
    pthread_setspecific(key, make(random));
    churn(&random, 3000);
    return make(random);
}

static void test_threads(void)
{
    EXPECT(pthread_key_create(&key, destructor) == 0);
    for (int round = 0; round < 60; round++) {
        pthread_t threads[6];
        for (uintptr_t i = 0; i < 6; i++)
            EXPECT(pthread_create(&threads[i], NULL, thread_main,
                                  (void *)((uintptr_t)round * 6 + i + 1)) == 0);
        for (int i = 0; i < 6; i++) {
            void *block;
            pthread_join(threads[i], &block);
            drop(block);
        }
    }
    EXPECT(destructed == 60 * 6 * 4);
    for (int i = 0; i < SHARED; i++)
        drop(__atomic_exchange_n(&shared[i], NULL, __ATOMIC_ACQ_REL));
}

/* --- fork --- */

static int stop;

static void *churn_until_stopped(void *seed)
{
    uint64_t random = (uintptr_t)seed * 0x9e3779b97f4a7c15u + 1;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
        churn(&random, 100);
    return NULL;
}

static void *grandchild_thread(void *seed)
{
    uint64_t random = (uintptr_t)seed + 12345;
    churn(&random, 2000);
    return NULL;
}

/* In the child: what stood in the shared slots is ours, new threads work, and it ends in time. */
static _Noreturn void child(void)
{
    alarm(30);
    uint64_t random = 4711;
    churn(&random, 2000);
    pthread_t threads[2];
    for (uintptr_t i = 0; i < 2; i++)
        EXPECT(pthread_create(&threads[i], NULL, grandchild_thread, (void *)i) == 0);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < SHARED; i++)
        drop(__atomic_exchange_n(&shared[i], NULL, __ATOMIC_ACQ_REL));
    void *volatile huge = malloc(3 << 20);
    free(huge);
    malloc_trim(0);
    _exit(0);
}

static void *forking_main(void *seed)
{
    uint64_t random = (uintptr_t)seed + 1;
    for (int i = 0; i < 15; i++) {
        churn(&random, 200);
        pid_t pid = fork();
        if (pid == 0)
            child();
        int status = -1;
        EXPECT(pid > 0 && waitpid(pid, &status, 0) == pid);
        EXPECT(status == 0);
    }
    return NULL;
}

static void test_fork(void)
{
    pthread_t busy[2], forking[2];
    for (uintptr_t i = 0; i < 2; i++) {
        EXPECT(pthread_create(&busy[i], NULL, churn_until_stopped, (void *)(i + 1)) == 0);
        EXPECT(pthread_create(&forking[i], NULL, forking_main, (void *)(i + 7)) == 0);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(forking[i], NULL);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 2; i++)
        pthread_join(busy[i], NULL);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } tests[] = {{"names", test_names},
                 {"rules", test_rules},
                 {"counts", test_counts},
                 {"threads", test_threads},
                 {"fork", test_fork}};
    int first = 1;
    if (argc > 1 && strncmp(argv[1], "--from=", 7) == 0)
        from = argv[first++] + 7;
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++) {
        int wanted = first == argc;
        for (int at = first; at < argc; at++)
            wanted |= strcmp(argv[at], tests[i].name) == 0;
        if (!wanted)
            continue;
        tests[i].run();
        printf("%s: fine\n", tests[i].name);
        fflush(stdout);
    }
    return 0;
}
