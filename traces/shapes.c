#include "traces/shapes.h"

#include <stdlib.h>
#include <string.h>

#include "traces/codec.h"

/* A shape must stand for so many events to be worth its entry, and for so large a share of them. */
enum { LEAST_EVENTS = 4, LEAST_SHARE = 2048, REFERENCE_MAX = 256 };
/* As many keys can have the share that is least: it is rounded down, from LEAST_EVENTS on. */
enum { CANDIDATES_MAX = LEAST_SHARE + LEAST_SHARE / LEAST_EVENTS };

/* In place of a token: there is none; a plain one will be needed. */
enum { NO_TOKEN = -1, MARKED = -2 };

static bool is_candidate(const struct shape_key *key)
{
    /* An id that was not predicted is a one-off; so is nearly every far reference. */
    uint32_t most = key->how ? 2 * REFERENCE_MAX : REFERENCE_MAX; /* with a sign */
    return !(tape_kind_allocates(key->kind) && key->reference) && key->reference < most;
}

static uint32_t hash(const struct shape_key *key)
{
    uint64_t words[2];
    memcpy(words, key, sizeof words);
    uint64_t mixed = (words[0] * UINT64_C(0x9e3779b97f4a7c15)) ^
                     ((words[1] + 0x7f4a7c15) * UINT64_C(0xd6e8feb86659fd93));
    return (uint32_t)((mixed ^ mixed >> 29) * UINT64_C(0x9e3779b97f4a7c15) >> 40);
}

static bool same(const struct shape_key *a, const struct shape_key *b)
{
    return !memcmp(a, b, sizeof *a);
}

static uint32_t find(const struct shape_counter *shapes, const struct shape_key *key)
{
    uint32_t at = hash(key) % SHAPE_SLOTS;
    while (shapes->slots[at].epoch == shapes->epoch && !same(&shapes->slots[at].key, key))
        at = (at + 1) % SHAPE_SLOTS;
    return at;
}

static int16_t *plain_of(struct shape_counter *shapes, const struct shape_key *key)
{
    unsigned which = tape_kind_allocates(key->kind)  ? key->reference != 0
                     : key->how == FORMAT_SHAPE_STEP ? 1
                     : key->how == FORMAT_SHAPE_FAR  ? 2
                                                     : 0;
    return key->kind == TAPE_ALIGNED ? &shapes->plain_aligned[key->align_log2][which]
                                     : &shapes->plain[key->kind][which];
}

static void add_shape(struct shape_counter *shapes, uint8_t flags, const struct shape_key *key)
{
    uint32_t token = shapes->count++;
    shapes->flags[token] = flags | key->how;
    shapes->aligns[token] = key->align_log2;
    shapes->sizes[token] = flags & FORMAT_SHAPE_SIZE ? 0 : key->size;
    shapes->references[token] = flags & FORMAT_SHAPE_REFERENCE ? 0 : key->reference;
}

static uint8_t plain_flags(const struct shape_key *key)
{
    bool apart = tape_kind_allocates(key->kind) && key->reference;
    bool refers = codec_refers(key->kind) || apart;
    return (uint8_t)(key->kind | (codec_has_size(key->kind) ? FORMAT_SHAPE_SIZE : 0) |
                     (refers ? FORMAT_SHAPE_REFERENCE : 0));
}

/* ---- choosing ----------------------------------------------------------------------------------
 */

struct candidate {
    uint32_t count, first; /* the event that had it first */
};

/* Most frequent first; what came first among equals, so that the same events give the same bytes.
 */
static int by_count(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

/*
 * Counts every key; lists those that are frequent enough. Marks the plain shapes that occur at all:
 * so much of the dictionary is kept free for them.
 */
static uint32_t count_keys(struct shape_counter *shapes, const struct shape_key *keys,
                           uint32_t count, struct candidate *candidates, uint32_t *ret_plain)
{
    uint32_t least = count / LEAST_SHARE > LEAST_EVENTS ? count / LEAST_SHARE : LEAST_EVENTS;
    uint32_t found = 0, plain_found = 0;
    for (uint32_t i = 0; i < count; i++) {
        int16_t *plain = plain_of(shapes, &keys[i]);
        plain_found += *plain == NO_TOKEN;
        *plain = MARKED;
        if (!is_candidate(&keys[i])) {
            shapes->slot_of[i] = SHAPE_SLOTS;
            continue;
        }
        uint32_t at = shapes->slot_of[i] = find(shapes, &keys[i]);
        struct shape_slot *slot = &shapes->slots[at];
        if (slot->epoch != shapes->epoch) {
            if (shapes->used == SHAPE_SLOTS_USED) {
                shapes->slot_of[i] = SHAPE_SLOTS;
                continue;
            }
            shapes->used++;
            *slot = (struct shape_slot){keys[i], shapes->epoch, 0, NO_TOKEN, i};
        }
        if (++slot->count == least)
            candidates[found++].first = slot->first;
    }
    for (uint32_t i = 0; i < found; i++)
        candidates[i].count = shapes->slots[shapes->slot_of[candidates[i].first]].count;
    *ret_plain = plain_found;
    return found;
}

static void begin(struct shape_counter *shapes)
{
    if (++shapes->epoch == 0) { /* slots of an epoch long ago must not come alive again */
        memset(shapes->slots, 0, sizeof shapes->slots);
        shapes->epoch = 1;
    }
    shapes->count = shapes->used = 0;
    memset(shapes->plain, 0xff, sizeof shapes->plain);
    memset(shapes->plain_aligned, 0xff, sizeof shapes->plain_aligned);
}

void shapes_choose(struct shape_counter *shapes, const struct shape_key *keys, uint32_t count,
                   uint8_t *tokens)
{
    struct candidate candidates[CANDIDATES_MAX];
    uint32_t plain_found;
    begin(shapes);
    uint32_t found = count_keys(shapes, keys, count, candidates, &plain_found);
    uint32_t room = FORMAT_SHAPES_MAX - plain_found;
    qsort(candidates, found, sizeof *candidates, by_count);
    for (uint32_t i = 0; i < found && i < room; i++) {
        const struct shape_key *key = &keys[candidates[i].first];
        shapes->slots[shapes->slot_of[candidates[i].first]].token = (int32_t)shapes->count;
        add_shape(shapes, key->kind, key);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = shapes->slot_of[i];
        int32_t token = slot < SHAPE_SLOTS ? shapes->slots[slot].token : NO_TOKEN;
        if (token < 0) {
            int16_t *plain = plain_of(shapes, &keys[i]);
            if (*plain < 0) {
                *plain = (int16_t)shapes->count;
                add_shape(shapes, plain_flags(&keys[i]), &keys[i]);
            }
            token = *plain;
        }
        tokens[i] = (uint8_t)token;
    }
}
