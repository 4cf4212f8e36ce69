/* Marks between allocations of known sizes; argument "threads": marks by four threads at once. */
#include "recorder/heaptape.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void *volatile kept;

static void allocate(int times, size_t size)
{
    for (int i = 0; i < times; i++) {
        kept = malloc(size);
        free(kept);
    }
}

static void *run_thread(void *name)
{
    for (int i = 0; i < 50; i++) {
        heaptape_mark(name);
        allocate(3, 1031);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    (void)argv;
    static char names[4][8] = {"one", "two", "three", "four"};
    pthread_t thread[4];
    char longest[300];
    if (argc > 1) {
        for (int i = 0; i < 4; i++)
            pthread_create(&thread[i], NULL, run_thread, names[i]);
        for (int i = 0; i < 4; i++)
            pthread_join(thread[i], NULL);
        return 0;
    }
    heaptape_mark("begin");
    allocate(100, 1031);
    heaptape_mark("ph\xc3\xa4se 2, \"quoted\"\nand more");
    allocate(200, 1047);
    for (size_t i = 0; i < sizeof longest; i++)
        longest[i] = (char)('a' + i % 26);
    longest[sizeof longest - 1] = '\0';
    heaptape_mark(longest);
    heaptape_mark("");
    allocate(50, 1063);
    puts("done");
    return 0;
}
