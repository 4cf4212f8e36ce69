/*
 * Android's memory_replay: one call a line,
 *     THREAD: malloc ADDRESS BYTES            THREAD: free ADDRESS
 *     THREAD: calloc ADDRESS COUNT BYTES      THREAD: realloc NEW OLD BYTES
 *     THREAD: memalign ADDRESS ALIGN BYTES    THREAD: thread_done 0x0
 * with, in newer ones, the begin and end of the call in nanoseconds behind it.
 */
#include <string.h>

#include "traces/convert/convert.h"

static bool recognizes(const char *line)
{
    uint64_t thread;
    return convert_number(&line, 10, &thread) && line[0] == ':';
}

/* ADDRESS and up to `most` numbers behind it; returns how many, -1 where something else stands
 * there. */
static int numbers(const char *at, uint64_t *address, uint64_t *value, int most)
{
    int count = 0;
    if (!convert_number(&at, 16, address))
        return -1;
    while (*at && count < most) {
        if (!convert_number(&at, 0, &value[count]))
            return -1;
        count++;
    }
    return *at ? -1 : count;
}

static unsigned log2_of(uint64_t value)
{
    return value ? 63 - (unsigned)__builtin_clzll(value) : 0;
}

struct call {
    const char *word;
    int values; /* numbers behind the address, without the times */
};
static const struct call calls[] = {{"malloc", 1},   {"calloc", 2}, {"realloc", 2},
                                    {"memalign", 2}, {"free", 0},   {"thread_done", 0}};

static void take_call(struct convert *convert, uint64_t thread, unsigned which, uint64_t address,
                      const uint64_t *value)
{
    uint64_t product;
    switch (which) {
    case 0:
        convert_put(convert, thread, RAW_MALLOC, address, value[0], 0);
        break;
    case 1:
        if (__builtin_mul_overflow(value[0], value[1], &product))
            product = UINT64_MAX;
        convert_put(convert, thread, RAW_CALLOC, address, product, 0);
        break;
    case 2:
        convert_realloc(convert, thread, value[0], address, value[1]);
        break;
    case 3:
        convert_put(convert, thread, RAW_ALIGNED, address, value[1], log2_of(value[0]));
        break;
    case 4:
        convert_put(convert, thread, RAW_FREE, address, 0, 0);
        break;
    default: /* a thread's end is no call */
        break;
    }
}

static const char *take_line(struct convert *convert, const char *line)
{
    uint64_t thread, address, value[4] = {0};
    if (!convert_number(&line, 10, &thread) || *line++ != ':')
        return "no thread number and colon in front";
    while (*line == ' ' || *line == '\t')
        line++;
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (!convert_word(&line, calls[i].word))
            continue;
        int count = numbers(line, &address, value, calls[i].values + 2);
        if (count != calls[i].values && count != calls[i].values + 2)
            return "not the numbers that this call has";
        if (count > calls[i].values)
            convert_time(convert, value[calls[i].values + 1]);
        take_call(convert, thread, i, address, value);
        return NULL;
    }
    return "not a call that memory_replay has";
}

const struct convert_format convert_android = {
    "android",
    "Android memory_replay",
    recognizes,
    take_line,
};
