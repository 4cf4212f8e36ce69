/* Blocks that grow: buffers from small to huge, strings by a few bytes, vectors beside one another.
 */
#include "allocator/bench/kernel.h"

static char *regrow(char *block, size_t from, size_t to)
{
    block = realloc(block, to);
    if (block == NULL)
        abort();
    if (to > from)
        memset(block + from, 1, to - from);
    return used(block);
}

/* By a half each time, to between 1 and 64 MiB. */
static void grow_half(uint64_t *state)
{
    for (int round = 0; round < 60; round++) {
        size_t size = 16, end = (size_t)1 << random_between(state, 20, 26);
        char *buffer = regrow(NULL, 0, size);
        while (size < end) {
            buffer = regrow(buffer, size, size + size / 2);
            size += size / 2;
        }
        free(buffer);
    }
}

/* By a fixed step, beside other blocks that come and go. */
static void grow_step(uint64_t *state)
{
    void *others[32] = {NULL};
    for (int round = 0; round < 80; round++) {
        size_t step = random_between(state, 3000, 9000), size = 0;
        char *buffer = NULL;
        for (int i = 0; i < 2500; i++) {
            buffer = regrow(buffer, size, size + step);
            size += step;
            size_t other = random_below(state, 32);
            free(others[other]);
            others[other] = take(mixed_size(state, 9));
        }
        free(buffer);
    }
    for (int i = 0; i < 32; i++)
        free(others[i]);
}

/* Text to 100 KB that grows by a few bytes at a time. */
static void grow_bytes(uint64_t *state)
{
    for (int round = 0; round < 2500; round++) {
        size_t end = random_between(state, 1000, 200000), size = 0;
        char *text = NULL;
        while (size < end) {
            size_t more = random_between(state, 1, 24);
            text = regrow(text, size, size + more);
            size += more;
        }
        free(text);
    }
}

struct vector {
    char *data;
    size_t size, room;
};

/* Many vectors that double, at random, shrink to fit and are dropped. */
static void vectors(uint64_t *state)
{
    enum { count = 3000 };
    static struct vector all[count];
    for (long i = 0; i < 12000000; i++) {
        struct vector *one = &all[random_below(state, count)];
        size_t more = random_between(state, 4, 40);
        if (one->size + more > one->room) {
            size_t room = one->room == 0 ? 16 : one->room * 2;
            while (room < one->size + more)
                room *= 2;
            one->data = realloc(one->data, room);
            one->room = room;
        }
        memset(one->data + one->size, 2, more);
        one->size += more;
        size_t fate = random_below(state, 2000);
        if (fate == 0) {
            one->data = realloc(one->data, one->size);
            one->room = one->size;
        } else if (fate < 4) {
            free(one->data);
            *one = (struct vector){NULL, 0, 0};
        }
    }
    for (int i = 0; i < count; i++)
        free(all[i].data);
}

static char *word(uint64_t *state)
{
    size_t length = random_between(state, 1, 14);
    char *text = malloc(length + 1);
    for (size_t i = 0; i < length; i++)
        text[i] = (char)('a' + (next_random(state) & 15));
    text[length] = 0;
    return text;
}

/* a + " " + b, as a language without string builders does it. */
static char *joined(char *left, char *right)
{
    size_t first = strlen(left), second = strlen(right);
    char *text = malloc(first + second + 2);
    memcpy(text, left, first);
    text[first] = ' ';
    memcpy(text + first + 1, right, second + 1);
    free(left);
    free(right);
    return used(text);
}

/* Lines are put together from words, some are kept, and taken apart again. */
static void strings(uint64_t *state)
{
    enum { lines = 5000 };
    static char *kept[lines];
    for (int i = 0; i < 500000; i++) {
        char *line = word(state);
        for (size_t words = random_between(state, 2, 14); words > 0; words--)
            line = joined(line, word(state));
        size_t slot = random_below(state, lines);
        if (kept[slot] != NULL) {
            char *rest = kept[slot], *part;
            while ((part = strsep(&rest, " ")) != NULL)
                free(used(strdup(part)));
        }
        free(kept[slot]);
        kept[slot] = line;
    }
    for (int i = 0; i < lines; i++)
        free(kept[i]);
}

const struct kernel grow_kernels[] = {
    {"realloc-half", "one buffer from 16 bytes to 64 MiB, by a half each time", grow_half},
    {"realloc-step", "one buffer to 20 MB by a few KB each time, others beside", grow_step},
    {"realloc-bytes", "text to 200 KB by a few bytes each time", grow_bytes},
    {"vectors", "3,000 vectors that double, shrink to fit, go", vectors},
    {"strings", "string building and splitting", strings},
    {NULL, NULL, NULL},
};
