/* What heaptape live found, as live.json and for people. */
#ifndef HEAPTAPE_REPLAYER_DRIVER_LIVE_PRINT_H
#define HEAPTAPE_REPLAYER_DRIVER_LIVE_PRINT_H

#include "replayer/driver/live.h"
#include "replayer/driver/prediction.h"
#include "traces/emit.h"

struct live_report {
    const struct live_program *program;
    const struct allocator_list *list; /* libc first */
    const struct live_entry *entries;  /* as in list */
    struct prediction prediction;
    bool complete;
};

/* FOLDER/live.json. Ends the tool with 4 where it cannot. */
void live_write(const struct live_report *report, const char *folder);
void live_print(FILE *out, const struct live_report *report, enum emit_format format);

#endif
