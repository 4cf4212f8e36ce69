#include "traces/target.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "traces/error.h"

#define SCRIPT_DEPTH   5   /* as the kernel's own limit */
#define HEAD_BYTES     512 /* what is read of a file to tell what it is; the kernel reads 256 */
#define HEADERS_MAX    64  /* program headers looked at */
#define DEFAULT_PATH   "/usr/local/bin:/usr/bin:/bin"
#define DEFAULT_SHELL  "/bin/sh"
#define ENV_BASENAME   "env"
#define GLIBC_BASENAME "ld-linux"

_Static_assert(HEAD_BYTES >= sizeof(Elf64_Ehdr), "the head holds an ELF header");

static enum target_class refuse(struct target *target, enum target_class class, const char *format,
                                ...) __attribute__((format(printf, 3, 4)));

static enum target_class refuse(struct target *target, enum target_class class, const char *format,
                                ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(target->message, sizeof target->message, format, arguments);
    va_end(arguments);
    target->class = class;
    return class;
}

static bool is_file(const char *path, struct stat *ret_info)
{
    return stat(path, ret_info) == 0 && S_ISREG(ret_info->st_mode);
}

/* Along PATH: the first executable file, else the first file, as execvp()'s errors tell them apart.
 */
static bool search_path(const char *name, char found[PATH_MAX])
{
    const char *path = getenv("PATH");
    bool any = false;
    struct stat info;
    if (!path)
        path = DEFAULT_PATH;
    for (const char *part = path;; part++) {
        size_t length = strcspn(part, ":");
        char candidate[PATH_MAX];
        int written = length ? snprintf(candidate, PATH_MAX, "%.*s/%s", (int)length, part, name)
                             : snprintf(candidate, PATH_MAX, "./%s", name);
        if (written > 0 && written < PATH_MAX && is_file(candidate, &info)) {
            bool executable = access(candidate, X_OK) == 0;
            if (executable || !any)
                memcpy(found, candidate, (size_t)written + 1);
            any = true;
            if (executable)
                return true;
        }
        part += length;
        if (!*part)
            return any;
    }
}

/* The file that NAME stands for into `found`, checked to be there and executable. */
static enum target_class locate(const char *name, struct target *target, char found[PATH_MAX])
{
    struct stat info;
    found[0] = 0;
    if (!*name)
        return refuse(target, TARGET_NOT_FOUND, "the program's name is empty");
    if (!strchr(name, '/')) {
        if (!search_path(name, found))
            return refuse(target, TARGET_NOT_FOUND,
                          "%.255s: no such program on PATH; give its path or install it", name);
    } else if ((size_t)snprintf(found, PATH_MAX, "%s", name) >= PATH_MAX) {
        return refuse(target, TARGET_NOT_FOUND, "%.255s...: the name is too long", name);
    }
    if (stat(found, &info) < 0)
        return refuse(target, errno == EACCES ? TARGET_NOT_EXECUTABLE : TARGET_NOT_FOUND,
                      "%s: %s; check the path", found, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return refuse(target, TARGET_NOT_EXECUTABLE,
                      "%s: not a file that can be run; name a program", found);
    if (access(found, X_OK) < 0)
        return refuse(target, TARGET_NOT_EXECUTABLE, "%s: %s; try chmod +x, or run its interpreter",
                      found, strerror(errno));
    return TARGET_OK;
}

/* A setuid bit always refuses: whether the loader honours LD_PRELOAD depends on who calls. */
static enum target_class check_privilege(struct target *target, const char *path, int fd)
{
    struct stat info;
    const char *what = NULL;
    if (fstat(fd, &info) < 0)
        return refuse(target, TARGET_NOT_EXECUTABLE, "%s: %s", path, strerror(errno));
    if (info.st_mode & S_ISUID)
        what = "setuid";
    else if ((info.st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
        what = "setgid";
    else if (geteuid() != 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0)
        what = "a program with file capabilities";
    if (!what)
        return TARGET_OK;
    return refuse(
        target, TARGET_SETUID,
        "%s: is %s, so the loader ignores preloaded libraries; use a copy without the bit", path,
        what);
}

static enum target_class check_loader(struct target *target, const char *path, int fd,
                                      const Elf64_Phdr *header)
{
    char loader[PATH_MAX] = "";
    size_t bytes = header->p_filesz < PATH_MAX - 1 ? header->p_filesz : PATH_MAX - 1;
    if (pread(fd, loader, bytes, (off_t)header->p_offset) != (ssize_t)bytes)
        return refuse(target, TARGET_NOT_ELF, "%s: is a torn program file", path);
    const char *base = strrchr(loader, '/');
    base = base ? base + 1 : loader;
    if (!strncmp(base, GLIBC_BASENAME, sizeof GLIBC_BASENAME - 1))
        return TARGET_OK;
    return refuse(target, TARGET_FOREIGN_LIBC,
                  "%s: uses the loader %.255s and not glibc's; use a build for glibc", path,
                  loader);
}

/* ---- what must be the first library
 * --------------------------------------------------------------
 */

enum { DYNAMIC_MAX = 512, NEEDED_BYTES = 64 };

/* Where in the file an address of the program lies; 0: nowhere. */
static uint64_t offset_of(const Elf64_Phdr *headers, size_t count, uint64_t address)
{
    for (size_t i = 0; i < count; i++)
        if (headers[i].p_type == PT_LOAD && address - headers[i].p_vaddr < headers[i].p_filesz)
            return address - headers[i].p_vaddr + headers[i].p_offset;
    return 0;
}

static bool is_sanitizer(const char *library)
{
    return !strncmp(library, "libasan.so", 10) || !strncmp(library, "libtsan.so", 10) ||
           !strncmp(library, "libhwasan.so", 12);
}

/* A runtime that refuses to start, or crashes, where another library comes before it. */
static bool has_sanitizer(int fd, const Elf64_Phdr *headers, size_t count,
                          const Elf64_Phdr *dynamic)
{
    Elf64_Dyn entry[DYNAMIC_MAX];
    size_t bytes = dynamic->p_filesz < sizeof entry ? dynamic->p_filesz : sizeof entry;
    ssize_t got = pread(fd, entry, bytes, (off_t)dynamic->p_offset);
    size_t entries = got > 0 ? (size_t)got / sizeof *entry : 0;
    uint64_t strings = 0;
    for (size_t i = 0; i < entries; i++)
        if (entry[i].d_tag == DT_STRTAB)
            strings = offset_of(headers, count, entry[i].d_un.d_ptr);
    for (size_t i = 0; strings && i < entries; i++) {
        char name[NEEDED_BYTES] = "";
        if (entry[i].d_tag == DT_NEEDED &&
            pread(fd, name, sizeof name - 1, (off_t)(strings + entry[i].d_un.d_val)) > 0 &&
            is_sanitizer(name))
            return true;
    }
    return false;
}

static enum target_class check_elf(struct target *target, const char *path, int fd,
                                   const unsigned char *head, size_t head_bytes)
{
    Elf64_Ehdr elf;
    Elf64_Phdr headers[HEADERS_MAX];
    if (head_bytes < sizeof elf)
        return refuse(target, TARGET_NOT_ELF, "%s: is a torn program file", path);
    memcpy(&elf, head, sizeof elf);
    if (elf.e_ident[EI_CLASS] != ELFCLASS64 || elf.e_machine != EM_X86_64)
        return refuse(target, TARGET_FOREIGN_LIBC,
                      "%s: is not a 64-bit x86 program; use a build for x86-64", path);
    if (elf.e_type != ET_EXEC && elf.e_type != ET_DYN)
        return refuse(target, TARGET_NOT_ELF, "%s: is an object file and not a program", path);
    size_t count = elf.e_phnum < HEADERS_MAX ? elf.e_phnum : HEADERS_MAX;
    ssize_t got = elf.e_phentsize == sizeof headers[0]
                      ? pread(fd, headers, count * sizeof headers[0], (off_t)elf.e_phoff)
                      : -1;
    if (got < 0 || (size_t)got != count * sizeof headers[0])
        return refuse(target, TARGET_NOT_ELF, "%s: is a torn program file", path);
    for (size_t i = 0; i < count; i++)
        if (headers[i].p_type == PT_DYNAMIC && has_sanitizer(fd, headers, count, &headers[i]))
            return refuse(target, TARGET_SANITIZED,
                          "%s: is built with a sanitizer, whose runtime must be the first library; "
                          "use a build without -fsanitize",
                          path);
    for (size_t i = 0; i < count; i++)
        if (headers[i].p_type == PT_INTERP)
            return check_loader(target, path, fd, &headers[i]);
    return refuse(target, TARGET_STATIC,
                  "%s: is statically linked, so nothing can be preloaded; use a dynamic build",
                  path);
}

/* The next word of a "#!" line at *text, up to `end`; NULL where there is none. Ends it with NUL.
 */
static char *next_word(char **text, const char *end)
{
    char *word = *text;
    while (word < end && (*word == ' ' || *word == '\t'))
        word++;
    char *stop = word;
    while (stop < end && *stop && *stop != ' ' && *stop != '\t' && *stop != '\r')
        stop++;
    if (stop == word)
        return NULL;
    *text = stop < end ? stop + 1 : stop;
    *stop = 0;
    return word;
}

/* What a script runs on. `head` is changed. */
static const char *script_interpreter(char *head, size_t bytes)
{
    char *text = head + 2;
    char *line_end = memchr(head, '\n', bytes);
    const char *end = line_end ? line_end : head + bytes;
    char *interpreter = next_word(&text, end);
    if (!interpreter)
        return DEFAULT_SHELL;
    const char *base = strrchr(interpreter, '/');
    if (strcmp(base ? base + 1 : interpreter, ENV_BASENAME) != 0)
        return interpreter;
    for (char *word; (word = next_word(&text, end));)
        if (word[0] != '-' && !strchr(word, '='))
            return word;
    return interpreter;
}

/* Reads what is at PATH and judges it, or leads to its interpreter, at most `depth` times. */
static enum target_class judge(struct target *target, const char *path, unsigned depth)
{
    char head[HEAD_BYTES + 1] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) /* may be run but not read: taken on trust, its own loader decides */
        return TARGET_OK;
    ssize_t got = pread(fd, head, HEAD_BYTES, 0);
    size_t bytes = got > 0 ? (size_t)got : 0;
    enum target_class class = TARGET_OK;
    if (bytes >= SELFMAG && !memcmp(head, ELFMAG, SELFMAG)) {
        snprintf(target->binary, sizeof target->binary, "%s", path);
        class = check_privilege(target, path, fd);
        if (class == TARGET_OK)
            class = check_elf(target, path, fd, (unsigned char *)head, bytes);
        close(fd);
        return class;
    }
    close(fd);
    bool script = bytes >= 2 && head[0] == '#' && head[1] == '!';
    if (!script && memchr(head, 0, bytes))
        return refuse(target, TARGET_NOT_ELF, "%s: is neither a program nor a script", path);
    if (depth == 0)
        return refuse(target, TARGET_NOT_ELF, "%s: too many interpreters of interpreters", path);
    const char *name = script ? script_interpreter(head, bytes) : DEFAULT_SHELL;
    char found[PATH_MAX];
    class = locate(name, target, found);
    return class == TARGET_OK ? judge(target, found, depth - 1) : class;
}

enum target_class target_check(const char *program, struct target *ret_target)
{
    *ret_target = (struct target){.class = TARGET_OK};
    enum target_class class = locate(program, ret_target, ret_target->path);
    if (class == TARGET_OK)
        class = judge(ret_target, ret_target->path, SCRIPT_DEPTH);
    ret_target->class = class;
    return class;
}

int target_exit_status(enum target_class class)
{
    switch (class) {
    case TARGET_OK:
        return HEAPTAPE_EXIT_OK;
    case TARGET_NOT_FOUND:
        return 127;
    case TARGET_NOT_EXECUTABLE:
    case TARGET_NOT_ELF:
        return 126;
    case TARGET_STATIC:
    case TARGET_SETUID:
    case TARGET_FOREIGN_LIBC:
    case TARGET_SANITIZED:
        return HEAPTAPE_EXIT_ENVIRONMENT;
    }
    return HEAPTAPE_EXIT_ENVIRONMENT;
}
