/*
 * Records to and from the words that raw tapes carry (raw_record.h). No heap; any thread.
 */
#ifndef HEAPTAPE_TRACES_RAW_WORDS_H
#define HEAPTAPE_TRACES_RAW_WORDS_H

#include <stddef.h>
#include "traces/raw_record.h"

/* A record takes so many words at most; marks, which have text, are not packed here. */
#define RAW_RECORD_WORDS 2

/* Returns how many words were written. */
unsigned raw_words_pack(const struct raw_record *record, uint64_t *words);

/* Called for each mark; returns what its record's value shall be. The text holds until then. */
typedef uint64_t raw_mark_sink(void *context, const char *text, size_t bytes);

/* The first of `count` words' records, at any alignment. Returns its words; 0: it is not whole. */
size_t raw_words_first(const void *words, size_t count, struct raw_record *ret_record,
                       raw_mark_sink *mark, void *context);
/*
 * Turns `count` words, at any alignment, that begin with a record into records; `records` has room
 * for as many. Words of no known kind become RAW_NONE; a record that is not whole ends it. Returns
 * the number of records.
 */
size_t raw_words_unpack(const void *words, size_t count, struct raw_record *records,
                        raw_mark_sink *mark, void *context);
/* How much of a recording a stretch of words is; see window.h. */
struct raw_tally {
    uint64_t events; /* calls; a realloc is one */
    uint64_t bytes;  /* asked for */
};
/* Adds words as they lie in a ring, in two pieces that begin and end with whole records. */
void raw_words_tally(struct raw_tally *tally, const uint64_t *words, size_t count,
                     const uint64_t *more, size_t more_count);

#endif
