#include "recorder/collector/call_sites.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Words of stacks that go into one block. */
enum { WORDS_MAX = 16384, LINE_MAX_BYTES = 512 };

static enum tape_status write_objects(struct call_sites *sites, struct raw_writer *writer,
                                      struct tape_error *error)
{
    struct ring_sites *table = sites->table;
    uint32_t count = atomic_load_explicit(&table->object_count, memory_order_acquire);
    enum tape_status status = TAPE_OK;
    for (; sites->objects < count && sites->objects < RING_OBJECTS && status == TAPE_OK;
         sites->objects++) {
        const struct ring_object *object = &table->object[sites->objects];
        char line[LINE_MAX_BYTES];
        int bytes = snprintf(line, sizeof line, "%" PRIx64 " %" PRIx64 " %" PRIx64 " %.*s\n",
                             object->begin, atomic_load(&object->end), object->bias,
                             (int)sizeof object->path - 1, object->path);
        status = raw_writer_object(writer, line, (size_t)bytes, error);
    }
    return status;
}

/* The words of one site; 0: it is not whole. */
static uint64_t words_of(const struct call_sites *sites, uint32_t number)
{
    uint32_t depth = sites->table->depth;
    const uint64_t *stack = ring_sites_stack(sites->table, depth, number);
    uint64_t count = __atomic_load_n(&stack[0], __ATOMIC_ACQUIRE);
    return count && count <= depth ? count + 1 : 0;
}

enum tape_status call_sites_write(struct call_sites *sites, struct raw_writer *writer, bool last,
                                  struct tape_error *error)
{
    struct ring_sites *table = sites->table;
    if (!table || table->depth == 0 || table->depth > RING_SITE_DEPTH_MAX)
        return TAPE_OK;
    uint32_t depth = table->depth, capacity = ring_sites_capacity(depth);
    uint32_t claimed = atomic_load_explicit(&table->claimed, memory_order_acquire);
    static uint64_t words[WORDS_MAX];
    enum tape_status status = write_objects(sites, writer, error);
    while (status == TAPE_OK && sites->sites < claimed && sites->sites < capacity) {
        size_t used = 0;
        uint32_t first = sites->sites + 1;
        for (; sites->sites < claimed && sites->sites < capacity && used + depth + 1 <= WORDS_MAX;
             sites->sites++) {
            uint64_t count = words_of(sites, sites->sites + 1);
            if (!count && !last)
                break;
            memcpy(words + used, ring_sites_stack(table, depth, sites->sites + 1), 8 * count);
            words[used] = count ? count - 1 : 0;
            used += count ? count : 1;
        }
        if (!used)
            break;
        status = raw_writer_sites(writer, first, sites->sites + 1 - first, words, used, error);
    }
    return status;
}
