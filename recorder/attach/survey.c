#include "recorder/attach/survey.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "recorder/attach/image.h"
#include "recorder/attach/procfs.h"
#include "recorder/ring.h"

#define LIBRARY_NAME "libheaptape-record.so"
#define SESSION_NAME "/memfd:heaptape "

/* Glibc's, which are compiled together with everything that they call and that takes locks. */
static const char *const allocator_names[] = {
    "malloc",  "free",           "realloc",
    "calloc",  "memalign",       "valloc",
    "pvalloc", "malloc_trim",    "malloc_usable_size",
    "mallopt", "posix_memalign", "malloc_info",
};
enum { ALLOCATOR_NAMES = sizeof allocator_names / sizeof allocator_names[0] };

struct search {
    pid_t pid;
    int memory;
    struct code_range *code; /* executable mappings, sorted */
    size_t code_count, code_capacity;
    uint64_t loader, program; /* begin of the loader's and the program's own image */
    uint64_t inode;           /* of our library's file */
    uint64_t session;         /* a session that is mapped */
    bool libc, musl;
    struct survey *result;
};

static void add_range(struct code_range *ranges, unsigned *count, uint64_t begin, uint64_t end)
{
    if (*count < SAFEPOINT_RANGES_MAX)
        ranges[(*count)++] = (struct code_range){begin, end};
}

/* ---- the C library ---------------------------------------------------------------------------
 */

/* In the function syscall(), which nothing that we call calls. */
static uint64_t find_syscall_instruction(const struct image *image)
{
    uint8_t code[96];
    uint64_t function = image_symbol(image, "syscall");
    if (!function || !image_read(image->memory, function, code, sizeof code))
        return 0;
    const uint8_t instruction[] = {0x0f, 0x05};
    const uint8_t *found = memmem(code, sizeof code, instruction, sizeof instruction);
    return found ? function + (uint64_t)(found - code) : 0;
}

/* "mov $15, %rax; syscall": where the C library has signal handlers return to. */
static uint64_t find_handler_return(const struct image *image)
{
    static const uint8_t code[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
    size_t bytes = image->code_end - image->code_begin;
    uint8_t *text = bytes < (64 << 20) ? malloc(bytes) : NULL;
    const uint8_t *found = NULL;
    if (text && image_read(image->memory, image->code_begin, text, bytes))
        found = memmem(text, bytes, code, sizeof code);
    uint64_t address = found ? image->code_begin + (uint64_t)(found - text) : 0;
    free(text);
    return address;
}

static void look_at_libc(struct search *search, const struct image *image)
{
    struct survey *result = search->result;
    struct safepoint *safepoint = &result->safepoint;
    uint64_t begin, end;
    search->libc = true;
    result->errno_location = image_symbol(image, "__errno_location");
    result->syscall_at = find_syscall_instruction(image);
    safepoint->handler_return = find_handler_return(image);
    add_range(safepoint->busy, &safepoint->busy_count, image->code_begin, image->code_end);
    if (image_stretch(image, allocator_names, ALLOCATOR_NAMES, &begin, &end))
        add_range(safepoint->locked, &safepoint->locked_count, begin, end);
    if (!result->dlopen && !image_symbol(image, "dlopen")) {
        result->dlopen = image_symbol(image, "__libc_dlopen_mode");
        result->dlopen_is_internal = true;
    }
}

static void look_for_dlopen(struct survey *result, const struct image *image)
{
    uint64_t function = image_symbol(image, "dlopen");
    if (!function)
        return;
    result->dlopen = function;
    result->dlopen_is_internal = false;
    result->dlerror = image_symbol(image, "dlerror");
}

/* ---- the mappings ----------------------------------------------------------------------------
 */

static bool visit_code(const struct procfs_map *map, void *context)
{
    struct search *search = context;
    if (map->rights[2] != 'x')
        return true;
    if (search->code_count == search->code_capacity) {
        size_t capacity = search->code_capacity ? 2 * search->code_capacity : 64;
        struct code_range *more = realloc(search->code, capacity * sizeof *more);
        if (!more)
            return false;
        search->code = more;
        search->code_capacity = capacity;
    }
    search->code[search->code_count++] = (struct code_range){map->begin, map->end};
    return true;
}

/* Else it is a file that somebody reads, not one that is loaded. */
static bool is_loaded(const struct search *search, const struct image *image)
{
    for (size_t i = 0; i < search->code_count; i++)
        if (image->code_begin >= search->code[i].begin && image->code_begin < search->code[i].end)
            return true;
    return false;
}

static void look_at_image(struct search *search, const struct procfs_map *map,
                          const struct image *image)
{
    struct safepoint *safepoint = &search->result->safepoint;
    bool is_program = search->program >= map->begin && search->program < map->end;
    if (map->begin == search->loader) {
        safepoint->loader = (struct code_range){image->code_begin, image->code_end};
        add_range(safepoint->locked, &safepoint->locked_count, image->code_begin, image->code_end);
    } else if (image_symbol(image, "gnu_get_libc_version")) {
        look_at_libc(search, image);
        look_for_dlopen(search->result, image);
    } else if (image_symbol(image, "malloc")) {
        safepoint->allocator_in_program |= is_program;
        if (!is_program)
            add_range(safepoint->locked, &safepoint->locked_count, image->code_begin,
                      image->code_end);
    }
    if (strstr(map->path, "/libdl.so.2") || strstr(map->path, "/libdl-2."))
        look_for_dlopen(search->result, image);
}

static void look_at_object(struct search *search, const struct procfs_map *map)
{
    struct image image;
    if (!image_open(&image, search->memory, map->begin))
        return;
    if (is_loaded(search, &image))
        look_at_image(search, map, &image);
    image_close(&image);
}

static bool visit(const struct procfs_map *map, void *context)
{
    struct search *search = context;
    struct survey *result = search->result;
    if (strcmp(map->path, "[vdso]") == 0)
        add_range(result->safepoint.busy, &result->safepoint.busy_count, map->begin, map->end);
    if (map->offset || map->rights[0] != 'r' || !map->inode)
        return true;
    search->musl |= strstr(map->path, "/ld-musl-") != NULL;
    if (strncmp(map->path, SESSION_NAME, sizeof SESSION_NAME - 1) == 0) {
        search->session = map->begin;
    } else if (strstr(map->path, LIBRARY_NAME)) {
        result->copies++;
        result->has_file |= map->inode == search->inode;
    } else {
        look_at_object(search, map);
    }
    return true;
}

/* ---- the verdict -----------------------------------------------------------------------------
 */

static bool refuse(struct tape_error *error, pid_t pid, const char *reason)
{
    char program[64];
    procfs_program(pid, program, sizeof program);
    tape_error_set(error, TAPE_SYSTEM, UINT64_MAX, "process %d (%s) %s", (int)pid, program, reason);
    return false;
}

/* A session that is mapped may be one that ended long ago. */
static bool is_free(const struct search *search, struct tape_error *error)
{
    struct ring_session *session = malloc(sizeof *session);
    bool is_read = session && search->session &&
                   image_read(search->memory, search->session, session, sizeof *session);
    bool live = is_read && session->magic == RING_MAGIC && !atomic_load(&session->closed) &&
                !((unsigned)session->alive.__data.__lock & 0x40000000); /* FUTEX_OWNER_DIED */
    char reason[128];
    if (live)
        snprintf(reason, sizeof reason,
                 "is being recorded already, by process %u; end that first (Ctrl-C there)",
                 session->collector_pid);
    free(session);
    return !live || refuse(error, search->pid, reason);
}

bool survey(pid_t pid, int memory, const char *library, struct survey *ret,
            struct tape_error *error)
{
    struct stat file;
    struct search search = {.pid = pid, .memory = memory, .result = ret};
    *ret = (struct survey){.safepoint = {.memory = memory}};
    if (stat(library, &file) == 0)
        search.inode = file.st_ino;
    procfs_auxiliary(pid, AT_BASE, &search.loader);
    procfs_auxiliary(pid, AT_PHDR, &search.program);
    bool shown = procfs_maps(pid, visit_code, &search) && procfs_maps(pid, visit, &search);
    free(search.code);
    if (!shown)
        return refuse(error, pid, "shows no mappings: it has ended, or hides them");
    if (search.musl)
        return refuse(error, pid, "uses the C library musl; use a build for glibc");
    if (!search.libc)
        return refuse(error, pid, "uses no GNU C library, so nothing can be loaded into it");
    if (!is_free(&search, error))
        return false;
    if (!ret->dlopen || !ret->syscall_at || !ret->safepoint.loader.end)
        return refuse(error, pid,
                      "has a C library without dlopen() or a loader that cannot be recognised");
    return true;
}

struct file_search {
    uint64_t inode, begin;
};

static bool visit_for_file(const struct procfs_map *map, void *context)
{
    struct file_search *search = context;
    if (map->inode == search->inode && !map->offset && strstr(map->path, LIBRARY_NAME))
        search->begin = map->begin;
    return !search->begin;
}

uint64_t survey_find_file(pid_t pid, uint64_t inode)
{
    struct file_search search = {inode, 0};
    procfs_maps(pid, visit_for_file, &search);
    return search.begin;
}
