/*
 * The planned operation: what the replay loop runs. Eight bytes each, so that the loop reads little
 * and decodes nothing; whatever does not fit is in a side table.
 *
 * Slots. A slot is where the loop keeps a live block's pointer. In a tape of one lane the slot is
 * the object's id; otherwise the plan names slots anew (order.h), so that two lanes never meet at a
 * slot only because an id was used again.
 *
 * Quads. Four plain mallocs and frees in a row are run as one: the first one's code says which of
 * the sixteen patterns it is, the other three keep their own codes. One dispatch, and so at most
 * one mispredicted branch, instead of four.
 *
 * Positions. The operations of a window lie in one array. A thread's operations have growing
 * indices in it, so "thread T has done operation i" is `published(T) > i`. Only operations that
 * some other thread waits for are published.
 */
#ifndef HEAPTAPE_REPLAYER_OP_H
#define HEAPTAPE_REPLAYER_OP_H

#include <stdint.h>

#define PLAN_SLOT_BITS 27
#define PLAN_SLOT_MASK ((UINT32_C(1) << PLAN_SLOT_BITS) - 1)
#define PLAN_QUADS     16  /* codes below: bit i set = the quad's operation i is a free */
#define PLAN_CLOCK     257 /* a thread that nobody runs and that never publishes */

enum plan_code {
    PLAN_MALLOC = PLAN_QUADS, /* size > 0 */
    PLAN_FREE,        /* size: of the block where the plan tracks sizes, capped; else nothing */
    PLAN_CALLOC,      /* size > 0 */
    PLAN_REALLOC_NEW, /* realloc(NULL, size), size > 0 */
    PLAN_REALLOC,     /* size > 0; nothing but the first byte of it is touched */
    PLAN_FREE_NULL,
    PLAN_USABLE_SIZE,
    PLAN_MALLOC_PUBLISH, /* another thread waits for it */
    PLAN_FREE_PUBLISH,
    PLAN_EXTENDED, /* size = index in the side table */
    /* From here on no allocator call: */
    PLAN_WAIT,     /* until thread `slot` has published a position of at least `size`; where `slot`
                      is PLAN_CLOCK, until the moment at index size - 1 of the side table */
    PLAN_START,    /* let thread `slot` begin its lane */
    PLAN_PROGRESS, /* `size` operations done since the last one; in memory mode a chance to sample
                    */
    PLAN_NEXT,     /* go on at index `size` */
    PLAN_END,
    PLAN_CODE_LIMIT
};
_Static_assert(PLAN_CODE_LIMIT <= 32, "five bits of code");

struct plan_op {
    uint32_t head; /* slot | code << PLAN_SLOT_BITS */
    uint32_t size; /* bytes, or as the code says */
};
_Static_assert(sizeof(struct plan_op) == 8, "eight operations a cache line");

enum plan_side_kind {
    PLAN_SIDE_MALLOC,
    PLAN_SIDE_CALLOC,
    PLAN_SIDE_ALIGNED,
    PLAN_SIDE_REALLOC_NEW,
    PLAN_SIDE_REALLOC,      /* to `size`, from `old_size` */
    PLAN_SIDE_REALLOC_FREE, /* realloc(p, 0) that freed when recorded */
    PLAN_SIDE_FREE,
    PLAN_SIDE_FREE_NULL,
    PLAN_SIDE_USABLE_SIZE,
};

#define PLAN_SIDE_PUBLISH  1  /* another thread waits for it */
#define PLAN_SIDE_SAMPLE   2  /* R peaks here: sample after it */
#define PLAN_SIDE_SNAPSHOT 4  /* a chance for a snapshot after it */
#define PLAN_SIDE_ASKED    8  /* a snapshot after it, whatever it costs */
#define PLAN_SIDE_PAUSE    16 /* the program did nothing for long after it: sample */

/* A call in its long form; or a moment of PLAN_CLOCK's. */
struct plan_side {
    union {
        uint64_t size;
        uint64_t due_ns; /* moment: since the first operation (timetable.h) */
    };
    union {
        uint64_t old_size;
        uint64_t operations; /* moment: that no later one holds back */
    };
    uint8_t kind; /* enum plan_side_kind */
    uint8_t align_log2;
    uint8_t flags;
    uint8_t reserved[5];
};
_Static_assert(sizeof(struct plan_side) == 24, "no padding");

static inline struct plan_op plan_op_make(enum plan_code code, uint32_t slot, uint32_t size)
{
    return (struct plan_op){slot | (uint32_t)code << PLAN_SLOT_BITS, size};
}
static inline unsigned plan_op_code(struct plan_op op)
{
    return op.head >> PLAN_SLOT_BITS;
}
static inline uint32_t plan_op_slot(struct plan_op op)
{
    return op.head & PLAN_SLOT_MASK;
}

/* The long form of a call that is not PLAN_EXTENDED. */
static inline struct plan_side plan_side_of(struct plan_op op)
{
    static const uint8_t kinds[PLAN_CODE_LIMIT] = {
        [PLAN_MALLOC] = PLAN_SIDE_MALLOC,
        [PLAN_MALLOC_PUBLISH] = PLAN_SIDE_MALLOC,
        [PLAN_FREE] = PLAN_SIDE_FREE,
        [PLAN_FREE_PUBLISH] = PLAN_SIDE_FREE,
        [PLAN_CALLOC] = PLAN_SIDE_CALLOC,
        [PLAN_REALLOC_NEW] = PLAN_SIDE_REALLOC_NEW,
        [PLAN_REALLOC] = PLAN_SIDE_REALLOC,
        [PLAN_FREE_NULL] = PLAN_SIDE_FREE_NULL,
        [PLAN_USABLE_SIZE] = PLAN_SIDE_USABLE_SIZE,
    };
    unsigned code = plan_op_code(op);
    int published = code == PLAN_MALLOC_PUBLISH || code == PLAN_FREE_PUBLISH;
    return (struct plan_side){
        .kind = kinds[code], .size = op.size, .flags = published ? PLAN_SIDE_PUBLISH : 0};
}

#endif
