/*
 * The independent count: a file of slots, one a process image, that the libraries preloaded behind
 * the recorder count calls in. RECORD_COUNT_FILE names it; record_help.py reads it.
 */
#ifndef HEAPTAPE_TESTS_RECORD_SLOTS_H
#define HEAPTAPE_TESTS_RECORD_SLOTS_H

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SLOTS = 2048 };
enum counted { MALLOC, CALLOC, ALIGNED, REALLOC, FREE, FREE_NULL, USABLE, FAILED, KINDS };

struct slot {
    _Atomic uint64_t pid;
    _Atomic uint64_t count[KINDS];
    uint64_t pad[7];
};
_Static_assert(sizeof(struct slot) == 128, "record_help.py reads it");

static struct slot *slots, *own;
static uint64_t own_pid;

static void open_slots(void)
{
    static struct slot nowhere[SLOTS];
    /* The collector itself, which has the library preloaded as well, does not count. */
    int collector = strcmp(program_invocation_short_name, "heaptape-record") == 0;
    const char *path = collector ? NULL : getenv("RECORD_COUNT_FILE");
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

static inline void *counted(enum counted kind, void *block)
{
    count(block ? kind : FAILED);
    return block;
}

#endif
