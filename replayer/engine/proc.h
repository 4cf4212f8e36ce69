/*
 * What /proc/self tells about the process's memory, read without any allocation. proc_open() first;
 * where /proc is missing it ends the run.
 */
#ifndef HEAPTAPE_REPLAYER_PROC_H
#define HEAPTAPE_REPLAYER_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proc_statm {
    uint64_t resident_bytes;
    uint64_t data_bytes;      /* private writable mappings, brk and stacks */
    uint64_t anonymous_bytes; /* of resident_bytes: neither files' nor shared */
};

void proc_open(void);
struct proc_statm proc_statm(void);
struct proc_rollup {
    uint64_t resident_bytes, huge_bytes; /* Rss; AnonHugePages */
};
/* Exact on every kernel; the kernel walks all pages for it. 0 where it has no such file. */
struct proc_rollup proc_rollup(void);
/* Sets the high-water mark of resident memory to what is resident now. Needs no permission. */
void proc_reset_high_water(void);
/*
 * VmHWM. Not getrusage's ru_maxrss: that one remembers what the process was before exec. 0 where it
 * cannot be read.
 */
uint64_t proc_high_water(void);

/* What the allocator has before the first operation. */
struct proc_footprint {
    /*
     * Resident in mappings that are neither the engine's (its executable), nor libc's, the
     * loader's, the kernel's or a stack: the allocator's code and data, those of the libraries that
     * it brought along, and the memory that it has taken so far.
     */
    uint64_t resident_bytes;
    /* Private, writable and of no file, .bss apart: what it has mapped to give blocks from. */
    uint64_t held_bytes;
};

/* Call it before the engine maps anything of its own. */
struct proc_footprint proc_allocator_footprint(void);

enum proc_range_kind { PROC_ANONYMOUS, PROC_FILE, PROC_HEAP, PROC_SPECIAL };

/* A mapping of the process. */
struct proc_range {
    uint64_t start, end;
    bool foreign; /* by its name not the allocator's: see proc_footprint */
    bool readable, writable, executable, shared;
    uint8_t kind; /* enum proc_range_kind; PROC_HEAP: brk, PROC_SPECIAL: a name of the kernel's */
};
/* All mappings, lowest first; returns their number, at most `limit`. One thread at a time. */
size_t proc_ranges(struct proc_range *ret_ranges, size_t limit);

/* The threads of the process; *ret_blocked: how many of them block the signal. */
unsigned proc_threads(int signal_number, unsigned *ret_blocked);

/* Whether both addresses lie in the same file's mappings. */
bool proc_same_file(const void *a, const void *b);

#endif
