#include "recorder/preload/lane.h"

#include "recorder/preload/next.h"
#include "recorder/preload/process.h"
#include "recorder/preload/syscalls.h"

__thread struct thread_self self = {.state = THREAD_NEW};

/* Takes another lane for this thread and keeps it in the thread's list. */
static struct ring_lane *take_lane(bool spare)
{
    struct ring_lane *lane = process_take_lane(spare);
    if (!lane)
        return NULL;
    lane->next = self.lanes;
    self.lanes = lane;
    return lane;
}

static void force_look_up(struct ring_lane *lane)
{
    atomic_store_explicit(&lane->limit, 0, memory_order_relaxed);
}

/* For a handler that interrupted a call on self.lane: one that no interrupted call is using. */
static struct ring_lane *spare_lane(void)
{
    self.lane->busy = 1;
    force_look_up(self.lane); /* whatever comes on it after what we record has a later stamp */
    for (struct ring_lane *lane = self.lanes; lane; lane = lane->next)
        if (!lane->busy) {
            force_look_up(lane);
            return lane;
        }
    return take_lane(true);
}

static struct ring_lane *lane_for(enum thread_state state)
{
    if (!process_ready())
        return NULL;
    /* In a forked child the list is empty by now, whatever the parent's thread was doing. */
    return state == THREAD_INSIDE && self.lane ? spare_lane() : take_lane(false);
}

__attribute__((noinline, cold)) struct ring_lane *lane_enter_slow(const void *caller)
{
    enum thread_state state = self.state;
    if (state == THREAD_VFORK || state == THREAD_OFF || state == THREAD_STARTING)
        return NULL;
    if (state == THREAD_INSIDE && next_is_caller(caller))
        return NULL;
    struct ring_lane *lane = lane_for(state);
    if (!lane) {
        self.state = THREAD_OFF;
        return NULL;
    }
    self.lane = lane;
    self.state = THREAD_INSIDE;
    return lane;
}

/* wiped.recording is 0: a forked child's first event, or recording has stopped. */
__attribute__((noinline, cold)) struct ring_lane *lane_record_unready(struct ring_lane *lane)
{
    if (!lane || !process_ready())
        return NULL;
    if (self.lane) /* another thread, or a handler, was here first */
        return self.lane;
    self.lane = take_lane(false);
    return self.lane;
}

/* Waits until the collector has made room. Signals are let in: a handler has a lane of its own. */
static bool wait_for_room(struct ring_lane *lane, uint64_t head)
{
    for (unsigned i = 0;; i++) {
        uint64_t tail = atomic_load_explicit(&lane->tail, memory_order_acquire);
        if (head - tail <= RING_WORDS - RING_STRIDE - 2 * RING_SLACK)
            return true;
        if (i < 64) {
            __builtin_ia32_pause();
            continue;
        }
        if (process_collector_gone())
            return false;
        atomic_store(&lane->waiting, 1);
        process_ring_doorbell();
        if (atomic_load(&lane->tail) == tail)
            raw_futex_wait(&lane->waiting, 1, 2000000);
    }
}

/*
 * The producer looks up every RING_STRIDE words: is there room, should the collector wake, must
 * we stop; and the lane gets a stamp. The stamp is taken before the next record's owner is looked
 * at, or that record could be keyed later than another lane's which took the region in between.
 */
__attribute__((noinline, cold)) bool lane_look_up(struct ring_lane *lane)
{
    if (!lane->chunk) { /* a ring of the parent's, covered in the child */
        process_count_lost_event();
        if (self.lane == lane) { /* the next event begins anew */
            self.lane = self.lanes = NULL;
            self.state = THREAD_NEW;
        }
        return false;
    }
    if (atomic_load_explicit(&lane->chunk->stop, memory_order_relaxed)) {
        process_stop();
        return false;
    }
    uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);
    uint64_t used = head - atomic_load_explicit(&lane->tail, memory_order_acquire);
    if (used >= RING_WORDS / 2)
        process_ring_doorbell();
    if (used > RING_WORDS - RING_STRIDE - 2 * RING_SLACK && !wait_for_room(lane, head)) {
        process_stop();
        return false;
    }
    lane->site = RING_SITE_NOT_SAID; /* said anew, so that a lost block costs no more than itself */
    /* A full fence: the stamp is later than the limit's being seen, see drain.c. */
    atomic_store_explicit(&lane->limit, head + RING_STRIDE, memory_order_seq_cst);
    head += lane_put_stamp(lane, head, clock_stamp());
    atomic_store_explicit(&lane->head, head, memory_order_release);
    return true;
}

/*
 * The thread is not on the lane that this call was on: a handler interrupted it and took a spare
 * one, or recording has stopped.
 */
__attribute__((noinline, cold)) void lane_leave_slow(struct ring_lane *lane)
{
    if (!lane) {
        if (!wiped.recording)
            self.state = THREAD_OFF;
        return;
    }
    if (!lane->chunk) { /* a handler forked, we are the child, and it has its own lane already */
        self.ready = self.lane;
        return;
    }
    self.ready = NULL;
    signal_fence();
    force_look_up(lane); /* a stamp first: what the handler recorded came before */
    lane->busy = 0;
    self.lane = lane;
    signal_fence();
    self.ready = lane;
}

struct ring_lane *lane_mark(struct ring_lane *lane, const char *text, size_t bytes)
{
    if (!wiped.recording)
        lane = lane_record_unready(lane);
    if (!lane || !lane_look_up(lane))
        return NULL;
    uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);
    lane_put(lane, head++, raw_word_tagged(RAW_MARK, bytes));
    for (size_t at = 0; at < bytes; at += sizeof(uint64_t)) {
        uint64_t word = 0;
        size_t left = bytes - at;
        __builtin_memcpy(&word, text + at, left < sizeof word ? left : sizeof word);
        lane_put(lane, head++, word);
    }
    atomic_store_explicit(&lane->head, head, memory_order_release);
    return lane;
}
