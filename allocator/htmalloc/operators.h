/*
 * C++ operator new and delete by their names in object files (Itanium C++ ABI), which what links no
 * libstdc++ has to declare itself. In order: new, new[], the two with alignment, then delete and
 * delete[] plain, with size, with alignment, with both. For the one file of a library that defines
 * them.
 */
#ifndef HTMALLOC_OPERATORS_H
#define HTMALLOC_OPERATORS_H

#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT void *_Znwm(size_t size);
EXPORT void *_Znam(size_t size);
EXPORT void *_ZnwmSt11align_val_t(size_t size, size_t align);
EXPORT void *_ZnamSt11align_val_t(size_t size, size_t align);
EXPORT void _ZdlPv(void *address);
EXPORT void _ZdaPv(void *address);
EXPORT void _ZdlPvm(void *address, size_t size);
EXPORT void _ZdaPvm(void *address, size_t size);
EXPORT void _ZdlPvSt11align_val_t(void *address, size_t align);
EXPORT void _ZdaPvSt11align_val_t(void *address, size_t align);
EXPORT void _ZdlPvmSt11align_val_t(void *address, size_t size, size_t align);
EXPORT void _ZdaPvmSt11align_val_t(void *address, size_t size, size_t align);

/* The two that all others are defined by. These names stay ours where the program has replaced one.
 */
extern __typeof__(_Znwm) own_new __attribute__((alias("_Znwm"), visibility("hidden")));
extern __typeof__(_ZdlPv) own_delete __attribute__((alias("_ZdlPv"), visibility("hidden")));

#endif
