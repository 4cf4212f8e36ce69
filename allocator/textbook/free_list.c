#include "free_list.h"

#include "options.h"

static struct block heads[LISTS];
static struct block *rover; /* next fit: where the next search begins */

void list_begin(void)
{
    for (unsigned i = 0; i < LISTS; i++)
        heads[i] = (struct block){.next = &heads[i], .prev = &heads[i]};
    rover = &heads[0];
}

unsigned list_count(void)
{
    return options.fit == FIT_SEGREGATED ? LISTS : 1;
}

unsigned list_class(size_t bytes)
{
    unsigned class = 0;
    if (options.fit != FIT_SEGREGATED)
        return 0;
    while (class < LISTS - 1 && bytes > BLOCK_LEAST << class)
        class ++;
    return class;
}

static void insert_before(struct block *block, struct block *place)
{
    block->next = place;
    block->prev = place->prev;
    block->prev->next = block;
    place->prev = block;
}

/*
 * What follows the block on its list by address. Two ways lead there: along the list from its
 * front, and along memory to the next free block; both are gone at once, and the shorter is taken.
 * The second only where there is one list, and while memory does not end.
 */
static struct block *behind(struct block *head, const struct block *block)
{
    struct block *listed = head->next, *near = block_after(block);
    bool whole = list_count() == 1;
    while (listed != head && listed < block) {
        if (whole && !block_is_used(near))
            return near;
        listed = listed->next;
        near = near->tag & TAG_FENCE ? near : block_after(near);
    }
    return listed;
}

void list_insert(struct block *block, struct block *place)
{
    struct block *head = &heads[list_class(block_bytes(block))];
    if (options.order != ORDER_ADDRESS)
        place = options.order == ORDER_LIFO ? head->next : head;
    else if (!place || list_count() > 1)
        place = behind(head, block);
    insert_before(block, place);
}

void list_remove(struct block *block)
{
    if (rover == block)
        rover = block->next;
    block->prev->next = block->next;
    block->next->prev = block->prev;
}

void list_replace(struct block *old, struct block *now, unsigned old_class)
{
    struct block *place = old->next;
    bool rove = rover == old;
    list_remove(old);
    if (old_class != list_class(block_bytes(now)))
        list_insert(now, NULL);
    else
        insert_before(now, place);
    if (rove)
        rover = now;
}

static struct block *find_first(struct block *head, size_t bytes)
{
    for (struct block *block = head->next; block != head; block = block->next)
        if (block_bytes(block) >= bytes)
            return block;
    return NULL;
}

/* Once around the ring. The head's tag is 0: it is never large enough. */
static struct block *find_next(size_t bytes)
{
    struct block *start = rover, *block = start;
    do {
        if (block_bytes(block) >= bytes)
            return rover = block;
        block = block->next;
    } while (block != start);
    return NULL;
}

static struct block *find_best(struct block *head, size_t bytes)
{
    struct block *best = NULL;
    for (struct block *block = head->next; block != head; block = block->next) {
        if (block_bytes(block) == bytes)
            return block;
        if (block_bytes(block) > bytes && (!best || block_bytes(block) < block_bytes(best)))
            best = block;
    }
    return best;
}

static struct block *find_worst(struct block *head, size_t bytes)
{
    struct block *worst = head;
    for (struct block *block = head->next; block != head; block = block->next)
        if (block_bytes(block) > block_bytes(worst))
            worst = block;
    return block_bytes(worst) >= bytes ? worst : NULL;
}

struct block *list_find(size_t bytes)
{
    struct block *block = NULL;
    switch (options.fit) {
    case FIT_NEXT:
        return find_next(bytes);
    case FIT_BEST:
        return find_best(&heads[0], bytes);
    case FIT_WORST:
        return find_worst(&heads[0], bytes);
    default:
        for (unsigned i = list_class(bytes); i < list_count() && !block; i++)
            block = find_first(&heads[i], bytes);
        return block;
    }
}

struct block *list_first(unsigned list)
{
    return list_next(list, &heads[list]);
}

struct block *list_next(unsigned list, const struct block *block)
{
    return block->next == &heads[list] ? NULL : block->next;
}
