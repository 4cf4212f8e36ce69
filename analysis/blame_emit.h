/*
 * What blame prints: a table for people, JSON and CSV for programs, stacks for flame graphs.
 */
#ifndef HEAPTAPE_ANALYSIS_BLAME_EMIT_H
#define HEAPTAPE_ANALYSIS_BLAME_EMIT_H

#include "analysis/blame_keys.h"
#include "analysis/flame.h"
#include "analysis/heap_free.h"
#include "traces/emit.h"

struct blame_output {
    const char *tape, *allocator; /* allocator: NULL where it is not known */
    const char *at;               /* "peak", "live", "end", or as it was asked for */
    uint64_t event, events;       /* of the snapshot: after how many of the tape's */
    double percent;               /* a page less full than this is sparse */
    uint64_t page_bytes;
    uint64_t request; /* bytes, for the unusable index */
    uint64_t count;   /* groups of a list that are shown */
    const struct heap_snapshot *snapshot;
    struct blame_pages pages;
    struct heap_free free;
    struct blame_keys keys;
    bool wanted[BLAME_BY_LIMIT];
    struct blame_list lists[BLAME_BY_LIMIT]; /* of those that are wanted */
};

void blame_print(const struct blame_output *output, FILE *out);
/* 0, or -1: see emit_finish(). */
int blame_emit(const struct blame_output *output, FILE *out, enum emit_format format);
/* Every group's share of the sparse pages, as stacks. False: no memory. */
bool blame_flame(const struct blame_output *output, enum blame_by by, struct flame *flame);
/* The lines above the flame graph. */
void blame_flame_title(const struct blame_output *output, enum blame_by by, char *title,
                       char *subtitle, size_t bytes);

#endif
