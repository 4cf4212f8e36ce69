#include "analysis/site_names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t frames_of(const struct site_names *names, uint32_t site, const uint32_t **ret)
{
    size_t count = tape_sites_frames(names->sites, site, ret);
    return count < names->depth ? count : (size_t)names->depth;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

struct taking {
    struct tape_sites *sites;
    bool failed;
};

static void take(const struct tape_extra *extra, void *context)
{
    struct taking *taking = context;
    taking->failed |= !tape_sites_take(taking->sites, extra);
}

static enum tape_status take_all(struct site_names *names, struct tape_reader *reader,
                                 struct tape_error *error)
{
    struct taking taking = {names->sites, false};
    const struct tape_event *events;
    enum tape_status status;
    size_t count;
    tape_reader_on_extra(reader, take, &taking);
    tape_reader_rewind(reader);
    tape_reader_pass_over_events(reader);
    do
        status = tape_reader_next(reader, &events, &count, error);
    while (status == TAPE_OK || status == TAPE_DAMAGED); /* damage is told with the events */
    tape_reader_on_extra(reader, NULL, NULL);
    if (taking.failed)
        return tape_error_set(error, TAPE_NO_MEMORY, UINT64_MAX, "no memory for the call sites");
    return status == TAPE_END ? TAPE_OK : status;
}

/* ---- sites that count as one -------------------------------------------------------------------
 */

static const struct site_names *comparing; /* qsort has no context */

static int compare_stacks(uint32_t first, uint32_t second)
{
    const uint32_t *a = NULL, *b = NULL;
    size_t count_a = frames_of(comparing, first, &a), count_b = frames_of(comparing, second, &b);
    for (size_t i = 0; i < count_a && i < count_b; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return (count_a > count_b) - (count_a < count_b);
}

static int compare_sites(const void *first, const void *second)
{
    uint32_t a = *(const uint32_t *)first, b = *(const uint32_t *)second;
    int order = compare_stacks(a, b);
    return order ? order : (a > b) - (a < b);
}

static bool merge(struct site_names *names)
{
    size_t count = names->highest + (size_t)1;
    uint32_t *sorted = malloc(count * sizeof *sorted);
    names->same = malloc(count * sizeof *names->same);
    if (!sorted || !names->same) {
        free(sorted);
        return false;
    }
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = i;
    comparing = names;
    qsort(sorted, count, sizeof *sorted, compare_sites);
    for (size_t i = 0, first = 0; i < count; i++) {
        if (compare_stacks(sorted[first], sorted[i]))
            first = i;
        names->same[sorted[i]] = sorted[first];
    }
    free(sorted);
    return true;
}

enum tape_status site_names_read(struct site_names *names, struct tape_reader *reader,
                                 uint64_t depth, struct tape_error *error)
{
    *names = (struct site_names){.sites = tape_sites_new(), .depth = depth};
    if (!names->sites)
        return tape_error_set(error, TAPE_NO_MEMORY, UINT64_MAX, "no memory for the call sites");
    enum tape_status status = take_all(names, reader, error);
    if (status != TAPE_OK)
        return status;
    names->highest = tape_sites_highest(names->sites);
    if (!merge(names))
        return tape_error_set(error, TAPE_NO_MEMORY, UINT64_MAX, "no memory for the call sites");
    return TAPE_OK;
}

void site_names_end(struct site_names *names)
{
    if (names->sites)
        tape_sites_free(names->sites);
    free(names->same);
    *names = (struct site_names){0};
}

/* ---- words -------------------------------------------------------------------------------------
 */

size_t site_names_frames(const struct site_names *names, uint32_t site)
{
    const uint32_t *frames;
    return frames_of(names, site, &frames);
}

void site_names_frame(const struct site_names *names, uint32_t site, size_t at, char *text,
                      size_t bytes)
{
    const uint32_t *frames = NULL;
    size_t count = frames_of(names, site, &frames);
    const struct tape_frame *frame = at < count ? tape_sites_frame(names->sites, frames[at]) : NULL;
    tape_frame_describe(frame, text, bytes);
}

void site_names_stack(const struct site_names *names, uint32_t site, char *text, size_t bytes)
{
    size_t count = site_names_frames(names, site), used = 0;
    snprintf(text, bytes, "(not known)");
    for (size_t i = 0; i < count && used + SITE_NAMES_FRAME + 4 < bytes; i++) {
        char frame[SITE_NAMES_FRAME];
        site_names_frame(names, site, i, frame, sizeof frame);
        used += (size_t)snprintf(text + used, bytes - used, "%s%s", i ? " < " : "", frame);
    }
}
