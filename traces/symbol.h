/* What an address in a file stands for; who finds that out is the caller's choice (symbolize.h). */
#ifndef HEAPTAPE_TRACES_SYMBOL_H
#define HEAPTAPE_TRACES_SYMBOL_H

#include <stdbool.h>
#include <stdint.h>

struct symbol {
    char function[512]; /* empty: not known */
    char file[512];     /* likewise */
    uint32_t line;      /* 0: not known */
};

/* `offset`: an address as the file's own tables have it. False: nothing is known. */
typedef bool symbol_finder(void *context, const char *object_path, uint64_t offset,
                           struct symbol *ret_symbol);

#endif
