#include "recorder/preload/attach.h"

#include <dlfcn.h>
#include <string.h>
#include <sys/mman.h>

#include "recorder/preload/loaded.h"
#include "recorder/preload/next.h"
#include "recorder/preload/process.h"
#include "recorder/preload/state.h"
#include "recorder/preload/syscalls.h"

#define EXPORT __attribute__((visibility("default")))

enum { PAGE = 4096, EARLIER_MAX = 64 };

/* What is redirected. */
enum redirect_when {
    ALWAYS,
    IF_ALLOCATOR, /* only where the definition is the allocator's: others' call malloc themselves */
    NOT_OURS,     /* but not our own calls of it */
};

struct redirect {
    const char *name;
    enum redirect_when when;
    void *hook; /* found in our own symbol table unless set here */
    void *real; /* NULL: the program has none */
};

/* Written in assembler below, and what it calls. */
#define FOR_ASSEMBLER __attribute__((visibility("hidden"), used))
FOR_ASSEMBLER void *attach_dlopen_hook(const char *file, int mode);
FOR_ASSEMBLER void *attach_dlsym_hook(void *handle, const char *name);
FOR_ASSEMBLER bool attach_caller_is_no_matter(const char *file, const void *address);
FOR_ASSEMBLER void *attach_dlopen_from_here(const char *file, int mode);
FOR_ASSEMBLER void attach_before_dlsym(void);
FOR_ASSEMBLER void *attach_real_dlopen;
FOR_ASSEMBLER void *attach_real_dlsym;

static struct redirect redirects[] = {
    {"malloc", ALWAYS, NULL, NULL},
    {"calloc", ALWAYS, NULL, NULL},
    {"realloc", ALWAYS, NULL, NULL},
    {"reallocarray", ALWAYS, NULL, NULL},
    {"free", ALWAYS, NULL, NULL},
    {"cfree", ALWAYS, NULL, NULL},
    {"free_sized", ALWAYS, NULL, NULL},
    {"free_aligned_sized", ALWAYS, NULL, NULL},
    {"memalign", ALWAYS, NULL, NULL},
    {"aligned_alloc", ALWAYS, NULL, NULL},
    {"posix_memalign", ALWAYS, NULL, NULL},
    {"valloc", ALWAYS, NULL, NULL},
    {"pvalloc", ALWAYS, NULL, NULL},
    {"malloc_usable_size", ALWAYS, NULL, NULL},
    {"_Znwm", IF_ALLOCATOR, NULL, NULL},
    {"_Znam", IF_ALLOCATOR, NULL, NULL},
    {"_ZnwmRKSt9nothrow_t", IF_ALLOCATOR, NULL, NULL},
    {"_ZnamRKSt9nothrow_t", IF_ALLOCATOR, NULL, NULL},
    {"_ZnwmSt11align_val_t", IF_ALLOCATOR, NULL, NULL},
    {"_ZnamSt11align_val_t", IF_ALLOCATOR, NULL, NULL},
    {"_ZnwmSt11align_val_tRKSt9nothrow_t", IF_ALLOCATOR, NULL, NULL},
    {"_ZnamSt11align_val_tRKSt9nothrow_t", IF_ALLOCATOR, NULL, NULL},
    {"_ZdlPv", IF_ALLOCATOR, NULL, NULL},
    {"_ZdaPv", IF_ALLOCATOR, NULL, NULL},
    {"_ZdlPvm", IF_ALLOCATOR, NULL, NULL},
    {"_ZdaPvm", IF_ALLOCATOR, NULL, NULL},
    {"_ZdlPvRKSt9nothrow_t", IF_ALLOCATOR, NULL, NULL},
    {"_ZdaPvRKSt9nothrow_t", IF_ALLOCATOR, NULL, NULL},
    {"_ZdlPvSt11align_val_t", IF_ALLOCATOR, NULL, NULL},
    {"_ZdaPvSt11align_val_t", IF_ALLOCATOR, NULL, NULL},
    {"_ZdlPvmSt11align_val_t", IF_ALLOCATOR, NULL, NULL},
    {"_ZdaPvmSt11align_val_t", IF_ALLOCATOR, NULL, NULL},
    {"_ZdlPvSt11align_val_tRKSt9nothrow_t", IF_ALLOCATOR, NULL, NULL},
    {"_ZdaPvSt11align_val_tRKSt9nothrow_t", IF_ALLOCATOR, NULL, NULL},
    {"vfork", ALWAYS, NULL, NULL},
    {"__vfork", ALWAYS, NULL, NULL},
    {"_exit", ALWAYS, NULL, NULL},
    {"_Exit", ALWAYS, NULL, NULL},
    {"dlopen", NOT_OURS, (void *)(uintptr_t)attach_dlopen_hook, NULL},
    {"dlsym", NOT_OURS, (void *)(uintptr_t)attach_dlsym_hook, NULL},
};
enum { REDIRECTS = sizeof redirects / sizeof redirects[0] };

static struct {
    bool on;
    bool running; /* the world is not held still any more: objects may be half loaded */
    struct loaded ours;
    struct loaded earlier[EARLIER_MAX]; /* other copies of this library */
    unsigned earlier_count;
} attach;

bool attach_is_on(void)
{
    return attach.on;
}

/* ---- looking around --------------------------------------------------------------------------
 */

static bool is_copy_of_ours(const struct loaded *object)
{
    return loaded_symbol(object, ATTACH_ENTRY) != NULL;
}

static int note_copy(struct dl_phdr_info *info, size_t bytes, void *unused)
{
    (void)bytes;
    (void)unused;
    struct loaded object;
    if (!loaded_view(info, &object))
        return 0;
    if (loaded_contains(&object, &attach))
        attach.ours = object;
    else if (attach.earlier_count < EARLIER_MAX && is_copy_of_ours(&object))
        attach.earlier[attach.earlier_count++] = object;
    return 0;
}

struct search {
    const char *name;
    void *found;
};

static int search_object(struct dl_phdr_info *info, size_t bytes, void *context)
{
    (void)bytes;
    struct search *search = context;
    struct loaded object;
    if (loaded_view(info, &object) && !is_copy_of_ours(&object))
        search->found = loaded_symbol(&object, search->name);
    return search->found != NULL;
}

void *attach_definition(const char *name)
{
    struct search search = {name, NULL};
    dl_iterate_phdr(search_object, &search);
    return search.found;
}

static void find_redirects(void)
{
    for (int i = 0; i < REDIRECTS; i++) {
        struct redirect *redirect = &redirects[i];
        if (!redirect->hook)
            redirect->hook = loaded_symbol(&attach.ours, redirect->name);
        redirect->real = attach_definition(redirect->name);
        if (redirect->when == IF_ALLOCATOR && !next_contains(redirect->real))
            redirect->real = NULL;
    }
}

/* ---- what may be written ---------------------------------------------------------------------
 */

static bool parse_hex(const char **text, uintptr_t *ret_value)
{
    const char *c = *text;
    uintptr_t value = 0;
    for (;; c++) {
        if (*c >= '0' && *c <= '9')
            value = value << 4 | (uintptr_t)(*c - '0');
        else if (*c >= 'a' && *c <= 'f')
            value = value << 4 | (uintptr_t)(*c - 'a' + 10);
        else
            break;
    }
    bool any = c != *text;
    *text = c;
    *ret_value = value;
    return any;
}

/* "begin-end rw-p ...": is the address in there, and can it be written to? */
static int line_says_writable(const char *line, uintptr_t address)
{
    uintptr_t begin, end;
    if (!parse_hex(&line, &begin) || *line++ != '-' || !parse_hex(&line, &end) || *line++ != ' ')
        return -1;
    return address >= begin && address < end ? line[1] == 'w' : -1;
}

/* 1: writable, 0: not, -1: cannot be told. Raw system calls: we may be in any program's dlopen. */
static int is_writable(uintptr_t address)
{
    char buffer[2048] = "", line[64];
    size_t used = 0;
    int answer = -1;
    long fd = raw_open("/proc/self/maps", O_RDONLY), bytes;
    if (raw_failed(fd))
        return -1;
    while (answer < 0 && (bytes = raw_read(fd, buffer, sizeof buffer)) > 0)
        for (long i = 0; i < bytes && answer < 0; i++) {
            if (buffer[i] == '\n') {
                line[used] = '\0';
                answer = line_says_writable(line, address);
                used = 0;
            } else if (used < sizeof line - 1) {
                line[used++] = buffer[i];
            }
        }
    raw_close(fd);
    return answer;
}

static bool protect(uintptr_t word, int protection)
{
    return !raw_failed(
        raw_call(SYS_mprotect, (long)(word & -(uintptr_t)PAGE), PAGE, protection, 0, 0, 0));
}

/* ---- redirecting -----------------------------------------------------------------------------
 */

struct sweep {
    struct attach_request *counts;
    bool marked; /* the collector knows that we have the loader's lock */
    struct loaded object;
    int half_loaded; /* of this object: -1 not looked yet */
    uint32_t words;
};

/*
 * Words that are read-only after the loader is done are opened for the moment. Where they are
 * writable still, another thread's dlopen() is at work on the object, and looks here afterwards.
 */
static void put(struct sweep *sweep, uintptr_t address, void *hook)
{
    _Atomic(void *) *word = (_Atomic(void *) *)address;
    bool sealed = address >= sweep->object.relro_begin && address < sweep->object.relro_end;
    if (sealed && attach.running && sweep->half_loaded < 0)
        sweep->half_loaded = is_writable(address) == 1;
    if (sealed && attach.running && sweep->half_loaded)
        return;
    if (sealed && !protect(address, PROT_READ | PROT_WRITE)) {
        sweep->counts->sealed++;
        return;
    }
    atomic_store_explicit(word, hook, memory_order_release);
    if (sealed)
        protect(address, PROT_READ);
    sweep->words++;
}

static bool is_hook_of_earlier(const void *value)
{
    for (unsigned i = 0; i < attach.earlier_count; i++)
        if (loaded_contains(&attach.earlier[i], value))
            return true;
    return false;
}

/*
 * A word is ours to redirect when it holds the definition that we pass calls on to, an earlier
 * copy's hook, or nothing but the way to the loader, which would fill it in at the first call.
 */
static bool is_to_redirect(const struct loaded *object, const struct redirect *redirect,
                           const void *value, unsigned type)
{
    if (value == redirect->real || is_hook_of_earlier(value))
        return true;
    uintptr_t offset = (uintptr_t)value - object->code_begin;
    return type == R_X86_64_JUMP_SLOT && offset < object->code_end - object->code_begin;
}

static const struct redirect *find_redirect(const char *name)
{
    if (!*name || !strchr("mcrfapv_d", *name))
        return NULL;
    for (int i = 0; i < REDIRECTS; i++)
        if (strcmp(redirects[i].name, name) == 0)
            return redirects[i].real && redirects[i].hook ? &redirects[i] : NULL;
    return NULL;
}

static void sweep_relocations(struct sweep *sweep, const ElfW(Rela) * relocation, size_t count)
{
    const struct loaded *object = &sweep->object;
    bool own = object->base == attach.ours.base;
    for (size_t i = 0; i < count; i++, relocation++) {
        unsigned type = (unsigned)ELF64_R_TYPE(relocation->r_info);
        if (type != R_X86_64_JUMP_SLOT && type != R_X86_64_GLOB_DAT && type != R_X86_64_64)
            continue;
        if (type == R_X86_64_64 && relocation->r_addend)
            continue;
        const struct redirect *redirect = find_redirect(loaded_relocated_name(object, relocation));
        if (!redirect || (own && redirect->when == NOT_OURS))
            continue;
        uintptr_t address = object->base + relocation->r_offset;
        const void *value = *(void *const volatile *)address;
        if (value != redirect->hook && is_to_redirect(object, redirect, value, type))
            put(sweep, address, redirect->hook);
    }
}

static int sweep_object(struct dl_phdr_info *info, size_t bytes, void *context)
{
    (void)bytes;
    struct sweep *sweep = context;
    if (!attach.running && !sweep->marked)
        raw_call(SYS_getpid, (long)ATTACH_MARK, 0, 0, 0, 0, 0);
    sweep->marked = true;
    sweep->half_loaded = -1;
    sweep->words = 0;
    if (!loaded_view(info, &sweep->object))
        return 0;
    for (unsigned i = 0; i < attach.earlier_count; i++)
        if (attach.earlier[i].base == sweep->object.base)
            return 0;
    sweep_relocations(sweep, sweep->object.jump, sweep->object.jump_count);
    sweep_relocations(sweep, sweep->object.data, sweep->object.data_count);
    sweep->counts->objects += sweep->words != 0;
    sweep->counts->words += sweep->words;
    return 0;
}

static void sweep_all(struct attach_request *counts)
{
    struct sweep sweep = {.counts = counts};
    dl_iterate_phdr(sweep_object, &sweep);
}

/* ---- objects that are loaded later -----------------------------------------------------------
 * dlopen() asks who its caller is: a name without a slash is looked for along the calling object's
 * run path. Where that matters the hook leaves by a jump, and what was loaded is redirected when
 * the program asks for its symbols.
 */
static _Atomic uint32_t sweep_is_due;

static void sweep_later_objects(void)
{
    struct attach_request counts = {0};
    if (wiped.recording)
        sweep_all(&counts);
}

struct caller {
    const void *address;
    bool has_run_path;
};

static int look_at_caller(struct dl_phdr_info *info, size_t bytes, void *context)
{
    (void)bytes;
    struct caller *caller = context;
    struct loaded object;
    if (!loaded_view(info, &object) || !loaded_contains(&object, caller->address))
        return 0;
    caller->has_run_path = object.has_run_path;
    return 1;
}

/* Would the call do the same if it came from us? */
bool attach_caller_is_no_matter(const char *file, const void *address)
{
    struct caller caller = {address, file && strchr(file, '$')};
    if (file && !strchr(file, '$') && !strchr(file, '/'))
        dl_iterate_phdr(look_at_caller, &caller);
    if (caller.has_run_path)
        atomic_store(&sweep_is_due, 1);
    return !caller.has_run_path;
}

void *attach_dlopen_from_here(const char *file, int mode)
{
    void *(*real)(const char *, int);
    *(void **)&real = attach_real_dlopen;
    void *handle = real(file, mode);
    if (handle)
        sweep_later_objects();
    return handle;
}

void attach_before_dlsym(void)
{
    if (atomic_load_explicit(&sweep_is_due, memory_order_relaxed) &&
        atomic_exchange(&sweep_is_due, 0))
        sweep_later_objects();
}

__asm__(".text\n"
        ".hidden attach_dlopen_hook\n"
        ".globl attach_dlopen_hook\n"
        ".type attach_dlopen_hook, @function\n"
        ".p2align 4\n"
        "attach_dlopen_hook:\n"
        "    .cfi_startproc\n"
        "    pushq %rdi\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    pushq %rsi\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    movq 16(%rsp), %rsi\n" /* the caller */
        "    subq $8, %rsp\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    call attach_caller_is_no_matter\n"
        "    addq $8, %rsp\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    popq %rsi\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    popq %rdi\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    testb %al, %al\n"
        "    jnz attach_dlopen_from_here\n"
        "    jmpq *attach_real_dlopen(%rip)\n"
        "    .cfi_endproc\n"
        ".size attach_dlopen_hook, .-attach_dlopen_hook\n"
        ".hidden attach_dlsym_hook\n"
        ".globl attach_dlsym_hook\n"
        ".type attach_dlsym_hook, @function\n"
        ".p2align 4\n"
        "attach_dlsym_hook:\n"
        "    .cfi_startproc\n"
        "    pushq %rdi\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    pushq %rsi\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    subq $8, %rsp\n"
        "    .cfi_adjust_cfa_offset 8\n"
        "    call attach_before_dlsym\n"
        "    addq $8, %rsp\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    popq %rsi\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    popq %rdi\n"
        "    .cfi_adjust_cfa_offset -8\n"
        "    jmpq *attach_real_dlsym(%rip)\n"
        "    .cfi_endproc\n"
        ".size attach_dlsym_hook, .-attach_dlsym_hook\n");

/* ---- the collector's entry -------------------------------------------------------------------
 */

static int join(const struct attach_request *request)
{
    attach.on = true;
    attach.earlier_count = 0;
    dl_iterate_phdr(note_copy, NULL);
    if (!next_find())
        return ATTACH_NO_ALLOCATOR;
    find_redirects();
    attach_real_dlopen = attach_definition("dlopen");
    attach_real_dlsym = attach_definition("dlsym");
    return process_attach(request->memory, request->pid) ? ATTACH_OK : ATTACH_NO_SESSION;
}

EXPORT int heaptape_attach(struct attach_request *request)
{
    if (request->version != ATTACH_VERSION)
        return ATTACH_WRONG_VERSION;
    if (request->step == ATTACH_JOIN)
        return join(request);
    request->objects = request->words = request->sealed = 0;
    sweep_all(request);
    attach.running = true;
    return request->words ? ATTACH_OK : ATTACH_NO_CALLS;
}
