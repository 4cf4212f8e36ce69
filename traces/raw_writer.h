/*
 * Writes a raw tape (.raw): what the collector drained, one block of records of one lane at a time,
 * in any order of lanes, dumb and cheap. Same container of checksummed blocks as a tape
 * (FORMAT.md), so a torn end costs one block. One writer belongs to one thread; another process's
 * writer is another file.
 */
#ifndef HEAPTAPE_TRACES_RAW_WRITER_H
#define HEAPTAPE_TRACES_RAW_WRITER_H

#include <stddef.h>
#include "traces/error.h"
#include "traces/event.h"
#include "traces/format.h"
#include "traces/raw_record.h"
#include "traces/writer.h"

struct raw_writer;

enum tape_status raw_writer_open(const char *path, const struct tape_meta *meta, size_t meta_count,
                                 struct raw_writer **ret_writer, struct tape_error *error);
/* Appends `count` records of `lane` (dense ids given by the collector), marks excepted. May buffer;
 * never keeps `records`. */
enum tape_status raw_writer_put(struct raw_writer *writer, uint32_t lane,
                                const struct raw_record *records, size_t count,
                                struct tape_error *error);
/*
 * The same in words as they stand in a ring, in two pieces since it wraps around. The first begins
 * with a record and the last ends with one; at most RAW_WRITER_WORDS_MAX together.
 */
#define RAW_WRITER_WORDS_MAX ((size_t)FORMAT_PAYLOAD_MAX / 8)
enum tape_status raw_writer_put_words(struct raw_writer *writer, uint32_t lane,
                                      const uint64_t *words, size_t count, const uint64_t *more,
                                      size_t more_count, struct tape_error *error);
/*
 * Ends a pass: every record that was published before the moment `tsc` has been put. Flushes all
 * lanes' buffers. The resolver merges pass by pass, so a pass bounds its memory: end one every few
 * hundred thousand records and at least a few times a second while records arrive.
 */
enum tape_status raw_writer_pass(struct raw_writer *writer, uint64_t tsc, struct tape_error *error);
/*
 * A sample of the target's memory, and a pair (tsc, ns since the recording began) that the resolver
 * turns stamps into time with. `sample->event` is ignored here and filled by the resolver.
 */
enum tape_status raw_writer_sample(struct raw_writer *writer, uint64_t tsc,
                                   const struct tape_sample *sample, struct tape_error *error);
/*
 * Call sites, numbered from `first` on, without holes: for each the number of its frames and then
 * these, return addresses with the innermost first; `words` in all. And an object that they lie in,
 * a line "BEGIN END BIAS PATH" in hexadecimal.
 */
enum tape_status raw_writer_sites(struct raw_writer *writer, uint32_t first, uint32_t count,
                                  const uint64_t *stacks, size_t words, struct tape_error *error);
enum tape_status raw_writer_object(struct raw_writer *writer, const char *line, size_t bytes,
                                   struct tape_error *error);
/* As tape_writer_close(). */
enum tape_status raw_writer_close(struct raw_writer *writer, bool complete,
                                  const struct tape_meta *meta, size_t meta_count,
                                  struct tape_error *error);

#endif
