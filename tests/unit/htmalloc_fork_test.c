/* fork() at the worst moment: while another thread is inside a system call with a lock held, and
 * while it stands between any two instructions of malloc and free. Linked with the debug build. */
#include "allocator/htmalloc/htmalloc.h"
#include "allocator/htmalloc/os.h"
#include "tests/unit/check.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) != 0)
        continue;
}

/* False when nothing came within so many milliseconds. */
static bool wait_up_to(sem_t *semaphore, long milliseconds)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += milliseconds * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    while (sem_timedwait(semaphore, &until) != 0) {
        if (errno == ETIMEDOUT)
            return false;
    }
    return true;
}

/* What a child does with the heap that it has inherited. */
static int use_heap(void)
{
    void *blocks[200];
    alarm(20);
    if (!ht_validate())
        return 1;
    for (size_t i = 0; i < 200; i++)
        blocks[i] = ht_malloc(i % 20 == 0 ? 1500000 : i * 61);
    for (size_t i = 0; i < 200; i++)
        ht_free(blocks[i]);
    ht_trim(0);
    return ht_validate() ? 0 : 2;
}

/* The child's exit status. */
static int fork_and_use(void)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(use_heap());
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

/* --- a lock is held --- */

static sem_t inside, go_on, forked;
static enum os_call hooked;
static __thread bool is_caller;
static int child_status;

static void hold(enum os_call kind)
{
    if (kind != hooked || !is_caller)
        return;
    is_caller = false;
    sem_post(&inside);
    wait_for(&go_on);
}

static void *call_main(void *of)
{
    void (*const *call)(void) = of;
    is_caller = true;
    (*call)();
    return NULL;
}

static void *fork_main(void *unused)
{
    child_status = fork_and_use();
    sem_post(&forked);
    return unused;
}

static void *volatile block;

static void grow_huge(void)
{
    block = ht_realloc(ht_malloc(2000000), 200000000);
    ht_free(block);
}

/* Until there is no room in any segment. */
static void fill_segments(void)
{
    void **first = NULL;
    while (is_caller) {
        void **next = ht_malloc(500000);
        *next = first;
        first = next;
    }
    for (void **next; first != NULL; first = next) {
        next = *first;
        ht_free(first);
    }
}

/* Half of each page, in many blocks, so that trimming works under the heap's lock. */
static void trim_runs(void)
{
    static void *blocks[4000];
    for (size_t i = 0; i < 4000; i++)
        blocks[i] = ht_malloc(1000);
    for (size_t i = 0; i < 4000; i++) {
        if (i % 40 != 0)
            ht_free(blocks[i]);
    }
    ht_trim(0);
    for (size_t i = 0; i < 4000; i += 40)
        ht_free(blocks[i]);
}

/* fork() must wait until the thread comes out of the call, and the child finds all in order. */
static void fork_waits(void (*call)(void), enum os_call kind)
{
    pthread_t calling, forking;
    sem_init(&inside, 0, 0);
    sem_init(&go_on, 0, 0);
    sem_init(&forked, 0, 0);
    hooked = kind;
    __atomic_store_n(&os_hook, hold, __ATOMIC_RELEASE);
    CHECK_EQ_INT(pthread_create(&calling, NULL, call_main, &call), 0);
    CHECK(wait_up_to(&inside, 5000));
    CHECK_EQ_INT(pthread_create(&forking, NULL, fork_main, NULL), 0);
    CHECK(!wait_up_to(&forked, 100));
    sem_post(&go_on);
    pthread_join(calling, NULL);
    pthread_join(forking, NULL);
    CHECK_EQ_INT(child_status, 0);
    __atomic_store_n(&os_hook, NULL, __ATOMIC_RELEASE);
    CHECK(ht_validate());
}

static void test_huge_lock(void)
{
    fork_waits(grow_huge, OS_REMAP);
}
static void test_span_lock(void)
{
    fork_waits(fill_segments, OS_MAP);
}
static void test_heap_lock(void)
{
    fork_waits(trim_runs, OS_PURGE);
}

/* --- between any two instructions --- */

#ifdef __x86_64__

static sem_t stopped, resume, resumed;
static int skipped; /* steps not to stop at, behind one at which a lock was held */

/* After each instruction of the thread that steps. Holds it there until the other has forked; where
 * that takes long it waits for a lock of this thread's. */
static void stop_here(int number)
{
    (void)number;
    int saved = errno;
    if (skipped > 0) {
        skipped--;
        return;
    }
    sem_post(&stopped);
    if (!wait_up_to(&resume, 200))
        skipped = 100;
    sem_post(&resumed);
    errno = saved;
}

/* The processor's trap flag; below what the compiler keeps under the stack pointer. */
#define STEPPING(on)                                                                               \
    __asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; " on "; popfq; lea 128(%%rsp), %%rsp" ::     \
                         : "memory", "cc")
#define STEP_BEGIN() STEPPING("orq $0x100, (%%rsp)")
#define STEP_END()   STEPPING("andq $~0x100, (%%rsp)")

#define OWN    600
#define OTHERS 8
static void *others[OTHERS];

static void free_stepping(void *address)
{
    STEP_BEGIN();
    ht_free(address);
    STEP_END();
}

/* Frees to full and to partial runs of its own, of another thread's the first and the next of a
 * run; takes some. */
static void *stepping_main(void *finished)
{
    static void *own[OWN];
    void *volatile taken;
    for (int i = 0; i < OWN; i++)
        own[i] = ht_malloc(64);
    for (int i = 0; i < 3; i++)
        free_stepping(own[i]); /* the first run is full */
    for (int i = 3; i < 100; i++)
        ht_free(own[i]); /* now it is partial */
    for (int i = 100; i < 103; i++)
        free_stepping(own[i]);
    for (int i = 0; i < OTHERS; i++)
        free_stepping(others[i]);
    for (int i = 0; i < 2; i++) {
        STEP_BEGIN();
        taken = ht_malloc(64);
        STEP_END();
        ht_free(taken);
    }
    for (int i = 103; i < OWN; i++)
        ht_free(own[i]);
    *(bool *)finished = true;
    sem_post(&stopped);
    return NULL;
}

/* A child at each instruction; how many there were. */
static unsigned fork_at_each(bool *finished)
{
    for (unsigned steps = 0;; steps++) {
        wait_for(&stopped);
        if (*finished)
            return steps;
        if (!CHECK_EQ_INT(fork_and_use(), 0)) {
            printf("at step %u\n", steps);
            skipped = INT_MAX; /* one is enough */
        }
        sem_post(&resume);
        wait_for(&resumed);
        while (sem_trywait(&resume) == 0)
            continue; /* it had gone on by itself */
    }
}

static void test_every_instruction(void)
{
    struct sigaction action = {.sa_handler = stop_here};
    bool finished = false;
    pthread_t thread;
    sigaction(SIGTRAP, &action, NULL);
    sem_init(&stopped, 0, 0);
    sem_init(&resume, 0, 0);
    sem_init(&resumed, 0, 0);
    for (int i = 0; i < OTHERS; i++)
        others[i] = ht_malloc(1000);
    CHECK_EQ_INT(pthread_create(&thread, NULL, stepping_main, &finished), 0);
    CHECK_LE_U64(300, fork_at_each(&finished));
    pthread_join(thread, NULL);
    CHECK(ht_validate());
}

#else
static void test_every_instruction(void) {}
#endif

int main(void)
{
    RUN(test_huge_lock);
    RUN(test_span_lock);
    RUN(test_heap_lock);
    RUN(test_every_instruction);
    return CHECK_MAIN_END();
}
