/* Checks of the whole heap against the numbered invariants of DESIGN.md: ht_validate() of
 * htmalloc.h. No other thread may be inside the allocator: fast paths are not stopped by any lock.
 */
#ifndef HTMALLOC_VALIDATE_H
#define HTMALLOC_VALIDATE_H

#include "htmalloc.h"

#endif
