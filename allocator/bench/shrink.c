/*
 * How fast memory comes back: `shrink SIZE`. Allocates 120 MiB of blocks, frees all but one in
 * 2,000, then goes on with a little work and prints the resident MiB after 0, 100, 200 and 300 ms
 * of it, and after malloc_trim(0).
 */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double resident_mib(void)
{
    char text[128];
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;
    if (file != NULL) {
        if (fgets(text, sizeof text, file) != NULL)
            sscanf(text, "%*d %ld", &pages);
        fclose(file);
    }
    return (double)pages * 4096 / (1 << 20);
}

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Activity of the plainest kind: one block, again and again. */
static void work_until(double end)
{
    while (now_ms() < end) {
        for (int i = 0; i < 1000; i++) {
            void *block = malloc(48);
            __asm__ volatile("" : : "r"(block) : "memory");
            free(block);
        }
    }
}

int main(int argc, char **argv)
{
    size_t size = argc > 1 ? strtoul(argv[1], NULL, 0) : 64;
    size_t count = ((size_t)120 << 20) / size;
    void **blocks = malloc(count * sizeof *blocks);
    for (size_t i = 0; i < count; i++)
        blocks[i] = memset(malloc(size), 1, size);
    double most = resident_mib();
    for (size_t i = 0; i < count; i++) {
        if (i % 2000 != 0)
            free(blocks[i]);
    }
    double start = now_ms(), after[4];
    for (int i = 0; i < 4; i++) {
        work_until(start + i * 100);
        after[i] = resident_mib();
    }
    malloc_trim(0);
    double table = (double)(count * sizeof *blocks) / (1 << 20);
    printf("size %zu: full %.1f, after 0 ms %.1f, 100 ms %.1f, 200 ms %.1f, 300 ms %.1f, "
           "malloc_trim %.1f MiB, less %.1f MiB of the test's own table\n",
           size, most - table, after[0] - table, after[1] - table, after[2] - table,
           after[3] - table, resident_mib() - table, table);
    return 0;
}
