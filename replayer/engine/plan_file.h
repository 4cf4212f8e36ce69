/*
 * A plan kept from one run for the next. A bench replays one tape many times; planning it each time
 * costs as much as a fast allocator's whole replay. With --plan-fd the first run leaves its plan in
 * an (empty) file, usually a memfd of the driver's, and later runs map it instead of reading the
 * tape.
 *
 * Only tapes that fit in one window are kept. The file belongs to one tape and one set of settings
 * that matter to a plan; where it does not match, or holds nothing sound, the tape is planned as
 * usual and the file left alone. It is trusted no further than that: who can write to it could as
 * well replace the engine. One run at a time may use it.
 */
#ifndef HEAPTAPE_REPLAYER_PLAN_FILE_H
#define HEAPTAPE_REPLAYER_PLAN_FILE_H

#include <stdbool.h>
#include "replayer/engine/plan.h"

/* Fills the plan, as after its only plan_window(), from the file. False: there is nothing to be
 * used. */
bool plan_file_load(int fd, struct plan *plan, const struct engine_settings *settings);
/* Keeps the plan, if the file is empty and the tape was one window. Failure leaves the file empty.
 */
void plan_file_save(int fd, const struct plan *plan);

#endif
