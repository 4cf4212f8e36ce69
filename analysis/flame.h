/*
 * A flame graph: stacks with weights, drawn as one SVG file that needs nothing else (in a browser:
 * click or Enter zooms, Escape or the root goes back, hover and screen readers tell the figures),
 * or written as folded stacks ("outer;inner 4096") for other tools. Memory: a node for each stack
 * prefix. One thread.
 */
#ifndef HEAPTAPE_ANALYSIS_FLAME_H
#define HEAPTAPE_ANALYSIS_FLAME_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct flame_node;

struct flame {
    struct flame_node *nodes; /* 0 is the root */
    uint32_t count, room;
    bool failed; /* no memory */
};

/* False: no memory. flame_end() in any case. */
bool flame_begin(struct flame *flame);
void flame_end(struct flame *flame);
/* Down from `node` (0 at first) to the child of this name; a new one where there is none. */
uint32_t flame_descend(struct flame *flame, uint32_t node, const char *name);
/* The stack that ends at `node` weighs so many bytes more. */
void flame_weigh(struct flame *flame, uint32_t node, uint64_t bytes);

/* Folded stacks, the root left out; frames joined by ";" (which becomes ":" inside of names). */
void flame_write_folded(const struct flame *flame, FILE *out);
/* `title` and `subtitle` stand above; names are escaped. */
void flame_write_svg(const struct flame *flame, FILE *out, const char *title, const char *subtitle);

#endif
