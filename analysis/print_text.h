/* Figures as words for people: counts with commas, shares, bars. Of one line each; not thread-safe.
 */
#ifndef HEAPTAPE_ANALYSIS_PRINT_TEXT_H
#define HEAPTAPE_ANALYSIS_PRINT_TEXT_H

#include <stdint.h>

/* One of a few static buffers, which hold for the PRINT_TEXTS calls that follow. */
#define PRINT_TEXTS 16
/* "200,509". */
const char *print_count(uint64_t count);
/* "1 block", "4,917 blocks". */
const char *print_blocks(uint64_t count);
/* "3.31 MiB". */
const char *print_bytes(uint64_t bytes);
/* Of a power of two: "64 B", "128 KiB"; "0 B" for 0. */
const char *print_power(uint64_t bytes);
/* "12.3 %" of the whole, "<0.1 %" where there is little and "-" where there is nothing. */
const char *print_share(double part, double whole);
/* As many '#' as the share has parts of `width`, '.' where there is less than half a one. */
const char *print_bar(double part, double whole, unsigned width);

#endif
