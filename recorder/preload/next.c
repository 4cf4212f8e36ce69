#include "recorder/preload/next.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <stdint.h>
#include "recorder/preload/attach.h"
#include "recorder/preload/state.h"
#include "recorder/preload/syscalls.h"

struct next_functions next;
struct next_exec_functions next_exec;

struct object {
    uintptr_t base, begin, end;
    const char *path; /* the loader's own text */
};

static struct object provider; /* of malloc; never unloaded */
static struct object ours;
static bool provider_is_libc;

void *next_symbol(const char *name)
{
    /* For a name that nobody defines the loader would make a message in the program's heap, and
     * drop the program's own pending one: calls that belong on no tape. */
    void *defined = attach_definition(name);
    if (!defined || attach_is_on())
        return defined;
    uint64_t signals;
    raw_signals_block(&signals); /* a handler's calls are not our doing */
    struct thread_self before = self;
    self.ready = NULL;
    self.state = THREAD_STARTING; /* what the loader allocates now is */
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) {
        (void)dlerror(); /* the message would be the program's next one */
        (void)dlerror(); /* and this gives its memory back */
    }
    self.state = before.state;
    self.ready = before.ready;
    raw_signals_restore(&signals);
    return found;
}

static int measure_object(struct dl_phdr_info *info, size_t bytes, void *context)
{
    (void)bytes;
    struct object *object = context;
    if (info->dlpi_addr != object->base)
        return 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD)
            continue;
        uintptr_t begin = info->dlpi_addr + segment->p_vaddr, end = begin + segment->p_memsz;
        if (!object->end || begin < object->begin)
            object->begin = begin;
        if (end > object->end)
            object->end = end;
    }
    return 1;
}

static void find_object(const void *address, struct object *object)
{
    Dl_info info;
    struct link_map *map = NULL;
    *object = (struct object){0}; /* what a library that attaches found before counts no more */
    if (!dladdr1(address, &info, (void **)&map, RTLD_DL_LINKMAP) || !map)
        return;
    object->path = info.dli_fname;
    object->base = map->l_addr;
    dl_iterate_phdr(measure_object, object);
}

static bool contains(const struct object *object, const void *address)
{
    return (uintptr_t)address - object->begin < object->end - object->begin;
}

#define FIND(name) (*(void **)&next.name = next_symbol(#name))

#define FIND_EXEC(name) (*(void **)&next_exec.name = next_symbol(#name))

bool next_find(void)
{
    FIND_EXEC(execve);
    FIND_EXEC(execvpe);
    FIND_EXEC(posix_spawn);
    FIND_EXEC(posix_spawnp);
    FIND(calloc);
    FIND(realloc);
    FIND(free);
    FIND(memalign);
    FIND(aligned_alloc);
    FIND(posix_memalign);
    FIND(valloc);
    FIND(pvalloc);
    FIND(malloc_usable_size);
    FIND(malloc); /* last: until it is there, everything comes from the bootstrap arena */
    find_object((const void *)(uintptr_t)next.malloc, &provider);
    find_object(&provider, &ours);
    provider_is_libc = next_contains((const void *)(uintptr_t)gnu_get_libc_version);
    return next.malloc && next.calloc && next.realloc && next.free;
}

bool next_contains(const void *address)
{
    return contains(&provider, address);
}

bool next_is_ours(const void *address)
{
    return contains(&ours, address);
}

bool next_is_caller(const void *caller)
{
    return !provider_is_libc && (contains(&ours, caller) || contains(&provider, caller));
}

bool next_is_libc(void)
{
    return provider_is_libc;
}

const char *next_path(void)
{
    return provider.path ? provider.path : "";
}
