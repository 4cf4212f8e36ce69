/*
 * Measures the tape itself: bytes an event, resolving (raw tape to tape, encoding included) and
 * decoding, on random churn and on the tapes given. One row a tape. CPU time, best of the rounds:
 * what the code can do, not what the machine was doing meanwhile. Called by bench.sh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "traces/cli.h"
#include "traces/emit.h"
#include "traces/raw_writer.h"
#include "traces/reader.h"
#include "traces/resolve.h"
#include "traces/synth/synth.h"

enum { ROUNDS = 5, PASS_RECORDS = 300000, STAMP_EVERY = 64, TICKS_A_RECORD = 100 };

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- a raw tape of churn, as a recorder leaves it ----------------------------------------------
 */

struct raw_maker {
    struct raw_writer *writer;
    struct tape_error error;
    uint64_t records, tsc;
};

static bool put(struct raw_maker *maker, uint32_t lane, unsigned kind, uint64_t address,
                uint64_t value)
{
    const struct raw_record record = {raw_head(kind, address, 0), value};
    maker->tsc += TICKS_A_RECORD;
    return raw_writer_put(maker->writer, lane, &record, 1, &maker->error) == TAPE_OK;
}

static bool put_event(void *context, const struct tape_event *event)
{
    struct raw_maker *maker = context;
    /* An id stands for an address as an allocator that reuses the latest freed block would give it.
     */
    uint64_t address = UINT64_C(0x7f0000000000) + (uint64_t)event->object * 1040;
    bool frees = tape_kind_frees(event->kind), good = true;
    if (maker->records % STAMP_EVERY == 0)
        good = put(maker, event->lane, RAW_STAMP, 0, maker->tsc);
    if (++maker->records % PASS_RECORDS == 0)
        good = good && raw_writer_pass(maker->writer, maker->tsc, &maker->error) == TAPE_OK;
    return good && put(maker, event->lane, frees ? RAW_FREE : RAW_MALLOC, address, event->size);
}

static void make_raw(const char *path, uint64_t events)
{
    struct synth_options options = synth_defaults();
    struct raw_maker maker = {.tsc = 1000000};
    struct tape_sample sample = {0};
    options.events = events;
    if (raw_writer_open(path, NULL, 0, &maker.writer, &maker.error) != TAPE_OK ||
        raw_writer_sample(maker.writer, maker.tsc, &sample, &maker.error) != TAPE_OK ||
        !synth_run(&options, put_event, &maker))
        cli_die_error(&maker.error);
    sample.time_ns = maker.tsc / 2;
    raw_writer_sample(maker.writer, maker.tsc, &sample, &maker.error);
    if (raw_writer_close(maker.writer, true, NULL, 0, &maker.error) != TAPE_OK)
        cli_die_error(&maker.error);
}

/* ---- measuring ---------------------------------------------------------------------------------
 */

static double resolve_seconds(const char *raw, const char *tape)
{
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        struct resolve_stats stats;
        struct tape_error error;
        double begin = cpu_seconds();
        if (tape_resolve(raw, tape, NULL, &stats, &error) != TAPE_OK)
            cli_die_error(&error);
        double seconds = cpu_seconds() - begin;
        best = seconds < best ? seconds : best;
    }
    return best;
}

static uint64_t read_once(struct tape_reader *reader)
{
    const struct tape_event *events;
    struct tape_error error;
    size_t count;
    uint64_t sum = 0;
    enum tape_status status;
    tape_reader_rewind(reader);
    while ((status = tape_reader_next(reader, &events, &count, &error)) != TAPE_END) {
        if (status == TAPE_SYSTEM)
            cli_die_error(&error);
        sum += status == TAPE_OK ? count : 0;
    }
    return sum;
}

static double decode_seconds(const char *path, uint64_t *ret_events)
{
    struct tape_reader *reader;
    struct tape_error error;
    double best = 1e9;
    if (tape_reader_open(path, &reader, &error) != TAPE_OK)
        cli_die_error(&error);
    for (int round = 0; round < ROUNDS; round++) {
        double begin = cpu_seconds();
        *ret_events = read_once(reader);
        double seconds = cpu_seconds() - begin;
        best = seconds < best ? seconds : best;
    }
    tape_reader_close(reader);
    return best;
}

static void row(struct emit *emit, const char *name, const char *tape, const char *raw)
{
    struct stat info;
    uint64_t events = 0;
    double resolving = raw ? resolve_seconds(raw, tape) : 0;
    double decoding = decode_seconds(tape, &events);
    if (stat(tape, &info) < 0 || !events)
        cli_die(HEAPTAPE_EXIT_BAD_INPUT, "%s: no events", tape);
    emit_object(emit, NULL);
    emit_string(emit, "tape", name);
    emit_u64(emit, "events", events);
    emit_fixed(emit, "bytes_per_event", (double)info.st_size / (double)events, 3);
    emit_fixed(emit, "decode_million_events_per_second", (double)events / decoding / 1e6, 1);
    if (raw)
        emit_fixed(emit, "resolve_million_events_per_second", (double)events / resolving / 1e6, 1);
    else
        emit_null(emit, "resolve_million_events_per_second");
    emit_end(emit);
}

int main(int argc, char **argv)
{
    enum emit_format format = EMIT_TABLE;
    struct emit emit;
    cli_begin("bench-tape");
    if (argc < 2)
        cli_die_usage("tape_bench FOLDER [table|json|csv] [TAPE|RAW]...");
    if (argc > 2 && !emit_parse_format(argv[2], &format))
        cli_die_usage("%s: table, json or csv", argv[2]);
    char raw[4096], tape[4096];
    snprintf(raw, sizeof raw, "%s/churn.raw", argv[1]);
    snprintf(tape, sizeof tape, "%s/bench.tape", argv[1]);
    make_raw(raw, 4000000);
    emit_begin(&emit, stdout, format);
    emit_array(&emit, NULL);
    row(&emit, "random churn", tape, raw);
    for (int i = 3; i < argc; i++) {
        size_t length = strlen(argv[i]);
        bool is_raw = length > 4 && !strcmp(argv[i] + length - 4, ".raw");
        const char *slash = strrchr(argv[i], '/'), *name = slash ? slash + 1 : argv[i];
        row(&emit, name, is_raw ? tape : argv[i], is_raw ? argv[i] : NULL);
    }
    emit_end(&emit);
    int failed = emit_finish(&emit);
    unlink(raw);
    unlink(tape);
    return cli_end(failed ? HEAPTAPE_EXIT_ENVIRONMENT : HEAPTAPE_EXIT_OK);
}
