/*
 * Reads a tape front to back, a batch at a time, without any heap call: all memory is one mmap made
 * at open (some 20 MiB of addresses, of which nearly all tapes touch a few; independent of the
 * tape's length and of its live set). One reader belongs to
 * one thread.
 *
 * Damage: a block whose checksum fails or that is torn is skipped; the next call to
 * tape_reader_next() returns TAPE_DAMAGED once, with the byte offset and what was lost in the
 * message, and reading goes on behind it. After a gap the events may name objects whose allocation
 * was lost or allocate an id that is still live: a consumer that needs sense passes events through
 * track.h, which repairs that.
 */
#ifndef HEAPTAPE_TRACES_READER_H
#define HEAPTAPE_TRACES_READER_H

#include <stddef.h>
#include "traces/error.h"
#include "traces/event.h"

struct tape_reader;

struct tape_reader_totals {
    uint64_t file_bytes;
    uint64_t events; /* as the end block claims; 0 and complete=false where there is none */
    uint64_t
        peak_objects; /* highest object id claimed; a hint for table sizes, not to be trusted */
    uint32_t lanes;   /* claimed likewise */
    bool complete;    /* the end block is there and the recording was not cut */
};

/* Opens PATH and checks its header. On failure *ret_reader is untouched. */
enum tape_status tape_reader_open(const char *path, struct tape_reader **ret_reader,
                                  struct tape_error *error);
void tape_reader_close(struct tape_reader *reader);

/*
 * The next batch of events: *ret_events points into the reader's memory and holds until the next
 * call. TAPE_OK with *ret_count > 0, TAPE_END, TAPE_DAMAGED (no events in this call; go on) or
 * TAPE_SYSTEM.
 */
enum tape_status tape_reader_next(struct tape_reader *reader, const struct tape_event **ret_events,
                                  size_t *ret_count, struct tape_error *error);
/*
 * Goes to the block that holds the event with this index: the next batch begins at or before it
 * (tape_reader_batch_event() tells where). Where the tape has no sound index, goes to the first
 * event.
 */
void tape_reader_seek(struct tape_reader *reader, uint64_t event);
/*
 * No more events from here on: tape_reader_next() hands on what else stands behind (call sites,
 * marks, samples, the end block) and gives TAPE_END. Event blocks are jumped where the tape is a
 * file, so this takes next to no time. Until a rewind or a seek.
 */
void tape_reader_pass_over_events(struct tape_reader *reader);
/* Back to the first event. */
void tape_reader_rewind(struct tape_reader *reader);
/* Claims of the end block; counts are never to be trusted for memory safety. */
struct tape_reader_totals tape_reader_totals(const struct tape_reader *reader);
/*
 * A value of the tape's metadata, NULL where the key is absent. Keys in FORMAT.md; among them
 * "program", "arguments", "pid", "parent_pid", "start_order", "started_unix_ns", "allocator",
 * "exit_status", "cut_reason", "tool". Valid until close.
 */
const char *tape_reader_meta(const struct tape_reader *reader, const char *key);
/* The n-th key and value; false beyond the last. */
bool tape_reader_meta_at(const struct tape_reader *reader, size_t index, const char **ret_key,
                         const char **ret_value);
/* Index in the whole tape of the first event of the latest batch: behind damage it has jumped. */
uint64_t tape_reader_batch_event(const struct tape_reader *reader);
/* Time of the last event as the end block claims, 0 where there is none. */
uint64_t tape_reader_duration_ns(const struct tape_reader *reader);
/* Samples seen so far are handed to this callback while events are read (NULL: none). */
void tape_reader_on_sample(struct tape_reader *reader,
                           void (*callback)(const struct tape_sample *sample, void *context),
                           void *context);
/*
 * What else a tape carries, as it stands there: blocks of the kinds FORMAT_SITES and FORMAT_MARKS,
 * for sites.h and marks.h. The payload holds during the call.
 */
struct tape_extra {
    unsigned kind, encoding;
    uint32_t unpacked_bytes;
    const void *payload;
    size_t bytes;
};
void tape_reader_on_extra(struct tape_reader *reader,
                          void (*callback)(const struct tape_extra *extra, void *context),
                          void *context);

#endif
