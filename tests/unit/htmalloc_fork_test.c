/* fork() at the worst moment: while another thread is inside a system call with a lock held, and
 * while it stands between any two instructions of malloc and free. Linked with the debug build. */
#include "allocator/htmalloc/htmalloc.h"
#include "allocator/htmalloc/os.h"
#include "tests/unit/check.h"

#include <errno.h>
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

/* --- between two instructions --- */

static sem_t stopped, resume, resumed;
static bool done;

/* Holds the thread where it is, unless the one that forks waits for a lock of this thread's. */
static void stop_here(int number)
{
    (void)number;
    int saved = errno;
    sem_post(&stopped);
    wait_up_to(&resume, 50);
    sem_post(&resumed);
    errno = saved;
}

/* Frees of full runs for the most part, which count differently from others; and now and then all,
 * so that runs become partial and empty. */
static void *busy_main(void *unused)
{
    static void *blocks[3000];
    uint64_t random = 1;
    for (size_t round = 0; !__atomic_load_n(&done, __ATOMIC_RELAXED); round++) {
        size_t size = 16 + round % 8 * 48;
        for (int i = 0; i < 30000; i++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            size_t at = (random >> 33) % 3000;
            ht_free(blocks[at]);
            blocks[at] = ht_malloc(size);
        }
        for (int i = 0; i < 3000; i++) {
            ht_free(blocks[i * 7 % 3000]);
            blocks[i * 7 % 3000] = NULL;
        }
    }
    return unused;
}

#define OTHERS 40000
static void *others[OTHERS];
static bool filled;

static void free_others(void)
{
    for (size_t i = 0; i < OTHERS; i++) {
        ht_free(others[i]);
        others[i] = NULL;
    }
}

static void *sending_main(void *unused)
{
    while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
        if (!__atomic_load_n(&filled, __ATOMIC_ACQUIRE))
            continue;
        free_others();
        __atomic_store_n(&filled, false, __ATOMIC_RELEASE);
    }
    return unused;
}

static void fork_midway(void *(*work)(void *), int times)
{
    struct sigaction action = {.sa_handler = stop_here};
    pthread_t thread;
    sigaction(SIGUSR1, &action, NULL);
    sem_init(&stopped, 0, 0);
    sem_init(&resume, 0, 0);
    sem_init(&resumed, 0, 0);
    done = false;
    CHECK_EQ_INT(pthread_create(&thread, NULL, work, NULL), 0);
    for (int i = 0; i < times; i++) {
        if (work == sending_main && !__atomic_load_n(&filled, __ATOMIC_ACQUIRE)) {
            for (size_t j = 0; j < OTHERS; j++)
                others[j] = ht_malloc(20 + j % 100);
            __atomic_store_n(&filled, true, __ATOMIC_RELEASE);
        }
        pthread_kill(thread, SIGUSR1);
        wait_for(&stopped);
        if (!CHECK_EQ_INT(fork_and_use(), 0))
            times = 0;
        sem_post(&resume);
        wait_for(&resumed);
        while (sem_trywait(&resume) == 0)
            continue; /* it had gone on by itself */
    }
    __atomic_store_n(&done, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    free_others();
    CHECK(ht_validate());
}

static void test_midway_in_own(void)
{
    fork_midway(busy_main, 400);
}
static void test_midway_in_others(void)
{
    fork_midway(sending_main, 300);
}

int main(void)
{
    RUN(test_huge_lock);
    RUN(test_span_lock);
    RUN(test_heap_lock);
    RUN(test_midway_in_own);
    RUN(test_midway_in_others);
    return CHECK_MAIN_END();
}
