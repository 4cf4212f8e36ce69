/*
 * C++ operator new and delete, without linking libstdc++. The two that all others are defined by go
 * straight to malloc and free; the others call them by name, through the dynamic linker, as
 * libstdc++'s do, so that a program which replaces only some still gets its own. When there is no
 * memory, the next operator new in link order (libstdc++'s) takes over: it calls the new_handler
 * and throws.
 */
#include "fast.h"
#include "front.h"
#include "operators.h"

#include <dlfcn.h>
#include <stdlib.h>

typedef void *(*new_function)(size_t);
typedef void *(*new_aligned_function)(size_t, size_t);

#ifdef HT_HARD
#define NEW_FAST(size) ht_malloc(size)
#define NEW_SLOW(size) ht_malloc(size)
/* Only of our own blocks is the size known: not where the program has replaced one of the two. */
#define SIZED(plain, checked)                                                                      \
    do {                                                                                           \
        if (_Znwm == own_new && _ZdlPv == own_delete)                                              \
            checked;                                                                               \
        else                                                                                       \
            plain;                                                                                 \
    } while (0)
extern __typeof__(_ZnwmSt11align_val_t) own_new_aligned
    __attribute__((alias("_ZnwmSt11align_val_t"), visibility("hidden")));
extern __typeof__(_ZdlPvSt11align_val_t) own_delete_aligned
    __attribute__((alias("_ZdlPvSt11align_val_t"), visibility("hidden")));
#define ALIGNED(plain, checked)                                                                    \
    do {                                                                                           \
        if (_ZnwmSt11align_val_t == own_new_aligned &&                                             \
            _ZdlPvSt11align_val_t == own_delete_aligned)                                           \
            checked;                                                                               \
        else                                                                                       \
            plain;                                                                                 \
    } while (0)
#else
#define NEW_FAST(size)          fast_take(size)
#define NEW_SLOW(size)          ht_malloc_slow(size)
#define SIZED(plain, checked)   ((void)size, plain)
#define ALIGNED(plain, checked) ((void)align, plain)
#endif

static HT_NOINLINE void *new_slow(size_t size)
{
    void *address = NEW_SLOW(size);
    if (ht_likely(address != NULL))
        return address;
    new_function next = (new_function)dlsym(RTLD_NEXT, "_Znwm");
    if (next == NULL)
        abort(); /* nobody who could throw */
    return next(size);
}

static HT_COLD void *new_aligned_failed(size_t size, size_t align)
{
    new_aligned_function next = (new_aligned_function)dlsym(RTLD_NEXT, "_ZnwmSt11align_val_t");
    if (next == NULL)
        abort();
    return next(size, align);
}

void *_Znwm(size_t size)
{
    void *address = NEW_FAST(size);
    return ht_likely(address != NULL) ? address : new_slow(size);
}

void *_Znam(size_t size)
{
    return _Znwm(size);
}

void *_ZnwmSt11align_val_t(size_t size, size_t align)
{
    void *address = ht_memalign(align, size);
    return ht_likely(address != NULL) ? address : new_aligned_failed(size, align);
}

void *_ZnamSt11align_val_t(size_t size, size_t align)
{
    return _ZnwmSt11align_val_t(size, align);
}

void _ZdlPv(void *address)
{
    front_free(address);
}

void _ZdaPv(void *address)
{
    _ZdlPv(address);
}

void _ZdlPvm(void *address, size_t size)
{
    SIZED(_ZdlPv(address), front_free_sized("operator delete", address, size));
}

void _ZdaPvm(void *address, size_t size)
{
    SIZED(_ZdaPv(address), front_free_sized("operator delete[]", address, size));
}

void _ZdlPvSt11align_val_t(void *address, size_t align)
{
    ALIGNED(front_free(address), front_free_aligned("operator delete", address, align));
}

void _ZdaPvSt11align_val_t(void *address, size_t align)
{
    _ZdlPvSt11align_val_t(address, align);
}

void _ZdlPvmSt11align_val_t(void *address, size_t size, size_t align)
{
    (void)size;
    ALIGNED(_ZdlPvSt11align_val_t(address, align),
            front_free_aligned_sized("operator delete", address, align, size));
}

void _ZdaPvmSt11align_val_t(void *address, size_t size, size_t align)
{
    (void)size;
    ALIGNED(_ZdaPvSt11align_val_t(address, align),
            front_free_aligned_sized("operator delete[]", address, align, size));
}
