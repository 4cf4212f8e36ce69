/*
 * A loaded object as its own program headers and dynamic section tell it: which symbols it defines,
 * which of its words the loader fills with the addresses of others. For use inside
 * dl_iterate_phdr(), whose lock keeps the object where it is. Nothing here allocates or locks.
 */
#ifndef HEAPTAPE_RECORDER_LOADED_H
#define HEAPTAPE_RECORDER_LOADED_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loaded {
    uintptr_t base;
    uintptr_t begin, end;             /* all of its segments */
    uintptr_t code_begin, code_end;   /* those that can be executed; its PLT is there */
    uintptr_t relro_begin, relro_end; /* read-only once the loader is done with it; whole pages */
    const ElfW(Sym) * symbols;
    const char *strings;
    const uint32_t *gnu_hash, *hash; /* one of them may be NULL */
    const uint16_t *versions;        /* NULL: none */
    const ElfW(Rela) * data, *jump;  /* relocations: of data, of the PLT */
    size_t data_count, jump_count;
    bool has_run_path; /* DT_RPATH or DT_RUNPATH */
};

/* False: it has no dynamic section, or is the kernel's (vdso); then nothing can be told. */
bool loaded_view(const struct dl_phdr_info *info, struct loaded *ret_object);
/* Address of a symbol that the object itself defines, in its default version; NULL: none. */
void *loaded_symbol(const struct loaded *object, const char *name);
/* The name that a relocation is about; "" where it has none. */
const char *loaded_relocated_name(const struct loaded *object, const ElfW(Rela) * relocation);

static inline bool loaded_contains(const struct loaded *object, const void *address)
{
    return (uintptr_t)address - object->begin < object->end - object->begin;
}

#endif
