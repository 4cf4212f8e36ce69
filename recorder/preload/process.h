/*
 * This process as the session knows it: finding the session, claiming chunks, handing out lanes,
 * what a forked child does, and the end of recording. Slow paths all; they run with signals
 * blocked and one thread at a time, where not said otherwise.
 */
#ifndef HEAPTAPE_RECORDER_PROCESS_H
#define HEAPTAPE_RECORDER_PROCESS_H

#include <stdbool.h>
#include "recorder/preload/state.h"

/*
 * Sees to it that the process records: sets up at the first event, registers a forked child as a
 * process of its own. False: nothing is recorded in this process, now and for good. Takes the lock
 * and blocks signals itself.
 */
bool process_ready(void);
/*
 * Joins the session of this file in a process that was attached to (attach.h), which the collector
 * knows by `seen_pid`. For a copy of the library that no call of the program has reached yet.
 */
bool process_attach(int memory, uint32_t seen_pid);
/*
 * A free lane, live from now on, or NULL where none could be had (counted in the chunk). `spare`:
 * it belongs to a handler that interrupted a thread which has a lane already, so it does not make
 * the process a threaded one. Takes the lock and blocks signals itself.
 */
struct ring_lane *process_take_lane(bool spare);
/* Records no more in this process; any thread, any time. */
void process_stop(void);
/* The collector is gone, or has ended the session. */
bool process_collector_gone(void);
/* Programs that this process starts are to be recorded, too. */
bool process_follows_exec(void);
/* Counts a program that is about to be started and cannot be recorded. Any thread, vfork children
 * too. */
void process_count_unrecordable(const char *path, bool is_static);
/* A call completed that has no record. */
void process_count_lost_event(void);
/* The process is about to end with this status. */
void process_note_exit(int status);
/* Wakes the collector if it sleeps. */
void process_ring_doorbell(void);

#endif
