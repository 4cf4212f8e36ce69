/*
 *     tape_blocks TAPE < OPERATIONS > CSV
 *
 * What the live blocks of a tape take without any allocator's doing, after each of the operations
 * on standard input (ascending numbers, one a line; 0 is before the first): the bytes asked for,
 * the number of blocks, and their bytes were each as small as its kind can be:
 *
 *     block_bytes_0    rounded up to 16, the alignment that malloc owes
 *     block_bytes_8    with 8 bytes of header in front, rounded up to 16, 32 at least (libc)
 *     block_bytes_16   with 16 bytes of tags, rounded up to 16, 32 at least (the textbook's)
 *
 * Operations are counted as replay does. Exit status 3 where the tape cannot be read.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "traces/error.h"
#include "traces/reader.h"
#include "traces/track.h"

#define HEADERS 3
static const uint64_t header[HEADERS] = {0, 8, 16}, least[HEADERS] = {16, 32, 32};

static struct {
    uint64_t operation, requested, blocks, bytes[HEADERS];
} now;

static uint64_t block_bytes(uint64_t size, unsigned kind)
{
    uint64_t bytes = (size + header[kind] + 15) & ~UINT64_C(15);
    return bytes < least[kind] ? least[kind] : bytes;
}

/* One block more, or one less. */
static void count(uint64_t size, bool more)
{
    now.requested += more ? size : -size;
    now.blocks += more ? 1 : UINT64_C(-1);
    for (unsigned i = 0; i < HEADERS; i++)
        now.bytes[i] += more ? block_bytes(size, i) : -block_bytes(size, i);
}

static void take(const struct tape_event *event, const struct tape_track_object *before)
{
    if (tape_kind_frees(event->kind) || event->kind == TAPE_REALLOC)
        count(before->size, false);
    if (tape_kind_allocates(event->kind) || event->kind == TAPE_REALLOC)
        count(event->size, true);
    now.operation++;
}

/* Prints the state for each number asked for that has come; false where no more are. */
static bool answer(void)
{
    static uint64_t asked;
    static bool open, done;
    while (!done) {
        if (!open)
            done = scanf("%" SCNu64, &asked) != 1;
        open = !done;
        if (done || asked > now.operation)
            break;
        printf("%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "\n", asked,
               now.requested, now.blocks, now.bytes[0], now.bytes[1], now.bytes[2]);
        open = false;
    }
    return !done;
}

static enum tape_status run(struct tape_reader *reader, struct tape_track *track,
                            struct tape_error *error)
{
    const struct tape_event *events;
    size_t batch;
    enum tape_status status;
    while ((status = tape_reader_next(reader, &events, &batch, error)) == TAPE_OK)
        for (size_t i = 0; i < batch; i++) {
            struct tape_track_object before;
            if (tape_track_event(track, &events[i], &before) != TAPE_TRACK_USE ||
                events[i].kind == TAPE_FAILED || events[i].kind == TAPE_FREE_FOREIGN)
                continue;
            take(&events[i], &before);
            if (!answer())
                return TAPE_END;
        }
    return status;
}

int main(int count_arguments, char **arguments)
{
    struct tape_reader *reader;
    struct tape_error error;
    struct tape_track track;
    if (count_arguments != 2)
        return fputs("tape_blocks TAPE < OPERATIONS\n", stderr), 2;
    if (tape_reader_open(arguments[1], &reader, &error) != TAPE_OK)
        return fprintf(stderr, "tape_blocks: %s: %s\n", arguments[1], error.message), 3;
    puts("operation,requested_bytes,blocks,block_bytes_0,block_bytes_8,block_bytes_16");
    tape_track_init(&track);
    answer();
    enum tape_status status = run(reader, &track, &error);
    tape_track_end(&track);
    tape_reader_close(reader);
    if (status != TAPE_END)
        return fprintf(stderr, "tape_blocks: %s: %s\n", arguments[1], error.message), 3;
    return 0;
}
