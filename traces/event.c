#include "traces/event.h"

const char *tape_kind_name(unsigned kind)
{
    static const char *const names[] = {
#define X(name, number, word, allocates, frees) [number] = word,
        TAPE_EVENT_KINDS(X)
#undef X
    };
    return kind < TAPE_EVENT_KIND_LIMIT && names[kind] ? names[kind] : "unknown";
}
