#include "traces/symbolize.h"

#include <dlfcn.h>
#include <elfutils/libdwfl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One file: modules of one Dwfl share an address space, and here each begins at 0. */
struct object {
    struct object *next;
    char *path;
    Dwfl *dwfl;
    Dwfl_Module *module; /* NULL: cannot be read */
};

struct symbolizer {
    struct object *objects;
    bool looked; /* for the demangler */
    char *(*demangle)(const char *, char *, size_t *, int *);
    char *demangled; /* its buffer, from malloc */
    size_t demangled_bytes;
};

static char *debug_info_path; /* NULL: elfutils' default, /usr/lib/debug and beside the file */
static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .debuginfo_path = &debug_info_path,
};

struct symbolizer *symbolizer_new(void)
{
    return calloc(1, sizeof(struct symbolizer));
}

void symbolizer_free(struct symbolizer *symbolizer)
{
    struct object *next;
    for (struct object *object = symbolizer ? symbolizer->objects : NULL; object; object = next) {
        next = object->next;
        dwfl_end(object->dwfl);
        free(object->path);
        free(object);
    }
    if (symbolizer)
        free(symbolizer->demangled);
    free(symbolizer);
}

static struct object *object_at(struct symbolizer *symbolizer, const char *path)
{
    for (struct object *object = symbolizer->objects; object; object = object->next)
        if (!strcmp(object->path, path))
            return object;
    struct object *object = calloc(1, sizeof *object);
    if (!object || !(object->path = strdup(path))) {
        free(object);
        return NULL;
    }
    object->dwfl = dwfl_begin(&callbacks);
    if (object->dwfl) {
        dwfl_report_begin(object->dwfl);
        object->module = dwfl_report_elf(object->dwfl, path, path, -1, 0, true);
        dwfl_report_end(object->dwfl, NULL, NULL);
    }
    object->next = symbolizer->objects;
    symbolizer->objects = object;
    return object;
}

/* Loaded when the first name asks for it: who has C++ programs has their library. */
static void find_demangler(struct symbolizer *symbolizer)
{
    void *cxx = symbolizer->looked ? NULL : dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_LOCAL);
    symbolizer->looked = true;
    if (cxx)
        *(void **)&symbolizer->demangle = dlsym(cxx, "__cxa_demangle");
}

static void set_function(struct symbolizer *symbolizer, const char *name, struct symbol *symbol)
{
    int failed = 1;
    char *plain = NULL;
    bool mangled = name[0] == '_' && (name[1] == 'Z' || name[1] == 'R');
    if (mangled)
        find_demangler(symbolizer);
    if (mangled && symbolizer->demangle)
        plain = symbolizer->demangle(name, symbolizer->demangled, &symbolizer->demangled_bytes,
                                     &failed);
    if (plain)
        symbolizer->demangled = plain;
    snprintf(symbol->function, sizeof symbol->function, "%s", plain ? plain : name);
    char *version = plain ? NULL : strchr(symbol->function, '@');
    if (version && version != symbol->function)
        *version = '\0';
}

bool symbolizer_find(void *context, const char *object_path, uint64_t offset,
                     struct symbol *ret_symbol)
{
    struct symbolizer *symbolizer = context;
    struct object *object = object_at(symbolizer, object_path);
    if (!object || !object->module)
        return false;
    GElf_Off into;
    GElf_Sym entry;
    const char *name =
        dwfl_module_addrinfo(object->module, offset, &into, &entry, NULL, NULL, NULL);
    if (name)
        set_function(symbolizer, name, ret_symbol);
    Dwfl_Line *line = dwfl_module_getsrc(object->module, offset);
    int number = 0;
    const char *file = line ? dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL) : NULL;
    if (file)
        snprintf(ret_symbol->file, sizeof ret_symbol->file, "%s", file);
    ret_symbol->line = file && number > 0 ? (uint32_t)number : 0;
    return name || file;
}
