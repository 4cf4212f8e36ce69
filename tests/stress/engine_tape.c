/*
 * Writes a random tape for the engine's tests and prints how many calls of each kind a replay of it
 * must make, counted here, by other code than the engine's.
 *
 *     engine_tape OUT EVENTS LIVE LANES CROSS [short] [huge] [zero] [nulls]
 *                 [seed=N]
 *
 * LIVE: object ids in use; CROSS: percent of uses by another lane than the last one's; "short":
 * lanes come one after the other, none at the same time as another but the first; "huge": some
 * blocks of megabytes and a few of more than 4 GiB; "zero": some reallocs to nothing that keep the
 * object; "nulls": every call is free(NULL).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "traces/writer.h"

static uint64_t state = UINT64_C(88172645463325252);

static uint64_t random_below(uint64_t limit)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (state >> 11) % limit;
}

struct object {
    bool live;
    uint32_t lane;
};

static uint64_t made[TAPE_EVENT_KIND_LIMIT];

static bool with_huge, with_zero;

static uint64_t random_size(void)
{
    if (with_huge && !random_below(60))
        return 1000000 + random_below(7000000);
    if (!random_below(200))
        return 0;
    if (!random_below(100))
        return random_below(400000);
    return 1 + random_below(UINT64_C(16) << random_below(8));
}

/* What happens to a live object. */
static void use(struct tape_event *event, struct object *object)
{
    static const uint8_t kinds[] = {TAPE_FREE,        TAPE_FREE,        TAPE_FREE, TAPE_FREE,
                                    TAPE_FREE,        TAPE_FREE,        TAPE_FREE, TAPE_REALLOC,
                                    TAPE_USABLE_SIZE, TAPE_REALLOC_FREE};
    event->kind = kinds[random_below(sizeof(kinds))];
    if (event->kind == TAPE_REALLOC)
        event->size = with_zero && !random_below(10) ? 0 : 1 + random_size();
    object->live = !tape_kind_frees(event->kind);
}

static void begin(struct tape_event *event, struct object *object)
{
    static const uint8_t kinds[] = {TAPE_MALLOC, TAPE_MALLOC, TAPE_MALLOC,      TAPE_MALLOC,
                                    TAPE_CALLOC, TAPE_MALLOC, TAPE_REALLOC_NEW, TAPE_ALIGNED};
    event->kind = kinds[random_below(sizeof(kinds))];
    event->size = random_size();
    if (event->kind == TAPE_ALIGNED)
        event->align_log2 = (uint8_t)(3 + random_below(10));
    if (with_huge && event->kind == TAPE_MALLOC && !random_below(1500))
        event->size = (UINT64_C(4) << 30) + random_below(5000);
    object->live = true;
}

/* Calls without an object. */
static void other(struct tape_event *event)
{
    static const uint8_t kinds[] = {TAPE_FREE_NULL, TAPE_FREE_NULL, TAPE_FAILED, TAPE_FREE_FOREIGN};
    event->kind = kinds[random_below(sizeof(kinds))];
    event->object = TAPE_NO_OBJECT;
    if (event->kind == TAPE_FAILED)
        event->size = UINT64_C(1) << 60;
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return 2;
    uint64_t events = strtoull(argv[2], NULL, 10);
    uint32_t live = (uint32_t)atoi(argv[3]), lanes = (uint32_t)atoi(argv[4]);
    uint32_t cross = (uint32_t)atoi(argv[5]);
    bool brief = false, nulls = false;
    for (int i = 6; i < argc; i++) {
        brief |= !strcmp(argv[i], "short");
        with_huge |= !strcmp(argv[i], "huge");
        with_zero |= !strcmp(argv[i], "zero");
        nulls |= !strcmp(argv[i], "nulls");
        if (!strncmp(argv[i], "seed=", 5))
            state += strtoull(argv[i] + 5, NULL, 10) * UINT64_C(0x9e3779b97f4a7c15);
    }
    struct tape_writer *writer;
    struct tape_error error;
    struct object *objects = calloc(live + 1, sizeof(*objects));
    if (!objects || tape_writer_open(argv[1], NULL, 0, NULL, &writer, &error))
        return 4;
    for (uint64_t i = 0; i < events; i++) {
        struct tape_event event = {.time_ns = i * 50, .object = 1 + (uint32_t)random_below(live)};
        struct object *object = &objects[event.object];
        /* The lanes come in their order; short ones have their stretch of the tape each. */
        uint32_t known = i < lanes ? (uint32_t)i + 1 : lanes;
        uint32_t now = brief ? (uint32_t)(i * lanes / events) : (uint32_t)random_below(known);
        if (brief && !random_below(4))
            now = 0;
        event.lane = i < lanes && !brief ? (uint32_t)i : now;
        if (object->live && !brief && random_below(100) >= cross)
            event.lane = object->lane;
        if (nulls) {
            event.kind = TAPE_FREE_NULL;
            event.object = TAPE_NO_OBJECT;
        } else if (!random_below(50))
            other(&event);
        else if (object->live)
            use(&event, object);
        else
            begin(&event, object);
        object->lane = event.lane;
        made[event.kind]++;
        if (tape_writer_put(writer, &event, &error))
            return 4;
    }
    if (tape_writer_close(writer, true, NULL, 0, &error))
        return 4;
    printf("malloc %" PRIu64 "\ncalloc %" PRIu64 "\nrealloc %" PRIu64 "\naligned %" PRIu64
           "\nfree %" PRIu64 "\nusable %" PRIu64 "\nskipped %" PRIu64 "\n",
           made[TAPE_MALLOC], made[TAPE_CALLOC],
           made[TAPE_REALLOC_NEW] + made[TAPE_REALLOC] + made[TAPE_REALLOC_FREE],
           made[TAPE_ALIGNED], made[TAPE_FREE] + made[TAPE_FREE_NULL], made[TAPE_USABLE_SIZE],
           made[TAPE_FAILED] + made[TAPE_FREE_FOREIGN]);
    return 0;
}
