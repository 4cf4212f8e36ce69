/* What the usual names lead to: in the ordinary build the fast paths, in the hardened build the
 * functions that check first, in the build for Valgrind those that tell it. `name` is the
 * operation's, for messages. */
#ifndef HTMALLOC_FRONT_H
#define HTMALLOC_FRONT_H

#include "htmalloc.h"

#ifdef HT_HARD
#include "hard.h"

#define front_malloc(size)                       hard_malloc(size)
#define front_free(address)                      hard_free(address)
#define front_free_sized(name, address, size)    hard_free_sized(name, address, size)
#define front_free_aligned(name, address, align) hard_free_aligned(name, address, align)
#define front_free_aligned_sized(name, address, align, size)                                       \
    hard_free_aligned_sized(name, address, align, size)

#elif defined HT_VALGRIND

#define front_malloc(size)                    ht_malloc(size)
#define front_free(address)                   ht_free(address)
#define front_free_sized(name, address, size) ht_free_sized(address, size)
#define front_free_aligned_sized(name, address, align, size)                                       \
    ht_free_aligned_sized(address, align, size)

#else
#include "fast.h"

#define front_malloc(size)                       fast_malloc(size)
#define front_free(address)                      fast_free(address)
#define front_free_sized(name, address, size)    ((void)(size), fast_free(address))
#define front_free_aligned(name, address, align) ((void)(align), fast_free(address))
#define front_free_aligned_sized(name, address, align, size)                                       \
    ((void)(align), (void)(size), fast_free(address))

#endif
#endif
