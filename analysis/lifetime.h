/*
 * How long blocks live, on two clocks: events of the tape, and bytes allocated meanwhile (the clock
 * that does not depend on how chatty the program is; Barrett and Zorn 1993). Histograms by powers
 * of two; blocks still live at the end have no lifetime and are not in them.
 */
#ifndef HEAPTAPE_ANALYSIS_LIFETIME_H
#define HEAPTAPE_ANALYSIS_LIFETIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIFETIME_BINS 65 /* bin 0 holds 0; bin b holds 2^(b-1) .. 2^b - 1 */

struct lifetime_histogram {
    uint64_t blocks[LIFETIME_BINS];
    uint64_t bytes[LIFETIME_BINS]; /* sizes at the end of the blocks' lives */
};

struct lifetimes {
    struct lifetime_histogram by_events, by_bytes;
    /* Blocks by their size at the end and by_bytes: the joint density; both by lifetime_bin(). */
    uint64_t by_size[LIFETIME_BINS][LIFETIME_BINS];
    uint64_t *born_bytes; /* by object id: bytes allocated before its birth */
    size_t capacity;
};

unsigned lifetime_bin(uint64_t length);
uint64_t lifetime_bin_low(unsigned bin);
uint64_t lifetime_bin_high(unsigned bin);

void lifetimes_end(struct lifetimes *lifetimes);
/* Object `id` is born when `allocated_bytes` had been allocated. False: no memory. */
bool lifetimes_born(struct lifetimes *lifetimes, uint32_t id, uint64_t allocated_bytes);
/* It ends after `events` events, `size` bytes large, when `allocated_bytes` had been allocated. */
void lifetimes_ended(struct lifetimes *lifetimes, uint32_t id, uint64_t events, uint64_t size,
                     uint64_t allocated_bytes);
/* Upper end of the bin in which `share` (0..1) of the blocks is reached; 0 where there are none. */
uint64_t lifetime_quantile(const struct lifetime_histogram *histogram, double share);

#endif
