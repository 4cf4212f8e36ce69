/*
 * Writes a tape from lines "KIND OBJECT SIZE LANE" on stdin, for tests that count by hand:
 *     make_tape OUT.tape [PROGRAM] < events
 * KIND is a word of event.h ("malloc", "free", ...). Event number i happens at i milliseconds.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "traces/cli.h"
#include "traces/writer.h"

static unsigned kind_named(const char *word)
{
    for (unsigned kind = 1; kind < TAPE_EVENT_KIND_LIMIT; kind++)
        if (!strcmp(tape_kind_name(kind), word))
            return kind;
    cli_die(HEAPTAPE_EXIT_USAGE, "no kind of event: %s", word);
}

int main(int argc, char **argv)
{
    struct tape_meta meta[] = {{"program", argc > 2 ? argv[2] : "by-hand"}};
    struct tape_writer *writer;
    struct tape_error error;
    uint64_t size, index = 0;
    unsigned object, lane;
    char word[32];

    cli_begin("make_tape");
    if (argc < 2)
        cli_die_usage("no file given");
    if (tape_writer_open(argv[1], meta, 1, NULL, &writer, &error) != TAPE_OK)
        cli_die_error(&error);
    while (scanf("%31s %u %" SCNu64 " %u", word, &object, &size, &lane) == 4) {
        struct tape_event event = {.kind = (uint8_t)kind_named(word),
                                   .object = object,
                                   .size = size,
                                   .lane = lane,
                                   .time_ns = index++ * 1000000};
        if (tape_writer_put(writer, &event, &error) != TAPE_OK)
            cli_die_error(&error);
    }
    if (tape_writer_close(writer, true, NULL, 0, &error) != TAPE_OK)
        cli_die_error(&error);
    return 0;
}
