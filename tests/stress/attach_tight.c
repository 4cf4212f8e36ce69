/*
 * One thread in the allocator nearly all the time, with every kind of call, for about SECONDS.
 * Contents are checked. Prints "wrong 0", and ends with 7.
 *
 *     attach_tight SECONDS
 */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LIVE = 64, ROUNDS = 1000 };

struct block {
    unsigned char *bytes;
    size_t count;
};

static uint64_t state = 88172645463325252u, wrong;

static unsigned next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state >> 16);
}

static void check(const struct block *block)
{
    if (block->count && (block->bytes[0] != (block->count & 0xff) ||
                         block->bytes[block->count - 1] != (block->count & 0xff)))
        wrong++;
}

static void set(struct block *block, void *bytes, size_t count)
{
    block->bytes = bytes;
    block->count = bytes ? count : 0;
    if (block->count)
        block->bytes[0] = block->bytes[count - 1] = (unsigned char)count;
}

static void *allocate(size_t count)
{
    switch (next_random() % 4) {
    case 0:
        return calloc(1, count);
    case 1:
        return memalign(64, count);
    default:
        return malloc(count);
    }
}

static void change(struct block *block)
{
    size_t count = 1 + next_random() % (next_random() % 100 ? 600 : 200000);
    check(block);
    if (block->bytes && next_random() % 3 == 0) {
        set(block, realloc(block->bytes, count), count);
        return;
    }
    free(block->bytes);
    set(block, allocate(count), count);
}

int main(int argc, char **argv)
{
    static struct block live[LIVE];
    double seconds = argc > 1 ? atof(argv[1]) : 1;
    struct timespec begin, now;
    puts("up");
    fflush(stdout);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        for (unsigned i = 0; i < ROUNDS; i++)
            change(&live[next_random() % LIVE]);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - begin.tv_sec) + (double)(now.tv_nsec - begin.tv_nsec) / 1e9 <
             seconds);
    for (unsigned i = 0; i < LIVE; i++)
        free(live[i].bytes);
    printf("wrong %llu\n", (unsigned long long)wrong);
    return 7;
}
