/*
 * How fast memory comes back: `shrink SIZE TRIM` allocates 120 MiB of blocks of SIZE bytes (0: of
 * 16 to 256 bytes), frees all but one in 2,000, then either goes on with a little work for 300 ms
 * (TRIM 0) or calls malloc_trim(0) at once (TRIM 1). Prints the resident MiB when full, right after
 * freeing, and at the end. The table of the blocks' addresses (8 bytes a block) is counted in all.
 */
#include <malloc.h>
#include <stdio.h>
#include <time.h>
#include "allocator/bench/kernel.h"

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

/* Activity of a plain kind: a few hundred blocks come and go. */
static void work_until(double end, uint64_t *state)
{
    enum { slots = 300 };
    void *blocks[slots] = {NULL};
    while (now_ms() < end) {
        for (int i = 0; i < 1000; i++) {
            size_t slot = random_below(state, slots);
            free(blocks[slot]);
            blocks[slot] = take(mixed_size(state, 5));
        }
    }
    for (int i = 0; i < slots; i++)
        free(blocks[i]);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fputs("usage: shrink SIZE TRIM\n", stderr);
        return 2;
    }
    size_t size = strtoul(argv[1], NULL, 0);
    size_t count = ((size_t)120 << 20) / (size != 0 ? size : 136);
    uint64_t state = 88172645463325252u;
    char **blocks = malloc(count * sizeof *blocks);
    for (size_t i = 0; i < count; i++) {
        size_t bytes = size != 0 ? size : random_between(&state, 16, 256);
        blocks[i] = memset(used(malloc(bytes)), 1, bytes);
    }
    double full = resident_mib();
    for (size_t i = 0; i < count; i++) {
        if (i % 2000 != 0)
            free(blocks[i]);
    }
    double freed = resident_mib();
    if (strcmp(argv[2], "1") == 0)
        malloc_trim(0);
    else
        work_until(now_ms() + 300, &state);
    printf("%.2f %.2f %.2f\n", full, freed, resident_mib());
    free(blocks);
    return 0;
}
