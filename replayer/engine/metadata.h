/*
 * What the allocator says of its own data: descriptors, tables, heaps. Asked once, after the last
 * operation and the last sample, since asking may itself allocate.
 */
#ifndef HEAPTAPE_REPLAYER_METADATA_H
#define HEAPTAPE_REPLAYER_METADATA_H

#include <stdint.h>

/*
 * Bytes, of which some may not be resident; ENGINE_UNKNOWN where it does not tell. Whatever
 * allocator defines
 *
 *     size_t heaptape_metadata(void);
 *
 * tells it so, as htmalloc does; of jemalloc it is stats.metadata, of gperftools' tcmalloc what it
 * prints as "Bytes in malloc metadata"; others that heaptape knows have no such figure. While no
 * replay thread runs.
 */
uint64_t metadata_told(void);

#endif
