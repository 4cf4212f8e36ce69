/* What `heaptape record` says on stderr when the recording is over. */
#ifndef HEAPTAPE_RECORDER_RECORD_REPORT_H
#define HEAPTAPE_RECORDER_RECORD_REPORT_H

#include "recorder/collector/finish.h"
#include "recorder/collector/recorded.h"
#include "recorder/record_options.h"

/* Programs that could not be recorded. */
void report_losses(const struct ring_session *shared);
/* Figures of all tapes, and hints where one is right and yet not what its reader thinks. */
void report_summary(const struct record_options *options, const struct recorded_list *list,
                    const struct finish_totals *totals);

#endif
