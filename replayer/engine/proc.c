#include "replayer/engine/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "replayer/engine/engine.h"

#define LINE_BYTES 8192 /* a path may have 4096 */
#define TLS_BYTES  65536

static int statm_fd = -1, rollup_fd = -1;

void proc_open(void)
{
    statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    rollup_fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
    if (statm_fd < 0)
        engine_fail(HEAPTAPE_EXIT_ENVIRONMENT,
                    "/proc/self/statm: %s: memory cannot be measured without /proc",
                    strerror(errno));
}

/* The number at *text; *text goes behind it. */
static uint64_t number(const char **text, unsigned base)
{
    uint64_t value = 0;
    for (;; ++*text) {
        unsigned char c = (unsigned char)**text;
        unsigned digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
        if (digit >= base)
            return value;
        value = value * base + digit;
    }
}

struct proc_statm proc_statm(void)
{
    char text[256];
    uint64_t fields[7] = {0};
    ssize_t got = pread(statm_fd, text, sizeof(text) - 1, 0);
    if (got <= 0)
        engine_fail(HEAPTAPE_EXIT_ENVIRONMENT, "/proc/self/statm: %s", strerror(errno));
    text[got] = 0;
    const char *at = text;
    for (int i = 0; i < 7; i++) {
        fields[i] = number(&at, 10);
        at += *at == ' ';
    }
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return (struct proc_statm){fields[1] * page, fields[5] * page, (fields[1] - fields[2]) * page};
}

/* The number behind `key` in the text of a file of "key: number" lines; 0 where there is none. */
static uint64_t behind(const char *text, const char *key, unsigned base)
{
    const char *at = strstr(text, key);
    if (!at)
        return 0;
    at += strlen(key);
    while (*at == ' ' || *at == '\t')
        at++;
    return number(&at, base);
}

/* All of a small file of /proc; "" where it cannot be read. */
static void text_of(int fd, char *text, size_t bytes)
{
    ssize_t got = fd < 0 ? 0 : pread(fd, text, bytes - 1, 0);
    text[got > 0 ? got : 0] = 0;
}

struct proc_rollup proc_rollup(void)
{
    char text[4096];
    text_of(rollup_fd, text, sizeof(text));
    return (struct proc_rollup){behind(text, "\nRss:", 10) << 10,
                                behind(text, "\nAnonHugePages:", 10) << 10};
}

uint64_t proc_high_water(void)
{
    char text[4096];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    text_of(fd, text, sizeof(text));
    if (fd >= 0)
        close(fd);
    return behind(text, "\nVmHWM:", 10) << 10;
}

void proc_reset_high_water(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    /* Where it fails the mark only stays coarse. */
    if (write(fd, "5", 1) != 1)
        errno = 0;
    close(fd);
}

/* ---- line by line ------------------------------------------------------------------------------
 */

struct lines {
    int fd;
    size_t begin, end;
    char buffer[LINE_BYTES];
};

/* The next line without its newline; NULL at the end. Lines longer than the buffer come in parts.
 */
static char *lines_next(struct lines *lines)
{
    for (;;) {
        char *start = lines->buffer + lines->begin;
        char *newline = memchr(start, '\n', lines->end - lines->begin);
        if (newline) {
            *newline = 0;
            lines->begin = (size_t)(newline + 1 - lines->buffer);
            return start;
        }
        memmove(lines->buffer, start, lines->end - lines->begin);
        lines->end -= lines->begin;
        lines->begin = 0;
        size_t room = LINE_BYTES - 1 - lines->end;
        ssize_t got = room ? read(lines->fd, lines->buffer + lines->end, room) : 0;
        if (got <= 0) {
            if (!lines->end)
                return NULL;
            lines->buffer[lines->end] = 0;
            lines->end = 0;
            return lines->buffer;
        }
        lines->end += (size_t)got;
    }
}

struct mapping {
    uint64_t start, end;
    bool writable;  /* and private */
    char rights[5]; /* "rwxp" */
    char path[512]; /* "" = anonymous; cut where longer */
};

/* A line that begins a mapping ("start-end perms offset dev inode path"). */
static bool mapping_parse(const char *line, struct mapping *ret)
{
    const char *at = line;
    uint64_t start = number(&at, 16);
    if (at == line || *at != '-')
        return false;
    at++;
    uint64_t end = number(&at, 16);
    if (*at != ' ')
        return false;
    for (int fields = 0; fields < 4 && *at; fields++) {
        while (*at == ' ')
            at++;
        if (fields == 0) {
            memcpy(ret->rights, at, strnlen(at, 4));
            ret->writable = ret->rights[1] == 'w' && ret->rights[3] == 'p';
        }
        while (*at && *at != ' ')
            at++;
    }
    while (*at == ' ')
        at++;
    ret->start = start;
    ret->end = end;
    size_t length = strnlen(at, sizeof(ret->path) - 1);
    memcpy(ret->path, at, length);
    ret->path[length] = 0;
    return true;
}

static bool lines_open(struct lines *lines, const char *path)
{
    lines->begin = lines->end = 0;
    lines->fd = open(path, O_RDONLY | O_CLOEXEC);
    return lines->fd >= 0;
}

/* Whether the file is libc, the loader or another part of it: there whatever the allocator is. */
static bool is_libc(const char *path)
{
    static const char *const names[] = {"libc.so", "libc-2.",       "ld-linux", "ld-2.",
                                        "ld.so",   "libpthread.so", "libdl.so", "ld-musl"};
    const char *name = strrchr(path, '/');
    name = name ? name + 1 : path;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strncmp(name, names[i], strlen(names[i])))
            return true;
    return false;
}

static bool is_foreign(const struct mapping *mapping, const char *engine)
{
    if (!strcmp(mapping->path, "[heap]"))
        return false;
    return mapping->path[0] == '[' || !strcmp(mapping->path, engine) || is_libc(mapping->path);
}

/* Whether the mapping is the allocator's; `previous` is the one before, `previous_foreign` its
 * answer. */
static bool is_allocators(const struct mapping *mapping, const char *engine, uint64_t previous_end,
                          bool previous_foreign, bool *ret_bss)
{
    uint64_t thread = (uint64_t)__builtin_thread_pointer();
    /* Anonymous memory right behind a file is that file's .bss. */
    *ret_bss = !mapping->path[0] && mapping->start == previous_end;
    /* The loader's block of thread-local memory, unless the kernel merged it into more. */
    bool tls = mapping->start <= thread && thread < mapping->end &&
               mapping->end - mapping->start <= TLS_BYTES;
    return !((*ret_bss && previous_foreign) || tls || is_foreign(mapping, engine));
}

/* The engine's executable as /proc has it. */
static const char *engine_path(void)
{
    static char path[512];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = 0;
    return path;
}

static struct proc_range range_of(const struct mapping *mapping, bool foreign)
{
    uint8_t kind = PROC_FILE;
    if (!mapping->path[0])
        kind = PROC_ANONYMOUS;
    else if (!strcmp(mapping->path, "[heap]"))
        kind = PROC_HEAP;
    else if (mapping->path[0] == '[')
        kind = PROC_SPECIAL;
    return (struct proc_range){.start = mapping->start,
                               .end = mapping->end,
                               .foreign = foreign,
                               .readable = mapping->rights[0] == 'r',
                               .writable = mapping->rights[1] == 'w',
                               .executable = mapping->rights[2] == 'x',
                               .shared = mapping->rights[3] == 's',
                               .kind = kind};
}

size_t proc_ranges(struct proc_range *ret_ranges, size_t limit)
{
    static struct lines lines;
    static struct mapping mapping;
    const char *engine = engine_path();
    uint64_t file_end = 0; /* of the mapping before, where it is a file's */
    size_t count = 0;
    bool ours = false, bss;
    if (!lines_open(&lines, "/proc/self/maps"))
        return 0;
    for (char *line; count < limit && (line = lines_next(&lines));) {
        if (!mapping_parse(line, &mapping))
            continue;
        ours = is_allocators(&mapping, engine, file_end, !ours, &bss);
        file_end = mapping.path[0] == '/' ? mapping.end : 0;
        ret_ranges[count++] = range_of(&mapping, !ours);
    }
    close(lines.fd);
    return count;
}

struct proc_footprint proc_allocator_footprint(void)
{
    static struct lines lines;
    static struct mapping mapping;
    const char *engine = engine_path();
    struct proc_footprint total = {0};
    uint64_t file_end = 0; /* of the mapping before, where it is a file's */
    bool ours = false;
    if (!lines_open(&lines, "/proc/self/smaps"))
        return total;
    for (char *line; (line = lines_next(&lines));) {
        if (mapping_parse(line, &mapping)) {
            bool bss;
            ours = is_allocators(&mapping, engine, file_end, !ours, &bss);
            if (ours && !bss && mapping.writable && mapping.path[0] != '/')
                total.held_bytes += mapping.end - mapping.start;
            file_end = mapping.path[0] == '/' ? mapping.end : 0;
        } else if (ours && !strncmp(line, "Rss:", 4)) {
            const char *at = line + 4;
            while (*at == ' ')
                at++;
            total.resident_bytes += number(&at, 10) << 10;
        }
    }
    close(lines.fd);
    return total;
}

/* Linux's names of a directory's entries, without the heap that opendir() asks. */
struct directory_entry {
    uint64_t inode;
    int64_t offset;
    uint16_t bytes;
    uint8_t type;
    char name[];
};

static bool blocks(const char *thread, int signal_number)
{
    char path[64], text[4096];
    snprintf(path, sizeof(path), "/proc/self/task/%.16s/status", thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    text_of(fd, text, sizeof(text));
    if (fd >= 0)
        close(fd);
    return behind(text, "\nSigBlk:", 16) >> (signal_number - 1) & 1;
}

unsigned proc_threads(int signal_number, unsigned *ret_blocked)
{
    _Alignas(8) char entries[4096];
    unsigned threads = 0, blocked = 0;
    int fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (long got; fd >= 0 && (got = syscall(SYS_getdents64, fd, entries, sizeof(entries))) > 0;)
        for (long at = 0; at < got;) {
            const struct directory_entry *entry = (void *)(entries + at);
            at += entry->bytes;
            if (entry->name[0] == '.')
                continue;
            threads++;
            blocked += blocks(entry->name, signal_number);
        }
    if (fd >= 0)
        close(fd);
    *ret_blocked = blocked;
    return threads;
}

bool proc_same_file(const void *a, const void *b)
{
    static struct lines lines;
    static struct mapping mapping;
    static char path[2][512];
    const uint64_t wanted[2] = {(uintptr_t)a, (uintptr_t)b};
    if (!lines_open(&lines, "/proc/self/maps"))
        return false;
    for (char *line; (line = lines_next(&lines));) {
        if (!mapping_parse(line, &mapping))
            continue;
        for (int i = 0; i < 2; i++)
            if (mapping.start <= wanted[i] && wanted[i] < mapping.end)
                memcpy(path[i], mapping.path, sizeof(path[i]));
    }
    close(lines.fd);
    return path[0][0] && !strcmp(path[0], path[1]);
}
