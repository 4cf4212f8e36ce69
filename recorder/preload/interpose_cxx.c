/*
 * C++'s operators. libstdc++'s and libc++'s call malloc and free, which are recorded there, so for
 * them these hooks only pass on. Allocators that bring operators of their own (jemalloc, tcmalloc,
 * mimalloc, tbbmalloc) do not come through malloc, so for them the operator itself is recorded.
 * Where nobody behind us defines an operator (a plug-in that has libstdc++ for itself alone), it
 * is what libstdc++'s is: malloc, the new-handler, std::bad_alloc.
 *
 * An operator may throw, and no hook may be open while it does: the recorded kind calls the
 * allocator's nothrow form, and only when that gave NULL the throwing one, outside of the hook.
 *
 * All operators take integers and pointers, at most three, so one C type calls them all: what a
 * callee does not expect in a register it does not look at.
 */
#include <dlfcn.h>
#include <stdlib.h>

#include "recorder/preload/bootstrap.h"
#include "recorder/preload/lane.h"
#include "recorder/preload/next.h"
#include "recorder/preload/operators.h"
#include "recorder/preload/process.h"

#define EXPORT __attribute__((visibility("default")))
#define HOOK   static inline __attribute__((always_inline))

enum operator_kind { OPERATOR_UNKNOWN, OPERATOR_PASS, OPERATOR_RECORD, OPERATOR_MISSING };

typedef void *any_new(size_t, uintptr_t, uintptr_t);
typedef void any_delete(void *, uintptr_t, uintptr_t);

struct operator_next {
    const char *name;
    _Atomic uint32_t kind; /* enum operator_kind; the function is set before it */
    union {
        void *symbol;
        any_new *new;
        any_delete *delete;
    };
};

static __attribute__((noinline, cold)) enum operator_kind find(struct operator_next *op)
{
    (void)process_ready(); /* so that the allocator is known */
    op->symbol = next_symbol(op->name);
    if (op->symbol && wiped.sites)
        sites_pass_over(op->symbol);
    enum operator_kind kind = !op->symbol                 ? OPERATOR_MISSING
                              : next_contains(op->symbol) ? OPERATOR_RECORD
                                                          : OPERATOR_PASS;
    atomic_store_explicit(&op->kind, kind, memory_order_release);
    return kind;
}

HOOK enum operator_kind kind_of(struct operator_next *op)
{
    enum operator_kind kind = atomic_load_explicit(&op->kind, memory_order_acquire);
    return likely(kind != OPERATOR_UNKNOWN) ? kind : find(op);
}

/* A function of the C++ runtime, which may be loaded where the global scope does not show it. */
static void *runtime_symbol(const char *name)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);
    void *runtime = symbol ? NULL : dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
    return symbol || !runtime ? symbol : dlsym(runtime, name);
}

static __attribute__((noinline, cold)) void call_new_handler(void)
{
    void (*(*get_handler)(void))(void);
    void (*throw_bad_alloc)(void);
    *(void **)&get_handler = runtime_symbol("_ZSt15get_new_handlerv");
    *(void **)&throw_bad_alloc = runtime_symbol("_ZSt17__throw_bad_allocv");
    void (*handler)(void) = get_handler ? get_handler() : NULL;
    if (handler)
        handler();
    else if (throw_bad_alloc)
        throw_bad_alloc();
    else
        abort();
}

static void *new_by_malloc(size_t size, size_t alignment, bool may_throw)
{
    for (;;) {
        size_t bytes = size ? size : 1;
        void *block = alignment ? aligned_alloc(alignment, (bytes + alignment - 1) & -alignment)
                                : malloc(bytes);
        if (block || !may_throw)
            return block;
        call_new_handler();
    }
}

static const char nothrow_tag; /* std::nothrow: its address is all that is ever used */

/* alignment 0: the plain form. `gentle`: the nothrow form of `op` where `op` may throw. */
HOOK void *record_new(struct operator_next *op, struct operator_next *gentle, size_t size,
                      size_t alignment)
{
    uintptr_t tag = (uintptr_t)&nothrow_tag;
    struct operator_next *called = gentle ? gentle : op;
    struct ring_lane *lane = lane_enter();
    if (unlikely(!lane))
        return op->new (size, alignment ? alignment : tag, tag);
    void *block = called->new (size, alignment ? alignment : tag, tag);
    unsigned kind = alignment ? RAW_ALIGNED : RAW_MALLOC;
    unsigned align_log2 = alignment ? (unsigned)__builtin_ctzl(alignment) : 0;
    lane_leave(lane_record(lane, kind, block, size, align_log2));
    if (likely(block) || called == op)
        return block;
    block = op->new (size, alignment ? alignment : tag, tag); /* throws, or succeeds after all */
    lane = lane_enter();
    if (lane)
        lane_leave(lane_record(lane, kind, block, size, align_log2));
    return block;
}

HOOK void *any_new_hook(struct operator_next *op, struct operator_next *gentle, size_t size,
                        size_t alignment)
{
    uintptr_t tag = (uintptr_t)&nothrow_tag;
    switch (kind_of(op)) {
    case OPERATOR_RECORD:
        if (gentle && kind_of(gentle) != OPERATOR_RECORD)
            gentle = NULL;
        return record_new(op, gentle, size, alignment);
    case OPERATOR_MISSING:
        return new_by_malloc(size, alignment, gentle);
    default:
        return op->new (size, alignment ? alignment : tag, tag);
    }
}

HOOK void any_delete_hook(struct operator_next *op, void *block, uintptr_t second, uintptr_t third)
{
    enum operator_kind kind = kind_of(op);
    if (unlikely(bootstrap_owns(block)))
        return;
    if (kind == OPERATOR_MISSING) {
        free(block);
        return;
    }
    struct ring_lane *lane = kind == OPERATOR_RECORD ? lane_enter() : NULL;
    if (!lane) {
        op->delete (block, second, third);
        return;
    }
    lane = lane_record(lane, RAW_FREE, block, 0, 0);
    op->delete (block, second, third);
    lane_leave(lane);
}

/* A name with its cell for what is behind it. */
#define OPERATOR(symbol) static struct operator_next next##symbol = {.name = #symbol}

#define NEW(symbol, nothrow)                                                                       \
    OPERATOR(symbol);                                                                              \
    OPERATOR(nothrow);                                                                             \
    EXPORT void *symbol(size_t size);                                                              \
    EXPORT void *symbol(size_t size)                                                               \
    {                                                                                              \
        return any_new_hook(&next##symbol, &next##nothrow, size, 0);                               \
    }                                                                                              \
    EXPORT void *nothrow(size_t size, const void *tag);                                            \
    EXPORT void *nothrow(size_t size, const void *tag)                                             \
    {                                                                                              \
        (void)tag;                                                                                 \
        return any_new_hook(&next##nothrow, NULL, size, 0);                                        \
    }

#define NEW_ALIGNED(symbol, nothrow)                                                               \
    OPERATOR(symbol);                                                                              \
    OPERATOR(nothrow);                                                                             \
    EXPORT void *symbol(size_t size, size_t alignment);                                            \
    EXPORT void *symbol(size_t size, size_t alignment)                                             \
    {                                                                                              \
        return any_new_hook(&next##symbol, &next##nothrow, size, alignment);                       \
    }                                                                                              \
    EXPORT void *nothrow(size_t size, size_t alignment, const void *tag);                          \
    EXPORT void *nothrow(size_t size, size_t alignment, const void *tag)                           \
    {                                                                                              \
        (void)tag;                                                                                 \
        return any_new_hook(&next##nothrow, NULL, size, alignment);                                \
    }

#define DELETE(symbol)                                                                             \
    OPERATOR(symbol);                                                                              \
    EXPORT void symbol(void *block, uintptr_t second, uintptr_t third);                            \
    EXPORT void symbol(void *block, uintptr_t second, uintptr_t third)                             \
    {                                                                                              \
        any_delete_hook(&next##symbol, block, second, third);                                      \
    }

OPERATOR_LIST(NEW, NEW_ALIGNED, DELETE)
