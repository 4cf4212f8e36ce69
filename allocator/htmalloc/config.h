/* The sizes that htmalloc is built on. Everything else is derived from these; the relations that
 * the code relies on are asserted below, so that a change which breaks one does not compile. */
#ifndef HTMALLOC_CONFIG_H
#define HTMALLOC_CONFIG_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HT_PAGE_SHIFT    12 /* the unit in which the system gives and takes memory */
#define HT_SLICE_SHIFT   14 /* the unit in which a segment is divided */
#define HT_SEGMENT_SHIFT 22 /* the unit in which address space is mapped, and its alignment */
#define HT_ADDRESS_BITS  47 /* of a user-space address */

#define HT_PAGE    ((size_t)1 << HT_PAGE_SHIFT)
#define HT_SLICE   ((size_t)1 << HT_SLICE_SHIFT)
#define HT_SEGMENT ((size_t)1 << HT_SEGMENT_SHIFT)

#define HT_SEGMENT_SLICES (1u << (HT_SEGMENT_SHIFT - HT_SLICE_SHIFT))
#define HT_RUN_BYTES      64u /* a run's descriptor: one cache line */

#define HT_ALIGN     16u    /* what malloc promises, and the step of the small size classes */
#define HT_FAST_MAX  1024u  /* sizes that the table in a heap leads straight to a run */
#define HT_SMALL_MAX 32768u /* sizes served as blocks of runs; above: whole slices */
#define HT_LARGE_MAX                                                                               \
    ((size_t)1 << 20) /* sizes served from slices; above: a mapping of their own                   \
                       */

/* The most slices that a thread keeps one freed large block of, and the bytes of all it keeps. */
#define HT_LARGE_CACHE_SLICES 16u
#define HT_LARGE_CACHE_BYTES  ((size_t)256 << 10)

/* Blocks freed for another thread's run wait in the outbox until there are this many, or this many
 * bytes of them. Slots times bytes bounds what a thread that only frees can hold back. */
#define HT_OUTBOX_SLOTS  16u
#define HT_OUTBOX_BLOCKS 64u
#define HT_OUTBOX_BYTES  4096u

static_assert(HT_SEGMENT_SLICES == 256, "slice numbers are kept in bytes");
static_assert(HT_SEGMENT_SLICES * HT_RUN_BYTES == HT_SLICE, "the descriptors fill slice 0 exactly");
static_assert(HT_SMALL_MAX <= 2 * HT_SLICE, "run_slices() plans for blocks up to two slices");
static_assert(HT_LARGE_MAX < HT_SEGMENT / 2, "a large block must fit a segment at any alignment");
static_assert((HT_LARGE_MAX >> HT_SLICE_SHIFT) < 255,
              "a large block's slices are counted in a byte");

#define ht_likely(x)   __builtin_expect(!!(x), 1)
#define ht_unlikely(x) __builtin_expect(!!(x), 0)
#define HT_NOINLINE    __attribute__((noinline))
/* On data that fast paths read: found without a detour through the table of exported names. */
#define HT_HIDDEN __attribute__((visibility("hidden")))
#define HT_COLD   __attribute__((noinline, cold))

/* The debug build checks invariants as it goes; the checks name the number given in DESIGN.md. */
#ifdef HT_DEBUG
#include "message.h"
#define ht_check(number, condition)                                                                \
    ((condition) ? (void)0 : ht_die_check(number, #condition, __FILE__, __LINE__))
#else
#define ht_check(number, condition) ((void)0)
#endif

#endif
