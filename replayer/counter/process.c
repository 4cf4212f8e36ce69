#include "replayer/counter/counter.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "recorder/preload/syscalls.h"

struct next_calls next;
_Thread_local struct self self __attribute__((tls_model("initial-exec")));

static uintptr_t provider_begin, provider_end; /* of malloc */
static const char *provider_path;
static bool in_front;
static char path[64]; /* of the counts' file; empty: none */

struct wiped *wiped;
static struct counts_process *latest;     /* the same, kept over fork() */
static struct counts_process not_counted; /* the record of a process that has none */
static _Atomic int beginning;             /* thread number of who is at it */

/* ---- before the allocator is known ---- */

static _Alignas(16) char early[64 << 10];
static size_t early_used;

void *early_allocate(size_t bytes, size_t alignment)
{
    if (alignment < 16)
        alignment = 16;
    uintptr_t block = ((uintptr_t)early + early_used + 16 + alignment - 1) & -alignment;
    if (bytes > sizeof early || block + bytes > (uintptr_t)early + sizeof early) {
        errno = ENOMEM;
        return NULL;
    }
    ((size_t *)block)[-1] = bytes;
    early_used = block + bytes - (uintptr_t)early;
    return (void *)block;
}

bool early_owns(const void *block)
{
    return (uintptr_t)block - (uintptr_t)early < sizeof early;
}

size_t early_bytes(const void *block)
{
    return ((const size_t *)block)[-1];
}

/* ---- the allocator ---- */

bool next_contains(const void *address)
{
    return (uintptr_t)address - provider_begin < provider_end - provider_begin;
}

/* A message that it leaves would be the program's next one. dlerror() would take it away, but takes
 * the locale's lock, which may be held by who calls malloc (newlocale); a lookup that succeeds does
 * it, too. */
void *next_symbol(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        (void)dlsym(RTLD_DEFAULT, "malloc");
    return found;
}

static int measure(struct dl_phdr_info *info, size_t bytes, void *address)
{
    uintptr_t begin = UINTPTR_MAX, end = 0;
    (void)bytes;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t at = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        if (info->dlpi_phdr[i].p_type != PT_LOAD)
            continue;
        begin = at < begin ? at : begin;
        end = at + info->dlpi_phdr[i].p_memsz > end ? at + info->dlpi_phdr[i].p_memsz : end;
    }
    if ((uintptr_t)address - begin >= end - begin)
        return 0;
    provider_begin = begin;
    provider_end = end;
    provider_path = info->dlpi_name;
    return 1;
}

/* Whether calls of malloc come to us: a program's own definition comes before all that is loaded.
 */
static bool is_in_front(void)
{
    Dl_info ours, front;
    void *used = dlsym(RTLD_DEFAULT, "malloc");
    return !dladdr(early, &ours) || !dladdr(used, &front) || ours.dli_fbase == front.dli_fbase;
}

#define FIND(name) (*(void **)&found.name = next_symbol(#name))

static void find_next(void)
{
    struct next_calls found;
    FIND(malloc), FIND(calloc), FIND(realloc), FIND(reallocarray), FIND(free);
    FIND(free_sized), FIND(free_aligned_sized);
    FIND(memalign), FIND(aligned_alloc), FIND(posix_memalign), FIND(valloc), FIND(pvalloc);
    FIND(malloc_usable_size), FIND(mmap), FIND(munmap), FIND(pthread_create);
    dl_iterate_phdr(measure, *(void **)&found.malloc);
    next = found;
}

/* ---- the record ---- */

static void find_file(void)
{
    const char *value = getenv(COUNTS_VARIABLE);
    if (value && strlen(value) < sizeof path)
        strcpy(path, value);
}

/* A record in the file, or NULL. */
static struct counts_process *claim(void)
{
    long file = *path ? raw_open(path, O_RDWR) : -1;
    if (raw_failed(file))
        return NULL;
    struct counts_process *record = NULL;
    struct counts_header *header =
        raw_mmap(NULL, COUNTS_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (header && header->magic == COUNTS_MAGIC) {
        uint32_t index = atomic_fetch_add(&header->processes, 1);
        if (index < COUNTS_PROCESSES)
            record = raw_mmap(NULL, COUNTS_RECORD_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file,
                              COUNTS_OFFSET(index));
    }
    if (header)
        raw_munmap(header, COUNTS_PAGE);
    raw_close(file);
    return record;
}

static void inherit(struct counts_process *record, const struct counts_process *parent)
{
    record->is_fork = 1;
    record->inherited_blocks = parent->inherited_blocks;
    record->inherited_bytes = parent->inherited_bytes;
    for (unsigned i = 0; i <= COUNTS_THREADS; i++) {
        const struct counts_thread *thread = &parent->thread[i];
        record->inherited_blocks += thread->allocations - thread->frees;
        record->inherited_bytes += thread->bytes_in - thread->bytes_out;
    }
}

static void copy(char *to, size_t bytes, const char *from)
{
    size_t length = from ? strlen(from) : 0;
    const char *part = length >= bytes ? from + length - (bytes - 1) : from;
    memcpy(to, part ? part : "", length >= bytes ? bytes : length + 1);
}

static struct counts_process *begin_record(void)
{
    struct counts_process *record = claim();
    if (!record)
        return &not_counted;
    record->pid = (int32_t)raw_getpid();
    record->parent = (int32_t)raw_getppid();
    copy(record->program, sizeof record->program, program_invocation_short_name);
    copy(record->allocator, sizeof record->allocator, provider_path);
    if (latest && latest != &not_counted)
        inherit(record, latest);
    heap_begin(record, latest == &not_counted ? NULL : latest);
    if (!in_front) {
        record->heap = COUNTS_HEAP_UNKNOWN;
        return &not_counted; /* what does come to us is not all */
    }
    return record;
}

/* The first call of a process: one thread begins the record, another that comes meanwhile is not
 * counted for that call. */
static struct counts_process *begin(void)
{
    int idle = 0, thread = (int)raw_gettid();
    struct counts_process *process;
    if (!atomic_compare_exchange_strong(&beginning, &idle, thread))
        return NULL;
    int saved = errno;
    self.inside++;
    if (!next.malloc) {
        in_front = is_in_front();
        find_next();
        find_file();
    }
    if (!wiped) {
        struct wiped *page =
            raw_mmap(NULL, COUNTS_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page)
            raw_call(SYS_madvise, (long)page, COUNTS_PAGE, 18 /* MADV_WIPEONFORK */, 0, 0, 0);
        wiped = page;
    }
    process = wiped ? begin_record() : &not_counted;
    latest = process;
    if (wiped)
        wiped->process = process;
    self.inside--;
    errno = saved;
    atomic_store(&beginning, 0);
    return process;
}

static __attribute__((noinline, cold)) struct counts_thread *join(struct counts_process *process)
{
    self.process = process;
    self.counts = NULL;
    if (process == &not_counted)
        return NULL;
    unsigned index = atomic_fetch_add(&process->threads, 1);
    self.shares = index >= COUNTS_THREADS;
    self.counts = &process->thread[self.shares ? COUNTS_THREADS : index];
    return self.counts;
}

struct counts_thread *counter_begin(void)
{
    struct counts_process *process = wiped ? wiped->process : NULL;
    if (!process)
        process = begin();
    return process ? join(process) : NULL;
}

static __attribute__((constructor)) void setup(void)
{
    counter_thread();
    if (latest && latest != &not_counted) /* it may not have had a name at its first call */
        copy(latest->program, sizeof latest->program, program_invocation_short_name);
}

static __attribute__((destructor)) void finish(void)
{
    if (wiped && wiped->process)
        atomic_store(&wiped->process->end, 1);
}
