#include "recorder/preload/judge.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "recorder/preload/syscalls.h"

/* A file's beginning. Program headers nearly always are within it. */
struct head {
    long fd, bytes;
    _Alignas(8) char data[1024];
};

static const Elf64_Phdr *program_header(const struct head *head, unsigned i)
{
    const Elf64_Ehdr *elf = (const Elf64_Ehdr *)head->data;
    uint64_t at = elf->e_phoff + i * sizeof(Elf64_Phdr);
    if (i >= elf->e_phnum || at % 8 || at + sizeof(Elf64_Phdr) > (uint64_t)head->bytes)
        return NULL;
    return (const Elf64_Phdr *)(head->data + at);
}

static const Elf64_Phdr *find_header(const struct head *head, uint32_t type)
{
    const Elf64_Phdr *header;
    for (unsigned i = 0; (header = program_header(head, i)); i++)
        if (header->p_type == type)
            return header;
    return NULL;
}

static long read_at(const struct head *head, void *buffer, size_t bytes, uint64_t offset)
{
    return raw_call(SYS_pread64, head->fd, (long)buffer, (long)bytes, (long)offset, 0, 0);
}

/* ---- libraries that it needs -------------------------------------------------------------------
 */

/* Where what is loaded at `address` lies in the file; 0: nowhere. */
static uint64_t offset_of(const struct head *head, uint64_t address)
{
    const Elf64_Phdr *header;
    for (unsigned i = 0; (header = program_header(head, i)); i++)
        if (header->p_type == PT_LOAD && address - header->p_vaddr < header->p_filesz)
            return address - header->p_vaddr + header->p_offset;
    return 0;
}

/* Two walks over the dynamic section: where its strings are, and then who is needed. */
static uint64_t find_strings(const struct head *head, const Elf64_Phdr *dynamic)
{
    Elf64_Dyn entry[8] = {{0}};
    for (uint64_t at = 0; at < dynamic->p_filesz; at += sizeof entry) {
        if (read_at(head, entry, sizeof entry, dynamic->p_offset + at) != sizeof entry)
            return 0;
        for (unsigned i = 0; i < 8; i++)
            if (entry[i].d_tag == DT_STRTAB)
                return offset_of(head, entry[i].d_un.d_ptr);
    }
    return 0;
}

static bool is_first_library(const struct head *head, uint64_t name_at)
{
    static const char first[][12] = {"libasan.so", "libtsan.so", "libhwasan.s"};
    char name[12] = "";
    if (raw_failed(read_at(head, name, sizeof name - 1, name_at)))
        return false;
    for (unsigned i = 0; i < sizeof first / sizeof *first; i++)
        if (strncmp(name, first[i], strlen(first[i])) == 0)
            return true;
    return false;
}

/* The needed libraries come first in the section; a runtime that must be the first is among them.
 */
static bool needs_to_be_first(const struct head *head)
{
    const Elf64_Phdr *dynamic = find_header(head, PT_DYNAMIC);
    uint64_t strings = dynamic ? find_strings(head, dynamic) : 0;
    Elf64_Dyn entry = {0};
    for (unsigned i = 0; strings && i < 16; i++) {
        uint64_t at = dynamic->p_offset + i * sizeof entry;
        if (read_at(head, &entry, sizeof entry, at) != sizeof entry || entry.d_tag != DT_NEEDED)
            return false;
        if (is_first_library(head, strings + entry.d_un.d_val))
            return true;
    }
    return false;
}

/* ---- programs and scripts ----------------------------------------------------------------------
 */

static enum verdict judge_elf(const struct head *head)
{
    const Elf64_Ehdr *elf = (const Elf64_Ehdr *)head->data;
    if (elf->e_ident[EI_CLASS] != ELFCLASS64 || elf->e_machine != EM_X86_64)
        return FOREIGN;
    const Elf64_Phdr *interpreter = find_header(head, PT_INTERP);
    if (!interpreter) /* of so many headers that they are not all seen nothing can be told */
        return program_header(head, elf->e_phnum - 1u) ? STATIC : RECORDABLE;
    uint64_t end = interpreter->p_offset + interpreter->p_filesz;
    bool musl = end < (uint64_t)head->bytes &&
                memmem(head->data + interpreter->p_offset, interpreter->p_filesz, "ld-musl", 7);
    return musl || needs_to_be_first(head) ? FOREIGN : RECORDABLE;
}

/* "#!interpreter argument": the interpreter's path in place. NULL: it is no script. */
static const char *interpreter_of(struct head *head)
{
    if (head->bytes < 3 || head->data[0] != '#' || head->data[1] != '!')
        return NULL;
    head->data[head->bytes < 255 ? head->bytes : 255] = '\0';
    char *path = head->data + 2;
    path += strspn(path, " \t");
    path[strcspn(path, " \t\n")] = '\0';
    return path;
}

static enum verdict judge_open(struct head *head)
{
    struct stat status = {.st_mode = 0};
    head->bytes = raw_read(head->fd, head->data, sizeof head->data);
    if (raw_failed(raw_call(SYS_fstat, head->fd, (long)&status, 0, 0, 0, 0)) ||
        !S_ISREG(status.st_mode) || !(status.st_mode & 0111))
        return NOT_THERE;
    if (head->bytes < (long)sizeof(Elf64_Ehdr) || memcmp(head->data, ELFMAG, SELFMAG) != 0)
        return RECORDABLE; /* a script, or the shell's affair */
    if ((status.st_mode & S_ISUID && status.st_uid != geteuid()) ||
        (status.st_mode & S_ISGID && status.st_gid != getegid()))
        return FOREIGN;
    return judge_elf(head);
}

enum verdict judge(const char *path)
{
    struct head head;
    enum verdict verdict = NOT_THERE;
    for (int depth = 0; path && depth < 5; depth++) { /* as deep as the kernel goes */
        head.fd = raw_open(path, O_RDONLY);
        if (raw_failed(head.fd)) /* not readable may still be executable; nothing is known then */
            return NOT_THERE;
        verdict = judge_open(&head);
        raw_close(head.fd);
        path = verdict == RECORDABLE ? interpreter_of(&head) : NULL;
    }
    return verdict;
}

enum verdict judge_search(const char *name, char *found, size_t capacity)
{
    const char *folders = getenv("PATH");
    if (!folders)
        folders = "/bin:/usr/bin"; /* as glibc has it */
    size_t name_bytes = strlen(name) + 1;
    while (*folders) {
        size_t bytes = strcspn(folders, ":");
        if (bytes && bytes + 1 + name_bytes <= capacity) {
            memcpy(found, folders, bytes);
            found[bytes] = '/';
            memcpy(found + bytes + 1, name, name_bytes);
            enum verdict verdict = judge(found);
            if (verdict != NOT_THERE)
                return verdict;
        }
        folders += bytes + (folders[bytes] == ':');
    }
    return NOT_THERE;
}
