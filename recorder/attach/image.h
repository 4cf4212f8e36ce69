/*
 * A loaded ELF object in another process, read from that process's memory: what is mapped counts,
 * not what lies on the disk by now. 64-bit little-endian only.
 */
#ifndef HEAPTAPE_RECORDER_IMAGE_H
#define HEAPTAPE_RECORDER_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image {
    int memory;                    /* /proc/PID/mem; the caller's */
    uint64_t bias;                 /* what is added to the file's addresses */
    uint64_t code_begin, code_end; /* executable segments */
    Elf64_Sym *symbols;            /* image_close() frees both */
    char *strings;
    size_t symbol_count, strings_bytes;
};

/* `header`: address of the ELF header. False: none there, or it has no symbols. */
bool image_open(struct image *image, int memory, uint64_t header);
void image_close(struct image *image);
/* Address of a symbol that the object defines. 0: none. */
uint64_t image_symbol(const struct image *image, const char *name);
/*
 * The stretch of code around functions that were compiled together: from the end of the last other
 * known function before the first of `names` to the beginning of the next one after the last. What
 * lies between known functions are static ones. False: none of the names is defined.
 */
bool image_stretch(const struct image *image, const char *const *names, size_t count,
                   uint64_t *ret_begin, uint64_t *ret_end);

bool image_read(int memory, uint64_t address, void *buffer, size_t bytes);

#endif
