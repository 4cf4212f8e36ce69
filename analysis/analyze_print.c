#include "analysis/analyze_print.h"

#include "analysis/print_chart.h"
#include "analysis/print_lanes.h"
#include "analysis/print_text.h"
#include "analysis/print_waste.h"

#define BAR_WIDTH 20

/* ---- what it is --------------------------------------------------------------------------------
 */

static void print_head(const struct analyze_output *output, const struct statistics *s, FILE *out)
{
    fprintf(out, "%s%s%s\n%s events in %.6g s on %s lane%s", output->path,
            output->program ? ": " : "", output->program ? output->program : "",
            print_count(s->events), (double)s->duration_ns / 1e9, print_count(s->lanes.count),
            s->lanes.count == 1 ? "" : "s");
    if (!output->totals.complete)
        fputs("; the recording was cut, its end is missing", out);
    if (output->damaged_blocks)
        fprintf(out, "; damaged: %s blocks of the file, %s events left out for it",
                print_count(output->damaged_blocks), print_count(s->dropped));
    fputc('\n', out);
}

static void print_live(const struct statistics *s, FILE *out)
{
    double mean = s->events ? s->live_bytes_sum / (double)s->events : 0;
    fprintf(out, "\nLive bytes\n  %-26s %10s  in %s, after event %s (%s), at %.6g s\n",
            "at the peak", print_bytes(s->peak_live_bytes), print_blocks(s->blocks_at_peak),
            print_count(s->peak_event), print_share((double)s->peak_event + 1, (double)s->events),
            (double)s->peak_time_ns / 1e9);
    fprintf(out, "  %-26s %10s  over all events\n", "mean", print_bytes((uint64_t)mean));
    fprintf(out, "  %-26s %10s  in %s never freed\n", "at the end",
            print_bytes(s->track.live_bytes), print_blocks(s->track.live_objects));
    print_chart_live(s, out);
}

static void print_bounds(const struct analyze_output *output, const struct statistics *s, FILE *out)
{
    uint64_t lower = s->peak_live_bytes, aligned = s->peak_granule_bytes;
    fprintf(out,
            "\nHow low a heap could be, in bytes\n  %-26s %16s  no allocator can do with less\n",
            "peak of live bytes", print_count(lower));
    fprintf(out, "  %-26s %16s  none can that gives each whole 16 bytes (8 for up to 8)\n",
            "rounded for alignment", print_count(aligned));
    if (!output->packed) {
        fprintf(out, "  %-26s %16s  --packing finds one\n", "a placement of all blocks", "?");
        return;
    }
    uint64_t bytes = analyze_packing_bytes(output);
    double over = lower ? 100.0 * ((double)bytes / (double)lower - 1) : 0;
    double over_aligned = aligned ? 100.0 * ((double)bytes / (double)aligned - 1) : 0;
    fprintf(out,
            "  %-26s %16s  exists: %.1f %% above the first, %.1f %% above the second (%s fit)\n",
            "a placement of all blocks", print_count(bytes), over, over_aligned,
            bytes < output->first_fit_bytes ? "best" : "first");
}

static void print_calls(const struct statistics *s, FILE *out)
{
    const struct realloc_stats *r = &s->reallocs;
    double allocations = (double)statistics_allocations(s);
    double seconds = (double)s->duration_ns / 1e9, bytes = (double)s->allocated_bytes;
    fprintf(out, "\nCalls\n  %-14s %14s  %s in all", "allocations",
            print_count(statistics_allocations(s)), print_bytes(s->allocated_bytes));
    if (allocations > 0)
        fprintf(out, ", %s each on average", print_bytes((uint64_t)(bytes / allocations + 0.5)));
    if (seconds > 0)
        fprintf(out, "; %s and %s a second", print_count((uint64_t)(allocations / seconds)),
                print_bytes((uint64_t)(bytes / seconds)));
    fprintf(out, "\n  %-14s %14s  %s by another lane than asked for them\n", "frees",
            print_count(statistics_frees(s)),
            s->cross_lane_frees ? print_share((double)s->cross_lane_frees, (double)s->ended)
                                : "none");
    fprintf(out, "  %-14s %14s  %s of allocations: freed by their lane before it asked for more\n",
            "temporary", print_count(s->temporary), print_share((double)s->temporary, allocations));
    fprintf(out, "  %-14s %14s  %s grew, %s shrank, %s neither; at most %s to copy\n", "reallocs",
            print_count(s->by_kind[TAPE_REALLOC]), print_count(r->grew), print_count(r->shrank),
            print_count(r->same), print_bytes(r->copied_bytes_max));
    fprintf(out, "  %-14s %14s\n", "failed", print_count(s->by_kind[TAPE_FAILED]));
    print_chart_rate(s, out);
}

/* ---- sizes -------------------------------------------------------------------------------------
 */

#define SIZE_BINS 65 /* bin b holds sizes above 2^(b-1) up to 2^b, bin 0 those of 0 and 1 */

struct size_bin {
    uint64_t calls, blocks_at_peak, bytes_at_peak;
};

static void add_entry(struct size_bin *bins, const struct statistics *s,
                      const struct size_entry *entry)
{
    unsigned bin = entry->size > 16 ? lifetime_bin(entry->size - 1) : 4;
    uint64_t blocks = size_entry_at_peak(&s->sizes, entry);
    bins[bin].calls += entry->allocations;
    bins[bin].blocks_at_peak += blocks;
    bins[bin].bytes_at_peak += blocks * entry->size;
}

static void print_sizes(const struct statistics *s, FILE *out)
{
    struct size_bin bins[SIZE_BINS] = {0};
    double calls = 0;
    for (size_t i = 0; i < SIZES_SMALL; i++)
        add_entry(bins, s, &s->sizes.small[i]);
    for (size_t i = 0; i < s->sizes.hash_slots; i++)
        if (s->sizes.hash[i].allocations)
            add_entry(bins, s, &s->sizes.hash[i]);
    for (unsigned i = 0; i < SIZE_BINS; i++)
        calls += (double)bins[i].calls;
    fprintf(out, "\nSizes asked for\n  %10s %14s %8s  %-*s %14s %10s %8s\n", "up to", "calls",
            "of all", BAR_WIDTH, "", "live at peak", "bytes", "of peak");
    for (unsigned i = 0; i < SIZE_BINS; i++)
        if (bins[i].calls)
            fprintf(out, "  %10s %14s %8s  %-*s %14s %10s %8s\n",
                    i < 64 ? print_power(UINT64_C(1) << i) : "more", print_count(bins[i].calls),
                    print_share((double)bins[i].calls, calls), BAR_WIDTH,
                    print_bar((double)bins[i].calls, calls, BAR_WIDTH),
                    print_count(bins[i].blocks_at_peak), print_bytes(bins[i].bytes_at_peak),
                    print_share((double)bins[i].bytes_at_peak, (double)s->peak_live_bytes));
}

static void print_top(const struct analyze_output *output, const struct statistics *s, FILE *out)
{
    const struct size_entry *often[ANALYZE_TOP_MAX], *large[ANALYZE_TOP_MAX];
    size_t counts[2] = {size_table_top(&s->sizes, SIZE_BY_ALLOCATIONS, often, output->top),
                        size_table_top(&s->sizes, SIZE_BY_BYTES_AT_PEAK, large, output->top)};
    double calls = (double)statistics_allocations(s) + (double)s->by_kind[TAPE_REALLOC];
    fprintf(out, "\nTop sizes%s\n  %12s %14s %8s      %12s %14s %10s %8s\n",
            s->sizes.rounded ? " (some rounded up, by 1.6 % at most)" : "", "size", "calls",
            "of all", "size", "live at peak", "bytes", "of peak");
    for (size_t i = 0; i < counts[0] || i < counts[1]; i++) {
        if (i < counts[0])
            fprintf(out, "  %12s %14s %8s", print_count(often[i]->size),
                    print_count(often[i]->allocations),
                    print_share((double)often[i]->allocations, calls));
        else
            fprintf(out, "  %36s", "");
        if (i < counts[1]) {
            uint64_t blocks = size_entry_at_peak(&s->sizes, large[i]);
            double bytes = (double)blocks * (double)large[i]->size;
            fprintf(out, "      %12s %14s %10s %8s", print_count(large[i]->size),
                    print_count(blocks), print_bytes(blocks * large[i]->size),
                    print_share(bytes, (double)s->peak_live_bytes));
        }
        fputc('\n', out);
    }
}

/* ---- lifetimes ---------------------------------------------------------------------------------
 */

static void print_lifetimes(const struct statistics *s, FILE *out)
{
    const uint64_t *of[2] = {s->lifetimes.by_events.blocks, s->lifetimes.by_bytes.blocks};
    double ended = (double)s->ended, so_far[2] = {0, 0};
    fprintf(out, "\nLifetimes of the %s that were freed\n  %-*s by bytes allocated meanwhile\n",
            print_blocks(s->ended), BAR_WIDTH + 35, "by events of the tape");
    for (unsigned i = 0; i < 2; i++)
        fprintf(out, "%*s  %-*s %8s %8s", i ? 16 : 12, "below", BAR_WIDTH, "", "of all", "so far");
    fputc('\n', out);
    for (unsigned bin = 0; bin < LIFETIME_BINS; bin += 2) {
        uint64_t blocks[2], most = lifetime_bin_high(bin);
        for (unsigned i = 0; i < 2; i++) {
            blocks[i] = of[i][bin] + (bin > 0 ? of[i][bin - 1] : 0);
            so_far[i] += (double)blocks[i];
        }
        if (!blocks[0] && !blocks[1])
            continue;
        fprintf(out, "  %10s  %-*s %8s %8s", bin < 40 ? print_count(most + 1) : "more", BAR_WIDTH,
                print_bar((double)blocks[0], ended, BAR_WIDTH),
                print_share((double)blocks[0], ended), print_share(so_far[0], ended));
        fprintf(out, "      %10s  %-*s %8s %8s\n", bin < 64 ? print_power(most + 1) : "more",
                BAR_WIDTH, print_bar((double)blocks[1], ended, BAR_WIDTH),
                print_share((double)blocks[1], ended), print_share(so_far[1], ended));
    }
}

#define JOINT_COLUMNS 10 /* lifetimes, three doublings each, from below 64 bytes */
#define JOINT_ROWS    13 /* sizes, two doublings each, from below 16 bytes */

static unsigned joint_column(unsigned bin)
{
    unsigned at = bin <= 6 ? 0 : (bin - 4) / 3;
    return at < JOINT_COLUMNS ? at : JOINT_COLUMNS - 1;
}

static unsigned joint_row(unsigned bin)
{
    unsigned at = bin <= 4 ? 0 : (bin - 3) / 2;
    return at < JOINT_ROWS ? at : JOINT_ROWS - 1;
}

static void print_joint_row(const uint64_t *cells, unsigned row, double ended, FILE *out)
{
    char below[16];
    snprintf(below, sizeof below, "<%s",
             row + 1 < JOINT_ROWS ? print_power(UINT64_C(16) << (2 * row)) : " more");
    fprintf(out, "  %10s", below);
    for (unsigned i = 0; i < JOINT_COLUMNS; i++)
        fprintf(out, " %9s", print_share((double)cells[i], ended));
    fputc('\n', out);
}

static void print_joint(const struct statistics *s, FILE *out)
{
    uint64_t cells[JOINT_ROWS][JOINT_COLUMNS] = {0}, sums[JOINT_ROWS] = {0};
    for (unsigned size = 0; size < LIFETIME_BINS; size++)
        for (unsigned life = 0; life < LIFETIME_BINS; life++) {
            uint64_t blocks = s->lifetimes.by_size[size][life];
            cells[joint_row(size)][joint_column(life)] += blocks;
            sums[joint_row(size)] += blocks;
        }
    fprintf(out,
            "\nSize (down) by lifetime in bytes allocated meanwhile (across), share of those "
            "blocks\n  %10s",
            "");
    for (unsigned i = 0; i < JOINT_COLUMNS; i++) {
        char below[16];
        snprintf(below, sizeof below, "<%s", print_power(UINT64_C(64) << (3 * i)));
        fprintf(out, " %9s", i + 1 < JOINT_COLUMNS ? below : "more");
    }
    fputc('\n', out);
    for (unsigned row = 0; row < JOINT_ROWS; row++)
        if (sums[row])
            print_joint_row(cells[row], row, (double)s->ended, out);
}

/* ---- all ---------------------------------------------------------------------------------------
 */

bool analyze_print(const struct analyze_output *output, const struct statistics *s, FILE *out)
{
    unsigned parts = output->parts;
    print_head(output, s, out);
    if (parts & ANALYZE_SUMMARY) {
        print_live(s, out);
        print_bounds(output, s, out);
        print_calls(s, out);
    }
    if (parts & ANALYZE_SIZES)
        print_sizes(s, out);
    if (parts & ANALYZE_TOP)
        print_top(output, s, out);
    if (parts & ANALYZE_LIFETIMES)
        print_lifetimes(s, out);
    if (parts & ANALYZE_JOINT)
        print_joint(s, out);
    if (parts & ANALYZE_LANES)
        print_lanes(s, output->top, out);
    return (!(parts & ANALYZE_PAIRS) || print_pairs(s, out)) &&
           (!(parts & (ANALYZE_WASTE | ANALYZE_CLASSES)) || print_waste(output, s, out));
}
