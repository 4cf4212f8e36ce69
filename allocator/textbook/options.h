/*
 * The switches, read from the environment once, before the first block is handed out. Every
 * variable that begins with TEXTBOOK_ must be one of these and have one of its values; else the
 * program ends with status 2 and one line on stderr.
 *
 *   TEXTBOOK_POLICY          a name of the table below; libtextbook.so only (default first-fit)
 *   TEXTBOOK_ORDER           lifo, fifo, address: where a freed block goes on its free list
 *   TEXTBOOK_COALESCE        now: a freed block merges with its free neighbours at once (default);
 *                            deferred: only when a request finds no block, then all of them
 *   TEXTBOOK_SOURCE          brk (default): the heap is one growing region;
 *                            mmap: regions in whole pages, unmapped when wholly free
 *   TEXTBOOK_GROWTH          the heap grows by this at least (default 64k)
 *   TEXTBOOK_SET_ASIDE       taken from the system at the first call (default 0; 128k is usual)
 *   TEXTBOOK_MMAP_THRESHOLD  requests of this size and above get a mapping of their own (default
 *                            128k)
 *   TEXTBOOK_MIN_SPLIT       a remainder of fewer bytes stays with its block (default and least 32)
 *   TEXTBOOK_SCRIBBLE        1: new memory is filled with 0xAA (calloc's with zeros), freed with
 * 0x55 TEXTBOOK_LEAKS           1: at exit, how many blocks and bytes were not freed, on stderr
 *   TEXTBOOK_PICTURE         text or svg: a picture of the heap (picture.h)
 *   TEXTBOOK_PICTURE_AT      exit (default), USR1, USR2: when, or at which signal
 *   TEXTBOOK_PICTURE_FILE    where it goes (default stderr); %p is the process's number
 *
 * Sizes take k, M and G. Buddy and bump have no order, coalescing and least split; the switches
 * have no effect there.
 */
#ifndef TEXTBOOK_OPTIONS_H
#define TEXTBOOK_OPTIONS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum fit { FIT_FIRST, FIT_NEXT, FIT_BEST, FIT_WORST, FIT_SEGREGATED, FIT_BUDDY, FIT_BUMP };
enum order { ORDER_LIFO, ORDER_FIFO, ORDER_ADDRESS };
enum coalesce { COALESCE_NOW, COALESCE_DEFERRED };
enum source { SOURCE_BRK, SOURCE_MMAP };
enum leaks { LEAKS_UNTOLD, LEAKS_SUM, LEAKS_SITES };
enum picture { PICTURE_NONE, PICTURE_TEXT, PICTURE_SVG };

/* The policies by name: X(name, fit, order). The makefile builds a library of each name. */
#define TEXTBOOK_POLICIES(X)                                                                       \
    X("first-fit", FIT_FIRST, ORDER_LIFO)                                                          \
    X("first-fit-fifo", FIT_FIRST, ORDER_FIFO)                                                     \
    X("first-fit-address", FIT_FIRST, ORDER_ADDRESS)                                               \
    X("next-fit", FIT_NEXT, ORDER_LIFO)                                                            \
    X("next-fit-address", FIT_NEXT, ORDER_ADDRESS)                                                 \
    X("best-fit", FIT_BEST, ORDER_LIFO)                                                            \
    X("best-fit-address", FIT_BEST, ORDER_ADDRESS)                                                 \
    X("worst-fit", FIT_WORST, ORDER_LIFO)                                                          \
    X("segregated", FIT_SEGREGATED, ORDER_LIFO)                                                    \
    X("buddy", FIT_BUDDY, ORDER_LIFO)                                                              \
    X("bump", FIT_BUMP, ORDER_LIFO)

struct options {
    const char *policy; /* its name */
    enum fit fit;
    enum order order;
    enum coalesce coalesce;
    enum source source;
    enum picture picture;
    size_t growth, set_aside, mmap_threshold, min_split; /* bytes */
    enum leaks leaks;
    bool scribble;
    int picture_signal; /* 0: at exit */
    char picture_file[256];
};

extern struct options options;

/* What a program that links the allocators has instead of first fit with nothing set aside
 * (os_alloc.c). */
struct options_defaults {
    const char *policy; /* NULL: first-fit */
    size_t set_aside;
};
extern struct options_defaults options_defaults;

/* The name that this library was built for (TEXTBOOK_NAME); empty where it has them all. */
extern const char *const options_built_in;

/* Fills `options` from the environment, after those of the policy's name. May end the program. */
void options_read(char **environment);
/* The switches of a policy's name and defaults for the rest; false where there is no such name. */
bool options_preset(const char *policy, struct options *ret_options);

#endif
