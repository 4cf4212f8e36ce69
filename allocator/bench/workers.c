/* Threads for the workloads (kernel.h). */
#include <pthread.h>
#include "allocator/bench/kernel.h"

struct start {
    struct worker worker;
    void (*main)(struct worker *worker);
    pthread_t thread;
};

static void *worker_main(void *of)
{
    struct start *start = of;
    start->main(&start->worker);
    return NULL;
}

void run_workers(int count, uint64_t *state, void (*main)(struct worker *worker))
{
    struct start starts[16];
    if (count > (int)(sizeof starts / sizeof *starts))
        abort();
    for (int i = 0; i < count; i++) {
        starts[i].worker = (struct worker){i, random_branch(state)};
        starts[i].main = main;
        if (pthread_create(&starts[i].thread, NULL, worker_main, &starts[i]) != 0)
            abort();
    }
    for (int i = 0; i < count; i++)
        pthread_join(starts[i].thread, NULL);
}
