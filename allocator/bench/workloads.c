/*
 * The kernels' front: `workloads NAME [SEED]` runs one, `workloads --list` names all with a line on
 * each, separated by a tab.
 */
#include <stdio.h>
#include "allocator/bench/kernel.h"

static const struct kernel *const files[] = {
    churn_kernels,     lifetime_kernels, grow_kernels,   large_kernels,
    structure_kernels, passing_kernels,  server_kernels, thread_kernels,
};

static const struct kernel *kernel_named(const char *name)
{
    for (size_t file = 0; file < sizeof files / sizeof *files; file++) {
        for (const struct kernel *kernel = files[file]; kernel->name != NULL; kernel++) {
            if (name == NULL)
                printf("%s\t%s\n", kernel->name, kernel->what);
            else if (strcmp(kernel->name, name) == 0)
                return kernel;
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        kernel_named(NULL);
        return 0;
    }
    const struct kernel *kernel = argc > 1 ? kernel_named(argv[1]) : NULL;
    if (kernel == NULL) {
        fputs("usage: workloads NAME [SEED], or workloads --list\n", stderr);
        return 2;
    }
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
    if (state == 0)
        state = 1;
    for (int i = 0; i < 8; i++)
        next_random(&state);
    kernel->run(&state);
    return 0;
}
