/* Of the build for Valgrind alone, in place of cxx.c: operator new and delete, each of its kind, so
 * that mixing them up is seen. A program's own operators are respected as there. */
#include "memcheck.h"

#ifdef HT_VALGRIND

#include "operators.h"

#include <dlfcn.h>
#include <stdlib.h>

/* libstdc++'s own operator new cannot throw under Valgrind; what it would do, we do. */
static void *new_or_throw(size_t size, size_t align, enum memcheck_kind kind)
{
    void *address;
    while ((address = memcheck_take(size, align, false, kind)) == NULL) {
        void (*(*get_handler)(void))(void) =
            (void (*(*)(void))(void))dlsym(RTLD_DEFAULT, "_ZSt15get_new_handlerv");
        void (*handler)(void) = get_handler == NULL ? NULL : get_handler();
        void (*throw_it)(void) = (void (*)(void))dlsym(RTLD_DEFAULT, "_ZSt17__throw_bad_allocv");
        if (handler != NULL)
            handler();
        else if (throw_it != NULL)
            throw_it();
        else
            abort();
    }
    return address;
}

/* Whether the program has replaced one of the two that the others are defined by. */
static bool is_replaced(void)
{
    return _Znwm != own_new || _ZdlPv != own_delete;
}

void *_Znwm(size_t size)
{
    return new_or_throw(size, HT_ALIGN, MEMCHECK_NEW);
}

void *_Znam(size_t size)
{
    return is_replaced() ? _Znwm(size) : new_or_throw(size, HT_ALIGN, MEMCHECK_NEW_ARRAY);
}

void *_ZnwmSt11align_val_t(size_t size, size_t align)
{
    return new_or_throw(size, align, MEMCHECK_NEW);
}

void *_ZnamSt11align_val_t(size_t size, size_t align)
{
    return new_or_throw(size, align, MEMCHECK_NEW_ARRAY);
}

void _ZdlPv(void *address)
{
    memcheck_free(address, MEMCHECK_NEW, SIZE_MAX);
}

void _ZdaPv(void *address)
{
    if (is_replaced())
        _ZdlPv(address);
    else
        memcheck_free(address, MEMCHECK_NEW_ARRAY, SIZE_MAX);
}

void _ZdlPvm(void *address, size_t size)
{
    if (is_replaced())
        _ZdlPv(address);
    else
        memcheck_free(address, MEMCHECK_NEW, size);
}

void _ZdaPvm(void *address, size_t size)
{
    if (is_replaced())
        _ZdlPv(address);
    else
        memcheck_free(address, MEMCHECK_NEW_ARRAY, size);
}

void _ZdlPvSt11align_val_t(void *address, size_t align)
{
    (void)align;
    memcheck_free(address, MEMCHECK_NEW, SIZE_MAX);
}

void _ZdaPvSt11align_val_t(void *address, size_t align)
{
    (void)align;
    memcheck_free(address, MEMCHECK_NEW_ARRAY, SIZE_MAX);
}

void _ZdlPvmSt11align_val_t(void *address, size_t size, size_t align)
{
    (void)align;
    memcheck_free(address, MEMCHECK_NEW, size);
}

void _ZdaPvmSt11align_val_t(void *address, size_t size, size_t align)
{
    (void)align;
    memcheck_free(address, MEMCHECK_NEW_ARRAY, size);
}

#endif
