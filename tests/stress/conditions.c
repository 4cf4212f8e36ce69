/*
 * The malloc family in awkward circumstances, on whatever allocator is preloaded:
 *
 *     conditions NAME [PATH]      --list tells the names
 *
 * PATH: the plug-in (plugins), libhtmalloc.so (opened). Prints "NAME: fine", or what is not so and
 * exits 1. What htmalloc promises in each of these is in its DESIGN.md.
 */
#include "tests/stress/conditions.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

const char *path;

_Noreturn void broken(const char *what, int line)
{
    dprintf(STDERR_FILENO, "conditions: line %d: not so: %s (errno %d)\n", line, what, errno);
    _exit(1);
}

uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1du;
}

/* The first word holds the size, the last byte its low bits. */
void *make(uint64_t random)
{
    static const size_t most[] = {200, 200, 200, 1000, 1000, 8000, 50000, 400000};
    size_t size = 16 + (random >> 8) % most[random % 8];
    if (random % 512 == 7)
        size = 2000000;
    char *block = random & 8 ? malloc(size) : memalign(64, size);
    EXPECT(block != NULL);
    memcpy(block, &size, sizeof size);
    block[size - 1] = (char)size;
    return block;
}

static size_t size_of(const void *block)
{
    size_t size;
    memcpy(&size, block, sizeof size);
    EXPECT(size >= 16 && size <= 2000000 && ((const char *)block)[size - 1] == (char)size);
    return size;
}

void drop(void *block)
{
    if (block != NULL) {
        size_of(block);
        free(block);
    }
}

static void *grow(void *block)
{
    size_t size = size_of(block) * 3 / 2;
    if (size > 2000000)
        return block;
    block = realloc(block, size);
    EXPECT(block != NULL);
    memcpy(block, &size, sizeof size);
    ((char *)block)[size - 1] = (char)size;
    return block;
}

static void *shared[SHARED];

void churn(uint64_t *random, int steps)
{
    for (int i = 0; i < steps; i++) {
        uint64_t r = next_random(random);
        void *mine = r & 1024 ? make(r >> 12) : NULL;
        void *other = __atomic_exchange_n(&shared[r % SHARED], mine, __ATOMIC_ACQ_REL);
        if (other != NULL && r % 7 == 0)
            other = grow(other);
        drop(other);
        if (r % 4096 == 1)
            malloc_trim(0);
    }
}

void drop_shared(void)
{
    for (int i = 0; i < SHARED; i++)
        drop(__atomic_exchange_n(&shared[i], NULL, __ATOMIC_ACQ_REL));
}

size_t resident(void)
{
    char text[64] = {0};
    FILE *file = fopen("/proc/self/statm", "r");
    EXPECT(file != NULL && fgets(text, sizeof text, file) != NULL);
    fclose(file);
    return strtoul(strchr(text, ' '), NULL, 10) * 4096;
}

static int stop;

static void *churn_until_stopped(void *seed)
{
    uint64_t random = (uintptr_t)seed * 0x9e3779b97f4a7c15u + 1;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
        churn(&random, 100);
    return NULL;
}

#define BUSY 3
static pthread_t busy[BUSY];

static void busy_start(void)
{
    stop = 0;
    for (uintptr_t i = 0; i < BUSY; i++)
        EXPECT(pthread_create(&busy[i], NULL, churn_until_stopped, (void *)(i + 1)) == 0);
}

static void busy_end(void)
{
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < BUSY; i++)
        pthread_join(busy[i], NULL);
}

static void wait_for(pid_t child)
{
    int status = -1;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    EXPECT(status == 0);
}

/* --- fork --- */

static void *worker_of_child(void *seed)
{
    uint64_t random = (uintptr_t)seed + 12345;
    churn(&random, 300);
    return NULL;
}

/* What stood in the shared slots is the child's; new threads work; it forks again; all comes to an
 * end in time. */
static void child_main(int generation)
{
    alarm(30);
    uint64_t random = 4711;
    churn(&random, 300);
    pthread_t threads[2];
    for (uintptr_t i = 0; i < 2; i++)
        EXPECT(pthread_create(&threads[i], NULL, worker_of_child, (void *)i) == 0);
    if (generation < 2) {
        pid_t child = fork();
        if (child == 0) {
            child_main(generation + 1);
            _exit(0);
        }
        wait_for(child);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    drop_shared();
    malloc_trim(0);
    struct mallinfo2 info = mallinfo2();
    EXPECT(info.uordblks + info.hblkhd < (size_t)1 << 30);
}

static void *forking_main(void *seed)
{
    uint64_t random = (uintptr_t)seed + 1;
    for (int i = 0; i < 12; i++) {
        churn(&random, 100);
        pid_t child = fork();
        if (child == 0) {
            child_main(1);
            _exit(0);
        }
        wait_for(child);
    }
    return NULL;
}

static void fork_from_two(void)
{
    pthread_t forking;
    EXPECT(pthread_create(&forking, NULL, forking_main, (void *)5) == 0);
    forking_main((void *)9);
    pthread_join(forking, NULL);
}

static void forks(void)
{
    busy_start();
    fork_from_two();
    busy_end();
}

/* Handlers that allocate, those registered before any thread and those after; they hand blocks on
 * from before to after, in both processes. */
static __thread void *carried[8];
static int handlers_run;

static void carry(void)
{
    static __thread uint64_t random = 6;
    __atomic_add_fetch(&handlers_run, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 8; i++) {
        drop(carried[i]);
        carried[i] = make(next_random(&random));
    }
    free(malloc(3000000));
    carried[0] = grow(carried[0]);
}

static __attribute__((constructor)) void handler_early(void)
{
    if (getenv("CONDITIONS_ATFORK") != NULL)
        pthread_atfork(carry, carry, carry);
}

static void atfork(void)
{
    busy_start(); /* locks are taken from now on */
    usleep(20000);
    pthread_atfork(carry, carry, carry);
    fork_from_two();
    busy_end();
    EXPECT(getenv("CONDITIONS_ATFORK") != NULL && handlers_run >= 24 * 4);
}

/* --- threads that end --- */

static pthread_key_t keys[3];
static long destructed;

/* Runs in every round that there is: the first time with a block, then with a mere mark. */
static void destructor(void *block)
{
    static char mark;
    uint64_t random = (uintptr_t)&block;
    if (block != &mark)
        drop(block);
    churn(&random, 10);
    void *small = malloc(40);
    free(malloc(100));
    free(small);
    __atomic_add_fetch(&destructed, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 3; i++) {
        if (pthread_getspecific(keys[i]) == NULL)
            pthread_setspecific(keys[i], &mark);
    }
}

extern int __cxa_thread_atexit_impl(void (*function)(void *), void *argument, void *object);
extern void *__dso_handle;

static void *ending_main(void *seed)
{
    uint64_t random = (uintptr_t)seed * 0x9e3779b97f4a7c15u + 1;
    for (int i = 0; i < 3; i++)
        pthread_setspecific(keys[i], make(next_random(&random)));
    __cxa_thread_atexit_impl(drop, make(1024), &__dso_handle);
    churn(&random, 20);
    return make(random);
}

/* Destructors allocate in every round that there is. What a thread had must not be lost by that:
 * the process does not grow from 500 threads to 3000. */
static void destructors(void)
{
    size_t first = 0;
    pthread_t thread;
    /* The allocator's own key, if it has one, is older than ours: its destructor runs before. */
    EXPECT(pthread_create(&thread, NULL, worker_of_child, NULL) == 0);
    pthread_join(thread, NULL);
    for (int i = 0; i < 3; i++)
        EXPECT(pthread_key_create(&keys[i], destructor) == 0);
    for (uintptr_t i = 0; i < 3000; i++) {
        void *block;
        EXPECT(pthread_create(&thread, NULL, ending_main, (void *)i) == 0);
        pthread_join(thread, &block);
        drop(block);
        if (i == 500) {
            drop_shared();
            malloc_trim(0);
            first = resident();
        }
    }
    drop_shared();
    malloc_trim(0);
    EXPECT(destructed >= 3000L * 3 * 3);
    if (resident() > first + (4 << 20))
        dprintf(STDERR_FILENO, "conditions: resident %zu KiB, then %zu\n", first >> 10,
                resident() >> 10);
    EXPECT(resident() <= first + (4 << 20));
}

/* Frees, allocates and ends after main() has called pthread_exit(). */
static void *last_main(void *seed)
{
    uint64_t random = (uintptr_t)seed;
    usleep(20000);
    churn(&random, 2000);
    drop_shared();
    puts("main_ends: fine");
    exit(0);
}

static void main_ends(void)
{
    pthread_t thread;
    uint64_t random = 3;
    churn(&random, 2000);
    EXPECT(pthread_create(&thread, NULL, last_main, (void *)7) == 0);
    pthread_exit(NULL);
}

/* --- signals --- */

static __thread volatile sig_atomic_t inside; /* the malloc family */
static volatile long handled, handled_outside;

/* Never allocates where it interrupts an allocation; else it may. */
static void handler(int number)
{
    (void)number;
    int saved = errno;
    handled++;
    if (!inside) {
        handled_outside++;
        void *block = malloc((size_t)(handled * 37 % 5000));
        free(malloc(100));
        EXPECT(block != NULL);
        free(block);
    }
    errno = saved;
}

static void *interrupted_main(void *seed)
{
    uint64_t random = (uintptr_t)seed + 3;
    volatile uint64_t work = 0;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        inside = 1;
        churn(&random, 5);
        inside = 0;
        for (int i = 0; i < 2000; i++)
            work += (uint64_t)i;
    }
    EXPECT(work > 0);
    return NULL;
}

static void signals(void)
{
    pthread_t threads[3];
    struct sigaction action = {.sa_handler = handler}; /* no SA_RESTART: waits are interrupted */
    sigaction(SIGUSR1, &action, NULL);
    stop = 0;
    for (uintptr_t i = 0; i < 3; i++)
        EXPECT(pthread_create(&threads[i], NULL, interrupted_main, (void *)i) == 0);
    for (int i = 0; i < 200000 && (handled < 2000 || handled_outside < 200); i++) {
        pthread_kill(threads[i % 3], SIGUSR1);
        usleep(50);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    EXPECT(handled >= 2000 && handled_outside >= 200);
    drop_shared();
}

/* --- little room --- */

static void *cramped_main(void *seed)
{
    uint64_t random = (uintptr_t)seed + 3;
    churn(&random, 1500);
    malloc_trim(0);
    struct mallinfo2 info = mallinfo2();
    EXPECT(info.uordblks + info.hblkhd > 0);
    return NULL;
}

static void tiny_stacks(void)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    EXPECT(pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN) == 0);
    for (int round = 0; round < 5; round++) {
        pthread_t threads[4];
        for (uintptr_t i = 0; i < 4; i++)
            EXPECT(pthread_create(&threads[i], &attributes, cramped_main, (void *)i) == 0);
        for (int i = 0; i < 4; i++)
            pthread_join(threads[i], NULL);
    }
    drop_shared();
}

static size_t mapped(void)
{
    char text[64] = {0};
    FILE *file = fopen("/proc/self/statm", "r");
    EXPECT(file != NULL && fgets(text, sizeof text, file) != NULL);
    fclose(file);
    return strtoul(text, NULL, 10) * 4096;
}

/* Takes until there is no more, frees all, and can have it again in another size. */
static void *eats_all(void *seed)
{
    static const size_t sizes[] = {60, 900, 30000, 200000, 5000000};
    for (size_t i = 0; i < 10; i++) {
        size_t size = sizes[(i + (uintptr_t)seed) % 5], count = 0;
        void **first = NULL, **block;
        errno = 0;
        while ((block = malloc(size)) != NULL) {
            *block = first;
            first = block;
            count++;
        }
        EXPECT(errno == ENOMEM);
        EXPECT(i < 5 || count > 0 || seed != NULL);
        for (; first != NULL; first = block) {
            block = *first;
            errno = 0;
            free(first);
            EXPECT(errno == 0);
        }
    }
    return NULL;
}

/* They begin together: the stack of the last one must be mapped before the first has eaten. */
static pthread_barrier_t all_there;

static void *eats_with_others(void *seed)
{
    pthread_barrier_wait(&all_there);
    return eats_all(seed);
}

static void address_space(void)
{
    pthread_t threads[3];
    pthread_barrier_init(&all_there, NULL, 3);
    free(malloc(1));
    struct rlimit limit = {mapped() + ((rlim_t)96 << 20), RLIM_INFINITY};
    EXPECT(setrlimit(RLIMIT_AS, &limit) == 0);
    eats_all(NULL); /* alone: each size gets what the one before had */
    limit.rlim_cur = mapped() + ((rlim_t)96 << 20);
    EXPECT(setrlimit(RLIMIT_AS, &limit) == 0);
    for (uintptr_t i = 0; i < 3; i++)
        EXPECT(pthread_create(&threads[i], NULL, eats_with_others, (void *)(i + 1)) == 0);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    eats_all(NULL);
    void *all = malloc((size_t)50 << 20);
    EXPECT(all != NULL);
    free(all);
}

/* `count` blocks of zeros, filled then. */
static void take_zeros(void **blocks, int count, size_t size)
{
    for (int i = 0; i < count; i++) {
        unsigned char *block = calloc(1, size);
        EXPECT(block != NULL && block[0] == 0 && memcmp(block, block + 1, size - 1) == 0);
        blocks[i] = memset(block, 0xa5, size);
    }
}

static void free_some(void **blocks, int count, int first, int step)
{
    for (int i = first; i < count; i += step) {
        free(blocks[i]);
        blocks[i] = NULL;
    }
}

/* The system refuses to take pages back that are locked: what is given out as zero must be. Most of
 * every page is free, then all, and what follows gets the same pages. */
static void locked(void)
{
    static void *blocks[3000];
    if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0) {
        puts("locked: fine"); /* may not */
        exit(0);
    }
    for (int round = 0; round < 6; round++) {
        take_zeros(blocks, 3000, (size_t)(200 + 900 * round));
        for (int i = 1; i < 100; i++)
            free_some(blocks, 3000, i, 100);
        malloc_trim(0);
        free_some(blocks, 3000, 0, 100);
        take_zeros(blocks, 600, 40000);
        free_some(blocks, 600, 0, 1);
        malloc_trim(0);
    }
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } cases[] = {
        {"forks", forks},
        {"atfork", atfork},
        {"destructors", destructors},
        {"main_ends", main_ends},
        {"signals", signals},
        {"tiny_stacks", tiny_stacks},
        {"address_space", address_space},
        {"locked", locked},
        {"plugins", plugins},
        {"opened", opened},
    };
    path = argc > 2 ? argv[2] : NULL;
    for (size_t i = 0; argc > 1 && i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(argv[1], "--list") == 0) {
            puts(cases[i].name);
        } else if (strcmp(argv[1], cases[i].name) == 0) {
            alarm(100);
            cases[i].run();
            printf("%s: fine\n", cases[i].name);
            return 0;
        }
    }
    return argc > 1 && strcmp(argv[1], "--list") == 0 ? 0 : 2;
}
