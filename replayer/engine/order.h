/*
 * What an event of a tape with several lanes has to wait for, and where its block's pointer is
 * kept.
 *
 * Dependencies. A use of an object by another thread than the one that used it last waits for that
 * use. Both are in the same window, or the earlier one is done anyway: a window begins when the one
 * before has ended. What a thread has waited for once it knows ("seen"), so a hand-over of many
 * blocks costs one wait. Waits point to earlier events of the tape only, hence no circle and no
 * deadlock.
 *
 * Drift. Lanes that share no object may drift apart in replay, and then the live set at a moment is
 * not the recorded one. In memory mode, where that matters and time does not, all lanes meet every
 * so many events of the tape (order_drift()): one operation waits for the latest of each, and each
 * goes on only after that one.
 *
 * Slots. Ids of objects are used again by whoever allocates next; taken as slots they would make
 * lanes wait for each other without cause. So a slot that was freed stays with the thread that
 * freed it, which may use it again without waiting. Where a thread has freed very many (it consumes
 * what others produce) the oldest of them are given to whoever needs some, by the thousand, with
 * one wait for all: so the table of slots stays near the peak of live objects.
 */
#ifndef HEAPTAPE_REPLAYER_ORDER_H
#define HEAPTAPE_REPLAYER_ORDER_H

#include <stdbool.h>
#include <stdint.h>
#include "replayer/engine/pages.h"
#include "replayer/engine/window.h"

/* A use: which thread, which operation, in which window. Window 0 = never. */
struct order_use {
    uint32_t window, thread, index;
};

struct order_object {
    uint32_t slot;
    struct order_use last;
};

/* Slots of one owner, linked through the order's `next` table. */
struct order_slots {
    uint32_t top, count; /* top: newest; 0 = none (slot 0 is never given) */
};

struct order_batch {
    struct order_slots slots;
    struct order_use freed; /* the latest of the frees */
};

struct order {
    struct window *window;
    uint32_t window_number; /* from 1 */
    bool strict;
    struct order_use previous;           /* strict: the event before */
    uint32_t meet_stride, since_meeting; /* events; stride 0 = never */
    uint32_t meetings;
    bool meeting;                            /* the operation to be put is one */
    struct order_use met;                    /* the latest one */
    uint32_t met_by[WINDOW_THREADS];         /* the latest one that the thread waited for */
    struct order_use latest[WINDOW_THREADS]; /* each thread's latest operation */
    struct pages objects;                    /* struct order_object by object id */
    struct pages next;                       /* uint32_t by slot */
    struct pages batches;                    /* ring of struct order_batch, oldest first */
    uint32_t batch_first, batch_count, batch_capacity;
    uint32_t slots; /* given so far: the size of the slot table */
    struct order_slots freed[WINDOW_THREADS];
    uint32_t seen[WINDOW_THREADS][WINDOW_THREADS]; /* [who][of whom]: position waited for */
};

void order_open(struct order *order, struct window *window, bool strict);
/* All threads meet every `events` of them, the more the more threads there are. */
void order_drift(struct order *order, uint32_t events);
/* A window begins: everything before it is done. */
void order_window(struct order *order);
/*
 * Before an event of `thread` is put: strict order's wait for the event before it, or a meeting (in
 * memory mode always for the event at which R has its `peak`, so that R, U, H and P are of that
 * moment). order_new: a slot for the object that the event begins. order_old: the slot of the
 * object that it uses. Both may put waits.
 */
void order_event(struct order *order, uint32_t thread, bool peak);
uint32_t order_new(struct order *order, uint32_t thread, uint32_t object);
uint32_t order_old(struct order *order, uint32_t thread, uint32_t object);
/* After its operation was put at `index`. `object` 0 = it has none; `ends`: it freed the object. */
void order_done(struct order *order, uint32_t thread, uint32_t object, uint32_t index, bool ends);

#endif
