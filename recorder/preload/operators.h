/*
 * Every C++ operator new and delete that a library which interposes them has to define, by its name
 * in object files (Itanium C++ ABI): OPERATOR_LIST(NEW, NEW_ALIGNED, DELETE) gives NEW(throwing,
 * nothrow) and NEW_ALIGNED(throwing, nothrow) for new and new[], and DELETE(symbol) for each
 * delete, whose arguments behind the address (size, alignment, tag) are a register each.
 */
#ifndef HEAPTAPE_RECORDER_PRELOAD_OPERATORS_H
#define HEAPTAPE_RECORDER_PRELOAD_OPERATORS_H

/* clang-format off */
#define OPERATOR_LIST(NEW, NEW_ALIGNED, DELETE)                                                    \
    NEW(_Znwm, _ZnwmRKSt9nothrow_t)                                                                \
    NEW(_Znam, _ZnamRKSt9nothrow_t)                                                                \
    NEW_ALIGNED(_ZnwmSt11align_val_t, _ZnwmSt11align_val_tRKSt9nothrow_t)                          \
    NEW_ALIGNED(_ZnamSt11align_val_t, _ZnamSt11align_val_tRKSt9nothrow_t)                          \
    DELETE(_ZdlPv)                                                                                 \
    DELETE(_ZdaPv)                                                                                 \
    DELETE(_ZdlPvm)                                                                                \
    DELETE(_ZdaPvm)                                                                                \
    DELETE(_ZdlPvRKSt9nothrow_t)                                                                   \
    DELETE(_ZdaPvRKSt9nothrow_t)                                                                   \
    DELETE(_ZdlPvSt11align_val_t)                                                                  \
    DELETE(_ZdaPvSt11align_val_t)                                                                  \
    DELETE(_ZdlPvmSt11align_val_t)                                                                 \
    DELETE(_ZdaPvmSt11align_val_t)                                                                 \
    DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t)                                                    \
    DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t)
/* clang-format on */

#endif
