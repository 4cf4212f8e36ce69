#include "replayer/driver/build_id.h"
#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NOTES_MAX 4096

/* Notes are name, description, each padded to 4 bytes, behind their lengths. */
static void find_note(const char *notes, size_t bytes, char text[BUILD_ID_BYTES])
{
    for (size_t at = 0; at + sizeof(Elf64_Nhdr) <= bytes;) {
        Elf64_Nhdr note;
        memcpy(&note, notes + at, sizeof note);
        size_t name = at + sizeof note, description = name + ((note.n_namesz + 3) & ~(size_t)3);
        at = description + ((note.n_descsz + 3) & ~(size_t)3);
        if (note.n_namesz > bytes || note.n_descsz > bytes || at > bytes)
            return;
        if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != 4 || memcmp(notes + name, "GNU", 4))
            continue;
        for (size_t i = 0; i < note.n_descsz && 2 * i + 2 < BUILD_ID_BYTES; i++)
            snprintf(text + 2 * i, 3, "%02x", (unsigned char)notes[description + i]);
        return;
    }
}

const char *build_id(const char *path, char text[BUILD_ID_BYTES])
{
    Elf64_Ehdr head;
    Elf64_Phdr part;
    char notes[NOTES_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    text[0] = 0;
    bool is_elf = fd >= 0 && pread(fd, &head, sizeof head, 0) == sizeof head &&
                  !memcmp(head.e_ident, ELFMAG, SELFMAG) && head.e_ident[EI_CLASS] == ELFCLASS64;
    for (unsigned i = 0; is_elf && i < head.e_phnum && !text[0]; i++) {
        off_t at = (off_t)(head.e_phoff + (uint64_t)i * sizeof part);
        if (pread(fd, &part, sizeof part, at) != sizeof part)
            break;
        size_t bytes = part.p_filesz < sizeof notes ? part.p_filesz : sizeof notes;
        if (part.p_type == PT_NOTE &&
            pread(fd, notes, bytes, (off_t)part.p_offset) == (ssize_t)bytes)
            find_note(notes, bytes, text);
    }
    if (fd >= 0)
        close(fd);
    return text;
}
