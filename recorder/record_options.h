/* What the user of `heaptape record` asks for. */
#ifndef HEAPTAPE_RECORDER_RECORD_OPTIONS_H
#define HEAPTAPE_RECORDER_RECORD_OPTIONS_H

#include <stdbool.h>
#include <sys/types.h>
#include "recorder/ring.h"
#include "traces/window.h"

struct record_options {
    const char *output;
    enum ring_follow follow;
    uint32_t site_depth;                /* 0: no call sites */
    struct window_limit start, stop;    /* what part of the recording is kept */
    const char *start_text, *stop_text; /* as given; NULL: not */
    bool keep_raw, quiet, verbose;
    pid_t pid; /* to attach to; 0: none */
    char **program;
};

/* Ends the program with a message where the command line makes no sense. */
struct record_options record_options_parse(int argc, char **argv);

#endif
