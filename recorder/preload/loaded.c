#include "recorder/preload/loaded.h"

#include <string.h>
#include <sys/auxv.h>

enum { PAGE = 4096, VERSION_HIDDEN = 0x8000 };

static void widen(uintptr_t *begin, uintptr_t *end, uintptr_t from, size_t bytes)
{
    if (!*end || from < *begin)
        *begin = from;
    if (from + bytes > *end)
        *end = from + bytes;
}

static const ElfW(Dyn) * view_segments(const struct dl_phdr_info *info, struct loaded *object)
{
    const ElfW(Dyn) *dynamic = NULL;
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type == PT_LOAD) {
            widen(&object->begin, &object->end, from, segment->p_memsz);
            if (segment->p_flags & PF_X)
                widen(&object->code_begin, &object->code_end, from, segment->p_memsz);
        } else if (segment->p_type == PT_DYNAMIC) {
            dynamic = (const ElfW(Dyn) *)from;
        } else if (segment->p_type == PT_GNU_RELRO) { /* rounded as the loader does it */
            object->relro_begin = from & -(uintptr_t)PAGE;
            object->relro_end = (from + segment->p_memsz) & -(uintptr_t)PAGE;
        }
    }
    return dynamic;
}

/* The loader turns the table's offsets into addresses, where it may write to the table. */
static const void *at(const struct loaded *object, ElfW(Addr) value)
{
    return (const void *)(value < object->base ? object->base + value : value);
}

static void view_dynamic(struct loaded *object, const ElfW(Dyn) * dynamic)
{
    size_t data_bytes = 0, jump_bytes = 0;
    for (; dynamic->d_tag != DT_NULL; dynamic++) {
        ElfW(Addr) value = dynamic->d_un.d_ptr;
        switch (dynamic->d_tag) {
        case DT_SYMTAB:
            object->symbols = at(object, value);
            break;
        case DT_STRTAB:
            object->strings = at(object, value);
            break;
        case DT_GNU_HASH:
            object->gnu_hash = at(object, value);
            break;
        case DT_HASH:
            object->hash = at(object, value);
            break;
        case DT_VERSYM:
            object->versions = at(object, value);
            break;
        case DT_RELA:
            object->data = at(object, value);
            break;
        case DT_RELASZ:
            data_bytes = value;
            break;
        case DT_JMPREL:
            object->jump = at(object, value);
            break;
        case DT_PLTRELSZ:
            jump_bytes = value;
            break;
        case DT_RPATH:
        case DT_RUNPATH:
            object->has_run_path = true;
            break;
        default:
            break;
        }
    }
    object->data_count = object->data ? data_bytes / sizeof *object->data : 0;
    object->jump_count = object->jump ? jump_bytes / sizeof *object->jump : 0;
}

bool loaded_view(const struct dl_phdr_info *info, struct loaded *ret_object)
{
    memset(ret_object, 0, sizeof *ret_object);
    ret_object->base = info->dlpi_addr;
    const ElfW(Dyn) *dynamic = view_segments(info, ret_object);
    uintptr_t vdso = getauxval(AT_SYSINFO_EHDR);
    if (!dynamic || (vdso && loaded_contains(ret_object, (const void *)vdso)))
        return false;
    view_dynamic(ret_object, dynamic);
    return ret_object->symbols && ret_object->strings;
}

/* ---- symbols ---------------------------------------------------------------------------------
 */

static void *symbol_if(const struct loaded *object, uint32_t index, const char *name)
{
    const ElfW(Sym) *symbol = &object->symbols[index];
    if (symbol->st_shndx == SHN_UNDEF || !symbol->st_value ||
        (object->versions && object->versions[index] & VERSION_HIDDEN) ||
        strcmp(object->strings + symbol->st_name, name) != 0)
        return NULL;
    return (void *)(object->base + symbol->st_value);
}

static void *find_by_gnu_hash(const struct loaded *object, const char *name)
{
    const uint32_t *table = object->gnu_hash;
    uint32_t buckets = table[0], first = table[1], filter_words = table[2], hash = 5381;
    for (const char *c = name; *c; c++)
        hash = hash * 33 + (unsigned char)*c;
    const uint32_t *bucket = table + 4 + filter_words * sizeof(ElfW(Addr)) / sizeof *table;
    const uint32_t *chain = bucket + buckets;
    uint32_t index = buckets ? bucket[hash % buckets] : 0;
    for (; index >= first && index; index++) {
        uint32_t other = chain[index - first];
        void *found = (other | 1) == (hash | 1) ? symbol_if(object, index, name) : NULL;
        if (found || other & 1)
            return found;
    }
    return NULL;
}

void *loaded_symbol(const struct loaded *object, const char *name)
{
    if (object->gnu_hash)
        return find_by_gnu_hash(object, name);
    uint32_t count = object->hash ? object->hash[1] : 0;
    for (uint32_t i = 0; i < count; i++) {
        void *found = symbol_if(object, i, name);
        if (found)
            return found;
    }
    return NULL;
}

const char *loaded_relocated_name(const struct loaded *object, const ElfW(Rela) * relocation)
{
    uint32_t index = (uint32_t)ELF64_R_SYM(relocation->r_info);
    return index ? object->strings + object->symbols[index].st_name : "";
}
