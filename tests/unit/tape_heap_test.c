/* Reading a tape makes no heap call: the replay engine reads inside the measured process. */
#include <stdlib.h>

#include "tests/unit/check.h"
#include "traces/reader.h"
#include "traces/synth/synth.h"
#include "traces/writer.h"

static const char path[] = "heap_test.tape";
static unsigned long calls;

/* The C library's own, by the names that it keeps for whoever replaces the public ones. */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void __libc_free(void *old);

void *malloc(size_t bytes)
{
    calls++;
    return __libc_malloc(bytes);
}
void *calloc(size_t count, size_t bytes)
{
    calls++;
    return __libc_calloc(count, bytes);
}
void *realloc(void *old, size_t bytes)
{
    calls++;
    return __libc_realloc(old, bytes);
}
void free(void *old)
{
    calls++;
    __libc_free(old);
}

static bool put(void *context, const struct tape_event *event)
{
    struct tape_error error;
    return tape_writer_put(context, event, &error) == TAPE_OK;
}

static void make_tape(void)
{
    struct tape_writer *writer;
    struct tape_error error;
    struct synth_options options = synth_defaults();
    options.events = 300000;
    options.lanes = 2;
    const struct tape_writer_options small = {.block_events = 65536};
    CHECK_EQ_INT(tape_writer_open(path, NULL, 0, &small, &writer, &error), TAPE_OK);
    CHECK(synth_run(&options, put, writer));
    CHECK_EQ_INT(tape_writer_close(writer, true, NULL, 0, &error), TAPE_OK);
}

static uint64_t read_all(struct tape_reader *reader, uint64_t *damage)
{
    const struct tape_event *events;
    struct tape_error error;
    size_t count;
    uint64_t read = 0;
    enum tape_status status;
    while ((status = tape_reader_next(reader, &events, &count, &error)) != TAPE_END) {
        if (status == TAPE_OK)
            read += count;
        else
            ++*damage;
    }
    return read;
}

static void test_reading_makes_no_heap_call(void)
{
    struct tape_reader *reader;
    struct tape_error error;
    uint64_t damage = 0;
    make_tape();
    CHECK(calls > 0); /* the counter works: writing does allocate */
    unsigned long before = calls;
    enum tape_status status = tape_reader_open(path, &reader, &error);
    uint64_t read = status == TAPE_OK ? read_all(reader, &damage) : 0;
    tape_reader_rewind(reader);
    tape_reader_seek(reader, 200000);
    tape_reader_meta(reader, "program");
    read += read_all(reader, &damage);
    tape_reader_close(reader);
    unsigned long after = calls;
    CHECK_EQ_U64(after - before, 0);
    CHECK_EQ_INT(status, TAPE_OK);
    CHECK(read > 300000 && damage == 0);
}

static void test_nor_does_damage(void)
{
    struct tape_reader *reader;
    struct tape_error error;
    uint64_t damage = 0, read = 0;
    make_tape();
    FILE *file = fopen(path, "r+");
    fseek(file, 200000, SEEK_SET);
    fwrite("damage", 1, 6, file);
    fclose(file);
    unsigned long before = calls;
    if (tape_reader_open(path, &reader, &error) == TAPE_OK) {
        read = read_all(reader, &damage);
        tape_reader_close(reader);
    }
    unsigned long after = calls;
    CHECK_EQ_U64(after - before, 0);
    CHECK(damage == 1 && read >= 300000 - 65536 && read < 300000);
    remove(path);
}

int main(void)
{
    RUN(test_reading_makes_no_heap_call);
    RUN(test_nor_does_damage);
    return CHECK_MAIN_END();
}
