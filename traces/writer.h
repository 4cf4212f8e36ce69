/*
 * Writes a resolved tape (.tape). Events are buffered to whole blocks, encoded, compressed and
 * appended; a write error is kept and returned by every later call, and what was written before
 * stays readable. One writer belongs to one thread. Memory: up to some
 * 60 MiB for long tapes, however long they are, and a few for short ones.
 */
#ifndef HEAPTAPE_TRACES_WRITER_H
#define HEAPTAPE_TRACES_WRITER_H

#include <stddef.h>
#include "traces/error.h"
#include "traces/event.h"

struct tape_writer;

struct tape_meta {
    const char *key;   /* [a-z_]+ */
    const char *value; /* any bytes but NUL; escaped on disk */
};

struct tape_writer_options {
    int compression_level; /* zstd's; 0 = the default of the format */
    uint32_t block_events; /* in a block at most; 0 = the most that the format allows. Fewer cost
                              length and save what damage costs */
};

/* Creates (or truncates) PATH. `meta` is written at once. On failure *ret_writer is untouched. */
enum tape_status tape_writer_open(const char *path, const struct tape_meta *meta, size_t meta_count,
                                  const struct tape_writer_options *options,
                                  struct tape_writer **ret_writer, struct tape_error *error);
enum tape_status tape_writer_put(struct tape_writer *writer, const struct tape_event *event,
                                 struct tape_error *error);
enum tape_status tape_writer_sample(struct tape_writer *writer, const struct tape_sample *sample,
                                    struct tape_error *error);
/* A mark of the program's. It may be put later or earlier than the events around it, but in order
 * with the other marks. */
struct tape_mark;
enum tape_status tape_writer_mark(struct tape_writer *writer, const struct tape_mark *mark,
                                  struct tape_error *error);
/* A block of call sites as another tape has it. */
struct tape_extra;
enum tape_status tape_writer_extra(struct tape_writer *writer, const struct tape_extra *extra,
                                   struct tape_error *error);
/* Events put so far. */
uint64_t tape_writer_events(const struct tape_writer *writer);
/* A part of the call sites' text (FORMAT.md, "Call sites"), whole lines, at most 16 MiB. */
enum tape_status tape_writer_sites(struct tape_writer *writer, const char *text, size_t bytes,
                                   struct tape_error *error);
/*
 * Writes the rest and the end block with `meta` (exit_status, cut_reason, ...), syncs nothing,
 * closes. `complete` false marks the recording as cut. The writer is gone afterwards in any case.
 */
enum tape_status tape_writer_close(struct tape_writer *writer, bool complete,
                                   const struct tape_meta *meta, size_t meta_count,
                                   struct tape_error *error);

#endif
