#include "textbook.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "block.h"
#include "large.h"
#include "leaks.h"
#include "lock.h"
#include "memcheck.h"
#include "names.h"
#include "options.h"
#include "picture.h"
#include "policy.h"
#include "words.h"

#define NEW_BYTE   0xAA
#define FREED_BYTE 0x55

static const struct policy *policy; /* NULL before the first call */
static struct textbook_stats stats;

/* The library's constructor may come after the first call. */
static void begin(void)
{
    if (!options.policy)
        options_read(environ);
    policy = options.fit == FIT_BUDDY  ? &buddy_policy
             : options.fit == FIT_BUMP ? &bump_policy
                                       : &heap_policy;
    policy->begin();
}

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

/* ---- with the lock held ---- */

static size_t tag_of(const void *payload)
{
    return ((const size_t *)payload)[-1];
}

/* The site of a block, at its end, is not the program's. */
static size_t site_bytes(void)
{
    return options.leaks == LEAKS_SITES ? SITE_BYTES : 0;
}

/* Where what the program may use of a block ends, or what is kept for memcheck. */
static size_t room(const void *payload)
{
    size_t bytes = tag_of(payload) & TAG_LARGE ? large_usable(payload) : policy->usable(payload);
    return bytes - site_bytes();
}

static size_t usable(const void *payload)
{
    size_t bytes = room(payload);
    return MEMCHECK ? memcheck_size((const char *)payload + bytes) : bytes;
}

static void set_site(void *payload, const void *site)
{
    if (options.leaks == LEAKS_SITES)
        memcpy((char *)payload + room(payload), &site, sizeof site);
}

/* Ends the program where the pointer cannot be a block that is used. */
static void look_at(const char *call, const void *payload)
{
    if ((uintptr_t)payload % ALIGNMENT || !policy)
        words_misuse(call, payload, "not a block of this allocator");
    size_t tag = tag_of(payload);
    if (!(tag & TAG_LARGE) && !region_spans(payload))
        words_misuse(call, payload, "not a block of this allocator");
    if (!(tag & TAG_USED))
        words_misuse(call, payload, "freed before");
    if (policy == &heap_policy && !(tag & TAG_LARGE)) {
        size_t bytes = tag & ~TAG_FLAGS;
        if (bytes < BLOCK_LEAST || !region_spans((const char *)payload + bytes - 2 * TAG_BYTES) ||
            *block_footer(block_of(payload)) != tag)
            words_misuse(call, payload, "not a block, or its tags were written over");
    }
}

static void count_in(size_t bytes)
{
    size_t held = region_held() + large_held();
    stats.allocations++;
    stats.live_blocks++;
    stats.live_bytes += bytes;
    stats.allocated_bytes += bytes;
    if (held > stats.largest_held)
        stats.largest_held = held;
}

/* `threshold`: what is at least so large gets a mapping of its own. */
static void *take(size_t size, size_t align, size_t threshold, const void *site)
{
    void *payload = NULL;
    if (size > PTRDIFF_MAX || align > PTRDIFF_MAX - size - PAGE_BYTES)
        return no_memory();
    if (size < threshold && size <= POLICY_MOST && align <= POLICY_MOST)
        payload = policy->take(size + MEMCHECK_TAIL + site_bytes(), align);
    else
        payload = large_take(size + MEMCHECK_TAIL + site_bytes(), align);
    if (!payload)
        return no_memory();
    if (MEMCHECK)
        memcheck_set_size((char *)payload + room(payload), size);
    set_site(payload, site);
    count_in(usable(payload));
    if (options.scribble)
        memset(payload, NEW_BYTE, usable(payload));
    return payload;
}

static void give(void *payload)
{
    size_t bytes = usable(payload);
    int saved = errno;
    names_drop(payload);
    stats.frees++;
    stats.live_blocks--;
    stats.live_bytes -= bytes;
    if (tag_of(payload) & TAG_LARGE) {
        large_give(payload);
    } else {
        if (options.scribble)
            memset(payload, FREED_BYTE, bytes);
        policy->give(payload);
    }
    errno = saved;
}

/* Where it is, or by another mapping; else by a new block and a copy. */
static void *resize(void *payload, size_t size, const void *site)
{
    size_t had = usable(payload), has;
    void *moved = NULL;
    if (size > PTRDIFF_MAX - PAGE_BYTES)
        return no_memory();
    if (tag_of(payload) & TAG_LARGE)
        moved = large_resize(payload, size + site_bytes());
    else if (size < options.mmap_threshold && size <= POLICY_MOST)
        moved = policy->resize(payload, size + site_bytes());
    if (moved) {
        set_site(moved, site);
        names_move(payload, moved);
        has = usable(moved);
        stats.live_bytes += has - had;
        stats.allocated_bytes += has > had ? has - had : 0;
        if (options.scribble && has > had)
            memset((char *)moved + had, NEW_BYTE, has - had);
        return moved;
    }
    moved = take(size, ALIGNMENT, options.mmap_threshold, site);
    if (!moved)
        return NULL;
    memcpy(moved, payload, had < size ? had : size);
    names_move(payload, moved);
    give(payload);
    return moved;
}

/* ---- the calls ---- */

static void *take_locked(size_t size, size_t align, size_t threshold, const void *site)
{
    lock_take();
    if (!policy)
        begin();
    void *payload = take(size, align, threshold ? threshold : options.mmap_threshold, site);
    lock_give();
    if (payload)
        memcheck_take(payload, size);
    return payload;
}

void *textbook_take(size_t align, size_t size, const void *site)
{
    if (align & (align - 1)) {
        errno = EINVAL;
        return NULL;
    }
    return take_locked(size, align < ALIGNMENT ? ALIGNMENT : align, 0, site);
}

/* A mapping is zeros already. */
static void *take_zeros(size_t count, size_t size, size_t threshold, const void *site)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes))
        return no_memory();
    void *payload = take_locked(bytes, ALIGNMENT, threshold, site);
    if (payload && (MEMCHECK || !(tag_of(payload) & TAG_LARGE) || options.scribble))
        memset(payload, 0, bytes);
    return payload;
}

void *textbook_take_zeros(size_t count, size_t size, const void *site)
{
    return take_zeros(count, size, 0, site);
}

void *textbook_take_zeros_mapped(size_t count, size_t size, const void *site)
{
    return take_zeros(count, size, PAGE_BYTES, site);
}

/* realloc in the build for Valgrind. */
static void *replace(void *payload, size_t size, const void *site)
{
    void *moved = memcheck_may_use(payload) ? textbook_take(ALIGNMENT, size, site) : NULL;
    size_t had = moved ? textbook_usable_size(payload) : 0;
    if (!moved)
        return NULL;
    memcpy(moved, payload, had < size ? had : size);
    lock_take();
    names_move(payload, moved);
    lock_give();
    textbook_free(payload);
    return moved;
}

void *textbook_change(void *payload, size_t size, const void *site)
{
    if (!payload)
        return textbook_take(ALIGNMENT, size, site);
    if (size == 0) {
        textbook_free(payload);
        return NULL;
    }
    if (MEMCHECK)
        return replace(payload, size, site);
    lock_take();
    look_at("realloc", payload);
    payload = resize(payload, size, site);
    lock_give();
    return payload;
}

void *textbook_malloc(size_t size)
{
    return textbook_take(ALIGNMENT, size, __builtin_return_address(0));
}

void *textbook_memalign(size_t align, size_t size)
{
    return textbook_take(align, size, __builtin_return_address(0));
}

void *textbook_calloc(size_t count, size_t size)
{
    return textbook_take_zeros(count, size, __builtin_return_address(0));
}

void *textbook_realloc(void *payload, size_t size)
{
    return textbook_change(payload, size, __builtin_return_address(0));
}

void textbook_free(void *payload)
{
    if (!payload || !memcheck_give(payload))
        return;
    lock_take();
    look_at("free", payload);
    give(payload);
    lock_give();
}

void textbook_name(void *payload, const char *name)
{
    lock_take();
    look_at("malloc_name", payload);
    names_set(payload, name);
    lock_give();
}

size_t textbook_usable_size(void *payload)
{
    if (!payload)
        return 0;
    lock_take();
    look_at("malloc_usable_size", payload);
    size_t bytes = usable(payload);
    lock_give();
    return bytes;
}

/* ---- looking ---- */

void textbook_stats(struct textbook_stats *ret_stats)
{
    lock_take();
    *ret_stats = stats;
    ret_stats->splits = policy_counts.splits;
    ret_stats->coalesces = policy_counts.coalesces;
    ret_stats->held_bytes = region_held() + large_held();
    lock_give();
}

void heaptape_heap(struct heaptape_heap *ret_heap)
{
    ret_heap->held = region_held() + large_held();
    ret_heap->splits = policy_counts.splits;
    ret_heap->coalesces = policy_counts.coalesces;
}

void textbook_leaks(void)
{
    lock_take();
    if (!policy)
        begin();
    leaks_tell(policy, &stats);
    lock_give();
}

const char *textbook_check(void)
{
    lock_take();
    const char *wrong = policy ? policy->check() : NULL;
    if (!wrong)
        wrong = large_check();
    lock_give();
    return wrong;
}

void textbook_picture(int file, int svg)
{
    lock_take();
    if (!policy)
        begin();
    (svg ? picture_svg : picture_text)(file, policy);
    lock_give();
}

void textbook_restart(const struct options *switches)
{
    lock_take();
    region_forget();
    large_forget();
    names_forget();
    stats = (struct textbook_stats){0};
    policy_counts = (struct policy_counts){0};
    options = *switches;
    begin();
    lock_give();
}
