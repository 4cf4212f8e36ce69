#include "recorder/preload/next.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <link.h>
#include <stdint.h>
#include "recorder/preload/state.h"

struct next_functions next;

static struct {
    uintptr_t base, begin, end; /* of the object that provides malloc */
    bool is_libc;
    const char *path; /* the loader's own text; the object is never unloaded */
} provider;

void *next_symbol(const char *name)
{
    uint32_t state = self.state;
    self.state = THREAD_STARTING; /* what the loader allocates now is our doing */
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) {
        (void)dlerror(); /* the message would be the program's next one */
        (void)dlerror(); /* and this gives its memory back */
    }
    self.state = state;
    return found;
}

static int measure_object(struct dl_phdr_info *info, size_t bytes, void *context)
{
    (void)bytes;
    (void)context;
    if (info->dlpi_addr != provider.base)
        return 0;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD)
            continue;
        uintptr_t begin = info->dlpi_addr + segment->p_vaddr, end = begin + segment->p_memsz;
        if (!provider.end || begin < provider.begin)
            provider.begin = begin;
        if (end > provider.end)
            provider.end = end;
    }
    return 1;
}

static void find_provider(void)
{
    Dl_info info;
    struct link_map *map = NULL;
    if (!dladdr1((void *)(uintptr_t)next.malloc, &info, (void **)&map, RTLD_DL_LINKMAP) || !map)
        return;
    provider.path = info.dli_fname;
    provider.base = map->l_addr;
    dl_iterate_phdr(measure_object, NULL);
    provider.is_libc = next_contains((const void *)(uintptr_t)gnu_get_libc_version);
}

#define FIND(name) (*(void **)&next.name = next_symbol(#name))

bool next_find(void)
{
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
    if (next.malloc)
        find_provider();
    return next.malloc && next.calloc && next.realloc && next.free;
}

bool next_contains(const void *address)
{
    return (uintptr_t)address - provider.begin < provider.end - provider.begin;
}

bool next_is_caller(const void *caller)
{
    return !provider.is_libc && next_contains(caller);
}

const char *next_path(void)
{
    return provider.path ? provider.path : "";
}
