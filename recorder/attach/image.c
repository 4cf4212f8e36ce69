#include "recorder/attach/image.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SEGMENTS_MAX = 64, DYNAMIC_MAX = 256 };
static const size_t tables_max = 64 << 20; /* larger tables are nonsense */

bool image_read(int memory, uint64_t address, void *buffer, size_t bytes)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t got = pread(memory, (char *)buffer + done, bytes - done, (off_t)(address + done));
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

struct tables {
    uint64_t symbols, strings, strings_bytes, gnu_hash, hash;
};

static void read_dynamic(const struct image *image, uint64_t address, struct tables *tables)
{
    Elf64_Dyn entry;
    for (int i = 0; i < DYNAMIC_MAX; i++, address += sizeof entry) {
        if (!image_read(image->memory, address, &entry, sizeof entry) || entry.d_tag == DT_NULL)
            return;
        uint64_t value = entry.d_un.d_ptr;
        if (entry.d_tag == DT_STRSZ)
            tables->strings_bytes = value;
        if (value < image->bias) /* the loader has not made it an address */
            value += image->bias;
        if (entry.d_tag == DT_SYMTAB)
            tables->symbols = value;
        else if (entry.d_tag == DT_STRTAB)
            tables->strings = value;
        else if (entry.d_tag == DT_GNU_HASH)
            tables->gnu_hash = value;
        else if (entry.d_tag == DT_HASH)
            tables->hash = value;
    }
}

/* The table of symbols has no length of its own: the last chain of the hash table tells. */
static size_t count_by_gnu_hash(int memory, uint64_t table)
{
    uint32_t head[4], last = 0, word;
    if (!image_read(memory, table, head, sizeof head))
        return 0;
    uint64_t buckets = table + sizeof head + head[2] * UINT64_C(8);
    uint64_t chains = buckets + head[0] * UINT64_C(4);
    for (uint32_t i = 0; i < head[0]; i++) {
        if (!image_read(memory, buckets + i * UINT64_C(4), &word, sizeof word))
            return 0;
        if (word > last)
            last = word;
    }
    if (last < head[1])
        return head[1];
    do
        if (!image_read(memory, chains + (last - head[1]) * UINT64_C(4), &word, sizeof word))
            return 0;
    while (last++, !(word & 1));
    return last;
}

static size_t count_symbols(int memory, const struct tables *tables)
{
    uint32_t head[2] = {0, 0};
    if (tables->hash)
        return image_read(memory, tables->hash, head, sizeof head) ? head[1] : 0;
    return tables->gnu_hash ? count_by_gnu_hash(memory, tables->gnu_hash) : 0;
}

static bool read_tables(struct image *image, const struct tables *tables)
{
    size_t count = count_symbols(image->memory, tables);
    size_t bytes = count * sizeof *image->symbols;
    if (!count || !tables->strings || bytes > tables_max || tables->strings_bytes > tables_max)
        return false;
    image->symbols = malloc(bytes);
    image->strings = malloc(tables->strings_bytes + 1);
    image->symbol_count = count;
    image->strings_bytes = tables->strings_bytes;
    if (!image->symbols || !image->strings ||
        !image_read(image->memory, tables->symbols, image->symbols, bytes) ||
        !image_read(image->memory, tables->strings, image->strings, tables->strings_bytes))
        return false;
    image->strings[tables->strings_bytes] = '\0';
    return true;
}

bool image_open(struct image *image, int memory, uint64_t header)
{
    Elf64_Ehdr elf;
    Elf64_Phdr segment[SEGMENTS_MAX] = {{0}};
    struct tables tables = {0, 0, 0, 0, 0};
    *image = (struct image){.memory = memory};
    if (!image_read(memory, header, &elf, sizeof elf) || memcmp(elf.e_ident, ELFMAG, SELFMAG) ||
        elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_phentsize != sizeof *segment ||
        elf.e_phnum > SEGMENTS_MAX ||
        !image_read(memory, header + elf.e_phoff, segment, elf.e_phnum * sizeof *segment))
        return false;
    bool any = false;
    for (unsigned i = 0; i < elf.e_phnum; i++)
        if (segment[i].p_type == PT_LOAD && !any) {
            image->bias = header - (segment[i].p_vaddr & -segment[i].p_align);
            any = true;
        }
    for (unsigned i = 0; i < elf.e_phnum; i++) {
        uint64_t begin = image->bias + segment[i].p_vaddr, end = begin + segment[i].p_memsz;
        if (segment[i].p_type == PT_DYNAMIC)
            read_dynamic(image, begin, &tables);
        if (segment[i].p_type != PT_LOAD || !(segment[i].p_flags & PF_X))
            continue;
        image->code_begin =
            image->code_end && image->code_begin < begin ? image->code_begin : begin;
        image->code_end = image->code_end > end ? image->code_end : end;
    }
    if (read_tables(image, &tables))
        return true;
    image_close(image);
    return false;
}

void image_close(struct image *image)
{
    free(image->symbols);
    free(image->strings);
    image->symbols = NULL;
    image->strings = NULL;
    image->symbol_count = 0;
}

static bool is_named(const struct image *image, const Elf64_Sym *symbol, const char *name)
{
    return symbol->st_shndx != SHN_UNDEF && symbol->st_value &&
           symbol->st_name < image->strings_bytes &&
           strcmp(image->strings + symbol->st_name, name) == 0;
}

uint64_t image_symbol(const struct image *image, const char *name)
{
    for (size_t i = 0; i < image->symbol_count; i++)
        if (is_named(image, &image->symbols[i], name))
            return image->bias + image->symbols[i].st_value;
    return 0;
}

static bool is_function(const Elf64_Sym *symbol)
{
    unsigned type = ELF64_ST_TYPE(symbol->st_info);
    return symbol->st_shndx != SHN_UNDEF && symbol->st_value && symbol->st_size &&
           (type == STT_FUNC || type == STT_GNU_IFUNC);
}

bool image_stretch(const struct image *image, const char *const *names, size_t count,
                   uint64_t *ret_begin, uint64_t *ret_end)
{
    uint64_t first = UINT64_MAX, last = 0;
    for (size_t i = 0; i < image->symbol_count; i++)
        for (size_t n = 0; n < count; n++) {
            const Elf64_Sym *symbol = &image->symbols[i];
            if (!is_function(symbol) || !is_named(image, symbol, names[n]))
                continue;
            first = symbol->st_value < first ? symbol->st_value : first;
            last = symbol->st_value + symbol->st_size > last ? symbol->st_value + symbol->st_size
                                                             : last;
        }
    if (!last)
        return false;
    uint64_t begin = image->code_begin - image->bias, end = image->code_end - image->bias;
    for (size_t i = 0; i < image->symbol_count; i++) {
        const Elf64_Sym *symbol = &image->symbols[i];
        if (!is_function(symbol))
            continue;
        uint64_t symbol_end = symbol->st_value + symbol->st_size;
        if (symbol_end <= first && symbol_end > begin)
            begin = symbol_end;
        if (symbol->st_value >= last && symbol->st_value < end)
            end = symbol->st_value;
    }
    *ret_begin = image->bias + begin;
    *ret_end = image->bias + end;
    return true;
}
