/*
 * Call sites on their way from a raw tape, where they are return addresses, to a tape, where they
 * are names (FORMAT.md, "Call sites"). Keeps every stack, 8 bytes a frame. One thread.
 */
#ifndef HEAPTAPE_TRACES_RAW_SITES_H
#define HEAPTAPE_TRACES_RAW_SITES_H

#include <stddef.h>
#include "traces/format.h"
#include "traces/symbol.h"
#include "traces/writer.h"

struct raw_object {
    uint64_t begin, end, bias;
    char *path;
};

struct raw_sites {
    uint64_t *words; /* the stacks: number of frames, frames; one after the other */
    uint64_t *stack; /* of site number n: where in `words`, plus 1; 0: not known */
    struct raw_object *objects;
    size_t word_count, word_capacity, stack_count, stack_capacity, object_count;
};

void raw_sites_end(struct raw_sites *sites);
/* Takes the payload of a RAW_SITES or RAW_OBJECTS block in; what makes no sense is left out. False:
 * no memory. */
bool raw_sites_take(struct raw_sites *sites, const struct format_block_header *header,
                    const void *payload);
/* Writes all, with what `find` says of each address (NULL: addresses only). */
enum tape_status raw_sites_write(const struct raw_sites *sites, struct tape_writer *writer,
                                 symbol_finder *find, void *context, struct tape_error *error);

#endif
