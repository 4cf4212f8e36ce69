#include "replayer/driver/latency_files.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include "replayer/driver/latency.h"
#include "replayer/driver/output.h"
#include "traces/cli.h"

#define POINTS_A_DECADE 20 /* of 1 / (1 - share) */

static struct results_latency *entry(const struct results *results, unsigned tape,
                                     unsigned allocator)
{
    return &results->latency[tape * results->allocators.count + allocator];
}

void latency_keep(struct results *results, unsigned tape, unsigned allocator,
                  const struct engine_latency *latency)
{
    if (!results->latency)
        results->latency =
            calloc(results->tape_count * results->allocators.count, sizeof *results->latency);
    struct results_latency *kept = results->latency ? entry(results, tape, allocator) : NULL;
    if (kept && !kept->sum)
        kept->sum = calloc(1, sizeof *kept->sum);
    if (!kept || !kept->sum)
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "out of memory");
    latency_add_round(kept->sum, latency, ++kept->rounds);
}

/* "series/TAPE.ALLOCATOR.WHAT.csv" */
static const char *file_name(const struct results *results, unsigned tape, unsigned allocator,
                             const char *what, char text[2 * RESULTS_NAME_MAX + 64])
{
    snprintf(text, 2 * RESULTS_NAME_MAX + 64, "%s/%s.%s.%s.csv", RESULTS_SERIES,
             results->tapes[tape].name, results->allocators.items[allocator].name, what);
    return text;
}

/* Ever closer to 1, as far as there are calls beyond the share; then the slowest of all. */
static void write_shares(FILE *file, const struct engine_latency *latency, enum latency_kind kind)
{
    struct latency_histogram all;
    const char *word = latency_kind_words[kind];
    latency_of_kind(latency, kind, &all);
    if (!all.count)
        return;
    for (unsigned i = 0;; i++) {
        double share = 1 - pow(10, -(double)i / POINTS_A_DECADE);
        if ((1 - share) * (double)all.count < 1)
            break;
        double ticks = latency_percentile(&all, share, latency->resolution_ticks);
        fprintf(file, "%s,%.9g,%.1f\n", word, share, latency_ns(latency, ticks));
    }
    fprintf(file, "%s,1,%.1f\n", word, latency_ns(latency, (double)all.max_ticks));
}

static void write_one(const struct results *results, const char *folder, unsigned tape,
                      unsigned allocator, const struct engine_latency *latency)
{
    struct output output;
    char name[2 * RESULTS_NAME_MAX + 64];
    output_open(&output, folder, file_name(results, tape, allocator, "latency", name));
    fputs("call,share,ns\n", output.file);
    for (unsigned kind = 0; kind < LATENCY_KINDS; kind++)
        write_shares(output.file, latency, kind);
    output_close(&output);
    output_open(&output, folder, file_name(results, tape, allocator, "latency_time", name));
    fputs("first_operation,calls,p50_ns,p99_ns,max_ns\n", output.file);
    for (unsigned i = 0; i < latency->slice_count && i < LATENCY_SLICES; i++) {
        const struct latency_slice *slice = &latency->slices[i];
        fprintf(output.file, "%" PRIu64 ",%" PRIu64 ",%.1f,%.1f,%.1f\n", slice->first_operation,
                slice->count, slice->p50_ns, slice->p99_ns, slice->max_ns);
    }
    output_close(&output);
}

static void write_table(const struct results *results, const char *folder)
{
    struct output output;
    struct emit emit;
    output_open(&output, folder, LATENCY_FILE);
    emit_begin(&emit, output.file, EMIT_CSV);
    emit_object(&emit, NULL);
    emit_array(&emit, "latency");
    for (unsigned tape = 0; tape < results->tape_count; tape++)
        for (unsigned i = 0; i < results->allocators.count; i++)
            if (entry(results, tape, i)->sum)
                latency_emit_rows(&emit, entry(results, tape, i)->sum, results->tapes[tape].name,
                                  results->allocators.items[i].name, true);
    emit_end(&emit);
    emit_end(&emit);
    emit_finish(&emit);
    output_close(&output);
}

void latency_files_write(const struct results *results, const char *folder)
{
    if (!results->latency)
        return;
    for (unsigned tape = 0; tape < results->tape_count; tape++)
        for (unsigned i = 0; i < results->allocators.count; i++) {
            const struct results_latency *kept = entry(results, tape, i);
            if (kept->sum && kept->written != kept->rounds)
                write_one(results, folder, tape, i, kept->sum);
            entry(results, tape, i)->written = kept->rounds;
        }
    write_table(results, folder);
}

static void emit_one(struct emit *emit, const struct results *results, unsigned tape,
                     unsigned allocator)
{
    const struct results_latency *kept = entry(results, tape, allocator);
    char name[2 * RESULTS_NAME_MAX + 64];
    emit_object(emit, NULL);
    emit_string(emit, "tape", results->tapes[tape].name);
    emit_string(emit, "allocator", results->allocators.items[allocator].name);
    emit_u64(emit, "rounds", kept->rounds);
    latency_emit_clock(emit, kept->sum);
    latency_emit_flat(emit, kept->sum);
    emit_string(emit, "shares_csv", file_name(results, tape, allocator, "latency", name));
    emit_string(emit, "over_time_csv", file_name(results, tape, allocator, "latency_time", name));
    emit_end(emit);
}

void latency_emit_results(struct emit *emit, const struct results *results)
{
    emit_array(emit, "latency");
    for (unsigned tape = 0; tape < results->tape_count && results->latency; tape++)
        for (unsigned i = 0; i < results->allocators.count; i++)
            if (entry(results, tape, i)->sum)
                emit_one(emit, results, tape, i);
    emit_end(emit);
}
