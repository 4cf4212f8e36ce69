#include <unistd.h>
#include "replayer/counter/counter.h"
#include "recorder/preload/syscalls.h"

#include <gnu/libc-version.h>

/* The C library's own word: what sbrk(0) returns. */
extern void *__curbrk;

#define ARENAS      64  /* a power of two */
#define STATM_LEAST 500 /* below what programs may have at least, 1024 */

static void (*heap_tells)(struct heaptape_heap *);
static enum counts_heap how;
static _Atomic uintptr_t break_seen;
static _Atomic long others; /* bytes of memory that is not the allocator's; sampled */
static long data_at_start;

/*
 * glibc's chunks and arenas as they have been since version 2.26 (malloc/malloc.c, arena.c). The
 * word before a block is its chunk's size with three flags; a mapping has in the word before that
 * how much of it lies before the chunk. Of a chunk that is not the main arena's the 64 MiB it lies
 * in begin with the arena's address.
 */
enum { CHUNK_MAPPED = 2, CHUNK_OTHER_ARENA = 4, CHUNK_FLAGS = 7 };
#define ARENA_HEAP_BYTES ((uintptr_t)64 << 20)

struct libc_arena {
    int mutex, flags, have_fastchunks;
    void *fastbins[10], *top, *last_remainder, *bins[254];
    unsigned binmap[4];
    void *next, *next_free;
    size_t attached_threads, system_mem, max_system_mem;
};
static_assert(sizeof(struct libc_arena) == 2200, "as the C library has it");

static struct {
    const void *_Atomic arena;
    _Atomic size_t seen; /* system_mem when it was added up */
} arenas[ARENAS];

static void held_change(struct counts_process *process, long change)
{
    int64_t now = atomic_fetch_add_explicit(&process->held, change, memory_order_relaxed) + change;
    int64_t most = atomic_load_explicit(&process->held_most, memory_order_relaxed);
    while (now > most && !atomic_compare_exchange_weak(&process->held_most, &most, now))
        ;
}

static void held_set(struct counts_process *process, int64_t now)
{
    int64_t most = atomic_load_explicit(&process->held_most, memory_order_relaxed);
    atomic_store_explicit(&process->held, now, memory_order_relaxed);
    while (now > most && !atomic_compare_exchange_weak(&process->held_most, &most, now))
        ;
}

/* ---- the break ---- */

static void look_at_break(struct counts_process *process)
{
    uintptr_t now = (uintptr_t)__curbrk;
    if (now == atomic_load_explicit(&break_seen, memory_order_relaxed) || !now)
        return;
    uintptr_t before = atomic_exchange(&break_seen, now);
    atomic_fetch_add_explicit(&process->break_moves, 1, memory_order_relaxed);
    if (how == COUNTS_HEAP_LIBC)
        held_change(process, (long)(now - before));
}

/* ---- glibc ---- */

static const struct libc_arena *arena_of(const void *block)
{
    return *(const struct libc_arena *const *)((uintptr_t)block & -ARENA_HEAP_BYTES);
}

static void look_at_arena(struct counts_process *process, const struct libc_arena *arena)
{
    size_t at = (uintptr_t)arena / 64, tries;
    for (tries = 0; tries < ARENAS; tries++, at++) {
        const void *none = NULL,
                   *there = atomic_load_explicit(&arenas[at % ARENAS].arena, memory_order_relaxed);
        if (there == arena ||
            (!there && (atomic_compare_exchange_strong(&arenas[at % ARENAS].arena, &none, arena) ||
                        none == arena)))
            break;
    }
    if (tries == ARENAS)
        return;
    size_t now = __atomic_load_n(&arena->system_mem, __ATOMIC_RELAXED);
    if (now == atomic_load_explicit(&arenas[at % ARENAS].seen, memory_order_relaxed))
        return;
    size_t before = atomic_exchange(&arenas[at % ARENAS].seen, now);
    held_change(process, (long)(now - before));
}

static void look_at_chunk(const void *block, struct heap_before *ret)
{
    size_t tag = ((const size_t *)block)[-1];
    if (tag & CHUNK_MAPPED)
        ret->mapped = (tag & ~(size_t)CHUNK_FLAGS) + ((const size_t *)block)[-2];
    else if (tag & CHUNK_OTHER_ARENA)
        ret->arena = arena_of(block);
}

/* Of a used chunk: all but its size, and the next one's first word belongs to it but for mappings.
 */
static size_t chunk_usable(const void *block)
{
    size_t tag = ((const size_t *)block)[-1];
    return (tag & ~(size_t)CHUNK_FLAGS) - (tag & CHUNK_MAPPED ? 2 : 1) * sizeof tag;
}

static void libc_after(struct counts_process *process, const void *block,
                       const struct heap_before *before)
{
    struct heap_before now = {0};
    look_at_break(process);
    if (block)
        look_at_chunk(block, &now);
    if (now.mapped != before->mapped) {
        if (now.mapped)
            atomic_fetch_add_explicit(&process->mappings, 1, memory_order_relaxed);
        held_change(process, (long)now.mapped - (long)before->mapped);
    }
    if (now.arena)
        look_at_arena(process, now.arena);
    if (before->arena && before->arena != now.arena)
        look_at_arena(process, before->arena);
}

/* ---- others ---- */

static void told_after(struct counts_process *process)
{
    struct heaptape_heap heap;
    heap_tells(&heap);
    atomic_store_explicit(&process->splits, heap.splits, memory_order_relaxed);
    atomic_store_explicit(&process->coalesces, heap.coalesces, memory_order_relaxed);
    if (atomic_load_explicit(&process->held, memory_order_relaxed) != (int64_t)heap.held)
        held_set(process, (int64_t)heap.held);
}

/*
 * Opening a file of /proc costs ten times what reading it does, so it stays open, out of the way of
 * the program's own descriptors. Programs close what they do not know; then it is opened again.
 */
static _Atomic long statm = -1;

static long open_statm(void)
{
    long file = raw_open("/proc/self/statm", O_RDONLY);
    if (raw_failed(file))
        return -1;
    long high = raw_call(SYS_fcntl, file, F_DUPFD_CLOEXEC, STATM_LEAST, 0, 0, 0);
    if (raw_failed(high))
        return file;
    raw_close(file);
    return high;
}

/* Seven numbers in a line, of which the sixth is "data": private writable memory, in pages. -1
 * where it is something else. */
static long data_pages(const char *at, const char *end)
{
    long pages = 0;
    unsigned spaces = 0;
    if (at == end || end[-1] != '\n')
        return -1;
    for (; at < end - 1; at++) {
        if (*at != ' ' && (*at < '0' || *at > '9'))
            return -1;
        if (*at == ' ')
            spaces++;
        else if (spaces == 5)
            pages = pages * 10 + (*at - '0');
    }
    return spaces == 6 ? pages : -1;
}

long heap_writable_bytes(void)
{
    char text[128] = "";
    long pages = -1;
    for (unsigned tries = 0; tries < 2 && pages < 0; tries++) {
        long file = atomic_load_explicit(&statm, memory_order_relaxed);
        if (file < 0 || tries)
            atomic_store(&statm, file = open_statm());
        long got = raw_call(SYS_pread64, file, (long)text, sizeof text, 0, 0, 0);
        pages = raw_failed(got) ? -1 : data_pages(text, text + got);
    }
    return pages > 0 ? pages * COUNTS_PAGE : 0;
}

static uintptr_t hex_number(const char **at)
{
    uintptr_t number = 0;
    for (;; (*at)++) {
        unsigned digit = (unsigned)(**at - '0') < 10   ? (unsigned)(**at - '0')
                         : (unsigned)(**at - 'a') < 6u ? (unsigned)(**at - 'a') + 10
                                                       : 16;
        if (digit == 16)
            return number;
        number = number * 16 + digit;
    }
}

/* A line of /proc/self/maps: the bytes of it that an allocator may give blocks from. What follows a
 * file's mapping is the rest of an object's data. */
static size_t heap_line(const char *line, uintptr_t *file_end)
{
    uintptr_t begin = hex_number(&line), end;
    line++;
    end = hex_number(&line);
    bool writable = line[2] == 'w' && line[4] == 'p', anonymous = true;
    for (unsigned spaces = 0; *line && spaces < 5; line++)
        if (*line == ' ')
            spaces++;
    for (; *line; line++)
        anonymous = anonymous && *line == ' ';
    bool rest = begin == *file_end;
    if (!anonymous)
        *file_end = end;
    return writable && anonymous && !rest ? end - begin : 0;
}

/* What the allocator has mapped before the first call. */
static long mapped_at_start(void)
{
    char text[4096] = "", line[512];
    size_t length = 0, sum = 0;
    uintptr_t file_end = 0;
    long file = raw_open("/proc/self/maps", O_RDONLY), got;
    if (raw_failed(file))
        return 0;
    while ((got = raw_read(file, text, sizeof text)) > 0) {
        for (long i = 0; i < got; i++) {
            if (text[i] != '\n') {
                line[length] = text[i];
                length += length < sizeof line - 1;
                continue;
            }
            line[length] = 0;
            sum += heap_line(line, &file_end);
            length = 0;
        }
    }
    raw_close(file);
    return (long)sum;
}

static void sample(struct counts_process *process)
{
    long held = heap_writable_bytes() - data_at_start - atomic_load(&others);
    self.sample_calls = 0;
    self.sample_bytes = 0;
    held_set(process, held > 0 ? held : 0);
}

void heap_not_ours(long bytes)
{
    atomic_fetch_add(&others, bytes);
}

bool heap_is_sampled(void)
{
    return how == COUNTS_HEAP_SAMPLED;
}

/* ---- all ---- */

void heap_begin(struct counts_process *process, const struct counts_process *parent)
{
    if (parent) {
        if (how == COUNTS_HEAP_SAMPLED) { /* it is the parent's */
            raw_close(atomic_load(&statm));
            atomic_store(&statm, -1);
        }
        process->heap = parent->heap;
        process->held = atomic_load(&parent->held);
        process->held_most = atomic_load(&process->held);
        return;
    }
    if (!__curbrk)
        (void)sbrk(0);
    break_seen = (uintptr_t)__curbrk;
    *(void **)&heap_tells =
        next_symbol("heaptape_heap"); /* a message of the loader's is in the heap */
    how = heap_tells && next_contains(*(void **)&heap_tells)       ? COUNTS_HEAP_TOLD
          : next_contains((void *)(uintptr_t)gnu_get_libc_version) ? COUNTS_HEAP_LIBC
                                                                   : COUNTS_HEAP_SAMPLED;
    process->heap = how;
    if (how == COUNTS_HEAP_SAMPLED)
        data_at_start = heap_writable_bytes() - mapped_at_start();
}

size_t heap_look_before(const void *block, struct heap_before *ret_before)
{
    *ret_before = (struct heap_before){0};
    if (how != COUNTS_HEAP_LIBC)
        return next.malloc_usable_size((void *)(uintptr_t)block);
    look_at_chunk(block, ret_before);
    return chunk_usable(block);
}

size_t heap_usable(const void *block)
{
    return how == COUNTS_HEAP_LIBC ? chunk_usable(block)
                                   : next.malloc_usable_size((void *)(uintptr_t)block);
}

void heap_look_after(struct counts_process *process, const void *block,
                     const struct heap_before *before, size_t bytes)
{
    static const struct heap_before nothing;
    if (how == COUNTS_HEAP_LIBC) {
        libc_after(process, block, before ? before : &nothing);
    } else if (how == COUNTS_HEAP_TOLD) {
        look_at_break(process);
        told_after(process);
    } else {
        look_at_break(process);
        self.sample_bytes += bytes;
        if (++self.sample_calls >= SAMPLE_CALLS || self.sample_bytes >= SAMPLE_BYTES)
            sample(process);
    }
}
