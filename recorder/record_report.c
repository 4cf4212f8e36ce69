#include "recorder/record_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "traces/cli.h"

static double cpu_seconds(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void report_losses(const struct ring_session *shared)
{
    uint64_t processes = atomic_load(&shared->lost_processes);
    uint64_t statics = atomic_load(&shared->static_programs);
    uint64_t foreign = atomic_load(&shared->foreign_programs);
    if (processes)
        cli_warn("%llu processes could not be recorded: too many at once, or too little address "
                 "space (ulimit -v)",
                 (unsigned long long)processes);
    if (statics || foreign)
        cli_warn("not recorded, because nothing can be preloaded into them: %llu static and %llu "
                 "other programs that were started, %.*s the first",
                 (unsigned long long)statics, (unsigned long long)foreign,
                 (int)strnlen(shared->unrecorded, sizeof shared->unrecorded), shared->unrecorded);
}

/* ---- where a tape is right and yet not what its reader thinks ---------------------------------
 */

static void hint_python(const struct recorded *process)
{
    if (process->pooled_python)
        fprintf(stderr,
                "heaptape record: hint: %s: python takes small objects from pools of its own, of "
                "which the tape shows only the arenas; PYTHONMALLOC=malloc shows them all\n",
                process->tape_path);
}

/* Far more resident than was ever asked for: it did not come through malloc. */
static void hint_other_memory(const struct finish_tape *tape)
{
    char resident[16], requested[16];
    if (tape->peak_resident < (UINT64_C(64) << 20) + 3 * tape->peak_requested)
        return;
    fprintf(
        stderr,
        "heaptape record: hint: %s: up to %s were resident, of which at most %s were asked for "
        "by malloc and its kin; the rest (a heap of its own, mapped files) is not on the tape\n",
        tape->path, cli_format_bytes(tape->peak_resident, resident),
        cli_format_bytes(tape->peak_requested, requested));
}

static void hint(const struct record_options *options, const struct recorded_list *list,
                 const struct finish_totals *totals)
{
    for (const struct recorded *process = list->first; process; process = process->next) {
        hint_python(process);
        if (!options->pid && !strcmp(process->tape_path, options->output) && process->words < 2)
            fprintf(stderr,
                    "heaptape record: hint: %s made no call: it may bring an allocator inside its "
                    "own file, which cannot be seen from outside\n",
                    options->program[0]);
    }
    if (!options->pid) /* what was asked for before is not known */
        hint_other_memory(&totals->largest);
    if (options->start.unit != WINDOW_NEVER && !totals->largest.window_begun)
        cli_warn("%s: the recording ended before --start-after=%s was reached", options->output,
                 options->start_text);
}

void report_summary(const struct record_options *options, const struct recorded_list *list,
                    const struct finish_totals *totals)
{
    char size[16];
    if (options->quiet)
        return;
    fprintf(stderr, "heaptape record: %llu events on %u tape%s, %s, in %s%s\n",
            (unsigned long long)totals->events, totals->tapes, totals->tapes == 1 ? "" : "s",
            cli_format_bytes(totals->bytes, size), options->output,
            totals->tapes > 1 ? " and beside it" : "");
    if (options->verbose)
        fprintf(stderr, "heaptape record: CPU seconds: %s %.3f, collector %.3f, resolver %.3f\n",
                options->pid ? "attaching" : "program", cpu_seconds(RUSAGE_CHILDREN),
                cpu_seconds(RUSAGE_SELF) - totals->cpu_seconds, totals->cpu_seconds);
    hint(options, list, totals);
    if (options->verbose || totals->live_twice)
        fprintf(stderr,
                "heaptape record: addresses live twice %llu, frees of unknown addresses %llu\n",
                (unsigned long long)totals->live_twice, (unsigned long long)totals->foreign_frees);
}
