/*
 * What verify mode found, in words: for tables, details of a run and people.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_VIOLATIONS_H
#define HEAPTAPE_REPLAYER_DRIVER_VIOLATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "replayer/engine/result.h"

/* "overlap", ... as in the results; unknown numbers are "unknown". */
const char *violation_word(unsigned kind);
/* False: a note, which does not fail the allocator. */
bool violation_fails(unsigned kind);

/* All that fail, and all notes. */
uint64_t violations_count(const struct engine_result *result);
uint64_t violations_notes(const struct engine_result *result);
/* The first that fails, or NULL. */
const struct engine_violation *violations_first(const struct engine_result *result);
/* How many of `violation` are whole. */
unsigned violations_kept(const struct engine_result *result);

/* One sentence: addresses, sizes, what was expected. Without kind, event and lane. */
void violation_sentence(const struct engine_violation *violation, char *text, size_t bytes);
/* "3 duplicate, 1 damaged; first at event 17: ...". For a run that has some that fail. */
void violations_line(const struct engine_result *result, char *text, size_t bytes);
/* The event at which a debugger should stop: content is damaged after its block was given. */
uint64_t violation_stop_event(const struct engine_violation *violation);

#endif
