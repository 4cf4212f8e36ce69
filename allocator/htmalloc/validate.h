/* Checks of the whole heap against the numbered invariants of DESIGN.md, for tests and the
 * debugger. */
#ifndef HTMALLOC_VALIDATE_H
#define HTMALLOC_VALIDATE_H

#include <stdbool.h>

/* True when all invariants hold; otherwise one line on stderr names the first that does not, and
 * where. No other thread may be inside the allocator: fast paths are not stopped by any lock. */
bool ht_validate(void);

#endif
