#include "replayer/engine/violation.h"

#include <sched.h>
#include <stdatomic.h>

static _Atomic uint32_t lock;

static const bool fails[] = {
#define X(name, word, fail) fail,
    ENGINE_VIOLATIONS(X)
#undef X
};

bool violations_fail(void)
{
    bool fail = false;
    for (unsigned i = 0; i < ENGINE_VIOLATION_LIMIT; i++)
        fail |= fails[i] && atomic_load(&engine_result->violations[i]);
    return fail;
}

void violation_tell(const struct engine_violation *violation)
{
    struct engine_result *result = engine_result;
    uint64_t before = atomic_fetch_add(&result->violations[violation->kind], 1);
    if ((before && !fails[violation->kind]) ||
        atomic_load(&result->violations_kept) >= ENGINE_VIOLATIONS_MAX)
        return;
    while (atomic_exchange_explicit(&lock, 1, memory_order_acquire))
        sched_yield();
    uint32_t kept = atomic_load(&result->violations_kept);
    if (kept < ENGINE_VIOLATIONS_MAX) {
        result->violation[kept] = *violation;
        /* Only then: a reader that finds it counted finds it whole. */
        atomic_store(&result->violations_kept, kept + 1);
    }
    atomic_store_explicit(&lock, 0, memory_order_release);
}
