/*
 * Names for addresses: from symbol tables and debugging information, by elfutils' libdw, installed
 * debug packages included. Linked by the tools that need it, not by libtape. One thread.
 */
#ifndef HEAPTAPE_TRACES_SYMBOLIZE_H
#define HEAPTAPE_TRACES_SYMBOLIZE_H

#include "traces/symbol.h"

struct symbolizer;

/* NULL: no memory. */
struct symbolizer *symbolizer_new(void);
void symbolizer_free(struct symbolizer *symbolizer);
/* A symbol_finder; the context is the symbolizer. Functions of C++ and Rust stand there as written.
 */
bool symbolizer_find(void *symbolizer, const char *object_path, uint64_t offset,
                     struct symbol *ret_symbol);

#endif
