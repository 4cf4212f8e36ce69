/*
 * The machine that figures were measured on: what must stand beside them, and what of it is known
 * to spoil them.
 */
#ifndef HEAPTAPE_REPLAYER_DRIVER_MACHINE_H
#define HEAPTAPE_REPLAYER_DRIVER_MACHINE_H

#include <stdint.h>

struct machine {
    char cpu_model[128]; /* every text is empty where the system does not tell */
    char kernel[128], os[128], libc[32];
    char thp[16];      /* transparent huge pages: always, madvise or never */
    char governor[32]; /* of CPU 0 */
    unsigned cores;    /* that we may run on */
    uint64_t memory_bytes, page_bytes;
};

void machine_describe(struct machine *ret_machine);
/* Memory that can be had now without swapping, within the limit of our control group. */
uint64_t machine_available_bytes(void);

/* The first line of a small file (of /proc or /sys) into text, "" where there is none. Returns
 * text. */
const char *machine_read_line(const char *path, char *text, unsigned bytes);

#endif
