/* heaptape trace dump: events of a tape, or records of a raw tape, one a line. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/block.h"
#include "traces/cli.h"
#include "traces/emit.h"
#include "traces/raw_words.h"
#include "traces/reader.h"
#include "traces/trace.h"

static const char usage[] =
    "Examples:\n"
    "  heaptape trace dump --count=20 app.tape          the first 20 events\n"
    "  heaptape trace dump --from=1M --count=5 app.tape\n"
    "  heaptape trace dump --format=csv app.tape > app.csv\n"
    "\n"
    "Usage: heaptape trace dump [OPTIONS] TAPE\n"
    "\n"
    "Events in their order: index, time, lane, kind, object, size. Of a raw tape its records as "
    "they stand in\n"
    "the file: index, lane, kind, address, size or stamp.\n"
    "\n"
    "  --from=INDEX      begin at this event (default 0)\n"
    "  --count=N         so many (default all)\n"
    "  --format=FORMAT   table (default), json or csv\n"
    "  --help, --version\n"
    "\n"
    "Exit status: 0 ok, 1 part of the tape is damaged (told on stderr), 3 not a tape, 4 "
    "environment.\n";

struct dump {
    const char *path;
    uint64_t from, count;
    enum emit_format format;
    struct emit emit;
    bool damaged, with_sites;
};

static void tell_damage(struct dump *dump, const struct tape_error *error)
{
    dump->damaged = true;
    cli_warn("%s: %s", dump->path, error->message);
}

/* Nothing is printed before it is known that there is something to print. */
static void begin_output(struct dump *dump)
{
    if (dump->format != EMIT_TABLE)
        emit_array(&dump->emit, NULL);
}

/* ---- a tape ------------------------------------------------------------------------------------
 */

static void emit_event(struct dump *dump, uint64_t index, const struct tape_event *event)
{
    const char *kind = tape_kind_name(event->kind);
    if (dump->format == EMIT_TABLE) {
        printf("%10" PRIu64 " %16.6f %5" PRIu32 "  %-18s", index, (double)event->time_ns / 1e9,
               event->lane, kind);
        if (event->object)
            printf(" #%-10" PRIu32, event->object);
        if (event->size || tape_kind_allocates(event->kind) || event->kind == TAPE_REALLOC)
            printf("%*s %" PRIu64, event->object ? 0 : 12, "", event->size);
        if (event->align_log2)
            printf(" align %" PRIu64, UINT64_C(1) << event->align_log2);
        if (event->site)
            printf(" site %" PRIu32, event->site);
        putchar('\n');
        return;
    }
    struct emit *emit = &dump->emit;
    emit_object(emit, NULL);
    emit_u64(emit, "event", index);
    emit_u64(emit, "time_ns", event->time_ns);
    emit_u64(emit, "lane", event->lane);
    emit_string(emit, "kind", kind);
    emit_u64(emit, "object", event->object);
    emit_u64(emit, "size_bytes", event->size);
    emit_u64(emit, "align_bytes", event->align_log2 ? UINT64_C(1) << event->align_log2 : 0);
    if (dump->with_sites)
        emit_u64(emit, "site", event->site);
    emit_end(emit);
}

static void dump_batch(struct dump *dump, uint64_t first, const struct tape_event *events,
                       size_t count, uint64_t *given)
{
    for (size_t i = 0; i < count && *given < dump->count; i++) {
        if (first + i < dump->from)
            continue;
        emit_event(dump, first + i, &events[i]);
        ++*given;
    }
}

static void dump_tape(struct dump *dump, struct tape_reader *reader)
{
    struct tape_error error;
    const struct tape_event *events;
    size_t count;
    uint64_t given = 0;
    enum tape_status status = TAPE_END;
    dump->with_sites = tape_reader_meta(reader, "site_depth");
    begin_output(dump);
    if (dump->from)
        tape_reader_seek(reader, dump->from);
    while (given < dump->count && !ferror(stdout) &&
           (status = tape_reader_next(reader, &events, &count, &error)) != TAPE_END) {
        if (status == TAPE_OK)
            dump_batch(dump, tape_reader_batch_event(reader), events, count, &given);
        else if (status == TAPE_DAMAGED)
            tell_damage(dump, &error);
        else
            cli_die_error(&error);
    }
    tape_reader_close(reader);
}

/* ---- a raw tape --------------------------------------------------------------------------------
 */

static const char *const raw_names[32] = {
    [RAW_NONE] = "none",
    [RAW_MALLOC] = "malloc",
    [RAW_CALLOC] = "calloc",
    [RAW_ALIGNED] = "aligned_alloc",
    [RAW_FREE] = "free",
    [RAW_REALLOC_BEGIN] = "realloc_begin",
    [RAW_REALLOC_END] = "realloc_end",
    [RAW_USABLE_SIZE] = "malloc_usable_size",
    [RAW_STAMP] = "stamp",
    [RAW_MARK] = "mark",
    [RAW_SITE] = "site",
};

static void emit_raw(struct dump *dump, uint64_t index, uint32_t lane, const char *kind,
                     uint64_t address, uint64_t value, unsigned align_log2)
{
    if (dump->format == EMIT_TABLE) {
        printf("%10" PRIu64 " %5" PRIu32 "  %-18s 0x%012" PRIx64 " %" PRIu64, index, lane, kind,
               address, value);
        if (align_log2)
            printf(" align %" PRIu64, UINT64_C(1) << align_log2);
        putchar('\n');
        return;
    }
    struct emit *emit = &dump->emit;
    emit_object(emit, NULL);
    emit_u64(emit, "record", index);
    emit_u64(emit, "lane", lane);
    emit_string(emit, "kind", kind);
    emit_u64(emit, "address", address);
    emit_u64(emit, "value", value);
    emit_u64(emit, "align_bytes", align_log2 ? UINT64_C(1) << align_log2 : 0);
    emit_end(emit);
}

static void dump_record(struct dump *dump, uint64_t index, uint32_t lane,
                        const struct raw_record *record)
{
    const char *name = raw_names[raw_head_kind(record->head)];
    emit_raw(dump, index, lane, name ? name : "unknown", raw_head_address(record->head),
             record->value, raw_head_align_log2(record->head));
}

/* The record shows how long the text is; of the text itself only trace info makes something. */
static uint64_t dump_mark(void *context, const char *text, size_t bytes)
{
    (void)context;
    (void)text;
    return bytes;
}

/* Records are numbered by their first word, in encoding 1 by themselves. Returns what follows the
 * block's. */
static uint64_t dump_records(struct dump *dump, const struct block *block, uint64_t *given)
{
    bool words = block->header.encoding == FORMAT_RAW_ENCODING;
    size_t unit = words ? sizeof(uint64_t) : sizeof(struct raw_record), taken = 1;
    size_t units = block->header.payload_bytes / unit;
    for (size_t i = 0; i < units && taken && *given < dump->count; i += taken) {
        const unsigned char *at = block->payload + i * unit;
        struct raw_record record;
        if (words)
            taken = raw_words_first(at, units - i, &record, dump_mark, dump);
        else
            memcpy(&record, at, sizeof record);
        if (!taken || block->header.first_event + i < dump->from)
            continue;
        dump_record(dump, block->header.first_event + i, block->header.lane, &record);
        ++*given;
    }
    return block->header.first_event + units;
}

/* Passes and samples stand between records: shown with the index of the record to come. */
static void dump_block(struct dump *dump, const struct block *block, uint64_t *next,
                       uint64_t *given)
{
    struct format_raw_sample sample = {0};
    size_t bytes = block->header.payload_bytes;
    memcpy(&sample, block->payload, bytes < sizeof sample ? bytes : sizeof sample);
    if (block->header.kind == FORMAT_RAW_RECORDS && block->header.encoding <= FORMAT_RAW_ENCODING) {
        *next = dump_records(dump, block, given);
    } else if (block->header.kind == FORMAT_RAW_PASS && *next >= dump->from) {
        emit_raw(dump, *next, 0, "end of pass", 0, sample.tsc, 0);
    } else if (block->header.kind == FORMAT_RAW_SAMPLE && *next >= dump->from) {
        emit_raw(dump, *next, 0, "sample", 0, sample.tsc, 0);
    }
}

static void dump_raw(struct dump *dump, struct block_input *input)
{
    struct block block;
    struct tape_error error;
    uint64_t given = 0, next = 0;
    enum tape_status status = TAPE_END;
    begin_output(dump);
    while (given < dump->count && !ferror(stdout) &&
           (status = block_next(input, &block, &error)) != TAPE_END) {
        if (status == TAPE_OK)
            dump_block(dump, &block, &next, &given);
        else if (status == TAPE_DAMAGED)
            tell_damage(dump, &error);
        else
            cli_die_error(&error);
    }
}

/* ---- which of them -----------------------------------------------------------------------------
 */

/* Reads the raw tape at dump->path; false where it is none. */
static bool dump_if_raw(struct dump *dump)
{
    struct block_input input;
    unsigned char *window = malloc(BLOCK_WINDOW_BYTES);
    bool raw = window && block_input_open(&input, dump->path, window, NULL) == TAPE_OK;
    if (raw && input.kind == FORMAT_RAW_TAPE)
        dump_raw(dump, &input);
    else
        raw = false;
    if (raw)
        block_input_close(&input);
    free(window);
    return raw;
}

static void take_options(int argc, char **argv, struct dump *dump)
{
    static const struct option options[] = {
        {"format", required_argument, NULL, 'f'}, {"from", required_argument, NULL, 'F'},
        {"count", required_argument, NULL, 'c'},  {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},      {0}};
    opterr = 0;
    for (int option; (option = getopt_long(argc, argv, ":h", options, NULL)) != -1;) {
        switch (option) {
        case 'h':
            cli_help(usage);
        case 'V':
            cli_version();
        case 'f':
            if (!emit_parse_format(optarg, &dump->format))
                cli_die_usage("--format=%s: table, json or csv", optarg);
            break;
        case 'F':
            dump->from = cli_count("--from", optarg);
            break;
        case 'c':
            dump->count = cli_count("--count", optarg);
            break;
        default:
            cli_die_usage("bad option %s", argv[optind - 1]);
        }
    }
    if (argc - optind != 1)
        cli_die_usage("exactly one tape is needed");
    dump->path = argv[optind];
}

int trace_dump(int argc, char **argv)
{
    struct dump dump = {.count = UINT64_MAX, .format = EMIT_TABLE};
    struct tape_reader *reader;
    struct tape_error error;
    cli_begin("trace dump");
    take_options(argc, argv, &dump);
    enum tape_status status = tape_reader_open(dump.path, &reader, &error);
    emit_begin(&dump.emit, stdout, dump.format);
    if (status == TAPE_OK)
        dump_tape(&dump, reader);
    else if (!dump_if_raw(&dump))
        cli_die_error(&error);
    emit_finish(&dump.emit);
    return cli_end(dump.damaged ? HEAPTAPE_EXIT_CHECK_FAILED : HEAPTAPE_EXIT_OK);
}
