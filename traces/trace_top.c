/* heaptape trace top: the call sites that a tape's memory comes from. */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "traces/cli.h"
#include "traces/emit.h"
#include "traces/grow.h"
#include "traces/sites.h"
#include "traces/summary.h"
#include "traces/trace.h"

static const char usage[] =
    "Examples:\n"
    "  heaptape record --sites -o app.tape -- ./app && heaptape trace top app.tape\n"
    "  heaptape trace top --by=short --count=5 app.tape     who allocates for a moment only\n"
    "  heaptape trace top --depth=1 --format=csv app.tape   by the calling function alone\n"
    "\n"
    "Usage: heaptape trace top [OPTIONS] TAPE\n"
    "\n"
    "Lists the call sites of a tape that was recorded with --sites. Reads the tape twice.\n"
    "\n"
    "  --by=WHAT         what comes first: live (default), the bytes that are live when the "
    "tape's\n"
    "                    live bytes peak; allocations, their number; bytes, their sizes together;\n"
    "                    short, allocations that live for a short time only; leaked, the bytes\n"
    "                    still live at the end\n"
    "  --short=EVENTS    what a short life is: freed within so many events (default 100)\n"
    "  --depth=FRAMES    call sites with the same so many innermost frames are one (default all)\n"
    "  --count=N         show N (default 20)\n"
    "  --format=FORMAT   table (default), json or csv\n"
    "  --help, --version\n"
    "\n"
    "Names come from symbol tables and debugging information as they were when the tape was made;\n"
    "where a program has neither there are addresses (Debian has -dbgsym packages).\n"
    "A realloc makes the block one of its own call site. Exit status: 0 ok, 3 not a tape or a "
    "tape\n"
    "without call sites, 4 environment.\n";

enum order { BY_LIVE, BY_ALLOCATIONS, BY_BYTES, BY_SHORT, BY_LEAKED };
static const char *const order_names[] = {"live", "allocations", "bytes", "short", "leaked"};

struct use { /* of one call site, or of several that count as one */
    uint32_t site;
    uint64_t allocations, bytes, short_lived;
    uint64_t live_bytes, live_blocks, peak_bytes, peak_blocks;
};

struct top {
    const char *path;
    enum order by;
    uint64_t short_events, count, depth;
    enum emit_format format;
    struct tape_reader *reader;
    struct tape_sites *sites;
    struct tape_summary summary;
    struct tape_track track;
    uint32_t *site_of; /* by object */
    uint64_t site_of_capacity;
    struct use *uses; /* by site */
    uint32_t use_count;
};

static _Noreturn void die_no_memory(const struct top *top)
{
    cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "%s: no memory", top->path);
}

static void take_extra(const struct tape_extra *extra, void *context)
{
    struct top *top = context;
    if (!tape_sites_take(top->sites, extra))
        die_no_memory(top);
}

/* ---- counting ----------------------------------------------------------------------------------
 */

static struct use *use_of(struct top *top, uint32_t site)
{
    return &top->uses[site < top->use_count ? site : 0];
}

static uint32_t *owner_of(struct top *top, uint32_t object)
{
    void *table =
        grow_table(top->site_of, &top->site_of_capacity, object, sizeof *top->site_of, 4096);
    if (!table)
        die_no_memory(top);
    top->site_of = table;
    return &top->site_of[object];
}

/* What was at this object before is its old site's no more. */
static void leave(struct top *top, uint32_t object, const struct tape_track_object *before,
                  uint64_t event)
{
    struct use *use = use_of(top, *owner_of(top, object));
    if (!before->kind)
        return;
    use->live_bytes -= before->size;
    use->live_blocks--;
    use->short_lived += event - before->born_event <= top->short_events;
}

static void enter(struct top *top, const struct tape_event *event)
{
    struct use *use = use_of(top, event->site);
    *owner_of(top, event->object) = event->site;
    use->allocations++;
    use->bytes += event->size;
    use->live_bytes += event->size;
    use->live_blocks++;
}

static void count_event(struct top *top, const struct tape_event *event)
{
    struct tape_track_object before = {0};
    uint64_t index = top->track.events;
    enum tape_track_action action = tape_track_event(&top->track, event, &before);
    if (action == TAPE_TRACK_NO_MEMORY)
        die_no_memory(top);
    bool gives = tape_kind_allocates(event->kind) || event->kind == TAPE_REALLOC;
    if (action != TAPE_TRACK_DROP && event->object) {
        if (gives || tape_kind_frees(event->kind))
            leave(top, event->object, &before, index);
        if (gives)
            enter(top, event);
    }
    if (index != top->summary.peak_event)
        return;
    for (uint32_t i = 0; i < top->use_count; i++) {
        top->uses[i].peak_bytes = top->uses[i].live_bytes;
        top->uses[i].peak_blocks = top->uses[i].live_blocks;
    }
}

static void count_all(struct top *top)
{
    enum tape_status status;
    const struct tape_event *events;
    size_t count;
    struct tape_error error;
    tape_reader_rewind(top->reader);
    tape_track_init(&top->track);
    while ((status = tape_reader_next(top->reader, &events, &count, &error)) == TAPE_OK ||
           status == TAPE_DAMAGED)
        for (size_t i = 0; status == TAPE_OK && i < count; i++)
            count_event(top, &events[i]);
    if (status != TAPE_END)
        cli_die_error(&error);
    tape_track_end(&top->track);
}

/* ---- sites that count as one -------------------------------------------------------------------
 */

static struct top *sorting; /* qsort has no context */

static size_t frames_of(uint32_t site, const uint32_t **ret_frames)
{
    size_t count = tape_sites_frames(sorting->sites, site, ret_frames);
    return count < sorting->depth ? count : sorting->depth;
}

static int compare_stacks(const void *first, const void *second)
{
    const struct use *a = first, *b = second;
    const uint32_t *frames_a = NULL, *frames_b = NULL;
    size_t count_a = frames_of(a->site, &frames_a), count_b = frames_of(b->site, &frames_b);
    for (size_t i = 0; i < count_a && i < count_b; i++)
        if (frames_a[i] != frames_b[i])
            return frames_a[i] < frames_b[i] ? -1 : 1;
    return (count_a > count_b) - (count_a < count_b);
}

static uint64_t rank(const struct use *use)
{
    switch (sorting->by) {
    case BY_ALLOCATIONS:
        return use->allocations;
    case BY_BYTES:
        return use->bytes;
    case BY_SHORT:
        return use->short_lived;
    case BY_LEAKED:
        return use->live_bytes;
    default:
        return use->peak_bytes;
    }
}

static int compare_rank(const void *first, const void *second)
{
    uint64_t a = rank(first), b = rank(second);
    return a != b ? (a < b ? 1 : -1) : compare_stacks(first, second);
}

static void add_use(struct use *sum, const struct use *use)
{
    sum->allocations += use->allocations;
    sum->bytes += use->bytes;
    sum->short_lived += use->short_lived;
    sum->live_bytes += use->live_bytes;
    sum->live_blocks += use->live_blocks;
    sum->peak_bytes += use->peak_bytes;
    sum->peak_blocks += use->peak_blocks;
}

static void merge_and_sort(struct top *top)
{
    uint32_t kept = 0;
    sorting = top;
    qsort(top->uses, top->use_count, sizeof *top->uses, compare_stacks);
    for (uint32_t i = 0; i < top->use_count; i++)
        if (kept && !compare_stacks(&top->uses[kept - 1], &top->uses[i]))
            add_use(&top->uses[kept - 1], &top->uses[i]);
        else
            top->uses[kept++] = top->uses[i];
    top->use_count = kept;
    qsort(top->uses, top->use_count, sizeof *top->uses, compare_rank);
}

/* ---- showing -----------------------------------------------------------------------------------
 */

static double share_of(const struct top *top, const struct use *use)
{
    uint64_t peak = top->summary.peak_live_bytes;
    return peak ? 100.0 * (double)use->peak_bytes / (double)peak : 0;
}

static void emit_use(struct emit *emit, const struct top *top, const struct use *use)
{
    const uint32_t *frames = NULL;
    size_t count = frames_of(use->site, &frames), used = 0;
    char text[8192] = "(not known)";
    for (size_t i = 0; i < count && used < sizeof text - 1100; i++) {
        char frame[1088];
        tape_frame_describe(tape_sites_frame(top->sites, frames[i]), frame, sizeof frame);
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? " < " : "", frame);
    }
    emit_object(emit, NULL);
    emit_u64(emit, "live_at_peak_bytes", use->peak_bytes);
    emit_fixed(emit, "share_percent", share_of(top, use), 1);
    emit_u64(emit, "live_at_peak_blocks", use->peak_blocks);
    emit_u64(emit, "allocations", use->allocations);
    emit_u64(emit, "allocated_bytes", use->bytes);
    emit_u64(emit, "short_lived", use->short_lived);
    emit_u64(emit, "live_at_end_bytes", use->live_bytes);
    emit_string(emit, "site", text);
    emit_end(emit);
}

/* For people: a stack is read from top to bottom, not along a line of a table. */
static void print_use(const struct top *top, const struct use *use)
{
    const uint32_t *frames = NULL;
    size_t count = frames_of(use->site, &frames);
    char peak[16], all[16], end[16];
    printf("\n%5.1f %%  %s live at the peak in %" PRIu64 " blocks; %" PRIu64
           " allocations of %s, %" PRIu64 " short-lived; %s live at the end\n",
           share_of(top, use), cli_format_bytes(use->peak_bytes, peak), use->peak_blocks,
           use->allocations, cli_format_bytes(use->bytes, all), use->short_lived,
           cli_format_bytes(use->live_bytes, end));
    if (!count)
        puts("         (not known)");
    for (size_t i = 0; i < count; i++) {
        char frame[1088];
        tape_frame_describe(tape_sites_frame(top->sites, frames[i]), frame, sizeof frame);
        printf("         %s%s\n", i ? "< " : "", frame);
    }
}

static void print(const struct top *top)
{
    char peak[16];
    printf("%s: %s live at the peak, %" PRIu32 " call sites, by %s\n", top->path,
           cli_format_bytes(top->summary.peak_live_bytes, peak), top->use_count - 1,
           order_names[top->by]);
    for (uint32_t i = 0; i < top->use_count && i < top->count; i++)
        if (top->uses[i].allocations)
            print_use(top, &top->uses[i]);
}

static void show(struct top *top)
{
    struct emit emit;
    if (top->format == EMIT_TABLE) {
        print(top);
        return;
    }
    emit_begin(&emit, stdout, top->format);
    emit_object(&emit, NULL);
    emit_string(&emit, "tape", top->path);
    emit_u64(&emit, "peak_live_bytes", top->summary.peak_live_bytes);
    emit_u64(&emit, "sites", top->use_count);
    emit_string(&emit, "by", order_names[top->by]);
    emit_array(&emit, "top");
    for (uint32_t i = 0; i < top->use_count && i < top->count; i++)
        if (top->uses[i].allocations)
            emit_use(&emit, top, &top->uses[i]);
    emit_end(&emit);
    emit_end(&emit);
    emit_finish(&emit);
}

/* ---- the command -------------------------------------------------------------------------------
 */

static enum order parse_order(const char *word)
{
    for (unsigned i = 0; i < sizeof order_names / sizeof *order_names; i++)
        if (!strcmp(word, order_names[i]))
            return (enum order)i;
    cli_die_usage("--by=%s: live, allocations, bytes, short or leaked", word);
}

static void take_options(int argc, char **argv, struct top *top)
{
    static const struct option options[] = {
        {"by", required_argument, NULL, 'b'},     {"short", required_argument, NULL, 's'},
        {"depth", required_argument, NULL, 'd'},  {"count", required_argument, NULL, 'c'},
        {"format", required_argument, NULL, 'f'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},      {0}};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
        if (option == 'h')
            cli_help(usage);
        else if (option == 'V')
            cli_version();
        else if (option == 'b')
            top->by = parse_order(optarg);
        else if (option == 's')
            top->short_events = cli_count("--short", optarg);
        else if (option == 'd')
            top->depth = cli_count("--depth", optarg);
        else if (option == 'c')
            top->count = cli_count("--count", optarg);
        else if (option != 'f')
            cli_die_usage("bad option %s", argv[optind - 1]);
        else if (!emit_parse_format(optarg, &top->format))
            cli_die_usage("--format=%s: table, json or csv", optarg);
    }
    if (argc - optind != 1)
        cli_die_usage("exactly one tape is needed");
    top->path = argv[optind];
}

/* First of all, without the events: a long tape that has none is told at once. */
static void take_sites(struct top *top)
{
    const struct tape_event *events;
    size_t count;
    enum tape_status status;
    struct tape_error error;
    if (!tape_reader_totals(top->reader).file_bytes)
        cli_die(HEAPTAPE_EXIT_BAD_INPUT, "%s: is read more than once: name a file, not a pipe",
                top->path);
    tape_reader_on_extra(top->reader, take_extra, top);
    tape_reader_pass_over_events(top->reader);
    while ((status = tape_reader_next(top->reader, &events, &count, &error)) != TAPE_END)
        if (status != TAPE_OK && status != TAPE_DAMAGED) /* damage is told with the events */
            cli_die_error(&error);
    if (!tape_sites_highest(top->sites))
        cli_die(HEAPTAPE_EXIT_BAD_INPUT,
                "%s: no call sites on this tape; record it with heaptape record --sites",
                top->path);
    tape_reader_on_extra(top->reader, NULL, NULL);
    tape_reader_rewind(top->reader);
}

int trace_top(int argc, char **argv)
{
    struct top *top = calloc(1, sizeof *top);
    struct tape_error error;
    cli_begin("trace top");
    if (!top || !(top->sites = tape_sites_new()))
        cli_die(HEAPTAPE_EXIT_ENVIRONMENT, "no memory");
    top->short_events = 100;
    top->count = 20;
    top->depth = UINT64_MAX;
    take_options(argc, argv, top);
    if (tape_reader_open(top->path, &top->reader, &error) != TAPE_OK)
        cli_die_error(&error);
    take_sites(top);
    if (tape_summarize(top->reader, &top->summary, &error) != TAPE_OK)
        cli_die_error(&error);
    top->use_count = tape_sites_highest(top->sites) + 1;
    top->uses = calloc(top->use_count, sizeof *top->uses);
    if (!top->uses)
        die_no_memory(top);
    for (uint32_t i = 0; i < top->use_count; i++)
        top->uses[i].site = i;
    count_all(top);
    merge_and_sort(top);
    show(top);
    tape_reader_close(top->reader);
    tape_sites_free(top->sites);
    grow_free(top->site_of, top->site_of_capacity, sizeof *top->site_of);
    free(top->uses);
    free(top);
    return cli_end(HEAPTAPE_EXIT_OK);
}
