/*
 * A race of 8 threads that hand blocks on: each takes a block from a common pool slot, frees or
 * reallocs it, allocates another and puts it there. Addresses are used again at once by other
 * threads, so an order that is wrong by one event shows as an address live twice or a free of
 * nothing.
 *
 *     record_race [EVENTS_PER_THREAD]
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 8, SLOTS = 16 };

static _Atomic(void *) slot[SLOTS];
static unsigned events;

static void *race(void *argument)
{
    uint64_t state = 1234567 + (uintptr_t)argument * 97;
    for (unsigned i = 0; i < events; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        unsigned which = (unsigned)(state >> 33) % SLOTS;
        size_t size = 1031 + (state >> 40) % 4 * 16;
        void *block = atomic_exchange(&slot[which], NULL);
        switch ((state >> 50) % 4) {
        case 0:
            block = realloc(block, size);
            break;
        default:
            free(block);
            block = malloc(size);
        }
        block = atomic_exchange(&slot[(which + 1) % SLOTS], block);
        free(block);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    events = argc > 1 ? (unsigned)atoi(argv[1]) : 3000;
    pthread_t thread[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&thread[i], NULL, race, (void *)i))
            return 2;
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < SLOTS; i++)
        free(slot[i]);
    puts("done");
    return 0;
}
