/*
 * A plan kept from one run for the next. A bench replays one tape many times; planning it each time
 * costs about as much as a fast allocator's whole replay. With --plan-fd the first run leaves its
 * plan, window by window as it makes them, in an (empty) file, usually a memfd of the driver's, and
 * later runs map its windows one after the other instead of reading the tape.
 *
 * The file belongs to one tape and one set of settings that matter to a plan; where it does not
 * match, or holds nothing whole, the tape is planned as usual and the file left alone. It is
 * trusted no further than that: who can write to it could as well replace the engine. One run at a
 * time may use it. A file that cannot grow any further is emptied again and the run goes on
 * without.
 */
#ifndef HEAPTAPE_REPLAYER_PLAN_FILE_H
#define HEAPTAPE_REPLAYER_PLAN_FILE_H

#include <stdbool.h>
#include "replayer/engine/plan.h"

struct plan_file;

/* The file of this run, of which there is one; -1, and in verify mode: none is used. */
struct plan_file *plan_file_open(int fd, const struct engine_settings *settings);
/* Whether it holds this tape's plan: then fills `plan` as plan_open() does. */
bool plan_file_load(struct plan_file *file, struct plan *plan);
/* As plan_window(), where plan_file_load() was true. */
bool plan_file_window(struct plan_file *file, struct plan *plan);
/* Keeps the window that plan_window() has made; nothing where the file was not empty. */
void plan_file_keep(struct plan_file *file, const struct plan *plan);
/* The tape has ended: what was kept is whole. */
void plan_file_close(struct plan_file *file, const struct plan *plan);

#endif
