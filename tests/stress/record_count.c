/*
 * An independent count of allocator calls: preloaded behind the recorder (as a user's own
 * LD_PRELOAD is), it is the next allocator for it, counts what arrives in a shared file and passes
 * it on to glibc. RECORD_COUNT_FILE names the file; record_count.py reads it. One slot per process
 * image.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SLOTS = 1024 };
enum counted { MALLOC, CALLOC, ALIGNED, REALLOC, FREE, FREE_NULL, USABLE, FAILED, KINDS };

struct slot {
    _Atomic uint64_t pid;
    _Atomic uint64_t count[KINDS];
    uint64_t pad[7];
};
_Static_assert(sizeof(struct slot) == 128, "record_count.py reads it");

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

static struct slot *slots, *own;
static uint64_t own_pid;

static void open_slots(void)
{
    static struct slot nowhere[SLOTS];
    /* The collector itself, which has us preloaded as well, does not count. */
    const char *path = getenv("HEAPTAPE_SESSION") ? getenv("RECORD_COUNT_FILE") : NULL;
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *memory = MAP_FAILED;
    if (fd >= 0) {
        memory = mmap(NULL, sizeof nowhere, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
    }
    slots = memory == MAP_FAILED ? nowhere : memory;
}

static void count(enum counted kind)
{
    int saved = errno;
    uint64_t pid = (uint64_t)syscall(SYS_getpid);
    if (pid != own_pid) {
        if (!slots)
            open_slots();
        struct slot *slot = slots;
        for (uint64_t empty = 0; !atomic_compare_exchange_strong(&slot->pid, &empty, pid);
             empty = 0)
            slot++;
        own = slot;
        own_pid = pid;
    }
    atomic_fetch_add(&own->count[kind], 1);
    errno = saved;
}

static void *counted(enum counted kind, void *block)
{
    count(block ? kind : FAILED);
    return block;
}

void *malloc(size_t size)
{
    return counted(MALLOC, __libc_malloc(size));
}

void *calloc(size_t items, size_t size)
{
    return counted(CALLOC, __libc_calloc(items, size));
}

void *realloc(void *old, size_t size)
{
    void *block = __libc_realloc(old, size);
    count(block || !size ? REALLOC : FAILED);
    return block;
}

void free(void *block)
{
    count(block ? FREE : FREE_NULL);
    __libc_free(block);
}

void *memalign(size_t alignment, size_t size)
{
    return counted(ALIGNED, __libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return counted(ALIGNED, __libc_memalign(alignment, size));
}

int posix_memalign(void **ret_block, size_t alignment, size_t size)
{
    if (!alignment || alignment % sizeof(void *) || (alignment & (alignment - 1))) {
        count(FAILED);
        return EINVAL;
    }
    void *block = counted(ALIGNED, __libc_memalign(alignment, size));
    if (!block)
        return ENOMEM;
    *ret_block = block;
    return 0;
}
