#include "analysis/print_lanes.h"

#include <inttypes.h>
#include <stdlib.h>

#include "analysis/print_text.h"

#define MATRIX 6 /* lanes of the matrix: as many as a line has room for */

/* The lane that has the most by `weight`, among those not taken yet; SIZE_MAX: none has any. */
static size_t heaviest(const struct lane_table *lanes, const bool *taken,
                       uint64_t (*weight)(const struct lane_stats *lane))
{
    size_t found = SIZE_MAX;
    uint64_t most = 0;
    for (size_t i = 0; i < lanes->count; i++)
        if (!taken[i] && weight(&lanes->lanes[i]) > most) {
            most = weight(&lanes->lanes[i]);
            found = i;
        }
    return found;
}

/* ---- lanes -------------------------------------------------------------------------------------
 */

static uint64_t events_of(const struct lane_stats *lane)
{
    return lane->events;
}

/* Of its own. After damage a free may be missing that the tape must have had: then 0. */
static uint64_t own_frees(const struct lane_stats *lane)
{
    return lane->frees > lane->frees_of_others ? lane->frees - lane->frees_of_others : 0;
}

static uint64_t never_freed(const struct lane_stats *lane)
{
    uint64_t freed = own_frees(lane) + lane->freed_by_others;
    return lane->allocations > freed ? lane->allocations - freed : 0;
}

static void print_lane(const struct lane_stats *lane, size_t number, FILE *out)
{
    fprintf(out, "  %6zu %14s %14s %10s %14s %14s %14s %12s\n", number, print_count(lane->events),
            print_count(lane->allocations), print_bytes(lane->allocated_bytes),
            print_count(lane->frees), print_count(lane->frees_of_others),
            print_count(lane->freed_by_others), print_count(never_freed(lane)));
}

void print_lanes(const struct statistics *s, unsigned count, FILE *out)
{
    bool *taken = calloc(s->lanes.count + 1, sizeof *taken);
    size_t shown = 0, at;
    fprintf(out, "\nLanes (threads)\n  %6s %14s %14s %10s %14s %14s %14s %12s\n", "lane", "events",
            "allocations", "bytes", "frees", "of others'", "by others", "never freed");
    while (taken && shown < count && (at = heaviest(&s->lanes, taken, events_of)) != SIZE_MAX) {
        taken[at] = true;
        shown++;
        print_lane(&s->lanes.lanes[at], at, out);
    }
    size_t left = 0;
    for (size_t i = 0; taken && i < s->lanes.count; i++)
        left += !taken[i] && s->lanes.lanes[i].events;
    if (left)
        fprintf(out, "  and %zu more; --top=N shows N, --format=csv --part=lanes all\n", left);
    free(taken);
}

/* ---- who frees whose ---------------------------------------------------------------------------
 */

static uint64_t cross_of(const struct lane_stats *lane)
{
    return lane->frees_of_others + lane->freed_by_others;
}

struct matrix {
    size_t lanes[MATRIX], count;
    uint64_t blocks[MATRIX + 1][MATRIX + 1]; /* by owner, by freer; the last ones are all others */
};

static size_t place_of(const struct matrix *matrix, uint32_t lane)
{
    size_t at = 0;
    while (at < matrix->count && matrix->lanes[at] != lane)
        at++;
    return at < matrix->count ? at : MATRIX;
}

static int by_number(const void *first, const void *second)
{
    size_t a = *(const size_t *)first, b = *(const size_t *)second;
    return a < b ? -1 : a > b;
}

/* Blocks that a lane freed of its own are on the diagonal. */
static bool fill(struct matrix *matrix, const struct statistics *s)
{
    bool *taken = calloc(s->lanes.count + 1, sizeof *taken);
    size_t at;
    while (taken && matrix->count < MATRIX &&
           (at = heaviest(&s->lanes, taken, cross_of)) != SIZE_MAX) {
        taken[at] = true;
        matrix->lanes[matrix->count++] = at;
    }
    qsort(matrix->lanes, matrix->count, sizeof *matrix->lanes, by_number);
    for (size_t i = 0; taken && i < matrix->count; i++) {
        const struct lane_stats *lane = &s->lanes.lanes[matrix->lanes[i]];
        matrix->blocks[i][i] = own_frees(lane);
    }
    for (size_t i = 0; i < s->lane_pairs.slot_count; i++) {
        const struct lane_pair *pair = &s->lane_pairs.slots[i];
        if (pair->blocks)
            matrix->blocks[place_of(matrix, pair->owner)][place_of(matrix, pair->freer)] +=
                pair->blocks;
    }
    free(taken);
    return taken;
}

static bool row_has(const struct matrix *matrix, size_t row)
{
    for (size_t i = 0; i <= MATRIX; i++)
        if (matrix->blocks[row][i])
            return true;
    return false;
}

static bool column_has(const struct matrix *matrix, size_t column)
{
    for (size_t i = 0; i <= MATRIX; i++)
        if (matrix->blocks[i][column])
            return true;
    return false;
}

static void print_cells(const struct matrix *matrix, const struct statistics *s, size_t row,
                        FILE *out)
{
    for (size_t i = 0; i < matrix->count; i++)
        fprintf(out, " %12s", matrix->blocks[row][i] ? print_count(matrix->blocks[row][i]) : "-");
    if (column_has(matrix, MATRIX))
        fprintf(out, " %12s",
                matrix->blocks[row][MATRIX] ? print_count(matrix->blocks[row][MATRIX]) : "-");
    if (row < MATRIX)
        fprintf(out, " %12s", print_count(never_freed(&s->lanes.lanes[matrix->lanes[row]])));
    fputc('\n', out);
}

bool print_pairs(const struct statistics *s, FILE *out)
{
    struct matrix matrix = {0};
    if (!s->cross_lane_frees) {
        fputs("\nWho frees whose blocks\n  every lane frees its own alone\n", out);
        return true;
    }
    if (!fill(&matrix, s))
        return false;
    fprintf(out,
            "\nWho frees whose blocks: allocated by (down), freed by (across); %s of all that were "
            "freed by another lane\n  %6s",
            print_share((double)s->cross_lane_frees, (double)s->ended), "lane");
    for (size_t i = 0; i < matrix.count; i++)
        fprintf(out, " %12zu", matrix.lanes[i]);
    fprintf(out, "%s %12s\n", column_has(&matrix, MATRIX) ? "       others" : "", "never freed");
    for (size_t i = 0; i < matrix.count; i++) {
        fprintf(out, "  %6zu", matrix.lanes[i]);
        print_cells(&matrix, s, i, out);
    }
    if (row_has(&matrix, MATRIX)) {
        fprintf(out, "  %6s", "others");
        print_cells(&matrix, s, MATRIX, out);
    }
    return true;
}
