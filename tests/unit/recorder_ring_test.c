/*
 * The preload's lanes and a consumer beside them in one process and at the same addresses, so that
 * ThreadSanitizer sees both ends of a ring: eight threads publish records while one drains them as
 * the collector does. Every word must come out whole, once and in its lane's order, through rings
 * that run full, and no access to one may race.
 *
 * The hooks are not linked in: under a sanitizer malloc is its own.
 */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "recorder/collector/session.h"
#include "recorder/preload/lane.h"
#include "recorder/preload/process.h"
#include "tests/unit/check.h"

enum { THREADS = 8, RECORDS = 200000 };

static struct session session;
static _Atomic(struct ring_lane *) lane_of[THREADS];
static _Atomic unsigned ended;
static uint64_t wrong_words, drained[THREADS], stamps;

static uint64_t address_of(uint64_t thread, uint64_t i)
{
    return (thread + 1) << 40 | (i % 4096) << 4; /* regions change hands seldom, and do */
}

static bool publish(unsigned kind, uint64_t thread, uint64_t i)
{
    const void *address = (const void *)(uintptr_t)address_of(i % 5 ? thread : 77, i);
    if (i % 3 == 0 && lane_record_fast(kind, address, i & 0xffff))
        return true;
    struct ring_lane *lane = lane_enter();
    if (!lane)
        return false;
    atomic_store(&lane_of[thread], lane);
    lane = lane_record(lane, kind, address, i & 0xffff, 0);
    lane_leave(lane);
    return lane;
}

static void *produce(void *argument)
{
    uint64_t thread = (uint64_t)(uintptr_t)argument, done = 0;
    for (uint64_t i = 0; i < RECORDS; i++)
        done += publish(RAW_MALLOC, thread, i);
    CHECK_EQ_U64(done, RECORDS);
    atomic_fetch_add(&ended, 1);
    return NULL;
}

/* As drain.c's drain_lane(). */
static void drain_one(unsigned thread)
{
    struct ring_lane *lane = atomic_load(&lane_of[thread]);
    if (!lane)
        return;
    uint64_t head = atomic_load_explicit(&lane->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&lane->tail, memory_order_relaxed);
    for (uint64_t at = tail; at < head; at++) {
        uint64_t word = lane->words[at & (RING_WORDS - 1)];
        if (word >> RAW_WORD_TAG_SHIFT == RAW_STAMP) {
            stamps++;
            continue;
        }
        uint64_t i = drained[thread]++;
        uint64_t address = address_of(i % 5 ? thread : 77, i);
        wrong_words += word != raw_word_short(RAW_MALLOC, address, i & 0xffff);
    }
    atomic_store(&lane->tail, head);
    if (atomic_exchange(&lane->waiting, 0))
        session_wake(&lane->waiting);
}

static void *consume(void *unused)
{
    (void)unused;
    for (bool last = false; !last;) {
        last = atomic_load(&ended) == THREADS;
        for (unsigned i = 0; i < THREADS; i++)
            drain_one(i);
    }
    return NULL;
}

static void test_rings(void)
{
    struct tape_error error;
    pthread_t producer[THREADS], consumer;
    if (!CHECK(session_open(&session, RING_FOLLOW_NONE, 0, &error) == TAPE_OK))
        return;
    setenv(RING_ENV, session.path, 1);
    atomic_store(&session.shared->root_pid, (uint32_t)getpid());
    if (!CHECK(process_ready()))
        return;
    CHECK(pthread_create(&consumer, NULL, consume, NULL) == 0);
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(pthread_create(&producer[i], NULL, produce, (void *)i) == 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(producer[i], NULL);
    pthread_join(consumer, NULL);
    CHECK_EQ_U64(wrong_words, 0);
    CHECK_LE_U64(THREADS, stamps);
    for (unsigned i = 0; i < THREADS; i++)
        CHECK_EQ_U64(drained[i], RECORDS);
}

int main(void)
{
    RUN(test_rings);
    return CHECK_MAIN_END();
}
